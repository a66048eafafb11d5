resource "azurerm_iothub" "this" {
  name                = local.azure_names.iothub.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  tags                = local.tags

  min_tls_version             = "1.2"
  event_hub_partition_count   = var.iothub_partitions
  event_hub_retention_in_days = 7

  # Policies of the hub stay: the built-in endpoint, which the live feed reads, takes no Entra sign-in.
  local_authentication_enabled = true

  sku {
    name     = "S1"
    capacity = var.iothub_units
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.hub.id]
  }

  # Azure wants a connection string here even though the identity is what signs in; its key opens nothing, since
  # the account takes no keys.
  file_upload {
    connection_string   = azurerm_storage_account.pictures.primary_blob_connection_string
    container_name      = azurerm_storage_container.pictures.name
    authentication_type = "identityBased"
    identity_id         = azurerm_user_assigned_identity.hub.id
    notifications       = false
    sas_ttl             = "PT1H"
  }

  depends_on = [
    azurerm_role_assignment.hub_delegates_pictures,
    azurerm_role_assignment.hub_writes_pictures,
  ]
}

# skydeck's place in the built-in endpoint: no other reader moves it.
resource "azurerm_iothub_consumer_group" "skydeck" {
  name                   = local.consumer_group
  iothub_name            = azurerm_iothub.this.name
  resource_group_name    = azurerm_resource_group.this.name
  eventhub_endpoint_name = "events"
}

# To make and remove devices' identities, and nothing else: neither their data nor their commands.
resource "azurerm_iothub_shared_access_policy" "registry" {
  name                = "skydeck-registry"
  iothub_name         = azurerm_iothub.this.name
  resource_group_name = azurerm_resource_group.this.name

  registry_read  = true
  registry_write = true
}

# To read the live feed.
resource "azurerm_iothub_shared_access_policy" "feed" {
  name                = "skydeck-feed"
  iothub_name         = azurerm_iothub.this.name
  resource_group_name = azurerm_resource_group.this.name

  service_connect = true
}
