//! A run's request as Terraform's arguments, and as the log shows them.

use crate::provisioning::run::{Operation, RunRequest};

/// Words as arguments.
#[must_use]
pub fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// What is asked of a run, as `plan` takes it.
#[must_use]
pub fn of_request(request: &RunRequest) -> Vec<String> {
    let operation = match request.operation {
        Operation::Plan => None,
        Operation::Destroy => Some("-destroy".to_owned()),
        Operation::RefreshOnly => Some("-refresh-only".to_owned()),
    };
    let targets = request.targets.iter().map(|address| format!("-target={address}"));
    let replace = request.replace.iter().map(|address| format!("-replace={address}"));
    let variables = request.variables.iter().map(|(name, value)| format!("-var={name}={value}"));
    operation.into_iter().chain(targets).chain(replace).chain(variables).collect()
}

/// An argument as the log shows it: a variable's value may be secret.
#[must_use]
pub fn shown(argument: &str) -> String {
    let variable = argument.strip_prefix("-var=").and_then(|rest| rest.split_once('='));
    variable.map_or_else(|| argument.to_owned(), |(name, _)| format!("-var={name}=…"))
}
