WITH lines AS (
    SELECT
        "VARIANT" AS line,
        "VARIANT":Body AS body,
        "FILE_NAME" AS file_name,
        "FILE_ROW_NUMBER" AS file_row_number,
        "START_SCAN_TIME" AS load_time
    FROM ${table}
),
messages AS (
    SELECT
        body,
        body:deviceId::STRING AS device_id,
        body:messageId::STRING AS message_id,
        TRY_TO_TIMESTAMP_TZ(body:measuredAt::STRING) AS measured_at,
        file_name,
        file_row_number,
        load_time
    FROM lines
    WHERE body:type::STRING IN ('DeviceHealth', 'PictureTaken')
        AND TRY_TO_NUMBER(body['schema']::STRING) = 1
        AND body:messageId IS NOT NULL
        AND body:deviceId::STRING = COALESCE(line:SystemProperties:connectionDeviceId::STRING, body:deviceId::STRING)
    QUALIFY ROW_NUMBER() OVER (PARTITION BY device_id, message_id ORDER BY load_time, file_name, file_row_number) = 1
)
SELECT
    device_id,
    message_id,
    body:type::STRING AS type,
    measured_at,
    body:agentVersion::STRING AS agent_version,
    TRY_TO_DOUBLE(body:agentUptimeS::STRING) AS agent_uptime_s,
    TRY_TO_NUMBER(body:outboxRows::STRING) AS outbox_rows,
    TRY_TO_NUMBER(body:outboxBytes::STRING) AS outbox_bytes,
    TRY_TO_NUMBER(body:outboxGivenUp::STRING) AS outbox_given_up,
    TRY_TO_DOUBLE(body:memoryUsedPct::STRING) AS memory_used_pct,
    TRY_TO_DOUBLE(body:processMemoryMib::STRING) AS process_memory_mib,
    TRY_TO_DOUBLE(body:loadAverage::STRING) AS load_average,
    TRY_TO_DOUBLE(body:diskFreeMib::STRING) AS disk_free_mib,
    TRY_TO_DOUBLE(body:temperatureC::STRING) AS temperature_c,
    body:blobName::STRING AS blob_name,
    TRY_TO_NUMBER(body:sizeBytes::STRING) AS size_bytes,
    body:clock.flag::STRING AS clock_flag,
    DATE_PART(EPOCH_MILLISECOND, measured_at) AS measured_at_ms,
    file_name,
    file_row_number,
    load_time
FROM messages
