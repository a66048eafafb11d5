# Models, and what the machine-learning workspace keeps. Versions stay: a model overwritten by mistake comes back.
resource "azurerm_storage_account" "models" {
  name                = local.azure_names.storage_models.name
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
    versioning_enabled = true

    delete_retention_policy {
      days = var.deleted_blob_days
    }
    container_delete_retention_policy {
      days = var.deleted_blob_days
    }
  }
}

resource "azurerm_storage_container" "models" {
  name                  = local.models_container
  storage_account_id    = azurerm_storage_account.models.id
  container_access_type = "private"
}
