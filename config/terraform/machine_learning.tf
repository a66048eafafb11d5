resource "azurerm_machine_learning_workspace" "this" {
  name                = local.azure_names.learning.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  tags                = local.tags

  application_insights_id = azurerm_application_insights.this.id
  container_registry_id   = azurerm_container_registry.this.id
  key_vault_id            = azurerm_key_vault.learning.id
  storage_account_id      = azurerm_storage_account.models.id

  # The account takes no keys, so that the workspace must not ask for them.
  storage_account_access_type    = "Identity"
  primary_user_assigned_identity = azurerm_user_assigned_identity.learning.id
  v1_legacy_mode_enabled         = false

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.learning.id]
  }

  depends_on = [azurerm_role_assignment.learning]
}

# The pictures, as a data set to train with.
resource "azurerm_machine_learning_datastore_blobstorage" "pictures" {
  name                       = "sky_pictures"
  workspace_id               = azurerm_machine_learning_workspace.this.id
  storage_container_id       = azurerm_storage_container.pictures.id
  service_data_auth_identity = "WorkspaceUserAssignedIdentity"
  is_default                 = false

  tags = local.tags
}
