output "snowflake" {
  description = "Names in Snowflake: database, schema, warehouse, file format, integrations, user, roles."
  value = {
    database                 = snowflake_database.this.name
    schema                   = snowflake_schema.this.name
    warehouse                = snowflake_warehouse.this.name
    file_format              = snowflake_file_format_json.this.name
    storage_integration      = snowflake_storage_integration_azure.this.name
    notification_integration = snowflake_notification_integration.this.name
    user                     = snowflake_service_user.skydeck.name
    role                     = snowflake_account_role.operator.name
    reader_role              = snowflake_account_role.reader.name
  }
}

output "loads" {
  description = "By kind of message: its container, stage, pipe (null before access is granted), table and view."
  value = {
    for key, message in local.messages : key => {
      container = message.container
      stage     = try(snowflake_stage_external_azure.messages[key].name, null)
      pipe      = try(snowflake_pipe.messages[key].name, null)
      table     = try(snowflake_table.messages[key].name, null)
      view      = try(snowflake_view.messages[key].name, null)
    }
  }
}

output "access_granted" {
  description = "Whether the pipes are there: false after the first phase, true after the second."
  value       = var.access_granted
}

output "consent" {
  description = "What consent needs: where to give it, the service principal to look for (without the digits behind its last _), what it must be allowed on which resource, and the statement that prints the queue's."
  value = {
    tenant_id = data.azurerm_client_config.current.tenant_id
    storage = {
      consent_url = try(snowflake_storage_integration_azure.this.describe_output[0].consent_url, null)
      app_name    = try(snowflake_storage_integration_azure.this.describe_output[0].multi_tenant_app_name, null)
      role        = "Storage Blob Data Reader"
      scopes      = [for container in azurerm_storage_container.messages : container.id]
      variable    = "snowflake_storage_principal_id"
    }
    queue = {
      statement = "DESC NOTIFICATION INTEGRATION ${snowflake_notification_integration.this.name}"
      role      = "Storage Queue Data Contributor"
      scopes    = [azurerm_storage_queue.notices.id]
      variable  = "snowflake_queue_principal_id"
    }
  }
}
