//! Every statement that skydeck issues to Snowflake, and no other: the test server in `tests/peers` knows exactly these.
//!
//! Names and texts come from settings, from Snowflake and from operators: names are quoted as identifiers, texts as
//! strings.

use jiff::Timestamp;

use super::account::Account;
use super::pipe::{Name, PipeInfo};

/// A statement, and what is said of it when it fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The text.
    pub sql: String,
    /// The thing it is about, for errors.
    pub what: String,
    /// What gives the right it needs.
    pub grant: String,
    /// Whether it runs in the warehouse, and so wakes it.
    pub wakes: bool,
}

/// A name as an identifier: `"WEATHER_PIPE"`.
#[must_use]
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as a string: `'it''s'`.
#[must_use]
pub fn string(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

fn schema_of(account: &Account) -> String {
    format!("{}.{}", identifier(&account.database), identifier(&account.schema))
}

fn free(sql: String, what: String, grant: String) -> Statement {
    Statement { sql, what, grant, wakes: false }
}

/// The pipes of the schema.
pub fn show_pipes(account: &Account) -> Statement {
    let schema = schema_of(account);
    let grant = format!(
        "GRANT USAGE ON DATABASE {} TO ROLE {role}; GRANT USAGE ON SCHEMA {schema} TO ROLE {role}",
        identifier(&account.database),
        role = account.role(),
    );
    free(format!("SHOW PIPES IN SCHEMA {schema}"), format!("schema {}", account.schema), grant)
}

/// The tables of the schema, with their rows counted by Snowflake itself.
pub fn show_tables(account: &Account) -> Statement {
    let schema = schema_of(account);
    let grant = format!("GRANT USAGE ON SCHEMA {schema} TO ROLE {}", account.role());
    free(format!("SHOW TABLES IN SCHEMA {schema}"), format!("schema {}", account.schema), grant)
}

/// The warehouse's size and how long it stays awake.
pub fn show_warehouse(account: &Account, warehouse: &str) -> Statement {
    let grant = format!("GRANT USAGE ON WAREHOUSE {} TO ROLE {}", identifier(warehouse), account.role());
    free(format!("SHOW WAREHOUSES LIKE {}", string(warehouse)), format!("warehouse {warehouse}"), grant)
}

/// How a pipe stands.
pub fn pipe_status(account: &Account, pipe: &PipeInfo) -> Statement {
    let grant = format!("GRANT MONITOR ON PIPE {} TO ROLE {}", pipe.name, account.role());
    free(format!("SELECT SYSTEM$PIPE_STATUS({})", string(&pipe.name.to_string())), pipe.what(), grant)
}

/// What a notification integration needs to be allowed: where consent is given, and to which application.
pub fn describe_integration(account: &Account, integration: &str) -> Statement {
    let name = identifier(integration);
    let grant = format!("GRANT USAGE ON INTEGRATION {name} TO ROLE {}", account.role());
    free(format!("DESC NOTIFICATION INTEGRATION {name}"), format!("integration {integration}"), grant)
}

/// What a storage integration needs to be allowed, as [`describe_integration`] of notifications.
pub fn describe_storage_integration(account: &Account, integration: &str) -> Statement {
    let name = identifier(integration);
    let grant = format!("GRANT USAGE ON INTEGRATION {name} TO ROLE {}", account.role());
    free(format!("DESC STORAGE INTEGRATION {name}"), format!("integration {integration}"), grant)
}

/// Whether a stage has credentials of its own, or reads by an integration.
pub fn show_stage(account: &Account, stage: &Name) -> Statement {
    let sql = format!("SHOW STAGES LIKE {} IN SCHEMA {}", string(stage.last()), schema_of(account));
    let grant = format!("GRANT USAGE ON STAGE {stage} TO ROLE {}", account.role());
    free(sql, format!("stage {}", stage.last()), grant)
}

/// Columns of the copy history that are read.
pub const COPY_COLUMNS: &str = "FILE_NAME, STAGE_LOCATION, LAST_LOAD_TIME, ROW_COUNT, ROW_PARSED, FILE_SIZE, \
                                FIRST_ERROR_MESSAGE, FIRST_ERROR_LINE_NUMBER, FIRST_ERROR_CHARACTER_POS, \
                                FIRST_ERROR_COLUMN_NAME, ERROR_COUNT, STATUS, PIPE_NAME, PIPE_RECEIVED_TIME, BYTES_BILLED";

/// What became of the files of the last `seconds` in a table, the oldest first. Seconds and not an instant: the two clocks
/// may differ.
pub fn copies(account: &Account, table: &Name, seconds: u64) -> Statement {
    let sql = format!(
        "SELECT {COPY_COLUMNS} FROM TABLE({}.INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => {}, START_TIME => \
         DATEADD(second, -{seconds}, CURRENT_TIMESTAMP()))) ORDER BY LAST_LOAD_TIME",
        identifier(&account.database),
        string(&table.to_string()),
    );
    let grant = format!("GRANT SELECT ON TABLE {table} TO ROLE {}", account.role());
    Statement { sql, what: format!("copy history of {}", table.last()), grant, wakes: true }
}

/// Of the rows that were loaded within the last day: how many, how many messages, how many in the last hour, and the newest
/// by the time it was measured.
pub fn row_figures(account: &Account, table: &Name) -> Statement {
    let sql = format!(
        "SELECT COUNT(*) AS LOADED, COUNT(DISTINCT \"VARIANT\":Body.deviceId::STRING, \
         \"VARIANT\":Body.messageId::STRING) AS MESSAGES, COUNT_IF(\"VARIANT\":Body.messageId IS NULL) AS NAMELESS, \
         COUNT_IF(\"START_SCAN_TIME\" >= DATEADD(hour, -1, CURRENT_TIMESTAMP())) AS LAST_HOUR, \
         MAX(TRY_TO_TIMESTAMP_TZ(\"VARIANT\":Body.measuredAt::STRING)) AS NEWEST FROM {table} WHERE \
         \"START_SCAN_TIME\" >= DATEADD(day, -1, CURRENT_TIMESTAMP())"
    );
    let grant = format!("GRANT SELECT ON TABLE {table} TO ROLE {}", account.role());
    Statement { sql, what: format!("table {}", table.last()), grant, wakes: true }
}

/// Rows that one message has at most.
const MOST_ROWS: usize = 100;

/// The rows of a message that were loaded at or after `since`: by the table's own columns, the first loaded first.
pub fn rows_of(account: &Account, table: &Name, (device, message): (&str, &str), since: Timestamp) -> Statement {
    let sql = format!(
        "SELECT \"FILE_NAME\", \"FILE_ROW_NUMBER\", \"START_SCAN_TIME\" FROM {table} WHERE \"START_SCAN_TIME\" >= \
         TO_TIMESTAMP_LTZ({}) AND \"VARIANT\":Body.deviceId::STRING = {} AND \"VARIANT\":Body.messageId::STRING = {} \
         ORDER BY \"START_SCAN_TIME\" LIMIT {MOST_ROWS}",
        string(&since.to_string()),
        string(device),
        string(message),
    );
    let grant = format!("GRANT SELECT ON TABLE {table} TO ROLE {}", account.role());
    Statement { sql, what: format!("table {}", table.last()), grant, wakes: true }
}

fn operate(account: &Account, pipe: &PipeInfo) -> String {
    format!("GRANT OPERATE, MONITOR ON PIPE {} TO ROLE {}", pipe.name, account.role())
}

/// Pauses or resumes a pipe.
pub fn pause(account: &Account, pipe: &PipeInfo, paused: bool) -> Statement {
    let word = if paused { "TRUE" } else { "FALSE" };
    let sql = format!("ALTER PIPE {} SET PIPE_EXECUTION_PAUSED = {word}", pipe.name);
    free(sql, pipe.what(), operate(account, pipe))
}

/// Resumes a pipe that was paused for longer than Snowflake remembers its notices.
pub fn force_resume(account: &Account, pipe: &PipeInfo) -> Statement {
    let name = string(&pipe.name.to_string());
    let sql = format!("SELECT SYSTEM$PIPE_FORCE_RESUME({name}, 'staleness_check_override')");
    free(sql, pipe.what(), operate(account, pipe))
}

/// Queues again the files of a pipe's stage that it hasn't seen: those below `prefix`, changed since `since`.
pub fn refresh(account: &Account, pipe: &PipeInfo, prefix: Option<&str>, since: Option<Timestamp>) -> Statement {
    let prefix = prefix.map_or_else(String::new, |prefix| format!(" PREFIX = {}", string(prefix)));
    let since = since.map_or_else(String::new, |since| format!(" MODIFIED_AFTER = {}", string(&since.to_string())));
    let role = account.role();
    let mut grant = operate(account, pipe);
    for (right, thing, name) in [
        ("USAGE", "STAGE", &pipe.stage),
        ("USAGE", "FILE FORMAT", &pipe.file_format),
        ("INSERT, SELECT", "TABLE", &pipe.table),
    ] {
        if let Some(name) = name {
            grant.push_str(&format!("; GRANT {right} ON {thing} {name} TO ROLE {role}"));
        }
    }
    free(format!("ALTER PIPE {} REFRESH{prefix}{since}", pipe.name), pipe.what(), grant)
}

/// Reads a file as its pipe does, and counts its lines; nothing is loaded. What can't be read is the statement's error.
pub fn validate(account: &Account, stage: &Name, format: &Name, file: &str) -> Statement {
    let sql = format!(
        "SELECT COUNT($1) AS LINES FROM {} (FILE_FORMAT => {})",
        string(&format!("@{stage}/{file}")),
        string(&format.to_string()),
    );
    let role = account.role();
    let grant =
        format!("GRANT USAGE ON STAGE {stage} TO ROLE {role}; GRANT USAGE ON FILE FORMAT {format} TO ROLE {role}");
    Statement { sql, what: format!("file {file}"), grant, wakes: true }
}

fn lines_format(account: &Account) -> String {
    format!("{}.\"SKYDECK_LINES\"", schema_of(account))
}

/// A format of this session's own that takes a line as it is: Snowflake reads a stage through a named format only.
pub fn make_lines_format(account: &Account) -> Statement {
    let sql = format!(
        "CREATE TEMPORARY FILE FORMAT IF NOT EXISTS {} TYPE = CSV FIELD_DELIMITER = NONE ESCAPE_UNENCLOSED_FIELD = NONE",
        lines_format(account)
    );
    let grant = format!("GRANT CREATE FILE FORMAT ON SCHEMA {} TO ROLE {}", schema_of(account), account.role());
    free(sql, format!("schema {}", account.schema), grant)
}

/// One line of a file in a stage.
pub fn line(account: &Account, stage: &Name, file: &str, line: u64) -> Statement {
    let sql = format!(
        "SELECT $1 FROM {} (FILE_FORMAT => {}) WHERE METADATA$FILE_ROW_NUMBER = {line}",
        string(&format!("@{stage}/{file}")),
        string(&lines_format(account)),
    );
    let grant = format!("GRANT USAGE ON STAGE {stage} TO ROLE {}", account.role());
    Statement { sql, what: format!("file {file}"), grant, wakes: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_stays_within_its_quotes() {
        assert_eq!(identifier("A\"; DROP TABLE T; --"), "\"A\"\"; DROP TABLE T; --\"");
        assert_eq!(string("it's"), "'it''s'");
        assert_eq!(string("\\' OR 1=1"), "'\\\\'' OR 1=1'");
    }
}
