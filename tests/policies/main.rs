//! The policies: those that are carried, on the carried module and with each fault put into it; those of one's own, good
//! and broken; their tests; a plan of 10,000 changes.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

#[path = "../peers/terraform.rs"]
mod peer;

mod carried; // their tests, docs and files
mod large; // a large plan
mod module; // the carried module's plans
mod own; // a folder of one's own

use serde_json::{Value, json};
use skydeck::provisioning::policy::PolicyContext;
use skydeck::provisioning::policy::finding::Finding;

/// The circumstances of `environment` on a Tuesday at three in the morning, UTC.
fn context(environment: &str) -> PolicyContext {
    PolicyContext {
        environment: environment.parse().expect("a name"),
        now: "2026-11-24T03:00:00Z".parse().expect("a time"),
        change_window: None,
        emulated: true,
    }
}

/// A plan of these changes.
fn plan(changes: &[Value]) -> Value {
    json!({"format_version": "1.2", "resource_changes": changes})
}

/// A resource that is made.
fn made(kind: &str, name: &str, after: &Value) -> Value {
    json!({"address": format!("{kind}.{name}"), "type": kind, "mode": "managed", "change":
        {"actions": ["create"], "before": null, "after": after, "after_unknown": {}}})
}

/// A finding in a line: `DENY public-access: anybody may read it; … [address, address]`.
fn line(finding: &Finding) -> String {
    let Finding { severity, policy, message, addresses, .. } = finding;
    format!("{} {policy}: {message} [{}]", severity.label(), addresses.join(", "))
}

fn lines(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(line).collect()
}
