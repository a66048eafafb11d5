# Pictures of the sky, uploaded by devices through the hub.
resource "azurerm_storage_account" "pictures" {
  name                = local.azure_names.storage_pictures.name
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

resource "azurerm_storage_container" "pictures" {
  name                  = local.pictures_container
  storage_account_id    = azurerm_storage_account.pictures.id
  container_access_type = "private"
}

resource "azurerm_storage_management_policy" "pictures" {
  storage_account_id = azurerm_storage_account.pictures.id

  rule {
    name    = "pictures-cool-then-deleted"
    enabled = true
    filters {
      blob_types   = ["blockBlob"]
      prefix_match = ["${azurerm_storage_container.pictures.name}/"]
    }
    actions {
      base_blob {
        tier_to_cool_after_days_since_modification_greater_than = var.pictures_cool_days
        delete_after_days_since_modification_greater_than       = var.pictures_delete_days
      }
    }
  }
}
