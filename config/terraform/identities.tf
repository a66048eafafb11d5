# One identity a job: whoever holds one can do that job and no other.

# The hub's, to write batches and pictures. The hub's own identity would be circular: it exists only once the hub
# does, whose endpoints need its rights.
resource "azurerm_user_assigned_identity" "hub" {
  name                = local.azure_names.identity_hub.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  tags                = local.tags
}

# Event Grid's, to put notices into the queue.
resource "azurerm_user_assigned_identity" "events" {
  name                = local.azure_names.identity_events.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  tags                = local.tags
}

# The machine-learning workspace's, to read pictures and keep models.
resource "azurerm_user_assigned_identity" "learning" {
  name                = local.azure_names.identity_learning.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  tags                = local.tags
}
