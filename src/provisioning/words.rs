//! Runs in words: what screens and the command line say of them alike.

use super::policy::finding::Severity;
use super::run::{ChangeAction, ChangeCounts, Operation, Phase, ResourceChange, Run, RunRequest};
use super::status::{EnvironmentStatus, LockHolder, ProvisioningStatus, RunSummary, TerraformStatus};
use crate::settings::EnvironmentName;
use crate::station::text::printable;

/// How to come by Terraform, where it is missing or too old.
pub const INSTALL: &str = "install Terraform 1.6 or newer (https://developer.hashicorp.com/terraform/install, or your \
                           system's packages) so that it is on the PATH";

/// A command as it is typed for an environment: `` `skydeck --env local apply 7` ``.
#[must_use]
pub fn command(environment: &EnvironmentName, words: &str) -> String {
    match environment.as_str() {
        "demo" => format!("`skydeck {words}`"),
        name => format!("`skydeck --env {name} {words}`"),
    }
}

impl Operation {
    /// In a word: `plan`, `destroy`, `drift`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Destroy => "destroy",
            Self::RefreshOnly => "drift",
        }
    }
}

impl ChangeAction {
    /// What is done, for people: `create`, `replace`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "destroy",
            Self::Import => "import",
            Self::Move => "move",
            Self::Forget => "forget",
            Self::Read => "read",
        }
    }
}

impl ChangeAction {
    /// What is done, of what it is done to: `created`, `replaced`.
    #[must_use]
    pub const fn done(self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Update => "updated",
            Self::Replace => "replaced",
            Self::Delete => "destroyed",
            Self::Import => "imported",
            Self::Move => "moved",
            Self::Forget => "forgotten",
            Self::Read => "read",
        }
    }
}

impl ChangeCounts {
    /// Resources changed; one that is imported or moved and else stays as it is isn't among them.
    #[must_use]
    pub const fn total(&self) -> u32 {
        self.create + self.update + self.replace + self.delete + self.forget
    }

    /// `+27 -/+1`: only what there is any of; `nothing` where that is nothing.
    #[must_use]
    pub fn short(&self) -> String {
        let parts = [
            ("+", self.create),
            ("~", self.update),
            ("-/+", self.replace),
            ("-", self.delete),
            (">", self.import),
            (".", self.forget),
            ("=>", self.moved),
        ];
        let some: Vec<String> = parts.iter().filter(|(_, n)| *n > 0).map(|(sign, n)| format!("{sign}{n}")).collect();
        if some.is_empty() { "nothing".into() } else { some.join(" ") }
    }
}

impl ResourceChange {
    /// Why, in words: Terraform's reason, as its stream or `show -json` names it, or the id it is imported by.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        if let Some(id) = &self.importing {
            return Some(format!("imports {id}"));
        }
        self.reason.as_deref().map(super::plan::cause::reason)
    }
}

impl RunRequest {
    /// What is asked, in words and without values of variables: `plan, only azurerm_iothub.hub, setting window`.
    #[must_use]
    pub fn words(&self) -> String {
        let bare = |address: &String| address.split('"').step_by(2).collect::<Vec<_>>().join("…");
        let operation = match self.operation {
            Operation::Plan => "plan",
            Operation::Destroy => "plan to destroy",
            Operation::RefreshOnly => "look for drift",
        };
        let list = |word: &str, addresses: &[String]| match addresses {
            [] => String::new(),
            addresses => {
                format!(", {word} {}", printable(&addresses.iter().map(bare).collect::<Vec<_>>().join(" ")))
            }
        };
        let names: Vec<_> = self.variables.keys().cloned().collect();
        [operation.to_owned(), list("only", &self.targets), list("replacing", &self.replace), list("setting", &names)]
            .concat()
    }
}

impl Run {
    /// Who planned: the name of whoever signed the plan, or else who asked for it, as `user@host`.
    #[must_use]
    pub fn planned_by(&self) -> &str {
        self.planner.as_deref().unwrap_or(&self.asked_by)
    }

    /// Who has it carried out: whoever asked for its apply, or before that whoever planned.
    #[must_use]
    pub fn carried_by(&self) -> &str {
        self.applied_by.as_deref().unwrap_or_else(|| self.planned_by())
    }

    /// How many findings deny its plan.
    #[must_use]
    pub fn denials(&self) -> u32 {
        let denials = self.findings.iter().filter(|finding| finding.severity == Severity::Deny).count();
        u32::try_from(denials).unwrap_or(u32::MAX)
    }

    /// What it destroys for good or to make it again, in Terraform's order.
    pub fn destroyed(&self) -> impl Iterator<Item = &ResourceChange> {
        self.changes.iter().filter(|c| matches!(c.action, ChangeAction::Replace | ChangeAction::Delete))
    }

    /// What becomes of the data in what it destroys or replaces, where that holds any and is kept for a while.
    #[must_use]
    pub fn trash(&self) -> Option<&'static str> {
        let holds_data = |kind: &str| {
            matches!(
                kind,
                "azurerm_resource_group"
                    | "azurerm_storage_account"
                    | "azurerm_storage_container"
                    | "snowflake_database"
                    | "snowflake_schema"
                    | "snowflake_table"
            )
        };
        let loses = self.emulated && self.destroyed().any(|change| holds_data(&change.kind));
        loses.then_some("Rows and blobs in what is destroyed go to the trash, in the data folder, for 30 days.")
    }

    /// Name with number, environment and, where nothing real is touched, EMULATED: `run 7 · demo · EMULATED`.
    #[must_use]
    pub fn title(&self) -> String {
        let mut title = format!("run {} · {}", self.number, self.environment);
        if self.emulated {
            title.push_str(" · EMULATED");
        }
        if self.request.operation != Operation::Plan {
            title.push_str(&format!(" · {}", self.request.operation.label()));
        }
        title
    }
}

