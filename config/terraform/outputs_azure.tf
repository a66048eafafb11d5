output "resource_group_name" {
  description = "The resource group that holds everything in Azure."
  value       = azurerm_resource_group.this.name
}

output "iothub_name" {
  description = "The IoT Hub's name, first part of every batch file's name."
  value       = azurerm_iothub.this.name
}

output "iothub_hostname" {
  description = "The IoT Hub's host, which devices connect to."
  value       = azurerm_iothub.this.hostname
}

output "iothub_feed" {
  description = "Where the live feed is read: the built-in endpoint's Event Hubs address and path, skydeck's consumer group, and the policy whose key opens it."
  value = {
    endpoint       = azurerm_iothub.this.event_hub_events_endpoint
    path           = azurerm_iothub.this.event_hub_events_path
    consumer_group = azurerm_iothub_consumer_group.skydeck.name
    policy         = azurerm_iothub_shared_access_policy.feed.name
  }
}

output "iothub_registry_policy" {
  description = "The hub's policy to make and remove devices' identities with."
  value       = azurerm_iothub_shared_access_policy.registry.name
}

output "storage_accounts" {
  description = "The storage accounts' names, by what they hold: pictures, telemetry, models."
  value = {
    pictures  = azurerm_storage_account.pictures.name
    telemetry = azurerm_storage_account.telemetry.name
    models    = azurerm_storage_account.models.name
  }
}

output "containers" {
  description = "The containers' names, by what they hold: measurements, predictions, health, pictures, models."
  value = merge(
    { for key, container in azurerm_storage_container.messages : key => container.name },
    {
      pictures = azurerm_storage_container.pictures.name
      models   = azurerm_storage_container.models.name
    },
  )
}

output "queue_url" {
  description = "The queue of BlobCreated notices, as Snowflake's notification integration has it."
  value       = snowflake_notification_integration.this.azure_storage_queue_primary_uri
}

output "batch" {
  description = "How the hub cuts batch files: window in seconds, largest size in bytes, file-name format."
  value = {
    window_s         = var.batch_window_s
    max_bytes        = var.batch_max_mib * 1024 * 1024
    file_name_format = try(azurerm_iothub_endpoint_storage_container.messages["measurements"].file_name_format, null)
  }
}

output "key_vault_uri" {
  description = "The vault of skydeck's secrets."
  value       = azurerm_key_vault.this.vault_uri
}

output "registry_login_server" {
  description = "The container registry's host."
  value       = azurerm_container_registry.this.login_server
}

output "machine_learning_workspace" {
  description = "The machine-learning workspace's name, and its datastore of pictures."
  value = {
    name      = azurerm_machine_learning_workspace.this.name
    datastore = azurerm_machine_learning_datastore_blobstorage.pictures.name
  }
}

output "application_insights_id" {
  description = "Resource id of Application Insights; its connection string is fetched by those who may."
  value       = azurerm_application_insights.this.id
}
