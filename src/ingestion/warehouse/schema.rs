//! Tables and views.

use crate::database::Migration;

/// The table that the messages of each container are kept in here. Applied tables have names of their own, which are
/// views over these.
pub(super) const MESSAGE_TABLES: [(&str, &str); 3] = [
    ("json-blob-messages", "WEATHER_JSON"),
    ("json-blob-predictions", "WEATHER_PREDICTIONS"),
    ("json-blob-health", "WEATHER_HEALTH"),
];

/// The table for the messages of `container`.
#[must_use]
pub(super) fn table_of(container: &str) -> Option<&'static str> {
    MESSAGE_TABLES.iter().find(|(known, _)| *known == container).map(|(_, table)| *table)
}

/// A message table has one VARIANT column, what the load knows, and the identity read from the JSON.
/// `invalid` says why a row's body is no message of the current schema; the views leave such rows out.
pub(super) const MIGRATIONS: &[Migration] = &[
    "
CREATE TABLE WEATHER_JSON(
    variant TEXT NOT NULL,
    file_name TEXT NOT NULL,
    file_row_number INTEGER NOT NULL,
    start_scan_time TEXT NOT NULL,
    device_id TEXT NOT NULL,
    message_id TEXT,
    measured_at_ms INTEGER,
    invalid TEXT,
    UNIQUE(device_id, message_id)
) STRICT;
CREATE INDEX WEATHER_JSON_BY_TIME ON WEATHER_JSON(measured_at_ms);
CREATE TABLE WEATHER_PREDICTIONS(
    variant TEXT NOT NULL,
    file_name TEXT NOT NULL,
    file_row_number INTEGER NOT NULL,
    start_scan_time TEXT NOT NULL,
    device_id TEXT NOT NULL,
    message_id TEXT,
    measured_at_ms INTEGER,
    invalid TEXT,
    UNIQUE(device_id, message_id)
) STRICT;
CREATE INDEX WEATHER_PREDICTIONS_BY_TIME ON WEATHER_PREDICTIONS(measured_at_ms);
CREATE TABLE WEATHER_HEALTH(
    variant TEXT NOT NULL,
    file_name TEXT NOT NULL,
    file_row_number INTEGER NOT NULL,
    start_scan_time TEXT NOT NULL,
    device_id TEXT NOT NULL,
    message_id TEXT,
    measured_at_ms INTEGER,
    invalid TEXT,
    UNIQUE(device_id, message_id)
) STRICT;
CREATE INDEX WEATHER_HEALTH_BY_TIME ON WEATHER_HEALTH(measured_at_ms);

CREATE VIEW WEATHER_MEASUREMENTS_V AS SELECT
    device_id, message_id,
    json_extract(variant, '$.Body.measuredAt') AS measured_at,
    json_extract(variant, '$.Body.temperatureC') AS temperature_c,
    json_extract(variant, '$.Body.humidityPct') AS humidity_pct,
    json_extract(variant, '$.Body.pressureHpa') AS pressure_hpa,
    json_extract(variant, '$.Body.illuminanceLx') AS illuminance_lx,
    json_extract(variant, '$.Body.soundDba') AS sound_dba,
    json_extract(variant, '$.Body.rainMm') AS rain_mm,
    json_extract(variant, '$.Body.windSpeedMs') AS wind_speed_ms,
    json_extract(variant, '$.Body.windDirectionDeg') AS wind_direction_deg,
    json_extract(variant, '$.Properties.sentAt') AS sent_at,
    json_extract(variant, '$.EnqueuedTimeUtc') AS enqueued_at,
    measured_at_ms, file_name, file_row_number, start_scan_time AS load_time
FROM WEATHER_JSON WHERE invalid IS NULL;

CREATE VIEW WEATHER_PREDICTIONS_V AS SELECT
    p.device_id, p.message_id,
    json_extract(p.variant, '$.Body.measuredAt') AS issued_at,
    json_extract(p.variant, '$.Body.modelId') AS model_id,
    json_extract(f.value, '$.variable') AS variable,
    json_extract(f.value, '$.persistence') AS persistence,
    json_extract(l.value, '$.leadMinutes') AS lead_minutes,
    json_extract(l.value, '$.q05') AS q05,
    json_extract(l.value, '$.q25') AS q25,
    json_extract(l.value, '$.q50') AS q50,
    json_extract(l.value, '$.q75') AS q75,
    json_extract(l.value, '$.q95') AS q95,
    p.measured_at_ms, p.file_name, p.file_row_number, p.start_scan_time AS load_time
FROM WEATHER_PREDICTIONS p,
    json_each(p.variant, '$.Body.forecasts') f, json_each(f.value, '$.leads') l
WHERE p.invalid IS NULL;

CREATE VIEW WEATHER_HEALTH_V AS SELECT
    device_id, message_id,
    json_extract(variant, '$.Body.type') AS type,
    json_extract(variant, '$.Body.measuredAt') AS measured_at,
    json_extract(variant, '$.Body.agentVersion') AS agent_version,
    json_extract(variant, '$.Body.agentUptimeS') AS agent_uptime_s,
    json_extract(variant, '$.Body.outboxRows') AS outbox_rows,
    json_extract(variant, '$.Body.outboxBytes') AS outbox_bytes,
    json_extract(variant, '$.Body.outboxGivenUp') AS outbox_given_up,
    json_extract(variant, '$.Body.memoryUsedPct') AS memory_used_pct,
    json_extract(variant, '$.Body.processMemoryMib') AS process_memory_mib,
    json_extract(variant, '$.Body.loadAverage') AS load_average,
    json_extract(variant, '$.Body.diskFreeMib') AS disk_free_mib,
    json_extract(variant, '$.Body.temperatureC') AS temperature_c,
    json_extract(variant, '$.Body.blobName') AS blob_name,
    json_extract(variant, '$.Body.sizeBytes') AS size_bytes,
    measured_at_ms, file_name, file_row_number, start_scan_time AS load_time
FROM WEATHER_HEALTH WHERE invalid IS NULL;

CREATE TABLE copy_history(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pipe TEXT NOT NULL,
    file TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at TEXT NOT NULL,
    received_at TEXT NOT NULL,
    loaded_at TEXT,
    bytes INTEGER NOT NULL,
    rows_parsed INTEGER NOT NULL DEFAULT 0,
    rows_loaded INTEGER NOT NULL DEFAULT 0,
    duplicates INTEGER NOT NULL DEFAULT 0,
    invalid INTEGER NOT NULL DEFAULT 0,
    first_error TEXT,
    first_error_line INTEGER,
    first_error_column INTEGER,
    UNIQUE(pipe, file)
) STRICT;
CREATE INDEX copy_history_by_status ON copy_history(status);
CREATE TABLE pipe_state(pipe TEXT PRIMARY KEY, paused INTEGER NOT NULL) STRICT;

CREATE TABLE verification_due(
    device_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    issued_at_ms INTEGER NOT NULL,
    next_valid_ms INTEGER NOT NULL,
    PRIMARY KEY(device_id, message_id)
) STRICT;
CREATE INDEX verification_due_by_time ON verification_due(next_valid_ms);
CREATE TABLE NOWCAST_VERIFICATION(
    device_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    variable TEXT NOT NULL,
    lead_minutes INTEGER NOT NULL,
    issued_at_ms INTEGER NOT NULL,
    forecast REAL NOT NULL,
    persistence REAL NOT NULL,
    measured REAL NOT NULL,
    inside_50 INTEGER NOT NULL,
    inside_90 INTEGER NOT NULL,
    PRIMARY KEY(device_id, message_id, variable, lead_minutes)
) STRICT, WITHOUT ROWID;
CREATE TABLE verification_sums(
    variable TEXT NOT NULL,
    lead_minutes INTEGER NOT NULL,
    count INTEGER NOT NULL,
    absolute REAL NOT NULL,
    squared REAL NOT NULL,
    error REAL NOT NULL,
    inside_50 INTEGER NOT NULL,
    inside_90 INTEGER NOT NULL,
    persistence_absolute REAL NOT NULL,
    pinball REAL NOT NULL,
    PRIMARY KEY(variable, lead_minutes)
) STRICT, WITHOUT ROWID;
",
    // Pipes and tables have names that can change: history and state go by the container. A pipe that is made anew
    // forgets what was loaded: its files are of the next generation.
    "
CREATE TABLE copy_history_by_container(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    container TEXT NOT NULL,
    file TEXT NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0,
    pipe TEXT NOT NULL,
    table_name TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at TEXT NOT NULL,
    received_at TEXT NOT NULL,
    loaded_at TEXT,
    bytes INTEGER NOT NULL,
    rows_parsed INTEGER NOT NULL DEFAULT 0,
    rows_loaded INTEGER NOT NULL DEFAULT 0,
    duplicates INTEGER NOT NULL DEFAULT 0,
    invalid INTEGER NOT NULL DEFAULT 0,
    first_error TEXT,
    first_error_line INTEGER,
    first_error_column INTEGER,
    UNIQUE(container, file, generation)
) STRICT;
INSERT INTO copy_history_by_container(id, container, file, pipe, table_name, status, created_at, received_at,
    loaded_at, bytes, rows_parsed, rows_loaded, duplicates, invalid, first_error, first_error_line, first_error_column)
SELECT id, CASE pipe WHEN 'WEATHER_PIPE_DQ' THEN 'json-blob-messages'
    WHEN 'WEATHER_PIPE_PRED_DQ' THEN 'json-blob-predictions' ELSE 'json-blob-health' END,
    file, '', '', status, created_at, received_at, loaded_at, bytes, rows_parsed, rows_loaded, duplicates, invalid,
    first_error, first_error_line, first_error_column FROM copy_history;
DROP TABLE copy_history;
ALTER TABLE copy_history_by_container RENAME TO copy_history;
CREATE INDEX copy_history_by_status ON copy_history(status);
CREATE TABLE pipe_paused(container TEXT PRIMARY KEY, paused INTEGER NOT NULL) STRICT;
INSERT INTO pipe_paused SELECT CASE pipe WHEN 'WEATHER_PIPE_DQ' THEN 'json-blob-messages'
    WHEN 'WEATHER_PIPE_PRED_DQ' THEN 'json-blob-predictions' ELSE 'json-blob-health' END, paused FROM pipe_state;
DROP TABLE pipe_state;
CREATE TABLE applied_table(
    container TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    full_name TEXT NOT NULL,
    made_at TEXT,
    has_view INTEGER NOT NULL,
    dropped INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE applied_pipe(
    container TEXT PRIMARY KEY,
    made_at TEXT,
    generation INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE applied_container(name TEXT PRIMARY KEY, made_at TEXT NOT NULL) STRICT;
",
    // How a message's time came about is a column too.
    "
DROP VIEW WEATHER_MEASUREMENTS_V;
CREATE VIEW WEATHER_MEASUREMENTS_V AS SELECT
    device_id, message_id,
    json_extract(variant, '$.Body.measuredAt') AS measured_at,
    json_extract(variant, '$.Body.temperatureC') AS temperature_c,
    json_extract(variant, '$.Body.humidityPct') AS humidity_pct,
    json_extract(variant, '$.Body.pressureHpa') AS pressure_hpa,
    json_extract(variant, '$.Body.illuminanceLx') AS illuminance_lx,
    json_extract(variant, '$.Body.soundDba') AS sound_dba,
    json_extract(variant, '$.Body.rainMm') AS rain_mm,
    json_extract(variant, '$.Body.windSpeedMs') AS wind_speed_ms,
    json_extract(variant, '$.Body.windDirectionDeg') AS wind_direction_deg,
    json_extract(variant, '$.Properties.sentAt') AS sent_at,
    json_extract(variant, '$.EnqueuedTimeUtc') AS enqueued_at,
    json_extract(variant, '$.Body.clock.flag') AS clock_flag,
    measured_at_ms, file_name, file_row_number, start_scan_time AS load_time
FROM WEATHER_JSON WHERE invalid IS NULL;

DROP VIEW WEATHER_PREDICTIONS_V;
CREATE VIEW WEATHER_PREDICTIONS_V AS SELECT
    p.device_id, p.message_id,
    json_extract(p.variant, '$.Body.measuredAt') AS issued_at,
    json_extract(p.variant, '$.Body.modelId') AS model_id,
    json_extract(f.value, '$.variable') AS variable,
    json_extract(f.value, '$.persistence') AS persistence,
    json_extract(l.value, '$.leadMinutes') AS lead_minutes,
    json_extract(l.value, '$.q05') AS q05,
    json_extract(l.value, '$.q25') AS q25,
    json_extract(l.value, '$.q50') AS q50,
    json_extract(l.value, '$.q75') AS q75,
    json_extract(l.value, '$.q95') AS q95,
    json_extract(p.variant, '$.Body.clock.flag') AS clock_flag,
    p.measured_at_ms, p.file_name, p.file_row_number, p.start_scan_time AS load_time
FROM WEATHER_PREDICTIONS p,
    json_each(p.variant, '$.Body.forecasts') f, json_each(f.value, '$.leads') l
WHERE p.invalid IS NULL;

DROP VIEW WEATHER_HEALTH_V;
CREATE VIEW WEATHER_HEALTH_V AS SELECT
    device_id, message_id,
    json_extract(variant, '$.Body.type') AS type,
    json_extract(variant, '$.Body.measuredAt') AS measured_at,
    json_extract(variant, '$.Body.agentVersion') AS agent_version,
    json_extract(variant, '$.Body.agentUptimeS') AS agent_uptime_s,
    json_extract(variant, '$.Body.outboxRows') AS outbox_rows,
    json_extract(variant, '$.Body.outboxBytes') AS outbox_bytes,
    json_extract(variant, '$.Body.outboxGivenUp') AS outbox_given_up,
    json_extract(variant, '$.Body.memoryUsedPct') AS memory_used_pct,
    json_extract(variant, '$.Body.processMemoryMib') AS process_memory_mib,
    json_extract(variant, '$.Body.loadAverage') AS load_average,
    json_extract(variant, '$.Body.diskFreeMib') AS disk_free_mib,
    json_extract(variant, '$.Body.temperatureC') AS temperature_c,
    json_extract(variant, '$.Body.blobName') AS blob_name,
    json_extract(variant, '$.Body.sizeBytes') AS size_bytes,
    json_extract(variant, '$.Body.clock.flag') AS clock_flag,
    measured_at_ms, file_name, file_row_number, start_scan_time AS load_time
FROM WEATHER_HEALTH WHERE invalid IS NULL;
",
    // Pictures are few among the health messages, and asked for often.
    "
CREATE INDEX WEATHER_HEALTH_PICTURES ON WEATHER_HEALTH(measured_at_ms)
    WHERE json_extract(variant, '$.Body.type') = 'PictureTaken' AND invalid IS NULL;
",
    // Whoever holds the copy history asks for what has changed since.
    "
ALTER TABLE copy_history ADD COLUMN change INTEGER NOT NULL DEFAULT 0;
UPDATE copy_history SET change = id;
CREATE INDEX copy_history_by_change ON copy_history(change);
CREATE TRIGGER copy_history_added AFTER INSERT ON copy_history BEGIN
    UPDATE copy_history SET change = (SELECT MAX(change) + 1 FROM copy_history) WHERE id = NEW.id;
END;
CREATE TRIGGER copy_history_changed AFTER UPDATE OF status, pipe, table_name ON copy_history BEGIN
    UPDATE copy_history SET change = (SELECT MAX(change) + 1 FROM copy_history) WHERE id = NEW.id;
END;
",
];
