//! What a rule gave, as findings.

use regorus::Value;

use super::engine::Rule;
use super::explain;
use super::finding::{Finding, Severity};

/// The policy that speaks of the policies themselves.
pub(super) const POLICIES: &str = "policies";

/// A denial by the policies' own fault: `place` says which, `reason` why and what to do.
pub(super) fn fault(place: &str, reason: &str) -> Finding {
    Finding {
        severity: Severity::Deny,
        policy: POLICIES.to_owned(),
        message: format!("{place}: {reason}"),
        addresses: Vec::new(),
        explanation: Some(explain::place(POLICIES)),
    }
}

/// The findings in `answer`. What isn't of a known shape denies.
pub(super) fn findings(rule: &Rule, answer: &Value) -> Vec<Finding> {
    let entries: Vec<&Value> = match answer {
        Value::Undefined => Vec::new(),
        Value::Set(entries) => entries.iter().collect(),
        Value::Array(entries) => entries.iter().collect(),
        other => return vec![unknown_shape(rule, other)],
    };
    entries.into_iter().map(|entry| finding(rule, entry).unwrap_or_else(|| unknown_shape(rule, entry))).collect()
}

/// A sentence, or `{message, addresses, policy, explanation}`; conftest's `{msg}` is a message, too.
fn finding(rule: &Rule, entry: &Value) -> Option<Finding> {
    let said = Finding {
        severity: rule.severity,
        policy: rule.policy.clone(),
        message: String::new(),
        addresses: Vec::new(),
        explanation: rule.carried.then(|| explain::place(&rule.policy)),
    };
    if let Ok(message) = entry.as_string() {
        return (!message.trim().is_empty()).then(|| Finding { message: message.to_string(), ..said });
    }
    let fields = entry.as_object().ok()?;
    let text = |name: &str| match fields.get(&Value::from(name)) {
        None => Some(None),
        Some(value) => value.as_string().ok().filter(|text| !text.trim().is_empty()).map(|text| Some(text.to_string())),
    };
    let message = text("message")?.or(text("msg")?)?;
    let addresses = match fields.get(&Value::from("addresses")) {
        None => Vec::new(),
        Some(Value::Set(addresses)) => addresses.iter().map(address).collect::<Option<_>>()?,
        Some(Value::Array(addresses)) => addresses.iter().map(address).collect::<Option<_>>()?,
        Some(_) => return None,
    };
    let policy = text("policy")?.unwrap_or(said.policy);
    let explanation = text("explanation")?.or(said.explanation);
    Some(Finding { message, addresses, policy, explanation, ..said })
}

fn address(value: &Value) -> Option<String> {
    value.as_string().ok().map(ToString::to_string)
}

/// Says what was given, not its content: that may be secret.
fn unknown_shape(rule: &Rule, given: &Value) -> Finding {
    let shape = match given {
        Value::Null => "null",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(_) => "a number",
        Value::String(_) => "an empty text",
        Value::Array(_) => "a list",
        Value::Set(_) => "a set",
        Value::Object(_) => "an object without a message, or with a field of another kind",
        Value::Undefined => "nothing",
    };
    let rule_name = rule.path.trim_start_matches("data.");
    let reason = format!(
        "{rule_name} gave {shape}; let it give texts or {{\"message\": …, \"addresses\": […]}}, as in `deny contains \"…\" if {{ … }}`"
    );
    fault(&rule.file, &reason)
}
