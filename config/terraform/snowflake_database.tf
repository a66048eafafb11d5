resource "snowflake_database" "this" {
  name                           = local.snowflake_names.database
  comment                        = "skydeck ${var.environment}: weather telemetry and nowcasts"
  data_retention_time_in_days    = var.time_travel_days
  drop_public_schema_on_creation = true
}

resource "snowflake_schema" "this" {
  database = snowflake_database.this.name
  name     = local.snowflake_names.schema
  comment  = "What the pipes load, and the views on it"
}

resource "snowflake_warehouse" "this" {
  name                = local.snowflake_names.warehouse
  comment             = "skydeck ${var.environment}: queries; pipes use Snowflake's own"
  warehouse_size      = "XSMALL"
  warehouse_type      = "STANDARD"
  auto_suspend        = 60
  auto_resume         = "true"
  initially_suspended = true

  # A query that runs away ends after ten minutes, not after two days.
  statement_timeout_in_seconds = 600
}
