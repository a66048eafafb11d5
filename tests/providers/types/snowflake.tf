data "snowflake_current_account" "ours" {}

resource "snowflake_database" "it" {
  name    = "TYPES"
  comment = local.words
}

resource "snowflake_schema" "it" {
  database = snowflake_database.it.name
  name     = "TYPES"
  comment  = local.words
}

resource "snowflake_warehouse" "it" {
  name         = "TYPES_WH"
  auto_suspend = 60 * var.step
}

resource "snowflake_table" "it" {
  database = snowflake_database.it.name
  schema   = snowflake_schema.it.name
  name     = "RAW"
  comment  = local.words

  column {
    name = "RAW"
    type = "VARIANT"
  }
}

resource "snowflake_view" "it" {
  database  = snowflake_database.it.name
  schema    = snowflake_schema.it.name
  name      = "TYPED"
  statement = "SELECT ${var.step} AS ONE FROM ${snowflake_table.it.fully_qualified_name}"
}

resource "snowflake_file_format_json" "it" {
  database          = snowflake_database.it.name
  schema            = snowflake_schema.it.name
  name              = "JSON"
  strip_outer_array = local.second ? "true" : "false"
}

resource "snowflake_storage_integration_azure" "it" {
  name                      = "STORAGE"
  comment                   = local.words
  enabled                   = true
  azure_tenant_id           = data.azurerm_client_config.me.tenant_id
  storage_allowed_locations = ["azure://${azurerm_storage_account.it.primary_blob_host}/${azurerm_storage_container.it.name}/"]
}

resource "snowflake_notification_integration" "it" {
  name                            = "NOTICES"
  comment                         = local.words
  notification_provider           = "AZURE_STORAGE_QUEUE"
  azure_storage_queue_primary_uri = "${azurerm_storage_account.it.primary_queue_endpoint}${azurerm_storage_queue.it.name}"
  azure_tenant_id                 = data.azurerm_client_config.me.tenant_id
}

resource "snowflake_stage_external_azure" "it" {
  database            = snowflake_database.it.name
  schema              = snowflake_schema.it.name
  name                = "STAGE"
  comment             = local.words
  url                 = "azure://${azurerm_storage_account.it.primary_blob_host}/${azurerm_storage_container.it.name}/"
  storage_integration = snowflake_storage_integration_azure.it.name
}

resource "snowflake_pipe" "it" {
  database       = snowflake_database.it.name
  schema         = snowflake_schema.it.name
  name           = "PIPE"
  comment        = local.words
  auto_ingest    = true
  integration    = snowflake_notification_integration.it.name
  copy_statement = "COPY INTO ${snowflake_table.it.fully_qualified_name} FROM @${snowflake_stage_external_azure.it.fully_qualified_name}"
}

resource "snowflake_account_role" "it" {
  name    = "OPERATOR"
  comment = local.words
}

resource "snowflake_service_user" "it" {
  name    = "SKYDECK"
  comment = local.words
}

resource "snowflake_grant_account_role" "it" {
  role_name        = snowflake_account_role.it.name
  parent_role_name = local.second ? null : "SYSADMIN"
  user_name        = local.second ? snowflake_service_user.it.name : null
}

resource "snowflake_grant_privileges_to_account_role" "it" {
  account_role_name = snowflake_account_role.it.name
  privileges        = local.second ? ["MONITOR", "OPERATE"] : ["MONITOR"]
  on_schema_object {
    object_type = "PIPE"
    object_name = snowflake_pipe.it.fully_qualified_name
  }
}

resource "snowflake_grant_ownership" "it" {
  account_role_name   = snowflake_account_role.it.name
  outbound_privileges = local.second ? "REVOKE" : "COPY"
  on {
    object_type = "TABLE"
    object_name = snowflake_table.it.fully_qualified_name
  }
}

output "account" {
  value = data.snowflake_current_account.ours.account
}
