//! What is answered to each statement that skydeck issues. Any other is remembered as unknown and refused.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use serde_json::{Value, json};

use super::Seen;
use super::model::{DATABASE, Model, Pipe, SCHEMA, TableRow, WAREHOUSE};
use super::wire::Table;

/// Why a statement is refused.
#[derive(Debug)]
pub struct Refused {
    pub code: &'static str,
    pub message: String,
}

type Outcome = Result<Table, Refused>;

fn refused(code: &'static str, message: impl Into<String>) -> Refused {
    Refused { code, message: message.into() }
}

fn missing(what: &str) -> Refused {
    refused("002003", format!("SQL compilation error: {what} does not exist or not authorized."))
}

fn insufficient(what: &str) -> Refused {
    refused("003001", format!("SQL access control error: Insufficient privileges to operate on {what}"))
}

type Answer = fn(&mut Model, &[&str]) -> Outcome;

struct Known {
    pattern: Regex,
    /// Whether it runs in the warehouse.
    wakes: bool,
    answer: Answer,
}

/// The patterns are of whole statements; `{N}` stands for a name of database, schema and thing.
static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let space = format!("\"{DATABASE}\"\\.\"{SCHEMA}\"");
    let name = format!("{space}\\.\"([A-Z_0-9]+)\"");
    let known = |pattern: &str, wakes: bool, answer: Answer| {
        let pattern = pattern.replace("{S}", &space).replace("{N}", &name).replace("{D}", DATABASE);
        Known { pattern: Regex::new(&format!("^{pattern}$")).expect("a pattern"), wakes, answer }
    };
    vec![
        known("SHOW PIPES IN SCHEMA {S}", false, show_pipes),
        known("SHOW TABLES IN SCHEMA {S}", false, show_tables),
        known("SHOW WAREHOUSES LIKE '([A-Z_]+)'", false, show_warehouses),
        known("DESC NOTIFICATION INTEGRATION \"WEATHER_NOTIFICATION_STAGING\"", false, describe),
        known("DESC STORAGE INTEGRATION \"WEATHER_STORAGE_STAGING\"", false, describe),
        known("SHOW STAGES LIKE '([A-Z_0-9]+)' IN SCHEMA {S}", false, show_stages),
        known(r"SELECT SYSTEM\$PIPE_STATUS\('{N}'\)", false, pipe_status),
        known(r"ALTER PIPE {N} SET PIPE_EXECUTION_PAUSED = (TRUE|FALSE)", false, pause),
        known(r"SELECT SYSTEM\$PIPE_FORCE_RESUME\('{N}', 'staleness_check_override'\)", false, force_resume),
        known(r"ALTER PIPE {N} REFRESH(?: PREFIX = '([^']*)')?(?: MODIFIED_AFTER = '([^']*)')?", false, refresh),
        known(
            r#"SELECT FILE_NAME, .* FROM TABLE\("{D}"\.INFORMATION_SCHEMA\.COPY_HISTORY\(TABLE_NAME => '{N}', START_TIME => DATEADD\(second, -(\d+), CURRENT_TIMESTAMP\(\)\)\)\) ORDER BY LAST_LOAD_TIME"#,
            true,
            copy_history,
        ),
        known(r#"SELECT COUNT\(\*\) AS LOADED, .* FROM {N} WHERE "START_SCAN_TIME" >= .*"#, true, row_figures),
        known(
            r#"SELECT "FILE_NAME", "FILE_ROW_NUMBER", "START_SCAN_TIME" FROM {N} WHERE "START_SCAN_TIME" >= TO_TIMESTAMP_LTZ\('([^']+)'\) AND "VARIANT":Body\.deviceId::STRING = '([^']+)' AND "VARIANT":Body\.messageId::STRING = '([^']+)' ORDER BY "START_SCAN_TIME" LIMIT 100"#,
            true,
            rows_of,
        ),
        known(r"SELECT COUNT\(\$1\) AS LINES FROM '@{N}/([^']*)' \(FILE_FORMAT => '{N}'\)", true, validate),
        known(
            "CREATE TEMPORARY FILE FORMAT IF NOT EXISTS {N} TYPE = CSV FIELD_DELIMITER = NONE .*",
            false,
            make_format,
        ),
        known(
            r"SELECT \$1 FROM '@{N}/([^']*)' \(FILE_FORMAT => '{N}'\) WHERE METADATA\$FILE_ROW_NUMBER = (\d+)",
            true,
            line,
        ),
    ]
});

