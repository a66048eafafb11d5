# Snowflake signs in to Azure as its own service principals: no key and no SAS token anywhere.
resource "snowflake_storage_integration_azure" "this" {
  name            = local.snowflake_names.storage_integration
  comment         = "Reads the batch files of ${azurerm_storage_account.telemetry.name}"
  enabled         = true
  azure_tenant_id = data.azurerm_client_config.current.tenant_id

  storage_allowed_locations = values(local.stage_urls)
}

resource "snowflake_notification_integration" "this" {
  name                            = local.snowflake_names.notification_integration
  comment                         = "Takes the notices of ${local.queue_name}"
  enabled                         = true
  notification_provider           = "AZURE_STORAGE_QUEUE"
  azure_storage_queue_primary_uri = "${azurerm_storage_account.telemetry.primary_queue_endpoint}${azurerm_storage_queue.notices.name}"
  azure_tenant_id                 = data.azurerm_client_config.current.tenant_id
}

locals {
  stage_urls = {
    for key, container in azurerm_storage_container.messages :
    key => "azure://${azurerm_storage_account.telemetry.primary_blob_host}/${container.name}/"
  }
}
