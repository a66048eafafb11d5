# Batch files, and the queue of their notices. Not hierarchical: there, half-written files raise events too.
resource "azurerm_storage_account" "telemetry" {
  name                = local.azure_names.storage_telemetry.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  tags                = local.tags

  account_tier             = "Standard"
  account_kind             = "StorageV2"
  account_replication_type = var.storage_replication

  min_tls_version                   = "TLS1_2"
  https_traffic_only_enabled        = true
  allow_nested_items_to_be_public   = false
  shared_access_key_enabled         = false
  default_to_oauth_authentication   = true
  cross_tenant_replication_enabled  = false
  local_user_enabled                = false
  sftp_enabled                      = false
  infrastructure_encryption_enabled = true

  blob_properties {
    delete_retention_policy {
      days = var.deleted_blob_days
    }
    container_delete_retention_policy {
      days = var.deleted_blob_days
    }
  }
}

resource "azurerm_storage_container" "messages" {
  for_each = local.messages

  name                  = each.value.container
  storage_account_id    = azurerm_storage_account.telemetry.id
  container_access_type = "private"
}

# Notices that Event Grid couldn't put into the queue.
resource "azurerm_storage_container" "undelivered" {
  name                  = "undelivered-notices"
  storage_account_id    = azurerm_storage_account.telemetry.id
  container_access_type = "private"
}

resource "azurerm_storage_queue" "notices" {
  name               = local.queue_name
  storage_account_id = azurerm_storage_account.telemetry.id
}

resource "azurerm_storage_management_policy" "telemetry" {
  storage_account_id = azurerm_storage_account.telemetry.id

  rule {
    name    = "batches-cool-then-deleted"
    enabled = true
    filters {
      blob_types   = ["blockBlob"]
      prefix_match = [for container in azurerm_storage_container.messages : "${container.name}/"]
    }
    actions {
      base_blob {
        tier_to_cool_after_days_since_modification_greater_than = 15
        delete_after_days_since_modification_greater_than       = var.batches_delete_days
      }
    }
  }
}
