//! Planning: what a resource will be, and whether it has to be a new one.

use super::place::change_at;
use super::{Kind, Refusal, Settings};
use crate::local_cloud::providers::overlay::{Scope, filtered};
use crate::local_cloud::providers::schema::Block;
use crate::local_cloud::providers::value::{Path, Value};

/// How often a change may pass from one computed attribute to the next.
const ROUNDS: usize = 4;

/// What is planned.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The resource as it will be; null where it goes.
    pub planned: Value,
    /// Attributes that can't be changed in place.
    pub replace: Vec<Path>,
}

impl Kind<'_> {
    /// Plans the way from `prior` (null: there is none) to `proposed` (null: it goes).
    pub fn plan(&self, prior: &Value, proposed: Value, config: &Value, settings: &Settings) -> Result<Plan, Refusal> {
        if proposed.is_null() {
            return Ok(Plan { planned: Value::Null, replace: Vec::new() });
        }
        self.enabled(settings)?;
        let creating = prior.is_null();
        let mut planned = proposed;
        self.settle(self.block, "", creating, &mut planned);
        self.normalise(&mut planned);
        let ty = self.value_type();
        if creating {
            for path in &self.overlay.known_at_plan {
                self.compute(path, &mut planned, settings, &ty);
            }
            return Ok(Plan { planned, replace: Vec::new() });
        }
        self.follow(prior, &mut planned, config, settings);
        if planned != *prior
            && let Value::Map(entries) = &mut planned
        {
            for name in &self.overlay.refreshed {
                entries.insert(name.clone(), Value::Unknown);
            }
        }
        let changed = self.overlay.force_new.iter().filter(|path| planned.at(path) != prior.at(path));
        let crossed = self.overlay.force_new_between.iter().filter(|(path, lists)| {
            let list = |value: &Value| {
                let text = value.at(path).first().and_then(|value| value.as_text());
                text.and_then(|text| lists.iter().position(|list| list.iter().any(|one| one == text)))
            };
            planned.at(path) != prior.at(path) && list(&planned) != list(prior)
        });
        let changed = changed.chain(crossed.map(|(path, _)| path));
        let mut replace: Vec<_> = changed.map(|path| Path::of(path.split('.').next().unwrap_or(path))).collect();
        replace.dedup();
        Ok(Plan { planned, replace })
    }

    /// Defaults where nothing is set; unknown where the cloud computes it.
    fn settle(&self, block: &Block, prefix: &str, creating: bool, value: &mut Value) {
        match value {
            Value::List(elements) => {
                elements.iter_mut().for_each(|element| self.settle(block, prefix, creating, element));
            }
            Value::Map(entries) => {
                for (name, attribute) in &block.attributes {
                    let path = format!("{prefix}{name}");
                    let value = entries.entry(name.clone()).or_insert(Value::Null);
                    if !value.is_null() {
                        continue;
                    }
                    let computes = self.overlay.computed.contains_key(&path);
                    if let Some(default) = self.overlay.defaults.get(&path) {
                        let nothing = std::collections::BTreeMap::new();
                        let scope = Scope { resource: &Value::Null, block: &Value::Null, settings: &nothing };
                        *value = default.value(scope, &attribute.ty);
                    } else if attribute.computed && (creating || !prefix.is_empty() && computes) {
                        *value = Value::Unknown;
                    }
                }
                for (name, nested) in &block.blocks {
                    if let Some(value) = entries.get_mut(name) {
                        self.settle(&nested.block, &format!("{prefix}{name}."), creating, value);
                        if let (super::super::schema::Nesting::Set, Value::List(elements)) =
                            (nested.nesting, &mut *value)
                        {
                            *value = Value::set(std::mem::take(elements));
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// Attributes in the form in which the cloud keeps them.
    fn normalise(&self, value: &mut Value) {
        let ty = self.value_type();
        for (path, filter) in &self.overlay.normal {
            change_at(value, &ty, path, &mut |_, current, _| Some(filtered(current.clone(), filter)));
        }
    }

    /// Computed attributes whose inputs change, change with them.
    fn follow(&self, prior: &Value, planned: &mut Value, config: &Value, settings: &Settings) {
        for _ in 0..ROUNDS {
            let before = planned.clone();
            for (path, expression) in &self.overlay.computed {
                let inputs = expression.inputs();
                let moved = inputs.iter().any(|input| before.at(input) != prior.at(input));
                if path.contains('.') || expression.is_fresh() || !moved || !config.get(path).is_null() {
                    continue;
                }
                let scope = Scope { resource: &before, block: &before, settings: &settings.values };
                if let (Value::Map(entries), Some(attribute)) = (&mut *planned, self.block.attributes.get(path)) {
                    entries.insert(path.clone(), expression.value(scope, &attribute.ty));
                }
            }
            if *planned == before {
                break;
            }
        }
    }
}
