//! Why something is done, in words.

use crate::provisioning::run::ChangeAction;
use crate::station::text::printable;

/// Attributes named in a cause before the rest is counted.
const NAMED: usize = 3;

/// Terraform's reason in words: as `show -json` names it (`replace_because_cannot_update`) or as its stream does
/// (`cannot_update`). These are all of Terraform 1.6 to 1.14; another one is told as it stands.
#[must_use]
pub fn reason(name: &str) -> String {
    match name {
        "replace_because_cannot_update" | "cannot_update" => "can't be changed in place".into(),
        "replace_because_tainted" | "tainted" => "is tainted".into(),
        "replace_by_request" | "requested" => "asked for".into(),
        "replace_by_triggers" | "replace_triggered_by" => "triggered by another".into(),
        "delete_because_no_resource_config" => "no longer configured".into(),
        "delete_because_no_module" => "its module is no longer configured".into(),
        "delete_because_no_move_target" => "moved to where nothing is configured".into(),
        "delete_because_wrong_repetition" => "count or for_each has come or gone".into(),
        "delete_because_count_index" => "beyond the count".into(),
        "delete_because_each_key" => "its key is gone".into(),
        "read_because_config_unknown" => "known after apply".into(),
        "read_because_dependency_pending" => "waits for another".into(),
        "read_because_check_nested" => "read for a check".into(),
        other => printable(other).replace('_', " "),
    }
}

/// What a cause is made of.
pub(super) struct Grounds<'a> {
    /// What is done.
    pub action: ChangeAction,
    /// Terraform's reason, by its name in `show -json`.
    pub reason: Option<&'a str>,
    /// Attributes that force the replacement.
    pub replace_paths: &'a [String],
    /// Whether the object is a deposed one.
    pub deposed: bool,
    /// Whether the one before is forgotten where it would be destroyed.
    pub forgets: bool,
    /// Whether values stay as they are and only what counts as sensitive differs.
    pub only_marks: bool,
}

/// Why, in words; `None` where Terraform gives no reason and nothing else tells.
pub(super) fn of(grounds: &Grounds<'_>) -> Option<String> {
    let mut cause = grounds.reason.filter(|name| !name.is_empty()).map(reason);
    if let [first, ..] = grounds.replace_paths {
        let named = &grounds.replace_paths[..grounds.replace_paths.len().min(NAMED)];
        let mut paths = if named.len() > 1 { named.join(", ") } else { first.clone() };
        match grounds.replace_paths.len() - named.len() {
            0 => {}
            more => paths.push_str(&format!(" and {more} more")),
        }
        let words = cause.get_or_insert_with(|| reason("cannot_update"));
        words.push_str(&format!(": {paths}"));
    }
    if grounds.forgets {
        let words = "the one before is left as it is and forgotten";
        cause = Some(cause.map_or_else(|| words.to_owned(), |cause| format!("{cause}; {words}")));
    }
    if cause.is_none() && grounds.deposed {
        cause = Some("left over from a replacement that couldn't destroy it".to_owned());
    }
    if cause.is_none() && grounds.only_marks && grounds.action == ChangeAction::Update {
        cause = Some("only what counts as sensitive changes".to_owned());
    }
    cause
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grounds<'a>(reason: Option<&'a str>, replace_paths: &'a [String]) -> Grounds<'a> {
        let action = ChangeAction::Replace;
        Grounds { action, reason, replace_paths, deposed: false, forgets: false, only_marks: false }
    }

    #[test]
    fn a_replacement_names_what_forces_it_and_counts_the_rest() {
        let paths: Vec<String> = ["name", "sku", "zone", "tags", "kind"].map(str::to_owned).to_vec();
        let cause = |n: usize| of(&grounds(Some("replace_because_cannot_update"), &paths[..n]));
        assert_eq!(cause(0).as_deref(), Some("can't be changed in place"));
        assert_eq!(cause(1).as_deref(), Some("can't be changed in place: name"));
        assert_eq!(cause(5).as_deref(), Some("can't be changed in place: name, sku, zone and 2 more"));
        assert_eq!(of(&grounds(None, &paths[..1])).as_deref(), Some("can't be changed in place: name"));
    }

    #[test]
    fn without_a_reason_there_is_a_cause_only_where_something_else_tells() {
        assert_eq!(of(&grounds(None, &[])), None);
        let deposed = Grounds { deposed: true, action: ChangeAction::Delete, ..grounds(None, &[]) };
        assert!(of(&deposed).is_some_and(|cause| cause.contains("left over")));
        let forgets = Grounds { forgets: true, ..grounds(Some("replace_because_tainted"), &[]) };
        assert!(of(&forgets).is_some_and(|cause| cause.starts_with("is tainted; the one before")));
        let marks = Grounds { only_marks: true, action: ChangeAction::Update, ..grounds(None, &[]) };
        assert_eq!(of(&marks).as_deref(), Some("only what counts as sensitive changes"));
    }
}
