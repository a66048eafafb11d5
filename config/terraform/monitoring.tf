resource "azurerm_log_analytics_workspace" "this" {
  name                = local.azure_names.logs.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  sku                 = "PerGB2018"
  retention_in_days   = var.logs_retention_days
  daily_quota_gb      = var.logs_daily_quota_gb
  tags                = local.tags
}

resource "azurerm_application_insights" "this" {
  name                = local.azure_names.insights.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  workspace_id        = azurerm_log_analytics_workspace.this.id
  application_type    = "other"
  tags                = local.tags
}

resource "azurerm_monitor_diagnostic_setting" "hub" {
  name                       = "to-logs"
  target_resource_id         = azurerm_iothub.this.id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id

  enabled_log {
    category = "Connections"
  }
  enabled_log {
    category = "Routes"
  }
  enabled_log {
    category = "FileUploadOperations"
  }
}

# What the queue's age is computed from: there is no metric for it.
resource "azurerm_monitor_diagnostic_setting" "queue" {
  name                       = "to-logs"
  target_resource_id         = "${azurerm_storage_account.telemetry.id}/queueServices/default"
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id

  enabled_log {
    category = "StorageWrite"
  }
  enabled_log {
    category = "StorageDelete"
  }
}

resource "azurerm_monitor_diagnostic_setting" "key_vault" {
  name                       = "to-logs"
  target_resource_id         = azurerm_key_vault.this.id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id

  enabled_log {
    category = "AuditEvent"
  }
}
