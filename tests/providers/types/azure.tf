data "azurerm_client_config" "me" {}
data "azurerm_subscription" "ours" {}

resource "azurerm_resource_group" "it" {
  name     = "rg-types"
  location = "Switzerland North"
  tags     = local.tags
}

resource "azurerm_user_assigned_identity" "it" {
  name                = "id-types"
  resource_group_name = azurerm_resource_group.it.name
  location            = azurerm_resource_group.it.location
  tags                = local.tags
}

resource "azurerm_role_assignment" "it" {
  scope                = azurerm_storage_account.it.id
  role_definition_name = local.second ? "Storage Blob Data Contributor" : "Storage Blob Data Reader"
  principal_id         = azurerm_user_assigned_identity.it.principal_id
}

resource "azurerm_key_vault" "it" {
  name                = "kv-types"
  resource_group_name = azurerm_resource_group.it.name
  location            = azurerm_resource_group.it.location
  tenant_id           = data.azurerm_client_config.me.tenant_id
  sku_name            = local.second ? "premium" : "standard"
}

resource "azurerm_storage_account" "it" {
  name                     = "sttypes"
  resource_group_name      = azurerm_resource_group.it.name
  location                 = azurerm_resource_group.it.location
  account_tier             = "Standard"
  account_replication_type = local.second ? "GRS" : "LRS"

  blob_properties {
    delete_retention_policy {
      days = 6 + var.step
    }
  }
}

resource "azurerm_storage_container" "it" {
  name               = "pictures"
  storage_account_id = azurerm_storage_account.it.id
  metadata           = local.tags
}

resource "azurerm_storage_queue" "it" {
  name               = "notices"
  storage_account_id = azurerm_storage_account.it.id
  metadata           = local.tags
}

resource "azurerm_storage_management_policy" "it" {
  storage_account_id = azurerm_storage_account.it.id

  rule {
    name    = "away"
    enabled = true
    filters {
      blob_types = ["blockBlob"]
    }
    actions {
      base_blob {
        delete_after_days_since_modification_greater_than = 30 * var.step
      }
    }
  }
}

resource "azurerm_iothub" "it" {
  name                = "iot-types"
  resource_group_name = azurerm_resource_group.it.name
  location            = azurerm_resource_group.it.location

  sku {
    name     = "S1"
    capacity = var.step
  }
}

resource "azurerm_iothub_consumer_group" "it" {
  name                   = "reader-${var.step}"
  iothub_name            = azurerm_iothub.it.name
  resource_group_name    = azurerm_resource_group.it.name
  eventhub_endpoint_name = "events"
}

resource "azurerm_iothub_shared_access_policy" "it" {
  name                = "registry"
  iothub_name         = azurerm_iothub.it.name
  resource_group_name = azurerm_resource_group.it.name
  registry_read       = true
  registry_write      = local.second
}

resource "azurerm_iothub_endpoint_storage_container" "it" {
  name                       = "batches"
  iothub_id                  = azurerm_iothub.it.id
  resource_group_name        = azurerm_resource_group.it.name
  container_name             = azurerm_storage_container.it.name
  connection_string          = azurerm_storage_account.it.primary_blob_connection_string
  batch_frequency_in_seconds = 60 * var.step
}

resource "azurerm_iothub_route" "it" {
  name                = "all"
  iothub_name         = azurerm_iothub.it.name
  resource_group_name = azurerm_resource_group.it.name
  source              = "DeviceMessages"
  condition           = local.second ? "false" : "true"
  endpoint_names      = [azurerm_iothub_endpoint_storage_container.it.name]
  enabled             = true
}

resource "azurerm_iothub_fallback_route" "it" {
  iothub_name         = azurerm_iothub.it.name
  resource_group_name = azurerm_resource_group.it.name
  endpoint_names      = ["events"]
  enabled             = local.second
}

resource "azurerm_eventgrid_system_topic" "it" {
  name                = "egst-types"
  resource_group_name = azurerm_resource_group.it.name
  location            = azurerm_resource_group.it.location
  source_resource_id  = azurerm_storage_account.it.id
  topic_type          = "Microsoft.Storage.StorageAccounts"
  tags                = local.tags
}

