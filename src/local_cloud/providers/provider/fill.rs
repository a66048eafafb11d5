//! What the cloud computes, put where it is unknown.

use super::place::change_at;
use super::{Kind, Settings};
use crate::local_cloud::providers::overlay::Scope;
use crate::local_cloud::providers::schema::Block;
use crate::local_cloud::providers::value::Value;

/// How often one computed value may wait for another.
const ROUNDS: usize = 8;

impl Kind<'_> {
    /// `planned` with every unknown computed: by the overlay where it says how, else null.
    pub(super) fn filled(&self, mut planned: Value, settings: &Settings) -> Value {
        self.without_rule(self.block, "", &mut planned);
        let ty = self.value_type();
        for _ in 0..ROUNDS {
            if planned.is_known() {
                break;
            }
            for path in self.overlay.computed.keys() {
                self.compute(path, &mut planned, settings, &ty);
            }
        }
        known(planned)
    }

    /// Computes what is unknown at `path`, where its own inputs are known.
    pub(super) fn compute(
        &self,
        path: &str,
        value: &mut Value,
        settings: &Settings,
        ty: &crate::local_cloud::providers::value::Type,
    ) {
        let Some(expression) = self.overlay.computed.get(path) else { return };
        let resource = value.clone();
        change_at(value, ty, path, &mut |block, current, ty| {
            let scope = Scope { resource: &resource, block, settings: &settings.values };
            current.is_unknown().then(|| expression.value(scope, ty))
        });
    }

    /// Unknown attributes that no expression computes are null, so that others needn't wait for them.
    fn without_rule(&self, block: &Block, prefix: &str, value: &mut Value) {
        match value {
            Value::List(elements) => elements.iter_mut().for_each(|element| self.without_rule(block, prefix, element)),
            Value::Map(entries) => {
                for (name, value) in entries {
                    let path = format!("{prefix}{name}");
                    if let Some(nested) = block.blocks.get(name) {
                        self.without_rule(&nested.block, &format!("{path}."), value);
                    } else if value.is_unknown() && !self.overlay.computed.contains_key(&path) {
                        *value = Value::Null;
                    }
                }
            }
            _ => {}
        }
    }
}

/// Without anything unknown.
fn known(value: Value) -> Value {
    match value {
        Value::Unknown => Value::Null,
        Value::List(elements) => Value::List(elements.into_iter().map(known).collect()),
        Value::Map(entries) => Value::Map(entries.into_iter().map(|(name, value)| (name, known(value))).collect()),
        value => value,
    }
}
