//! A digest of what a plan changes, and what differs between two plans.
//!
//! Two plans of the same thing differ in bytes: in when they were made and in the order of what Terraform keeps in no
//! order. The digest is over what is left: changes, drift, what is put off and actions, each sorted by address; outputs;
//! variables. Resources that stay as they are count too: with them it is bound to everything that was looked at.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::redaction::Redaction;
use crate::provisioning::terraform::mask::Masks;

/// Lists of a plan whose order says nothing.
const LISTS: [&str; 4] = ["resource_changes", "resource_drift", "deferred_changes", "action_invocations"];
/// Objects of a plan.
const OBJECTS: [&str; 2] = ["output_changes", "variables"];
/// More differences than these are counted.
const TOLD: usize = 200;

/// SHA-256 in lower-case hex. An object's keys are written in order, which makes its text the same every time.
pub(super) fn digest(plan: &Value) -> String {
    let mut sum = Sha256::new();
    let mut add = |text: &str| {
        // With its length before it, so that no two lists of texts give the same bytes.
        sum.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        sum.update(text.as_bytes());
    };
    for name in LISTS {
        let values = plan[name].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut texts: Vec<String> = values.iter().map(Value::to_string).collect();
        texts.sort_unstable();
        add(name);
        add(&texts.len().to_string());
        texts.iter().for_each(|text| add(text));
    }
    for name in OBJECTS {
        add(name);
        match plan[name].as_object() {
            Some(entries) if !entries.is_empty() => add(&plan[name].to_string()),
            _ => add("{}"),
        }
    }
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What `fresh` would do otherwise, for two plans whose digests differ. Never empty.
pub(super) fn moved(approved: &Value, fresh: &Value, redaction: Redaction<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let (old, new) = (by_address(approved, "resource_changes"), by_address(fresh, "resource_changes"));
    for key in keys(&old, &new) {
        let line = match (old.get(&key), new.get(&key)) {
            (Some(was), Some(is)) if was == is => continue,
            (Some(was), Some(is)) => changed(was, is, redaction),
            (None, Some(is)) => format!("would now be {}, wasn't in the plan", verb(is)),
            (Some(was), None) => format!("would no longer be {}", verb(was)),
            (None, None) => continue,
        };
        lines.push(format!("{}: {line}", called(key, redaction)));
    }
    let (old, new) = (by_address(approved, "resource_drift"), by_address(fresh, "resource_drift"));
    for key in keys(&old, &new) {
        let line = match (old.get(&key), new.get(&key)) {
            (Some(was), Some(is)) if was == is => continue,
            (Some(_), Some(_)) => "has been changed again behind Terraform's back",
            (None, _) => "has been changed behind Terraform's back since",
            (Some(_), None) => "is no longer changed behind Terraform's back",
        };
        lines.push(format!("{}: {line}", called(key, redaction)));
    }
    let empty = serde_json::Map::new();
    for (name, what) in [("output_changes", "output"), ("variables", "variable")] {
        let (was, is) = (approved[name].as_object().unwrap_or(&empty), fresh[name].as_object().unwrap_or(&empty));
        let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        for key in names.into_iter().filter(|key| was.get(*key) != is.get(*key)) {
            let line = match (was.contains_key(key), is.contains_key(key)) {
                (false, _) => "is new",
                (_, false) => "is gone",
                _ if name == "variables" => "has another value",
                _ => "would now become something else",
            };
            lines.push(format!("{what} {}: {line}", redaction.name(key)));
        }
    }
    for (name, what) in [("deferred_changes", "what is put off"), ("action_invocations", "actions to be called")] {
        if approved[name] != fresh[name] {
            lines.push(format!("{what}: not the same any more"));
        }
    }
    if lines.is_empty() {
        lines.push("the plan: the same resources in another number; plan again".to_owned());
    }
    if lines.len() > TOLD {
        let more = lines.len() - TOLD;
        lines.truncate(TOLD);
        lines.push(format!("and {more} more"));
    }
    lines
}

/// Address and deposed key.
type Key<'a> = (&'a str, &'a str);

fn by_address<'a>(plan: &'a Value, list: &str) -> BTreeMap<Key<'a>, &'a Value> {
    let key = |change: &'a Value| {
        (change["address"].as_str().unwrap_or_default(), change["deposed"].as_str().unwrap_or_default())
    };
    plan[list].as_array().into_iter().flatten().map(|change| (key(change), change)).collect()
}

fn keys<'a>(old: &BTreeMap<Key<'a>, &'a Value>, new: &BTreeMap<Key<'a>, &'a Value>) -> BTreeSet<Key<'a>> {
    old.keys().chain(new.keys()).copied().collect()
}

fn called((address, deposed): Key<'_>, redaction: Redaction<'_>) -> String {
    let address = redaction.name(address);
    if deposed.is_empty() { address } else { format!("{address} (deposed {})", redaction.name(deposed)) }
}

fn changed(was: &Value, is: &Value, redaction: Redaction<'_>) -> String {
    let (before, now) = (verb(was), verb(is));
    if before != now {
        return format!("would now be {now}, was {before}");
    }
    let mut attributes = BTreeSet::new();
    for side in ["before", "after", "after_unknown", "before_sensitive", "after_sensitive"] {
        let (old, new) = (was["change"][side].as_object(), is["change"][side].as_object());
        let names = old.into_iter().chain(new).flat_map(|entries| entries.keys());
        let of = |entries: Option<&'_ serde_json::Map<String, Value>>, name: &str| {
            entries.and_then(|e| e.get(name).cloned())
        };
        attributes.extend(names.filter(|name| of(old, name) != of(new, name)).map(|name| redaction.name(name)));
    }
    if attributes.is_empty() {
        return format!("would still be {now}, and not in the same way");
    }
    let attributes = attributes.into_iter().collect::<Vec<_>>().join(", ");
    match now {
        "left as it is" => format!("isn't as it was: {attributes}"),
        _ => format!("would still be {now}, and not in the same way: {attributes}"),
    }
}

/// What is done to it: `replaced`, `left as it is`.
fn verb(change: &Value) -> &'static str {
    let nothing = Masks::default();
    let list = serde_json::json!({ "one": [change] });
    let action = super::outline::entries(&list, "one", Redaction::of(&nothing)).ok();
    match action.as_ref().and_then(|(entries, _)| entries.first()).map(|entry| entry.change.action) {
        Some(action) => action.done(),
        None => "left as it is",
    }
}
