//! A provider: what its schema, its overlays and the emulated cloud make of Terraform's requests.
//!
//! One file a kind of request; `settings` is what a configuration of the provider says, `hooks` the checks that
//! can't be data.

mod apply;
mod fill;
mod hooks;
mod place;
mod plan;
mod read;
mod references;
mod settings;
#[cfg(test)]
mod tests;
mod validate;

use std::sync::Arc;

use tokio::sync::Mutex;

pub use plan::Plan;
pub use settings::Settings;

use super::overlay::{Overlay, Overlays};
use super::schema::{Block, Found, ProviderSchema, Schema};
use super::value::{Path, Type, Value, ValueError};
use super::wire::Diagnostic;
use crate::database::DatabaseError;
use crate::local_cloud::cloud::Cloud;

/// One emulated provider; shared by all who are connected.
#[derive(Debug)]
pub struct Provider {
    /// `azurerm` or `snowflake`.
    pub name: &'static str,
    /// Its schemas.
    pub schema: ProviderSchema,
    /// What they don't say.
    pub overlays: Overlays,
    cloud: Cloud,
    /// Looking whether a name is free and taking it are one step, across both providers.
    gate: Arc<Mutex<()>>,
}

/// A resource type that is emulated.
#[derive(Debug, Clone, Copy)]
pub struct Kind<'a> {
    /// Its name, as in `azurerm_iothub`.
    pub name: &'a str,
    /// Its attributes and blocks.
    pub block: &'a Block,
    /// What they don't say.
    pub overlay: &'a Overlay,
}

/// Why a request isn't carried out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// There is no overlay for the type.
    #[error(
        "{kind}: not emulated by skydeck; leave it out here, or add an overlay for it (docs: reference, emulated providers)"
    )]
    NotEmulated {
        /// The type.
        kind: String,
    },
    /// The cloud refuses.
    #[error("{words}")]
    Cloud {
        /// What, why, what next.
        words: String,
        /// About which attribute.
        path: Option<Path>,
    },
    /// Terraform sent what can't be read.
    #[error("{kind}: {error}; the state or plan doesn't fit the provider's schema")]
    Value {
        /// The type.
        kind: String,
        /// Where and why.
        error: ValueError,
    },
    /// The store fails.
    #[error("emulated cloud: {0}")]
    Store(String),
    /// Terraform was interrupted.
    #[error("{thing}: interrupted before it was made, changed or deleted; plan again")]
    Interrupted {
        /// Type and name.
        thing: String,
    },
}

impl From<DatabaseError> for Refusal {
    fn from(error: DatabaseError) -> Self {
        Self::Store(error.to_string())
    }
}

impl Refusal {
    /// Of the cloud: what, why, what next.
    pub fn cloud(words: impl Into<String>) -> Self {
        Self::Cloud { words: words.into(), path: None }
    }

    /// Of the cloud, about an attribute.
    pub fn about(path: Path, words: impl Into<String>) -> Self {
        Self::Cloud { words: words.into(), path: Some(path) }
    }

    /// As Terraform shows it.
    #[must_use]
    pub fn diagnostic(&self) -> Diagnostic {
        let attribute = match self {
            Self::Cloud { path, .. } => path.as_ref().map(Path::to_wire),
            Self::Value { error, .. } => Some(error.path.to_wire()),
            _ => None,
        };
        Diagnostic {
            severity: Diagnostic::ERROR,
            summary: self.to_string(),
            detail: match self {
                Self::Interrupted { .. } => "EMULATED: no account was touched.".to_owned(),
                _ => "EMULATED: refused by skydeck's own provider; no account was touched.".to_owned(),
            },
            attribute,
        }
    }
}

impl Provider {
    /// A provider on the emulated `cloud`. Fails where an overlay speaks of what the schema doesn't have.
    pub fn new(
        name: &'static str,
        mut schema: ProviderSchema,
        overlays: Overlays,
        cloud: Cloud,
        gate: Arc<Mutex<()>>,
    ) -> Self {
        for (kind, overlay) in &overlays.resources {
            if let Some(schema) = schema.resources.get_mut(kind) {
                overlay.sensitive.iter().for_each(|path| hide(&mut schema.block, path));
            }
        }
        Self { name, schema, overlays, cloud, gate }
    }

    /// The emulated resource type `name`.
    pub fn kind<'a>(&'a self, name: &'a str) -> Result<Kind<'a>, Refusal> {
        let known = self.schema.resources.get(name).zip(self.overlays.resources.get(name));
        let refusal = || Refusal::NotEmulated { kind: name.to_owned() };
        let (Schema { block, .. }, overlay) = known.ok_or_else(refusal)?;
        Ok(Kind { name, block, overlay })
    }

    /// The emulated data source `name`.
    pub fn data<'a>(&'a self, name: &'a str) -> Result<Kind<'a>, Refusal> {
        let known = self.schema.data_sources.get(name).zip(self.overlays.data.get(name));
        let refusal = || Refusal::NotEmulated { kind: format!("data source {name}") };
        let (Schema { block, .. }, overlay) = known.ok_or_else(refusal)?;
        Ok(Kind { name, block, overlay })
    }
}

impl Kind<'_> {
    /// The type of its values.
    #[must_use]
    pub fn value_type(&self) -> Type {
        self.block.value_type()
    }

    /// Fails where it is a preview that the provider's configuration doesn't name.
    fn enabled(&self, settings: &Settings) -> Result<(), Refusal> {
        match self.overlay.preview.as_ref().filter(|preview| !settings.previews.contains(*preview)) {
            None => Ok(()),
            Some(preview) => Err(Refusal::cloud(format!(
                "{}: a preview feature; add \"{preview}\" to preview_features_enabled of the provider",
                self.name
            ))),
        }
    }

    /// How `value` is called: its type and its name.
    fn called(&self, value: &Value) -> String {
        let name = [value.get("name"), value.get("id")].into_iter().find_map(Value::as_text);
        name.map_or_else(
            || self.name.to_owned(),
            |name| format!("{} {}", self.name, crate::station::text::printable(name)),
        )
    }
}

fn hide(block: &mut Block, path: &str) {
    match path.split_once('.') {
        Some((name, rest)) => {
            if let Some(nested) = block.blocks.get_mut(name) {
                hide(&mut nested.block, rest);
            }
        }
        None => {
            if let Some(attribute) = block.attributes.get_mut(path) {
                attribute.sensitive = true;
            }
        }
    }
}

/// Whether the attribute at `path` isn't shown.
fn is_secret(block: &Block, path: &str) -> bool {
    matches!(block.find(path), Some(Found::Attribute(attribute)) if attribute.sensitive)
}
