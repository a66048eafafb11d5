# skydeck's secrets: the hub's policies, Snowflake's private key. Values are put there by hand or by skydeck, never
# by Terraform, whose state would hold them.
resource "azurerm_key_vault" "this" {
  name                = local.azure_names.key_vault.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  tenant_id           = data.azurerm_client_config.current.tenant_id
  sku_name            = "standard"
  tags                = local.tags

  rbac_authorization_enabled      = true
  purge_protection_enabled        = var.key_vault_purge_protection
  soft_delete_retention_days      = 90
  enabled_for_deployment          = false
  enabled_for_disk_encryption     = false
  enabled_for_template_deployment = false
}

# The machine-learning workspace administers its vault, so that it has one of its own.
resource "azurerm_key_vault" "learning" {
  name                = local.azure_names.learning_vault.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  tenant_id           = data.azurerm_client_config.current.tenant_id
  sku_name            = "standard"
  tags                = local.tags

  rbac_authorization_enabled      = true
  purge_protection_enabled        = var.key_vault_purge_protection
  soft_delete_retention_days      = 90
  enabled_for_deployment          = false
  enabled_for_disk_encryption     = false
  enabled_for_template_deployment = false
}
