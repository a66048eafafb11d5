//! What a state holds, from its file or from `terraform state pull` (version 4, since Terraform 0.12).

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::mask::Masks;
use crate::provisioning::status::{OutputValue, StateResource, StateView};
use crate::station::text::printable;

/// A state, read. Holds secrets.
#[derive(Deserialize)]
pub struct State {
    version: u64,
    #[serde(default)]
    serial: u64,
    #[serde(default)]
    lineage: String,
    #[serde(default)]
    outputs: serde_json::Map<String, Value>,
    #[serde(default)]
    resources: Vec<RawResource>,
}

#[derive(Deserialize)]
struct RawResource {
    module: Option<String>,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    instances: Vec<RawInstance>,
}

#[derive(Deserialize)]
struct RawInstance {
    index_key: Option<Value>,
    deposed: Option<String>,
    #[serde(default)]
    attributes: Value,
    #[serde(default)]
    sensitive_attributes: Vec<Vec<Step>>,
}

/// One step of a path into attributes.
#[derive(Deserialize)]
struct Step {
    #[serde(default)]
    value: Value,
}

impl State {
    /// Reads a state. Fails in words on what isn't one of version 4.
    pub fn read(text: &str) -> Result<Self, String> {
        let state: Self = serde_json::from_str(text).map_err(|error| format!("isn't a state: {error}"))?;
        if state.version == 4 {
            Ok(state)
        } else {
            Err(format!("is a state of version {}, this skydeck reads version 4", state.version))
        }
    }

    /// What tells it from the state of anything else (UUID).
    #[must_use]
    pub fn lineage(&self) -> &str {
        &self.lineage
    }

    /// Its serial; rises with every change.
    #[must_use]
    pub const fn serial(&self) -> u64 {
        self.serial
    }

    /// Resources in it, data sources left out.
    #[must_use]
    pub fn count(&self) -> u32 {
        let managed = self.resources.iter().filter(|resource| resource.mode == "managed");
        let instances = managed.flat_map(|resource| &resource.instances).filter(|one| one.deposed.is_none());
        u32::try_from(instances.count()).unwrap_or(u32::MAX)
    }

    /// Addresses of everything in it.
    #[must_use]
    pub fn addresses(&self) -> BTreeSet<String> {
        let instances = self.resources.iter().flat_map(|one| one.instances.iter().map(move |instance| (one, instance)));
        instances.map(|(resource, instance)| address(resource, instance)).collect()
    }

    /// What it holds, without the secrets that it marks, and without `more`: those of the configuration, say.
    #[must_use]
    pub fn view(&self, more: Masks) -> StateView {
        let mut masks = self.secrets();
        masks.extend(more);
        let mut resources: Vec<_> = self
            .resources
            .iter()
            .flat_map(|resource| resource.instances.iter().map(move |instance| (resource, instance)))
            .map(|(resource, instance)| StateResource {
                address: masks.apply(&address(resource, instance)),
                kind: printable(&resource.kind),
                id: instance.attributes["id"].as_str().map(|id| masks.apply(&printable(id))),
            })
            .collect();
        resources.sort_by(|a, b| a.address.cmp(&b.address));
        let outputs = self.outputs.iter().map(|(name, output)| OutputValue {
            name: printable(name),
            value: (output["sensitive"] != Value::Bool(true)).then(|| masked(&output["value"], &masks)),
        });
        StateView { serial: Some(self.serial), resources, outputs: outputs.collect() }
    }

    /// Every text that it marks as sensitive.
    #[must_use]
    pub fn secrets(&self) -> Masks {
        let mut masks = Masks::default();
        for output in self.outputs.values().filter(|output| output["sensitive"] == Value::Bool(true)) {
            masks.add_all(&output["value"]);
        }
        for instance in self.resources.iter().flat_map(|resource| &resource.instances) {
            for path in &instance.sensitive_attributes {
                masks.add_all(of_any_type(at(&instance.attributes, path)));
            }
        }
        masks
    }
}

/// The state without a word of what it holds.
impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("serial", &self.serial).field("resources", &self.count()).finish_non_exhaustive()
    }
}

fn at<'a>(attributes: &'a Value, path: &[Step]) -> &'a Value {
    path.iter().fold(attributes, |value, step| {
        let value = of_any_type(value);
        match &step.value {
            Value::String(name) => &value[name.as_str()],
            // The key of an element comes as `{"value": 0, "type": "number"}`.
            Value::Object(key) => match (&key.get("value"), value) {
                (Some(Value::Number(index)), Value::Array(values)) => {
                    let index = index.as_u64().and_then(|index| usize::try_from(index).ok());
                    index.and_then(|index| values.get(index)).unwrap_or(&Value::Null)
                }
                (Some(Value::String(name)), _) => &value[name.as_str()],
                _ => &Value::Null,
            },
            _ => &Value::Null,
        }
    })
}

