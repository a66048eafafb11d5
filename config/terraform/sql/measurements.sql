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
        line,
        body,
        body:deviceId::STRING AS device_id,
        body:messageId::STRING AS message_id,
        TRY_TO_TIMESTAMP_TZ(body:measuredAt::STRING) AS measured_at,
        file_name,
        file_row_number,
        load_time
    FROM lines
    WHERE body:type::STRING = 'WeatherMeasurement'
        AND TRY_TO_NUMBER(body['schema']::STRING) = 1
        AND body:messageId IS NOT NULL
        AND body:deviceId::STRING = COALESCE(line:SystemProperties:connectionDeviceId::STRING, body:deviceId::STRING)
    QUALIFY ROW_NUMBER() OVER (PARTITION BY device_id, message_id ORDER BY load_time, file_name, file_row_number) = 1
)
SELECT
    device_id,
    message_id,
    measured_at,
    TRY_TO_DOUBLE(body:temperatureC::STRING) AS temperature_c,
    TRY_TO_DOUBLE(body:humidityPct::STRING) AS humidity_pct,
    TRY_TO_DOUBLE(body:pressureHpa::STRING) AS pressure_hpa,
    TRY_TO_DOUBLE(body:illuminanceLx::STRING) AS illuminance_lx,
    TRY_TO_DOUBLE(body:soundDba::STRING) AS sound_dba,
    TRY_TO_DOUBLE(body:rainMm::STRING) AS rain_mm,
    TRY_TO_DOUBLE(body:windSpeedMs::STRING) AS wind_speed_ms,
    TRY_TO_DOUBLE(body:windDirectionDeg::STRING) AS wind_direction_deg,
    TRY_TO_TIMESTAMP_TZ(line:Properties:sentAt::STRING) AS sent_at,
    TRY_TO_TIMESTAMP_TZ(line:EnqueuedTimeUtc::STRING) AS enqueued_at,
    body:clock.flag::STRING AS clock_flag,
    DATE_PART(EPOCH_MILLISECOND, measured_at) AS measured_at_ms,
    file_name,
    file_row_number,
    load_time
FROM messages
