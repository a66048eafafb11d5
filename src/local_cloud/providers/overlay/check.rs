//! An overlay speaks of nothing that the schema doesn't have.

use super::Overlay;
use crate::local_cloud::providers::schema::{Block, Found};

impl Overlay {
    /// Fails with the first path that isn't in the schema of `kind`.
    pub(super) fn check(&self, kind: &str, block: &Block) -> Result<(), String> {
        let conditions = self.conditions.iter();
        let groups = [&self.exactly_one_of, &self.at_least_one_of, &self.at_most_one_of];
        let paths = [&self.force_new, &self.fixed, &self.sensitive, &self.unique, &self.known_at_plan, &self.refreshed]
            .into_iter()
            .flatten()
            .chain(&self.lasting)
            .chain(self.force_new_between.keys())
            .chain(self.rules.keys())
            .chain(self.refused.keys())
            .chain(self.normal.keys())
            .chain(self.defaults.keys())
            .chain(self.computed.keys())
            .chain(
                self.references
                    .iter()
                    .flat_map(|reference| [&reference.attribute].into_iter().chain(reference.when.keys())),
            )
            .chain(groups.into_iter().flatten().flatten())
            .chain(conditions.flat_map(|condition| {
                [&condition.when]
                    .into_iter()
                    .chain(&condition.requires)
                    .chain(&condition.forbids)
                    .chain(&condition.requires_one)
                    .chain(condition.wants.keys())
            }));
        for path in paths {
            block.find(path).ok_or_else(|| format!("overlay {kind}: {path} isn't in the schema"))?;
        }
        for (path, expression) in &self.computed {
            match block.find(path) {
                Some(Found::Attribute(attribute)) if attribute.computed => {}
                _ => return Err(format!("overlay {kind}: {path} isn't computed by the schema")),
            }
            for input in expression.inputs().iter().filter(|input| !input.starts_with('.')) {
                block.find(input).ok_or_else(|| format!("overlay {kind}: {path} takes {input}, not in the schema"))?;
            }
        }
        for rule in self.rules.values() {
            rule.check().map_err(|error| format!("overlay {kind}: {error}"))?;
        }
        Ok(())
    }
}