/// Answers a statement.
pub fn carry_out(model: &mut Model, seen: &mut Seen, sql: &str) -> Outcome {
    for known in KNOWN.iter() {
        let Some(found) = known.pattern.captures(sql) else { continue };
        let groups: Vec<_> = found.iter().skip(1).map(|group| group.map_or("", |text| text.as_str())).collect();
        if known.wakes {
            if let Some((code, message)) = model.warehouse_refuses {
                return Err(refused(code, message));
            }
            let now = model.now();
            seen.wakes += u32::from(model.wake(now));
        }
        return (known.answer)(model, &groups);
    }
    seen.unknown.push(sql.to_owned());
    Err(refused("001003", "SQL compilation error: the test server doesn't know this statement"))
}

fn table(columns: &[(&'static str, &'static str)], rows: Vec<Vec<Option<String>>>) -> Table {
    Table { columns: columns.to_vec(), rows }
}

fn cell(text: impl ToString) -> Option<String> {
    Some(text.to_string())
}

fn ltz(at: Timestamp) -> Option<String> {
    Some(format!("{}.{:09}", at.as_second(), at.subsec_nanosecond()))
}

fn stamp(at: Timestamp) -> Option<String> {
    Some(format!("{}.{:09} 1440", at.as_second(), at.subsec_nanosecond()))
}

fn find<'a>(model: &'a mut Model, name: &str) -> Result<&'a mut Pipe, Refused> {
    model.pipes.get_mut(name).ok_or_else(|| missing(&format!("Pipe '{name}'")))
}

/// The pipes that load into a table.
fn of_table<'a>(model: &'a Model, table: &str) -> Result<Vec<(&'a str, &'a Pipe)>, Refused> {
    let found = model.pipes.iter().filter(|(_, pipe)| pipe.table == table && pipe.can_select);
    let found: Vec<_> = found.map(|(name, pipe)| (*name, pipe)).collect();
    if found.is_empty() { Err(missing(&format!("Table '{table}'"))) } else { Ok(found) }
}

/// The rows of a table.
fn rows_in<'a>(model: &'a Model, table: &str) -> Result<impl Iterator<Item = &'a TableRow>, Refused> {
    Ok(of_table(model, table)?.into_iter().flat_map(|(_, pipe)| &pipe.rows))
}

fn of_stage<'a>(model: &'a mut Model, stage: &str) -> Result<&'a mut Pipe, Refused> {
    model.pipes.values_mut().find(|pipe| pipe.stage == stage).ok_or_else(|| missing(&format!("Stage '{stage}'")))
}

fn show_pipes(model: &mut Model, _: &[&str]) -> Outcome {
    let text = |name| (name, "text");
    let columns = [
        ("created_on", "timestamp_ltz"),
        text("name"),
        text("database_name"),
        text("schema_name"),
        text("definition"),
        text("integration"),
        text("invalid_reason"),
    ];
    let rows = model.pipes.iter().map(|(name, pipe)| {
        let definition = format!(
            "COPY INTO \"{DATABASE}\".\"{SCHEMA}\".\"{}\" (\"VARIANT\") FROM (SELECT $1 FROM \
             @\"{DATABASE}\".\"{SCHEMA}\".\"{}\") FILE_FORMAT = (FORMAT_NAME = \
             '\"{DATABASE}\".\"{SCHEMA}\".\"JSON_DQ_STAGING\"') ON_ERROR = SKIP_FILE",
            pipe.table, pipe.stage
        );
        vec![
            pipe.created.and_then(ltz),
            cell(name),
            cell(DATABASE),
            cell(SCHEMA),
            cell(definition),
            cell("WEATHER_NOTIFICATION_STAGING"),
            pipe.invalid_reason.and_then(cell),
        ]
    });
    Ok(table(&columns, rows.collect()))
}

