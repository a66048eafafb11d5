//! A place in a value.

use super::super::wire::{AttributePath, Selector, Step};

/// One step inwards.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathStep {
    /// To an attribute or block.
    Name(String),
    /// To an element of a map.
    Key(String),
    /// To an element of a list, from 0.
    Index(usize),
    /// To an element of a set: it has no name. What is told to Terraform ends before it.
    Element,
}

/// A place in a value, from the outside to the inside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Path(pub Vec<PathStep>);

impl Path {
    /// An attribute at the top.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self(vec![PathStep::Name(name.to_owned())])
    }

    /// This, one step further in.
    #[must_use]
    pub fn with(&self, step: PathStep) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// As in `sku[0].name`; `the value` for the outermost.
    #[must_use]
    pub fn words(&self) -> String {
        if self.0.is_empty() {
            return "the value".to_owned();
        }
        let mut words = String::new();
        for step in &self.0 {
            match step {
                PathStep::Name(name) if words.is_empty() => words.push_str(name),
                PathStep::Name(name) => words.extend([".", name]),
                PathStep::Key(key) => words.extend(["[\"", key, "\"]"]),
                PathStep::Index(index) => words.push_str(&format!("[{index}]")),
                PathStep::Element => {}
            }
        }
        words
    }

    /// As Terraform takes it.
    #[must_use]
    pub fn to_wire(&self) -> AttributePath {
        let steps = self.0.iter().map_while(|step| match step {
            PathStep::Name(name) => Some(Selector::Attribute(name.clone())),
            PathStep::Key(key) => Some(Selector::Key(key.clone())),
            PathStep::Index(index) => i64::try_from(*index).ok().map(Selector::Index),
            PathStep::Element => None,
        });
        AttributePath { steps: steps.map(|selector| Step { selector: Some(selector) }).collect() }
    }
}
