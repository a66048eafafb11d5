//! What a configuration sets its sensitive variables to, known before Terraform says a word.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::Workspace;
use super::hcl::{self, Attribute};
use super::module::Module;
use crate::provisioning::terraform::mask::Masks;

/// The secrets in `module`: defaults of sensitive variables, nested modules' too, and what the root module's are set to
/// by the files that Terraform reads by itself, by `file` (as in `environments/prod.tfvars`), and by `TF_VAR_…`, which
/// `environment` answers.
#[must_use]
pub fn of_module(module: &Module, file: &str, environment: impl Fn(&str) -> Option<String>) -> Masks {
    let mut masks = Masks::default();
    let secret = module.sensitive_variables();
    for (path, content) in &module.files {
        let name = path.to_string_lossy();
        let text = String::from_utf8_lossy(content);
        if name.ends_with(".tf") {
            defaults(&text, &mut masks);
        } else if name.ends_with(".tf.json") {
            for (_, variable) in object(&text)["variable"].as_object().into_iter().flatten() {
                if is_true(&variable["sensitive"]) || is_true(&variable["ephemeral"]) {
                    masks.add_all(&variable["default"]);
                }
            }
        } else if is_read(path, file) {
            values(&name, &text, &secret, &mut masks);
        }
    }
    for name in &secret {
        if let Some(value) = environment(&format!("TF_VAR_{name}")) {
            masks.extend(of_value(&value));
        }
    }
    masks
}

/// The secrets in what a sensitive variable is set to from outside: a text as it is, a list or an object as an expression.
#[must_use]
pub fn of_value(value: &str) -> Masks {
    let mut masks = Masks::default();
    masks.add(value);
    hcl::read(&format!("x = {value}\n")).attributes.iter().for_each(|one| add(one, &mut masks));
    masks
}

/// The same of the module in `folder`, or else of the carried one, for whoever lays nothing out. A module that can't be
/// read tells nothing.
#[must_use]
pub fn known(folder: Option<&Path>, workspace: &Workspace) -> Masks {
    let module = folder.map_or_else(Module::carried, Module::read);
    let of = |module| of_module(&module, &workspace.variables_file(), |name| std::env::var(name).ok());
    module.map(of).unwrap_or_default()
}

fn defaults(text: &str, masks: &mut Masks) {
    for block in hcl::read(text).blocks.iter().filter(|block| block.head.first().is_some_and(|it| it == "variable")) {
        if is_secret(&block.body) {
            block.body.attributes.iter().filter(|one| one.name == "default").for_each(|one| add(one, masks));
        }
    }
}

/// Whether a variable with this body is sensitive, or never kept.
pub(super) fn is_secret(body: &hcl::Body) -> bool {
    body.attributes.iter().any(|one| matches!(one.name.as_str(), "sensitive" | "ephemeral") && one.words == ["true"])
}

/// Whether Terraform reads values from it.
fn is_read(path: &Path, file: &str) -> bool {
    let name = path.to_string_lossy();
    let by_itself = path.components().count() == 1
        && (matches!(name.as_ref(), "terraform.tfvars" | "terraform.tfvars.json")
            || name.ends_with(".auto.tfvars")
            || name.ends_with(".auto.tfvars.json"));
    by_itself || name == file
}

fn values(name: &str, text: &str, secret: &BTreeSet<String>, masks: &mut Masks) {
    if name.ends_with(".json") {
        let values = object(text);
        secret.iter().for_each(|name| masks.add_all(&values[name]));
    } else {
        let read = hcl::read(text);
        read.attributes.iter().filter(|one| secret.contains(&one.name)).for_each(|one| add(one, masks));
    }
}

fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn is_true(value: &Value) -> bool {
    *value == Value::Bool(true)
}

/// The texts and numbers of an expression; its other words are names and truth values.
fn add(attribute: &Attribute, masks: &mut Masks) {
    attribute.texts.iter().for_each(|text| masks.add(text));
    let numbers = attribute.words.iter().filter_map(|word| word.parse::<serde_json::Number>().ok());
    numbers.for_each(|number| masks.add_all(&Value::Number(number)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensitive_variables_are_known_wherever_they_are_set() {
        let files = [
            (
                "a.tf",
                "variable \"key\" {\n  sensitive = true\n  default = \"by-default-1\"\n}\nvariable \"open\" {\n  default = \"open-1\"\n}\nvariable \"once\" {\n  ephemeral = true\n}\n",
            ),
            ("b.tf.json", r#"{"variable": {"pin": {"sensitive": true, "default": 471147}}}"#),
            ("m/v.tf", "variable \"k\" {\n  default = \"nested-1\"\n  sensitive = true\n}\n"),
            ("terraform.tfvars", "key = \"by-file-1\"\nopen = \"open-2\"\n"),
            ("x.auto.tfvars.json", r#"{"once": {"a": ["by-auto-1"]}}"#),
            ("environments/prod.tfvars", "key = \"of-prod-1\"\n"),
            ("environments/staging.tfvars", "key = \"of-staging-1\"\n"),
        ];
        let files = files.map(|(name, text)| (name.into(), text.as_bytes().to_vec())).into();
        let module = Module { place: "module".into(), files };
        let variables = |name: &str| (name == "TF_VAR_once").then(|| "{ a = [\"by-shell-1\"] }".to_owned());
        let masks = of_module(&module, "environments/prod.tfvars", variables);
        for secret in ["by-default-1", "471147", "nested-1", "by-file-1", "by-auto-1", "of-prod-1", "by-shell-1"] {
            assert_eq!(masks.apply(secret), "(sensitive)", "{secret}");
        }
        for open in ["open-1", "open-2", "of-staging-1"] {
            assert_eq!(masks.apply(open), open);
        }
    }
}
