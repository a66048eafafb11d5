//! The policies of an environment: loaded once, asked about each plan.

use std::path::Path;
use std::time::{Duration, Instant};

use regorus::Value as Rego;
use serde::Deserialize as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::context::PolicyContext;
use super::engine::{self, Ready};
use super::finding::{Finding, Severity};
use super::{answer, source, verdict};
use crate::provisioning::terraform::mask::Masks;
use crate::provisioning::terraform::secrets;

/// How long all policies together may take over one plan.
const LIMIT: Duration = Duration::from_secs(60);

/// Policies, ready to be asked. What couldn't be loaded denies every plan.
#[derive(Debug, Clone)]
pub struct Policies {
    carried: Ready,
    own: Option<Ready>,
    faults: Vec<Finding>,
    digest: String,
}

/// A policy as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRules {
    /// Its name, as in `public-access`.
    pub name: String,
    /// The file: `skydeck:public_access.rego` is carried, `policies/mine.rego` one's own.
    pub file: String,
    /// Whether skydeck carries it.
    pub carried: bool,
    /// What its rules can say, the gravest first.
    pub severities: Vec<Severity>,
}

impl Policies {
    /// The carried policies, and those below the folder `own` (`provisioning.policies`). Never fails: what can't be read
    /// or understood is a finding of every judgement.
    #[must_use]
    pub fn load(own: Option<&Path>) -> Self {
        let judging = |sources: Vec<source::Source>| -> Vec<_> {
            sources.into_iter().filter(|source| !source.is_test()).collect()
        };
        let carried_sources = judging(source::carried());
        let (carried, mut broken) = engine::prepare(&carried_sources);
        let mut texts: Vec<(String, String)> =
            carried_sources.iter().map(|source| (source.name.clone(), source.text.clone())).collect();
        let mut faults = Vec::new();
        let own = own.map(|folder| {
            let (found, unread) = source::own(folder);
            faults.extend(unread.iter().map(|(place, reason)| answer::fault(place, reason)));
            texts.extend(unread);
            let found = judging(found);
            texts.extend(found.iter().map(|source| (source.name.clone(), source.text.clone())));
            // Their own engine: what is wrong with them silences nothing of what is carried.
            let library = carried_sources.into_iter().filter(|source| source.name == source::LIBRARY);
            let (ready, wrong) = engine::prepare(&library.chain(found).collect::<Vec<_>>());
            broken.extend(wrong);
            ready
        });
        faults.extend(broken.iter().map(|fault| answer::fault(&fault.place, &fault.reason)));
        texts.sort();
        Self { carried, own, faults, digest: digest(&texts) }
    }

    /// SHA-256 over the names and texts of all policies, in lower-case hex: the same wherever the folder lies. Tests
    /// aren't part of it.
    #[must_use]
    pub fn digest(&self) -> String {
        self.digest.clone()
    }

    /// What the policies say of `plan` (`terraform show -json PLAN`), the gravest first, what is the same together. What
    /// can't be evaluated, or takes too long, denies. Printable, and without what the plan marks as sensitive.
    #[must_use]
    pub fn judge(&self, plan: &Value, context: &PolicyContext) -> Vec<Finding> {
        let mut found = self.faults.clone();
        match (secrets::of_plan(plan), input(plan, context)) {
            (Ok(masks), Ok(input)) => {
                let deadline = Instant::now() + LIMIT;
                found.extend(asked(&self.carried, &input, deadline));
                let own = self.own.iter().flat_map(|own| asked(own, &input, deadline));
                found.extend(own.map(|finding| masked(finding, &masks)));
            }
            (Err(reason), _) | (_, Err(reason)) => found.push(answer::fault("the plan can't be judged", &reason)),
        }
        verdict::together(found)
    }

