//! What stands on what: looked up when a resource is made or changed, and when one is deleted.

use super::{Kind, Provider, Refusal, Settings};
use crate::local_cloud::cloud::Resource;
use crate::local_cloud::providers::overlay::{OnDelete, Reference, Scope};
use crate::local_cloud::providers::value::{Path, Value};

/// A resource that stands on another one.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    /// The resource.
    pub resource: Resource,
    /// What becomes of it when the other one goes.
    pub then: OnDelete,
}

/// Names are compared without quotes, and ids of Azure in any case.
fn plain(name: &str) -> String {
    name.replace('"', "").to_lowercase()
}

impl Reference {
    /// Names that `value` gives; none where its conditions don't hold.
    fn names(&self, value: &Value, settings: &Settings) -> Vec<String> {
        let holds = self.when.iter().all(|(path, wanted)| {
            value
                .at(path)
                .first()
                .and_then(|found| found.as_text())
                .is_some_and(|found| found.eq_ignore_ascii_case(wanted))
        });
        if !holds || value.at(&self.attribute).iter().all(|value| value.is_null()) {
            return Vec::new();
        }
        let texts = |value: &Value| match value {
            Value::Text(text) => vec![text.clone()],
            Value::List(elements) => elements.iter().filter_map(Value::as_text).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let scope = Scope { resource: value, block: value, settings: &settings.values };
        let names: Vec<String> = match &self.value {
            Some(template) => texts(&template.value(scope)),
            None => value.at(&self.attribute).into_iter().flat_map(texts).collect(),
        };
        let always: Vec<String> =
            self.except.iter().flat_map(|name| texts(&name.value(scope))).map(|n| plain(&n)).collect();
        names.into_iter().filter(|name| !name.is_empty() && !always.contains(&plain(name))).collect()
    }

    fn is(&self, other: &Resource, name: &str) -> bool {
        self.to.contains(&other.kind) && plain(other.text(&self.by)) == plain(name)
    }
}

impl Kind<'_> {
    /// Fails with the first thing that `value` needs and isn't among `there`.
    pub(super) fn look_up(&self, value: &Value, there: &[Resource], settings: &Settings) -> Result<(), Refusal> {
        for reference in &self.overlay.references {
            for name in reference.names(value, settings) {
                if !there.iter().any(|other| reference.is(other, &name)) {
                    let words = format!(
                        "{}: {} {name:?} isn't there; make it first, or refer to it so that Terraform does",
                        self.called(value),
                        reference.to.join(" or "),
                    );
                    let top = reference.attribute.split('.').next().unwrap_or_default();
                    return Err(Refusal::about(Path::of(top), words));
                }
            }
        }
        Ok(())
    }
}

impl Provider {
    /// Resources among `there` that stand on `gone`, with what becomes of them.
    pub(super) fn standing_on(&self, gone: &Resource, there: &[Resource], settings: &Settings) -> Vec<Standing> {
        let mut found = Vec::new();
        for other in there.iter().filter(|other| (&other.kind, &other.id) != (&gone.kind, &gone.id)) {
            let Ok(kind) = self.kind(&other.kind) else { continue };
            let Ok(value) = Value::from_json(&other.attributes, &kind.value_type()) else { continue };
            for reference in kind.overlay.references.iter().filter(|r| r.on_delete != OnDelete::Leave) {
                if reference.names(&value, settings).iter().any(|name| reference.is(gone, name)) {
                    found.push(Standing { resource: other.clone(), then: reference.on_delete });
                    break;
                }
            }
        }
        found
    }
}