/// What an attribute that takes any type holds: it is written as `{"value": …, "type": …}`, and paths go past that.
fn of_any_type(value: &Value) -> &Value {
    match value {
        Value::Object(entries) if entries.len() == 2 && entries.contains_key("type") => {
            entries.get("value").unwrap_or(value)
        }
        _ => value,
    }
}

fn masked(value: &Value, masks: &Masks) -> Value {
    match value {
        Value::String(text) => Value::String(masks.apply(text)),
        Value::Array(values) => values.iter().map(|value| masked(value, masks)).collect(),
        Value::Object(values) => {
            Value::Object(values.iter().map(|(name, value)| (name.clone(), masked(value, masks))).collect())
        }
        other => other.clone(),
    }
}

/// As in `module.a.data.b.c["d"]`; what is left of a replacement bears its key.
fn address(resource: &RawResource, instance: &RawInstance) -> String {
    let module = resource.module.as_ref().map(|module| format!("{module}.")).unwrap_or_default();
    let data = if resource.mode == "data" { "data." } else { "" };
    let index = match &instance.index_key {
        Some(key) => format!("[{key}]"),
        None => String::new(),
    };
    let deposed = instance.deposed.as_ref().map(|key| format!(" (deposed {key})")).unwrap_or_default();
    printable(&format!("{module}{data}{}.{}{index}{deposed}", resource.kind, resource.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Terraform 1.11.4 wrote it, shortened.
    const SAMPLE: &str = r#"{
  "version": 4, "terraform_version": "1.11.4", "serial": 11, "lineage": "8f05b978-827b-5008-c65d-2c4b7905b3ea",
  "outputs": {
    "plain": {"value": "leaks hunter2-secret", "type": "string"},
    "secret": {"value": "hunter2-secret", "type": "string", "sensitive": true}
  },
  "resources": [
    {"mode": "managed", "type": "terraform_data", "name": "many", "provider": "p", "instances": [
      {"index_key": "b c", "schema_version": 0, "attributes": {"id": "3195fa3a", "input": null}, "sensitive_attributes": []},
      {"index_key": "a", "status": "tainted", "schema_version": 0, "attributes": {"id": "2936f9ee"}, "sensitive_attributes": []}
    ]},
    {"module": "module.m[0]", "mode": "data", "type": "terraform_remote_state", "name": "x", "instances": [{"attributes": {}}]},
    {"mode": "managed", "type": "terraform_data", "name": "replaced", "instances": [
      {"attributes": {"id": "c8b842f8", "input": {"type": "string", "value": "input-secret"}, "keys": ["none", "key-secret"]},
       "sensitive_attributes": [[{"type": "get_attr", "value": "input"}],
         [{"type": "get_attr", "value": "keys"}, {"type": "index", "value": {"value": 1, "type": "number"}}]]}
    ]}
  ],
  "check_results": null
}"#;

    #[test]
    fn a_secret_within_an_attribute_of_any_type_is_found() {
        let text = r#"{"version": 4, "resources": [{"mode": "managed", "type": "terraform_data", "name": "x", "instances": [
            {"attributes": {"input": {"value": {"a": "correct horse"}, "type": ["object", {"a": "string"}]}},
             "sensitive_attributes": [[{"type": "get_attr", "value": "input"}, {"type": "get_attr", "value": "a"}]]},
            {"attributes": {"input": {"value": "battery", "type": "string"}},
             "sensitive_attributes": [[{"type": "get_attr", "value": "input"}]]}]}]}"#;
        let masks = State::read(text).expect("a state").secrets();
        assert_eq!(masks.apply("correct horse battery string"), "(sensitive) (sensitive) string");
    }

    #[test]
    fn a_state_is_listed_without_its_secrets() {
        let state = State::read(SAMPLE).expect("a state");
        let view = state.view(Masks::default());
        let addresses: Vec<_> = view.resources.iter().map(|resource| resource.address.as_str()).collect();
        assert_eq!(
            addresses,
            [
                "module.m[0].data.terraform_remote_state.x",
                "terraform_data.many[\"a\"]",
                "terraform_data.many[\"b c\"]",
                "terraform_data.replaced"
            ]
        );
        assert_eq!((state.serial(), state.count()), (11, 3));
        assert_eq!(view.outputs[0].value, Some(Value::from("leaks (sensitive)")));
        assert_eq!(view.outputs[1].value, None);
        assert_eq!(state.secrets().apply("input-secret key-secret none"), "(sensitive) (sensitive) none");
        assert!(!format!("{state:?}").contains("secret"));
    }

    #[test]
    fn what_is_no_state_of_version_4_is_refused() {
        assert!(State::read(r#"{"version": 3}"#).expect_err("old").contains("version 3"));
        assert!(State::read("{").expect_err("broken").contains("isn't a state"));
    }
}
