//! What a plan says is sensitive, from `terraform show -json PLAN` (format 1.x).

use serde_json::Value;

use super::mask::Masks;

/// The secrets of a plan. Fails in words on a format that isn't known here.
pub fn of_plan(plan: &Value) -> Result<Masks, String> {
    let version = plan.get("format_version").and_then(Value::as_str).unwrap_or("none");
    if version.split('.').next() != Some("1") {
        let version = crate::station::text::printable(version);
        return Err(format!("the plan's format is {version}, this skydeck reads 1.x; use an older Terraform"));
    }
    let mut masks = Masks::default();
    for list in ["resource_changes", "resource_drift", "deferred_changes"] {
        for change in plan.get(list).and_then(Value::as_array).into_iter().flatten() {
            let change = change.get("resource_change").unwrap_or(change);
            add_change(&mut masks, &change["change"]);
        }
    }
    for change in plan.get("output_changes").and_then(Value::as_object).into_iter().flat_map(|changes| changes.values())
    {
        add_change(&mut masks, change);
    }
    let root = &plan["configuration"]["root_module"];
    // Variables bear no mark where their values are.
    for (name, _) in sensitive_variables(root["variables"].as_object()) {
        masks.add_all(&plan["variables"][name]["value"]);
    }
    add_constants(&mut masks, root);
    for state in ["/prior_state/values", "/planned_values"] {
        if let Some(values) = plan.pointer(state) {
            add_values(&mut masks, values);
        }
    }
    Ok(masks)
}

/// Names of the variables that a plan's configuration declares sensitive.
#[must_use]
pub fn sensitive_names(plan: &Value) -> Vec<String> {
    let declared = plan.pointer("/configuration/root_module/variables").and_then(Value::as_object);
    sensitive_variables(declared).map(|(name, _)| name.clone()).collect()
}

fn sensitive_variables(declared: Option<&serde_json::Map<String, Value>>) -> impl Iterator<Item = (&String, &Value)> {
    declared.into_iter().flatten().filter(|(_, variable)| variable["sensitive"] == Value::Bool(true))
}

/// Secrets that stand in the configuration itself: what a sensitive variable is where nobody sets it, and what a module's
/// sensitive variable is set to.
fn add_constants(masks: &mut Masks, root: &Value) {
    let mut modules = vec![root];
    while let Some(module) = modules.pop() {
        for (_, variable) in sensitive_variables(module["variables"].as_object()) {
            masks.add_all(&variable["default"]);
        }
        for call in module["module_calls"].as_object().into_iter().flat_map(|calls| calls.values()) {
            for (name, _) in sensitive_variables(call["module"]["variables"].as_object()) {
                masks.add_all(&call["expressions"][name]["constant_value"]);
            }
            modules.push(&call["module"]);
        }
    }
}

fn add_change(masks: &mut Masks, change: &Value) {
    masks.add_marked(&change["before"], &change["before_sensitive"]);
    masks.add_marked(&change["after"], &change["after_sensitive"]);
}

fn add_values(masks: &mut Masks, values: &Value) {
    for output in values["outputs"].as_object().into_iter().flat_map(|outputs| outputs.values()) {
        masks.add_marked(&output["value"], &output["sensitive"]);
    }
    let mut modules = vec![&values["root_module"]];
    while let Some(module) = modules.pop() {
        for resource in module["resources"].as_array().into_iter().flatten() {
            masks.add_marked(&resource["values"], &resource["sensitive_values"]);
        }
        modules.extend(module["child_modules"].as_array().into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn marks_are_found_wherever_a_plan_bears_them() {
        let plan = json!({
            "format_version": "1.2",
            "variables": {"key": {"value": "from-variable"}, "name": {"value": "plain-name"}},
            "configuration": {"root_module": {
                "variables": {"key": {"sensitive": true, "default": "by-default"}, "name": {"default": "open-default"}},
                "module_calls": {"m": {
                    "expressions": {"token": {"constant_value": "to-module"}, "size": {"constant_value": "open-size"}},
                    "module": {"variables": {"token": {"sensitive": true}, "size": {}}}}}}},
            "resource_changes": [{"change": {"before": {"a": "old-secret"}, "before_sensitive": {"a": true},
                "after": {"a": "new-secret", "b": "open-value"}, "after_sensitive": {"a": true}}}],
            "output_changes": {"o": {"before": null, "before_sensitive": false, "after": "out-secret", "after_sensitive": true}},
            "prior_state": {"values": {"root_module": {"child_modules": [{"resources": [
                {"values": {"k": "deep-secret"}, "sensitive_values": {"k": true}}]}]}}},
        });
        let masks = of_plan(&plan).expect("known");
        let secrets =
            ["from-variable", "by-default", "to-module", "old-secret", "new-secret", "out-secret", "deep-secret"];
        for secret in secrets {
            assert_eq!(masks.apply(secret), "(sensitive)", "{secret}");
        }
        assert_eq!(
            masks.apply("plain-name open-value open-default open-size"),
            "plain-name open-value open-default open-size"
        );
        assert_eq!(sensitive_names(&plan), ["key"]);
    }

    #[test]
    fn another_format_is_refused_by_its_number() {
        assert!(of_plan(&json!({"format_version": "2.0"})).expect_err("unknown").contains("2.0"));
        assert!(of_plan(&json!({})).expect_err("unknown").contains("none"));
    }
}
