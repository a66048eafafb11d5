# What the machine-learning workspace may do: what Azure asks of a workspace with an identity of its own, each on one
# resource that is the workspace's alone or that it only reads.
locals {
  learning_roles = {
    models_account   = { scope = azurerm_storage_account.models.id, role = "Contributor" }
    models_blobs     = { scope = azurerm_storage_account.models.id, role = "Storage Blob Data Contributor" }
    models_files     = { scope = azurerm_storage_account.models.id, role = "Storage File Data Privileged Contributor" }
    vault_account    = { scope = azurerm_key_vault.learning.id, role = "Contributor" }
    vault_secrets    = { scope = azurerm_key_vault.learning.id, role = "Key Vault Administrator" }
    registry_account = { scope = azurerm_container_registry.this.id, role = "Contributor" }
    insights         = { scope = azurerm_application_insights.this.id, role = "Contributor" }
    pictures         = { scope = azurerm_storage_container.pictures.id, role = "Storage Blob Data Reader" }
  }
}

resource "azurerm_role_assignment" "learning" {
  for_each = local.learning_roles

  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = azurerm_user_assigned_identity.learning.principal_id
  principal_type       = "ServicePrincipal"
  description          = "The machine-learning workspace: ${each.key}"
}

resource "azurerm_role_assignment" "learning_workspace" {
  scope                = azurerm_machine_learning_workspace.this.id
  role_definition_name = "Contributor"
  principal_id         = azurerm_user_assigned_identity.learning.principal_id
  principal_type       = "ServicePrincipal"
  description          = "The machine-learning workspace: itself"
}
