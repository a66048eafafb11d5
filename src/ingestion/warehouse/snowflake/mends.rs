//! What mends a pipe that can't read its notices or its stage: Snowflake tells who has to be allowed, or whose credentials
//! are to be renewed. Asked only while a pipe stands so, without a warehouse.

use super::pipe::PipeInfo;
use super::session::{Row, Snowflake};
use super::statements;
use super::status::PipeStatus;
use crate::station::text::printable;

/// Asks what mends `pipe`; `None` where nothing of the kind is wrong, or Snowflake doesn't say.
pub(super) async fn ask(snowflake: &Snowflake, pipe: &PipeInfo, status: &PipeStatus) -> Option<String> {
    let account = snowflake.account();
    if status.is_deaf() {
        let statement = statements::describe_integration(account, pipe.integration.as_ref()?);
        // Without the right to see it, the channel's own words have to do.
        let rows = snowflake.ask(&statement).await.ok()?;
        return consent(&rows, "Storage Queue Data Contributor on the queue");
    }
    if !status.is_shut_out() {
        return None;
    }
    let stage = pipe.stage.as_ref()?;
    let rows = snowflake.ask(&statements::show_stage(account, stage)).await.ok()?;
    let row = rows.iter().find(|row| row.text("name") == Some(stage.last()))?;
    if row.text("has_credentials").is_some_and(|has| has.eq_ignore_ascii_case("y")) {
        return Some(format!(
            "its stage signs in by credentials of its own, which Azure refuses: a SAS token has expired, or its rights were \
             taken; run: ALTER STAGE {stage} SET CREDENTIALS = (AZURE_SAS_TOKEN = '…'), then refresh the pipe"
        ));
    }
    let integration = row.text("storage_integration").filter(|name| !name.is_empty())?;
    let rows = snowflake.ask(&statements::describe_storage_integration(account, integration)).await.ok()?;
    consent(&rows, "Storage Blob Data Reader on the container")
}

/// From the rows of a described integration: where consent is given, and to which application. The digits behind its name's
/// last `_` aren't part of what Azure knows it by.
fn consent(rows: &[Row], role: &str) -> Option<String> {
    let property = |name: &str| {
        let row = rows.iter().find(|row| row.text("property") == Some(name))?;
        row.text("property_value").filter(|value| !value.is_empty()).map(printable)
    };
    let (url, app) = (property("AZURE_CONSENT_URL")?, property("AZURE_MULTI_TENANT_APP_NAME")?);
    let known = app.rsplit_once('_').filter(|(_, digits)| digits.chars().all(|c| c.is_ascii_digit()));
    let app = known.map_or(app.as_str(), |(name, _)| name);
    Some(format!("consent at {url}, then give {app} the role {role}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consent_is_told_without_the_digits_of_the_applications_name() {
        let row = |name, value| Row::of(&[("property", Some(name)), ("property_value", Some(value))]);
        let rows = [
            row("ENABLED", "true"),
            row("AZURE_CONSENT_URL", "https://login.microsoftonline.com/t/oauth2/authorize"),
            row("AZURE_MULTI_TENANT_APP_NAME", "SnowflakePACInt1234_1700000000000"),
        ];
        let words = consent(&rows, "R").expect("both are there");
        assert!(words.ends_with("give SnowflakePACInt1234 the role R"), "{words}");
        assert_eq!(consent(&rows[..2], "R"), None);
    }
}
