resource "snowflake_file_format_json" "this" {
  database          = snowflake_database.this.name
  schema            = snowflake_schema.this.name
  name              = local.snowflake_names.file_format
  comment           = "The hub's batch files: a JSON object a line"
  compression       = "NONE"
  strip_outer_array = "true"
}

resource "snowflake_stage_external_azure" "messages" {
  for_each = local.messages

  database            = snowflake_database.this.name
  schema              = snowflake_schema.this.name
  name                = local.snowflake_names["stage_${each.key}"]
  comment             = "Container ${each.value.container}"
  url                 = local.stage_urls[each.key]
  storage_integration = snowflake_storage_integration_azure.this.name
}

locals {
  # Snowflake refuses auto-ingest pipes until its principals may read the container and the queue.
  pipes = var.access_granted ? local.messages : {}
}

resource "snowflake_pipe" "messages" {
  for_each = local.pipes

  database    = snowflake_database.this.name
  schema      = snowflake_schema.this.name
  name        = local.snowflake_names["pipe_${each.key}"]
  comment     = "${each.value.container} into ${snowflake_table.messages[each.key].name}"
  auto_ingest = true
  integration = snowflake_notification_integration.this.name

  copy_statement = trimspace(templatefile("${path.module}/sql/copy.sql", {
    table       = snowflake_table.messages[each.key].fully_qualified_name
    stage       = snowflake_stage_external_azure.messages[each.key].fully_qualified_name
    file_format = snowflake_file_format_json.this.fully_qualified_name
  }))

  # A pipe stops for good when its stage changes place. Made anew it forgets what it has loaded; the views don't show
  # a message twice.
  lifecycle {
    replace_triggered_by = [
      snowflake_stage_external_azure.messages[each.key].url,
      snowflake_stage_external_azure.messages[each.key].storage_integration,
    ]
  }

  depends_on = [
    azurerm_role_assignment.snowflake_reads_batches,
    azurerm_role_assignment.snowflake_takes_notices,
  ]
}
