//! The rules about a watched warehouse.

use super::link::holds;
use super::{Condition, Rule};
use crate::owner::snapshot::{Severity, StageName};

/// What these rules look at; everything is absent where no warehouse is watched.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WarehouseInputs {
    /// Why the account doesn't answer.
    pub trouble: Option<String>,
    /// Why the warehouse doesn't run.
    pub warehouse: Option<String>,
    /// Tables in which rows are there twice.
    pub duplicates: Vec<String>,
    /// The first finding of each pipe that doesn't run.
    pub standing: Vec<String>,
    /// Rights that are missing.
    pub rights: Vec<String>,
    /// What watching has cost and may cost, where that is used up.
    pub spent: Option<String>,
}

/// The rules.
pub const RULES: [Rule; 6] = [
    Rule {
        name: "warehouse-unreachable",
        severity: Severity::Critical,
        stage: StageName::Table,
        needs: &[],
        condition: |i, _| i.warehouse.trouble.as_ref().and_then(|words| holds(true, || words.clone())),
        at_once: false,
    },
    Rule {
        name: "pipe-standing",
        severity: Severity::Critical,
        stage: StageName::Pipe,
        needs: &[],
        condition: |i, _| several(&i.warehouse.standing),
        at_once: false,
    },
    Rule {
        name: "rights-missing",
        severity: Severity::Warn,
        stage: StageName::Pipe,
        needs: &[],
        condition: |i, _| several(&i.warehouse.rights),
        at_once: true,
    },
    Rule {
        name: "warehouse-refuses",
        severity: Severity::Warn,
        stage: StageName::Table,
        needs: &[],
        condition: |i, _| i.warehouse.warehouse.as_ref().and_then(|words| holds(true, || words.clone())),
        at_once: true,
    },
    Rule {
        name: "duplicate-rows",
        severity: Severity::Warn,
        stage: StageName::Table,
        needs: &[],
        condition: |i, _| several(&i.warehouse.duplicates),
        at_once: true,
    },
    Rule {
        name: "watching-spent",
        severity: Severity::Warn,
        stage: StageName::Table,
        needs: &[],
        condition: |i, _| i.warehouse.spent.as_ref().and_then(|words| holds(true, || words.clone())),
        at_once: true,
    },
];

/// The first, and how many more there are.
pub(super) fn several(words: &[String]) -> Option<Condition> {
    let first = words.first()?;
    holds(true, || match words.len() {
        1 => first.clone(),
        count => format!("{first} (and {} more)", count - 1),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::inputs;
    use super::super::{Alarms, Inputs};
    use super::*;
    use crate::settings::AlarmSettings;

    #[test]
    fn each_rule_is_raised_by_its_own_words_and_by_no_other() {
        let settings = AlarmSettings { hold_s: 0, ..AlarmSettings::default() };
        let none = WarehouseInputs::default;
        let words = || Some("words".to_owned());
        let two = || vec!["words".to_owned(), "others".to_owned()];
        for (warehouse, rule, message) in [
            (WarehouseInputs { trouble: words(), ..none() }, "warehouse-unreachable", "words"),
            (WarehouseInputs { standing: two(), ..none() }, "pipe-standing", "words (and 1 more)"),
            (WarehouseInputs { rights: two(), ..none() }, "rights-missing", "words (and 1 more)"),
            (WarehouseInputs { warehouse: words(), ..none() }, "warehouse-refuses", "words"),
            (WarehouseInputs { duplicates: two(), ..none() }, "duplicate-rows", "words (and 1 more)"),
            (WarehouseInputs { spent: words(), ..none() }, "watching-spent", "words"),
        ] {
            let raised = Alarms::default().evaluate(&Inputs { warehouse, ..inputs(1, 1) }, &settings);
            assert_eq!(raised.len(), 1, "{rule}: {raised:?}");
            assert_eq!((raised[0].rule.as_str(), raised[0].message.as_str()), (rule, message));
        }
    }
}
