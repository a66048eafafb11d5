//! A plan without its differences.

use serde_json::Value;

use super::cause::{self, Grounds};
use super::diff::{Differ, Forces};
use super::error::PlanError;
use super::half::Half;
use super::model::{DiffNode, PlanCheck, PlanVariable, PlannedChange, Shown};
use super::redaction::Redaction;
use crate::provisioning::run::ChangeAction;
use crate::provisioning::terraform::secrets;

/// A change and its place in the JSON's list.
pub(super) struct Entry {
    pub at: usize,
    pub change: PlannedChange,
}

/// The changes of a list, in its order, and how many resources in it stay as they are.
pub(super) fn entries(plan: &Value, list: &str, redaction: Redaction<'_>) -> Result<(Vec<Entry>, u32), PlanError> {
    let values = match plan.get(list) {
        None | Some(Value::Null) => return Ok((Vec::new(), 0)),
        Some(Value::Array(values)) => values,
        Some(_) => return Err(PlanError::shape(list, "isn't a list")),
    };
    let mut entries = Vec::with_capacity(values.len());
    let mut unchanged: u32 = 0;
    for (at, value) in values.iter().enumerate() {
        match planned(value, redaction)
            .map_err(|(part, fault)| PlanError::shape(format!("{list}[{at}]{part}"), &fault))?
        {
            Some(change) => entries.push(Entry { at, change }),
            None if value["mode"] == "data" => {}
            None => unchanged += 1,
        }
    }
    Ok((entries, unchanged))
}

