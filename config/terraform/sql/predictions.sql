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
        TRY_TO_TIMESTAMP_TZ(body:measuredAt::STRING) AS issued_at,
        file_name,
        file_row_number,
        load_time
    FROM lines
    WHERE body:type::STRING = 'Prediction'
        AND TRY_TO_NUMBER(body['schema']::STRING) = 1
        AND body:messageId IS NOT NULL
        AND body:deviceId::STRING = COALESCE(line:SystemProperties:connectionDeviceId::STRING, body:deviceId::STRING)
    QUALIFY ROW_NUMBER() OVER (PARTITION BY device_id, message_id ORDER BY load_time, file_name, file_row_number) = 1
)
SELECT
    messages.device_id,
    messages.message_id,
    messages.issued_at,
    messages.body:modelId::STRING AS model_id,
    forecast.value:variable::STRING AS variable,
    TRY_TO_DOUBLE(forecast.value:persistence::STRING) AS persistence,
    TRY_TO_NUMBER(lead_time.value:leadMinutes::STRING) AS lead_minutes,
    TRY_TO_DOUBLE(lead_time.value:q05::STRING) AS q05,
    TRY_TO_DOUBLE(lead_time.value:q25::STRING) AS q25,
    TRY_TO_DOUBLE(lead_time.value:q50::STRING) AS q50,
    TRY_TO_DOUBLE(lead_time.value:q75::STRING) AS q75,
    TRY_TO_DOUBLE(lead_time.value:q95::STRING) AS q95,
    messages.body:clock.flag::STRING AS clock_flag,
    DATE_PART(EPOCH_MILLISECOND, messages.issued_at) AS measured_at_ms,
    messages.file_name,
    messages.file_row_number,
    messages.load_time
FROM messages,
    LATERAL FLATTEN(INPUT => messages.body:forecasts) AS forecast,
    LATERAL FLATTEN(INPUT => forecast.value:leads) AS lead_time
