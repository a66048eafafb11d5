# What the hub and Event Grid may do: each only on the container or queue it writes to.

resource "azurerm_role_assignment" "hub_writes_batches" {
  for_each = local.messages

  scope                = azurerm_storage_container.messages[each.key].id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = azurerm_user_assigned_identity.hub.principal_id
  principal_type       = "ServicePrincipal"
  description          = "The hub writes batches"
}

resource "azurerm_role_assignment" "hub_writes_pictures" {
  scope                = azurerm_storage_container.pictures.id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = azurerm_user_assigned_identity.hub.principal_id
  principal_type       = "ServicePrincipal"
  description          = "The hub lets devices upload pictures"
}

# For a device's upload the hub signs with a user delegation key, which only the account gives.
resource "azurerm_role_assignment" "hub_delegates_pictures" {
  scope                = azurerm_storage_account.pictures.id
  role_definition_name = "Storage Blob Delegator"
  principal_id         = azurerm_user_assigned_identity.hub.principal_id
  principal_type       = "ServicePrincipal"
  description          = "The hub signs devices' uploads"
}

resource "azurerm_role_assignment" "events_fill_queue" {
  scope                = azurerm_storage_queue.notices.id
  role_definition_name = "Storage Queue Data Message Sender"
  principal_id         = azurerm_user_assigned_identity.events.principal_id
  principal_type       = "ServicePrincipal"
  description          = "Event Grid puts notices into the queue"
}

resource "azurerm_role_assignment" "events_keep_undelivered" {
  scope                = azurerm_storage_container.undelivered.id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = azurerm_user_assigned_identity.events.principal_id
  principal_type       = "ServicePrincipal"
  description          = "Event Grid keeps the notices it couldn't deliver"
}