fn show_stages(model: &mut Model, groups: &[&str]) -> Outcome {
    let columns = ["name", "has_credentials", "storage_integration"].map(|name| (name, "text"));
    let found = model.pipes.values().filter(|pipe| pipe.stage == groups[0]);
    let rows = found.map(|pipe| {
        let (credentials, integration) =
            if pipe.has_credentials { ("Y", "") } else { ("N", "WEATHER_STORAGE_STAGING") };
        vec![cell(pipe.stage), cell(credentials), cell(integration)]
    });
    Ok(table(&columns, rows.collect()))
}

fn show_tables(model: &mut Model, _: &[&str]) -> Outcome {
    let columns = [("name", "text"), ("database_name", "text"), ("schema_name", "text"), ("rows", "fixed")];
    let mut counts = std::collections::BTreeMap::<_, usize>::new();
    for pipe in model.pipes.values().filter(|pipe| pipe.can_select) {
        *counts.entry(pipe.table).or_default() += pipe.rows.len();
    }
    let rows = counts.into_iter().map(|(name, rows)| vec![cell(name), cell(DATABASE), cell(SCHEMA), cell(rows)]);
    Ok(table(&columns, rows.collect()))
}

fn show_warehouses(_: &mut Model, groups: &[&str]) -> Outcome {
    let columns = [("name", "text"), ("size", "text"), ("auto_suspend", "fixed")];
    let rows = if groups[0] == WAREHOUSE { vec![vec![cell(WAREHOUSE), cell("X-Small"), cell(60)]] } else { Vec::new() };
    Ok(table(&columns, rows))
}

fn describe(_: &mut Model, _: &[&str]) -> Outcome {
    let row = |name: &str, value: &str| vec![cell(name), cell("String"), cell(value), None];
    let rows = vec![
        row("ENABLED", "true"),
        row("AZURE_CONSENT_URL", "https://login.microsoftonline.com/tenant/oauth2/authorize?client_id=1"),
        row("AZURE_MULTI_TENANT_APP_NAME", "SnowflakePACInt1234_1700000000000"),
    ];
    let columns = ["property", "property_type", "property_value", "property_default"];
    Ok(table(&columns.map(|name| (name, "text")), rows))
}

fn pipe_status(model: &mut Model, groups: &[&str]) -> Outcome {
    let now = model.now();
    let pipe = find(model, groups[0])?;
    if !pipe.can_monitor {
        return Err(missing(&format!("Pipe '{}'", groups[0])));
    }
    let state = match (pipe.stalled, pipe.paused_since) {
        (Some((state, _)), _) => state,
        (None, Some(_)) => "PAUSED",
        (None, None) => "RUNNING",
    };
    let mut status = json!({"executionState": state, "pendingFileCount": pipe.pending.len()});
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            status[key] = value;
        }
    };
    let time = |at: Option<Timestamp>| at.map(|at| json!(at.to_string()));
    let oldest = pipe.pending.first();
    set("oldestPendingFilePath", oldest.map(|(path, _)| json!(path)));
    set("oldestFileTimestamp", time(oldest.map(|(_, at)| *at)));
    set("lastReceivedMessageTimestamp", time(pipe.received));
    set("lastForwardedMessageTimestamp", time(pipe.forwarded));
    let loaded = pipe.history.iter().rev().find(|file| file.status == "Loaded");
    set("lastIngestedTimestamp", time(loaded.map(|file| file.at)));
    let failed = pipe.history.iter().rev().find(|file| file.error.is_some());
    set("lastErrorRecordTimestamp", time(failed.map(|file| file.at)));
    set("channelErrorMessage", pipe.channel_error.map(|error| json!(error)));
    set("error", pipe.stalled.map(|(_, error)| json!(error)));
    if pipe.is_stale(now) {
        set("error", Some(json!("Pipe is stale")));
    }
    Ok(table(&[("SYSTEM$PIPE_STATUS", "text")], vec![vec![cell(status)]]))
}