impl RunSummary {
    /// Changes done, and changes in all.
    #[must_use]
    pub fn progress(&self) -> (u32, u32) {
        let total = self.counts.map_or(0, |counts| counts.total()).max(self.done);
        (self.done, total)
    }

    /// `planned`, `applying 12/46`.
    #[must_use]
    pub fn standing(&self) -> String {
        let (done, total) = self.progress();
        match self.phase {
            Phase::Applying if total > 0 => format!("{} {done}/{total}", self.phase.label()),
            phase => phase.label().to_owned(),
        }
    }
}

impl EnvironmentStatus {
    /// The run that is at work, or else the oldest one that waits for it.
    #[must_use]
    pub fn active(&self) -> Option<&RunSummary> {
        let active = || self.runs.iter().rev().filter(|run| run.phase.is_active());
        active().find(|run| run.phase != Phase::Queued).or_else(|| active().next())
    }

    /// Its newest run with that number; the newest of all without one.
    #[must_use]
    pub fn run(&self, number: Option<u32>) -> Option<&RunSummary> {
        match number {
            Some(number) => self.runs.iter().find(|run| run.number == number),
            None => self.runs.first(),
        }
    }

    /// What matters most of it, in a few words: `APPLYING 12/46`, `PLANNED`, `APPROVED`, `locked by …`, `drifted (2)`.
    #[must_use]
    pub fn standing(&self) -> String {
        if let Some(run) = self.active() {
            return run.standing().to_uppercase();
        }
        if let Some(lock) = &self.lock {
            return format!("locked by {}", lock.who);
        }
        if self.state_fault.is_some() {
            return "state at risk".into();
        }
        if let Some(run) = self.runs.first()
            && run.phase.waits()
            && (run.phase == Phase::Approved || run.operation != Operation::RefreshOnly)
        {
            return run.standing().to_uppercase();
        }
        match (self.drift, self.resources) {
            (Some((drifted @ 1.., _)), _) => format!("drifted ({drifted})"),
            (_, Some(1)) => "1 resource".into(),
            (_, Some(resources)) => format!("{resources} resources"),
            (_, None) if self.emulated => "no state yet".into(),
            (_, None) => "state elsewhere".into(),
        }
    }
}

impl LockHolder {
    /// What it is held for: `apply` of `OperationTypeApply`.
    #[must_use]
    pub fn purpose(&self) -> String {
        self.operation.strip_prefix("OperationType").unwrap_or(&self.operation).to_lowercase()
    }

    /// The first eight characters of its id, which confirm an unlock.
    #[must_use]
    pub fn short_id(&self) -> String {
        self.id.chars().take(8).collect()
    }
}

impl TerraformStatus {
    /// Why no run can be made, and what to do; absent where one can.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        match self {
            Self::Found { .. } => None,
            Self::Unknown => Some("Terraform: not looked for yet; try again in a moment".into()),
            Self::Missing => Some(format!("Terraform: not on the PATH; {INSTALL}")),
            Self::Unusable { path, reason } => Some(format!("Terraform: {}: {reason}; {INSTALL}", path.display())),
        }
    }
}

impl ProvisioningStatus {
    /// An environment by its name.
    #[must_use]
    pub fn environment(&self, name: &crate::settings::EnvironmentName) -> Option<&EnvironmentStatus> {
        self.environments.iter().find(|of| of.environment == *name)
    }

    /// The first run at work, with its environment.
    #[must_use]
    pub fn active(&self) -> Option<(&EnvironmentStatus, &RunSummary)> {
        self.environments.iter().find_map(|of| of.active().map(|run| (of, run)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_its_environment() {
        assert_eq!(command(&EnvironmentName::demo(), "plan"), "`skydeck plan`");
        assert_eq!(command(&"local".parse().expect("a name"), "apply 7"), "`skydeck --env local apply 7`");
    }

    #[test]
    fn counts_are_short_and_a_lock_says_what_for() {
        let counts = ChangeCounts { create: 27, replace: 1, import: 2, ..ChangeCounts::default() };
        assert_eq!((counts.short().as_str(), counts.total()), ("+27 -/+1 >2", 28));
        assert_eq!(ChangeCounts::default().short(), "nothing");
        let lock = LockHolder {
            id: "9b2a1f04-55aa".into(),
            who: "ada@roof".into(),
            operation: "OperationTypeApply".into(),
            since: None,
            by_live_run: None,
        };
        assert_eq!((lock.purpose().as_str(), lock.short_id().as_str()), ("apply", "9b2a1f04"));
    }

    #[test]
    fn a_reason_is_told_alike_by_whichever_of_terraforms_names() {
        let why = |reason: &str| {
            let change = ResourceChange {
                address: "a.b".into(),
                kind: "a".into(),
                action: ChangeAction::Replace,
                reason: Some(reason.into()),
                importing: None,
                progress: super::super::run::Progress::Pending,
            };
            change.why().unwrap_or_default()
        };
        assert_eq!(why("cannot_update"), "can't be changed in place");
        assert_eq!(why("cannot_update"), why("replace_because_cannot_update"));
        assert_eq!(why("requested"), why("replace_by_request"));
        assert_eq!(why("something_new"), "something new");
    }

    #[test]
    fn terraform_that_is_missing_says_how_to_come_by_it() {
        let fault = TerraformStatus::Missing.fault().expect("a fault");
        assert!(fault.contains("not on the PATH") && fault.contains("1.6"), "{fault}");
        let found = TerraformStatus::Found { path: "/usr/bin/terraform".into(), version: "1.11.4".into() };
        assert_eq!(found.fault(), None);
    }
}
