# One column of JSON and what the load knows. The columns and their order are those of the pipes' COPY.
resource "snowflake_table" "messages" {
  for_each = local.messages

  database                    = snowflake_database.this.name
  schema                      = snowflake_schema.this.name
  name                        = local.snowflake_names["table_${each.key}"]
  comment                     = each.value.comment
  data_retention_time_in_days = var.time_travel_days

  column {
    name     = "VARIANT"
    type     = "VARIANT"
    nullable = false
    comment  = "The hub's line: EnqueuedTimeUtc, Properties, SystemProperties, Body"
  }
  column {
    name     = "FILE_NAME"
    type     = "VARCHAR(16777216)"
    nullable = false
    comment  = "The batch file, METADATA$FILENAME"
  }
  column {
    name     = "FILE_ROW_NUMBER"
    type     = "NUMBER(38,0)"
    nullable = false
    comment  = "The line in the file, METADATA$FILE_ROW_NUMBER"
  }
  column {
    name     = "START_SCAN_TIME"
    type     = "TIMESTAMP_LTZ(9)"
    nullable = false
    comment  = "When the load began, METADATA$START_SCAN_TIME"
  }
}