fn pause(model: &mut Model, groups: &[&str]) -> Outcome {
    let now = model.now();
    let pipe = find(model, groups[0])?;
    if !pipe.can_operate {
        return Err(insufficient(&format!("pipe '{}'", groups[0])));
    }
    if groups[1] == "TRUE" {
        pipe.paused_since.get_or_insert(now);
    } else if pipe.is_stale(now) {
        return Err(refused("022009", "Pipe is stale: resume it with SYSTEM$PIPE_FORCE_RESUME."));
    } else {
        pipe.paused_since = None;
        pipe.load(now);
    }
    Ok(table(&[("status", "text")], vec![vec![cell("Statement executed successfully.")]]))
}

fn force_resume(model: &mut Model, groups: &[&str]) -> Outcome {
    let now = model.now();
    let pipe = find(model, groups[0])?;
    if !pipe.can_operate {
        return Err(insufficient(&format!("pipe '{}'", groups[0])));
    }
    pipe.paused_since = None;
    pipe.load(now);
    Ok(table(&[("SYSTEM$PIPE_FORCE_RESUME", "text")], vec![vec![cell("OK")]]))
}

fn refresh(model: &mut Model, groups: &[&str]) -> Outcome {
    let now = model.now();
    let pipe = find(model, groups[0])?;
    if !pipe.can_operate {
        return Err(insufficient(&format!("pipe '{}'", groups[0])));
    }
    let week = now - SignedDuration::from_hours(7 * 24);
    let since = if groups[2].is_empty() { Some(week) } else { groups[2].parse().ok() };
    let since = since.ok_or_else(|| refused("001003", "MODIFIED_AFTER is no time"))?;
    let found = pipe.files.iter().filter(|(path, file)| path.starts_with(groups[1]) && file.modified >= since);
    let paths: Vec<_> = found.map(|(path, _)| path.clone()).collect();
    let queued = paths.into_iter().filter(|path| pipe.notice(path, now)).collect::<Vec<_>>();
    let rows = queued.into_iter().map(|path| vec![cell(path), cell("SENT")]).collect();
    Ok(table(&[("File", "text"), ("Status", "text")], rows))
}

fn copy_history(model: &mut Model, groups: &[&str]) -> Outcome {
    let from = model.now() - SignedDuration::from_secs(groups[1].parse().unwrap_or(0));
    let pipes = of_table(model, groups[0])?;
    let files = pipes.iter().flat_map(|(name, pipe)| pipe.history.iter().map(|file| (*name, *pipe, file)));
    let mut files: Vec<_> = files.filter(|(.., file)| file.at >= from).collect();
    files.sort_by_key(|(.., file)| file.at);
    let columns = [
        ("FILE_NAME", "text"),
        ("STAGE_LOCATION", "text"),
        ("LAST_LOAD_TIME", "timestamp_ltz"),
        ("ROW_COUNT", "fixed"),
        ("ROW_PARSED", "fixed"),
        ("FILE_SIZE", "fixed"),
        ("FIRST_ERROR_MESSAGE", "text"),
        ("FIRST_ERROR_LINE_NUMBER", "fixed"),
        ("FIRST_ERROR_CHARACTER_POS", "fixed"),
        ("FIRST_ERROR_COLUMN_NAME", "text"),
        ("ERROR_COUNT", "fixed"),
        ("STATUS", "text"),
        ("PIPE_NAME", "text"),
        ("PIPE_RECEIVED_TIME", "timestamp_ltz"),
        ("BYTES_BILLED", "fixed"),
    ];
    let rows = files.into_iter().map(|(name, pipe, file)| {
        let error = file.error.as_ref();
        vec![
            cell(&file.file),
            cell("azure://stage/"),
            ltz(file.at),
            cell(file.rows),
            cell(file.parsed),
            cell(file.bytes),
            error.and_then(|(.., words)| cell(words)),
            error.and_then(|(line, ..)| cell(line)),
            error.and_then(|(_, character, _)| cell(character)),
            None,
            cell(usize::from(error.is_some())),
            cell(file.status),
            pipe.can_monitor.then_some(name).and_then(cell),
            ltz(file.received),
            cell(file.bytes),
        ]
    });
    Ok(table(&columns, rows.collect()))
}

