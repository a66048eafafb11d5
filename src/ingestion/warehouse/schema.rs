//! Tables, views and pipes.

use crate::database::Migration;

/// A pipe: loads the files of one container into one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PipeDefinition {
    /// Its name.
    pub name: &'static str,
    /// The container it loads from.
    pub container: &'static str,
    /// The table it loads into.
    pub table: &'static str,
}

/// The pipeline's pipes.
pub const PIPES: [PipeDefinition; 3] = [
    PipeDefinition { name: "WEATHER_PIPE_DQ", container: "json-blob-messages", table: "WEATHER_JSON" },
    PipeDefinition { name: "WEATHER_PIPE_PRED_DQ", container: "json-blob-predictions", table: "WEATHER_PREDICTIONS" },
    PipeDefinition { name: "WEATHER_PIPE_HEALTH_DQ", container: "json-blob-health", table: "WEATHER_HEALTH" },
];

/// The pipe that loads from `container`.
#[must_use]
pub fn pipe_for_container(container: &str) -> Option<&'static PipeDefinition> {
    PIPES.iter().find(|pipe| pipe.container == container)
}

/// A message table has one VARIANT column, what the load knows, and the identity read from the JSON.
/// `invalid` says why a row's body is no message of the current schema; the views leave such rows out.
pub(super) const MIGRATIONS: &[Migration] = &["
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
"];