/// Where something is wrong, and what.
type Fault = (&'static str, String);

/// One change; `None` where nothing is done.
fn planned(raw: &Value, redaction: Redaction<'_>) -> Result<Option<PlannedChange>, Fault> {
    let isnt = |part, what: &str| (part, format!("isn't {what}"));
    let text = |name: &str| raw[name].as_str().filter(|text| !text.is_empty());
    let address = text("address").ok_or_else(|| isnt(".address", "a text"))?;
    let kind = text("type").ok_or_else(|| isnt(".type", "a text"))?;
    let change = raw["change"].as_object().ok_or_else(|| isnt(".change", "an object"))?;
    for side in ["before", "after"] {
        if !matches!(change.get(side), None | Some(Value::Null | Value::Object(_))) {
            return Err(isnt(".change", "of objects before and after"));
        }
    }
    let name = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(|text| redaction.name(text));
    let previous_address = name(&raw["previous_address"]);
    let importing = change.get("importing").and_then(|importing| import(importing, redaction));
    let done = done(&raw["change"]["actions"])?;
    let action = match done.action {
        Some(action) => action,
        None if importing.is_some() => ChangeAction::Import,
        None if previous_address.is_some() => ChangeAction::Move,
        None => return Ok(None),
    };
    let replace_paths = paths(&raw["change"]["replace_paths"], redaction);
    let deposed = name(&raw["deposed"]);
    let cause = cause::of(&Grounds {
        action,
        reason: raw["action_reason"].as_str(),
        replace_paths: &replace_paths,
        deposed: deposed.is_some(),
        forgets: done.forgets,
        only_marks: action == ChangeAction::Update && is_known_and_the_same(&raw["change"]),
    });
    Ok(Some(PlannedChange {
        address: redaction.name(address),
        module: name(&raw["module_address"]).unwrap_or_default(),
        kind: redaction.name(kind),
        data: raw["mode"] == "data",
        action,
        create_first: done.create_first,
        cause,
        replace_paths,
        previous_address,
        deposed,
        importing,
    }))
}

/// What `actions` say: nothing where nothing is done.
struct Done {
    action: Option<ChangeAction>,
    create_first: bool,
    forgets: bool,
}

fn done(actions: &Value) -> Result<Done, Fault> {
    let words: Option<Vec<&str>> = actions.as_array().and_then(|list| list.iter().map(Value::as_str).collect());
    let (action, create_first, forgets) = match words.as_deref() {
        Some(["no-op"]) => (None, false, false),
        Some(["create"]) => (Some(ChangeAction::Create), false, false),
        Some(["read"]) => (Some(ChangeAction::Read), false, false),
        Some(["update"]) => (Some(ChangeAction::Update), false, false),
        Some(["delete"]) => (Some(ChangeAction::Delete), false, false),
        Some(["delete", "create"]) => (Some(ChangeAction::Replace), false, false),
        Some(["create", "delete"]) => (Some(ChangeAction::Replace), true, false),
        Some(["forget"]) => (Some(ChangeAction::Forget), false, false),
        Some(["create", "forget"]) => (Some(ChangeAction::Replace), true, true),
        Some(other) => return Err((".change.actions", format!("are {}, which isn't known here", other.join(", ")))),
        None => return Err((".change.actions", "isn't a list of texts".to_owned())),
    };
    Ok(Done { action, create_first, forgets })
}

fn is_known_and_the_same(change: &Value) -> bool {
    change["before"] == change["after"] && !super::half::any(&change["after_unknown"])
}

fn import(importing: &Value, redaction: Redaction<'_>) -> Option<String> {
    let importing = importing.as_object()?;
    match (importing.get("id").and_then(Value::as_str), importing.get("identity")) {
        (Some(id), _) if !id.is_empty() => Some(redaction.name(id)),
        (_, Some(identity)) if !identity.is_null() => Some(match redaction.shown(identity) {
            Shown::Value(identity) => redaction.name(&identity.to_string()),
            _ => crate::provisioning::terraform::mask::MASK.to_owned(),
        }),
        _ => Some("an id that isn't told".to_owned()),
    }
}

/// `replace_paths` as people write them: `endpoint[0].type`, `tags["a b"]`.
fn paths(paths: &Value, redaction: Redaction<'_>) -> Vec<String> {
    let plain = |key: &str| {
        key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    };
    let path = |steps: &Vec<Value>| {
        let mut path = String::new();
        for step in steps {
            match step.as_str() {
                Some(key) if plain(key) && path.is_empty() => path.push_str(key),
                Some(key) if plain(key) => path.push_str(&format!(".{key}")),
                Some(key) => path.push_str(&format!("[{key:?}]")),
                None => path.push_str(&format!("[{step}]")),
            }
        }
        redaction.name(&path)
    };
    paths.as_array().into_iter().flatten().filter_map(Value::as_array).map(path).collect()
}

/// Outputs that change, by name.
pub(super) fn outputs(plan: &Value, redaction: Redaction<'_>) -> Vec<DiffNode> {
    let changes = plan["output_changes"].as_object().into_iter().flatten();
    let output = |(name, change): (&String, &Value)| {
        let before = Half::of(&change["before"], &change["before_sensitive"], &Value::Null);
        let after = Half::of(&change["after"], &change["after_sensitive"], &change["after_unknown"]);
        let kind = |values: &'static str| plan.pointer(values).and_then(|outputs| outputs.get(name)?.get("type"));
        let kind = kind("/planned_values/outputs").or_else(|| kind("/prior_state/values/outputs"));
        Differ::new(redaction).node(redaction.name(name), before, after, &Forces::default(), kind)
    };
    changes.filter(|(_, change)| change["actions"] != serde_json::json!(["no-op"])).map(output).collect()
}

/// Variables, by name.
pub(super) fn variables(plan: &Value, redaction: Redaction<'_>) -> Vec<PlanVariable> {
    let secret = secrets::sensitive_names(plan);
    let variable = |(name, variable): (&String, &Value)| {
        let value = if secret.contains(name) && !redaction.is_revealed() {
            Shown::Sensitive
        } else {
            redaction.shown(&variable["value"])
        };
        PlanVariable { name: redaction.name(name), value }
    };
    plan["variables"].as_object().into_iter().flatten().map(variable).collect()
}

/// Checks, in Terraform's order.
pub(super) fn checks(plan: &Value, redaction: Redaction<'_>) -> Vec<PlanCheck> {
    let display = |of: &Value| of["address"]["to_display"].as_str().unwrap_or_default().to_owned();
    let check = |check: &Value| {
        let address = display(check);
        let mut problems = Vec::new();
        for instance in check["instances"].as_array().into_iter().flatten() {
            let of = display(instance);
            for problem in instance["problems"].as_array().into_iter().flatten() {
                let message = problem["message"].as_str().unwrap_or_default();
                let words =
                    if of.is_empty() || of == address { message.to_owned() } else { format!("{of}: {message}") };
                problems.push(redaction.name(&words));
            }
        }
        let status = redaction.name(check["status"].as_str().unwrap_or("unknown"));
        PlanCheck { address: redaction.name(&address), status, problems }
    };
    plan["checks"].as_array().into_iter().flatten().map(check).collect()
}
