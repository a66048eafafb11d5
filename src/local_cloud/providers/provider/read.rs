//! Reading what is there: resources, imports, data sources, states of older schemas.

use super::{Kind, Provider, Refusal, Settings};
use crate::local_cloud::providers::value::{Value, ValueError};

impl Kind<'_> {
    /// An error of a value of this type.
    pub fn unreadable(&self, error: ValueError) -> Refusal {
        Refusal::Value { kind: self.name.to_owned(), error }
    }

    /// A state from a state file, by today's schema.
    pub fn upgrade(&self, json: &[u8]) -> Result<Value, Refusal> {
        let json = serde_json::from_slice(json)
            .map_err(|error| self.unreadable(ValueError::new(format!("not JSON: {error}"))))?;
        Value::from_json(&json, &self.value_type()).map_err(|error| self.unreadable(error))
    }

    /// What a data source says.
    pub fn say(&self, config: Value, settings: &Settings) -> Result<Value, Refusal> {
        self.enabled(settings)?;
        let Value::Map(mut entries) = config else { return Ok(Value::Null) };
        for (name, attribute) in &self.block.attributes {
            let value = entries.entry(name.clone()).or_insert(Value::Null);
            if attribute.computed && value.is_null() {
                *value = Value::Unknown;
            }
        }
        Ok(self.filled(Value::Map(entries), settings))
    }
}

impl Provider {
    /// The resource with the id that `state` has, as it is now; null where it is gone.
    pub async fn read(&self, kind: Kind<'_>, state: &Value) -> Result<Value, Refusal> {
        let id = state.get("id").as_text().unwrap_or_default();
        let Some(found) = self.cloud.get(kind.name, id).await? else { return Ok(Value::Null) };
        Value::from_json(&found.attributes, &kind.value_type()).map_err(|error| kind.unreadable(error))
    }

    /// The resource with `id`, to be taken into the state.
    pub async fn import(&self, kind: Kind<'_>, id: &str) -> Result<Value, Refusal> {
        let found = self.cloud.get(kind.name, id).await?;
        let found = found.ok_or_else(|| {
            let id = crate::station::text::printable(id);
            Refusal::cloud(format!("{}: no resource with the id {id:?}; check the id", kind.name))
        })?;
        let mut value =
            Value::from_json(&found.attributes, &kind.value_type()).map_err(|error| kind.unreadable(error))?;
        // Timeouts are the configuration's alone.
        if let Value::Map(entries) = &mut value {
            entries.remove("timeouts");
        }
        Ok(value)
    }
}
