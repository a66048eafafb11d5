//! Checking a configuration before anything is planned, and once more when it is applied, with every value known.

use super::place::places;
use super::{Kind, Refusal, is_secret};
use crate::local_cloud::providers::overlay::{Expression, Scope, filtered};
use crate::local_cloud::providers::value::{Path, Value};

impl Kind<'_> {
    /// Everything that is wrong with `config`, as far as its values are known.
    #[must_use]
    pub fn breaches(&self, config: &Value) -> Vec<Refusal> {
        let ty = self.value_type();
        let mut found = Vec::new();
        for (path, rule) in &self.overlay.rules {
            let secret = is_secret(self.block, path);
            let normal = self.overlay.normal.get(path);
            for (place, value) in places(config, &ty, path) {
                let breach = match normal {
                    // What the cloud brings into another form is looked at in that.
                    Some(filter) => rule.breach(&filtered(value.clone(), filter), secret),
                    None => rule.breach(value, secret),
                };
                found.extend(breach.map(|breach| {
                    Refusal::about(place.clone(), format!("{}: has to {breach}; change it", place.words()))
                }));
            }
        }
        for (path, instead) in &self.overlay.refused {
            for (place, _) in places(config, &ty, path).into_iter().filter(|(_, value)| !value.is_null()) {
                let words = format!("{}: not emulated; {instead} instead", place.words());
                found.push(Refusal::about(place, words));
            }
        }
        self.groups(config, &mut found);
        self.conditions(config, &mut found);
        for hook in &self.overlay.hooks {
            hook.check(config, &mut found);
        }
        found
    }

    fn groups(&self, config: &Value, found: &mut Vec<Refusal>) {
        let overlay = self.overlay;
        let groups = [
            (&overlay.exactly_one_of, true, true),
            (&overlay.at_least_one_of, true, false),
            (&overlay.at_most_one_of, false, true),
        ];
        for (groups, needs, limits) in groups {
            for group in groups {
                let set: Vec<_> = group.iter().filter(|path| is_set(config, path)).collect();
                let names = group.join(", ");
                if needs && set.is_empty() {
                    found.push(Refusal::cloud(format!("{}: needs one of {names}; set one", self.name)));
                }
                // An unknown one may turn out to be null.
                let sure = set.iter().filter(|path| config.at(path).iter().all(|value| !value.is_unknown()));
                if limits && sure.count() > 1 {
                    let last = set.last().map_or("", |path| path.as_str());
                    found.push(Refusal::about(
                        Path::of(last.split('.').next().unwrap_or(last)),
                        format!("{}: takes only one of {names}; leave out the others", self.name),
                    ));
                }
            }
        }
    }

    fn conditions(&self, config: &Value, found: &mut Vec<Refusal>) {
        for condition in &self.overlay.conditions {
            // A block that isn't there has no condition.
            let parent = condition.when.rsplit_once('.').map(|(parent, _)| parent);
            if parent.is_some_and(|parent| !is_set(config, parent)) {
                continue;
            }
            let values = config.at(&condition.when);
            let decided = match values.first() {
                Some(Value::Null) | None => self.default_of(&condition.when),
                Some(value) => (*value).clone(),
            };
            let text = match &decided {
                Value::Text(text) => text.clone(),
                Value::Bool(truth) => truth.to_string(),
                _ => continue,
            };
            if !condition.is.contains(&text) {
                continue;
            }
            for path in condition.requires.iter().filter(|path| !is_set(config, path)) {
                let words = format!("{}: {} {text} needs {path}; set it", self.name, condition.when);
                found.push(Refusal::cloud(words));
            }
            if !condition.requires_one.is_empty() && !condition.requires_one.iter().any(|path| is_set(config, path)) {
                let names = condition.requires_one.join(", ");
                let words = format!("{}: {} {text} needs one of {names}; set one", self.name, condition.when);
                found.push(Refusal::cloud(words));
            }
            for (path, values) in &condition.wants {
                let other = config
                    .at(path)
                    .into_iter()
                    .filter_map(Value::as_text)
                    .find(|text| !values.iter().any(|value| value == text));
                if let Some(other) = other {
                    let words = format!(
                        "{}: {} {text} needs {path} {}, is {other:?}; change one of them",
                        self.name,
                        condition.when,
                        values.join(" or "),
                    );
                    found.push(Refusal::about(Path::of(path.split('.').next().unwrap_or(path)), words));
                }
            }
            for path in condition.forbids.iter().filter(|path| is_set(config, path)) {
                if config.at(path).iter().any(|value| value.is_unknown()) {
                    continue;
                }
                let words = format!("{}: {} {text} takes no {path}; leave it out", self.name, condition.when);
                found.push(Refusal::about(Path::of(path.split('.').next().unwrap_or(path)), words));
            }
        }
    }

    fn default_of(&self, path: &str) -> Value {
        match self.overlay.defaults.get(path) {
            Some(Expression::Constant(value)) => value.clone(),
            Some(Expression::Template(template)) => {
                let nothing = std::collections::BTreeMap::new();
                template.value(Scope { resource: &Value::Null, block: &Value::Null, settings: &nothing })
            }
            _ => Value::Null,
        }
    }
}

/// Whether anything but `false` is written at `path`; an unknown value is.
fn is_set(config: &Value, path: &str) -> bool {
    config.at(path).iter().any(|value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::List(elements) => !elements.is_empty(),
        _ => true,
    })
}