fn row_figures(model: &mut Model, groups: &[&str]) -> Outcome {
    let now = model.now();
    let within = |hours| now - SignedDuration::from_hours(hours);
    let rows: Vec<_> = rows_in(model, groups[0])?.filter(|row| row.at >= within(24)).collect();
    let named = rows.iter().filter(|row| row.line["Body"]["messageId"].is_string());
    let messages: std::collections::BTreeSet<_> = named
        .map(|row| (row.line["Body"]["deviceId"].to_string(), row.line["Body"]["messageId"].to_string()))
        .collect();
    let nameless = rows.iter().filter(|row| !row.line["Body"]["messageId"].is_string()).count();
    let newest = rows.iter().filter_map(|row| row.line["Body"]["measuredAt"].as_str()?.parse::<Timestamp>().ok()).max();
    let columns = [
        ("LOADED", "fixed"),
        ("MESSAGES", "fixed"),
        ("NAMELESS", "fixed"),
        ("LAST_HOUR", "fixed"),
        ("NEWEST", "timestamp_tz"),
    ];
    let last_hour = rows.iter().filter(|row| row.at >= within(1)).count();
    let row = vec![cell(rows.len()), cell(messages.len()), cell(nameless), cell(last_hour), newest.and_then(stamp)];
    Ok(table(&columns, vec![row]))
}

fn rows_of(model: &mut Model, groups: &[&str]) -> Outcome {
    let since: Timestamp = groups[1].parse().map_err(|_| refused("100035", "Timestamp is not recognized"))?;
    let is_it = |row: &&TableRow| {
        row.at >= since && row.line["Body"]["deviceId"] == groups[2] && row.line["Body"]["messageId"] == groups[3]
    };
    let mut rows: Vec<_> = rows_in(model, groups[0])?.filter(is_it).collect();
    rows.sort_by_key(|row| row.at);
    let columns = [("FILE_NAME", "text"), ("FILE_ROW_NUMBER", "fixed"), ("START_SCAN_TIME", "timestamp_ltz")];
    Ok(table(&columns, rows.into_iter().map(|row| vec![cell(&row.file), cell(row.number), ltz(row.at)]).collect()))
}

fn validate(model: &mut Model, groups: &[&str]) -> Outcome {
    let pipe = of_stage(model, groups[0])?;
    let file = pipe.files.get(groups[1]).ok_or_else(|| missing(&format!("File '{}'", groups[1])))?;
    for (number, line) in file.lines.iter().enumerate() {
        if let Err(error) = serde_json::from_str::<Value>(line) {
            let words = format!("Error parsing JSON: {error}\n  File '{}', line {}", groups[1], number + 1);
            return Err(refused("100069", words));
        }
    }
    Ok(table(&[("LINES", "fixed")], vec![vec![cell(file.lines.len())]]))
}

fn make_format(model: &mut Model, groups: &[&str]) -> Outcome {
    if !model.can_make_formats {
        return Err(insufficient(&format!("schema '{SCHEMA}'")));
    }
    model.formats.insert(groups[0].to_owned());
    Ok(table(&[("status", "text")], vec![vec![cell("File format successfully created.")]]))
}

fn line(model: &mut Model, groups: &[&str]) -> Outcome {
    if !model.formats.contains(groups[2]) {
        return Err(missing(&format!("File format '{}'", groups[2])));
    }
    let pipe = of_stage(model, groups[0])?;
    let file = pipe.files.get(groups[1]).ok_or_else(|| missing(&format!("File '{}'", groups[1])))?;
    let number: usize = groups[3].parse().unwrap_or(0);
    let line = number.checked_sub(1).and_then(|index| file.lines.get(index));
    Ok(table(&[("$1", "text")], line.map(|line| vec![cell(line)]).into_iter().collect()))
}