    /// The policies by name, the carried ones first.
    #[must_use]
    pub fn list(&self) -> Vec<PolicyRules> {
        let mut found: Vec<PolicyRules> = Vec::new();
        for rule in [Some(&self.carried), self.own.as_ref()].into_iter().flatten().flat_map(|ready| &ready.rules) {
            let same = |known: &&mut PolicyRules| known.name == rule.policy && known.carried == rule.carried;
            if let Some(known) = found.iter_mut().find(same) {
                known.severities.push(rule.severity);
                known.severities.sort();
                known.severities.dedup();
            } else {
                found.push(PolicyRules {
                    name: rule.policy.clone(),
                    file: rule.file.clone(),
                    carried: rule.carried,
                    severities: vec![rule.severity],
                });
            }
        }
        found.sort_by(|a, b| (!a.carried, &a.name).cmp(&(!b.carried, &b.name)));
        found
    }

    /// What couldn't be loaded, as it is found in every judgement. Empty where all is well.
    #[must_use]
    pub fn faults(&self) -> &[Finding] {
        &self.faults
    }
}

/// What one engine's rules say.
fn asked(ready: &Ready, input: &Rego, deadline: Instant) -> Vec<Finding> {
    let mut engine = ready.engine.clone();
    engine.set_input(input.clone());
    let mut found = Vec::new();
    for rule in &ready.rules {
        let left = deadline.saturating_duration_since(Instant::now());
        // Nothing left is no limit's value: the rule ends at its first look at the clock.
        match engine::ask(&mut engine, &rule.path, left.max(Duration::from_nanos(1))) {
            Ok(value) => found.extend(answer::findings(rule, &value)),
            Err(error) => {
                let fault = engine::fault(&rule.file, &error, false);
                let place = format!("{}: {}", fault.place, rule.path.trim_start_matches("data."));
                found.push(answer::fault(&place, &fault.reason));
            }
        }
    }
    found
}

/// The plan, with `skydeck` beside what Terraform wrote.
fn input(plan: &Value, context: &PolicyContext) -> Result<Rego, String> {
    let unusable = |error: serde_json::Error| format!("{error}; plan again");
    let mut input = Rego::deserialize(plan).map_err(unusable)?;
    let circumstances = Rego::deserialize(context.document()).map_err(unusable)?;
    let fields = input.as_object_mut().map_err(|_| "it is no JSON object; plan again".to_owned())?;
    fields.insert(Rego::from("skydeck"), circumstances);
    Ok(input)
}

fn masked(finding: Finding, masks: &Masks) -> Finding {
    Finding {
        message: masks.apply(&finding.message),
        addresses: finding.addresses.iter().map(|address| masks.apply(address)).collect(),
        policy: masks.apply(&finding.policy),
        explanation: finding.explanation.map(|explanation| masks.apply(&explanation)),
        ..finding
    }
}

fn digest(texts: &[(String, String)]) -> String {
    let mut hash = Sha256::new();
    for text in texts.iter().flat_map(|(name, text)| [name, text]) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    verdict::hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_that_takes_too_long_is_ended_and_denies() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let rule = "package slow\n\ndeny contains \"x\" if {\n\tsome a in numbers.range(1, 10000)\n\tsome b in numbers.range(1, 10000)\n\ta + b < 0\n}\n\nwarn contains \"never asked\" if true\n";
        std::fs::write(folder.path().join("slow.rego"), rule).expect("written");
        let policies = Policies::load(Some(folder.path()));
        let own = policies.own.as_ref().expect("its own");
        let start = Instant::now();
        let found = asked(own, &Rego::new_object(), start + Duration::from_millis(300));
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert_eq!(found[0].severity, Severity::Deny);
        assert!(found[0].message.ends_with("slow.deny: took too long and was ended; make it simpler"), "{found:?}");
    }

    #[test]
    fn the_circumstances_are_part_of_the_input() {
        let context = PolicyContext {
            environment: "prod-eu".parse().expect("a name"),
            now: "2026-11-24T03:00:00Z".parse().expect("a time"),
            change_window: Some("Tue 02:00-04:00 UTC".parse().expect("a window")),
            emulated: false,
        };
        let found = input(&json!({"format_version": "1.2"}), &context).expect("an input");
        let expected = json!({"environment": "prod-eu", "kind": "cloud", "emulated": false, "now": "2026-11-24T03:00:00Z",
            "in_30_days": "2026-12-24T03:00:00Z", "within_change_window": true});
        assert_eq!(found["skydeck"], Rego::from(expected));
    }
}
