# Images and model packages. Whoever pulls or pushes signs in with Entra.
resource "azurerm_container_registry" "this" {
  name                = local.azure_names.registry.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  sku                 = var.registry_sku
  tags                = local.tags

  admin_enabled          = false
  anonymous_pull_enabled = false
}