resource "azurerm_eventgrid_system_topic_event_subscription" "it" {
  name                 = "to-the-queue"
  system_topic         = azurerm_eventgrid_system_topic.it.name
  resource_group_name  = azurerm_resource_group.it.name
  included_event_types = local.second ? ["Microsoft.Storage.BlobCreated", "Microsoft.Storage.BlobDeleted"] : ["Microsoft.Storage.BlobCreated"]

  storage_queue_endpoint {
    storage_account_id = azurerm_storage_account.it.id
    queue_name         = azurerm_storage_queue.it.name
  }
}

resource "azurerm_log_analytics_workspace" "it" {
  name                = "log-types"
  resource_group_name = azurerm_resource_group.it.name
  location            = azurerm_resource_group.it.location
  retention_in_days   = 30 * var.step
}

resource "azurerm_application_insights" "it" {
  name                = "appi-types"
  resource_group_name = azurerm_resource_group.it.name
  location            = azurerm_resource_group.it.location
  workspace_id        = azurerm_log_analytics_workspace.it.id
  application_type    = "other"
  sampling_percentage = local.second ? 50 : 100
}

resource "azurerm_container_registry" "it" {
  name                = "crtypes"
  resource_group_name = azurerm_resource_group.it.name
  location            = azurerm_resource_group.it.location
  sku                 = local.second ? "Standard" : "Basic"
}

resource "azurerm_machine_learning_workspace" "it" {
  name                    = "mlw-types"
  resource_group_name     = azurerm_resource_group.it.name
  location                = azurerm_resource_group.it.location
  application_insights_id = azurerm_application_insights.it.id
  key_vault_id            = azurerm_key_vault.it.id
  storage_account_id      = azurerm_storage_account.it.id
  description             = local.words

  identity {
    type = "SystemAssigned"
  }
}

resource "azurerm_machine_learning_datastore_blobstorage" "it" {
  name                       = "pictures"
  workspace_id               = azurerm_machine_learning_workspace.it.id
  storage_container_id       = azurerm_storage_container.it.id
  service_data_auth_identity = local.second ? "WorkspaceSystemAssignedIdentity" : "WorkspaceUserAssignedIdentity"
}

resource "azurerm_monitor_action_group" "it" {
  name                = "ag-types"
  resource_group_name = azurerm_resource_group.it.name
  short_name          = "types${var.step}"
}

resource "azurerm_monitor_metric_alert" "it" {
  name                = "quiet"
  resource_group_name = azurerm_resource_group.it.name
  scopes              = [azurerm_iothub.it.id]
  severity            = var.step

  criteria {
    metric_namespace = "Microsoft.Devices/IotHubs"
    metric_name      = "d2c.telemetry.ingress.success"
    aggregation      = "Total"
    operator         = "LessThan"
    threshold        = 1
  }
  action {
    action_group_id = azurerm_monitor_action_group.it.id
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "it" {
  name                 = "queue"
  resource_group_name  = azurerm_resource_group.it.name
  location             = azurerm_resource_group.it.location
  scopes               = [azurerm_log_analytics_workspace.it.id]
  severity             = var.step
  evaluation_frequency = "PT5M"
  window_duration      = "PT5M"

  criteria {
    query                   = "StorageQueueLogs"
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = 1
  }
}

resource "azurerm_monitor_diagnostic_setting" "it" {
  name                       = "to-logs"
  target_resource_id         = azurerm_iothub.it.id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.it.id

  enabled_log {
    category = local.second ? "Routes" : "Connections"
  }
}

resource "azurerm_consumption_budget_resource_group" "it" {
  name              = "budget"
  resource_group_id = azurerm_resource_group.it.id
  amount            = 100 * var.step

  time_period {
    start_date = "2026-06-01T00:00:00Z"
  }
  notification {
    operator       = "GreaterThan"
    threshold      = 80
    contact_emails = ["somebody@example.org"]
  }
}

output "subscription" {
  value = data.azurerm_subscription.ours.display_name
}
