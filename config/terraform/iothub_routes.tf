resource "azurerm_iothub_endpoint_storage_container" "messages" {
  for_each = local.messages

  name                = each.key
  iothub_id           = azurerm_iothub.this.id
  resource_group_name = azurerm_resource_group.this.name
  container_name      = azurerm_storage_container.messages[each.key].name

  authentication_type = "identityBased"
  identity_id         = azurerm_user_assigned_identity.hub.id
  endpoint_uri        = azurerm_storage_account.telemetry.primary_blob_endpoint

  encoding                   = "JSON"
  batch_frequency_in_seconds = var.batch_window_s
  max_chunk_size_in_bytes    = var.batch_max_mib * 1024 * 1024
  file_name_format           = "{iothub}/{partition}/{YYYY}-{MM}-{DD}/{HH}-{mm}"

  depends_on = [azurerm_role_assignment.hub_writes_batches]
}

# The body is looked at only where the device says that it sends JSON in UTF-8; skydeck's agent does.
resource "azurerm_iothub_route" "messages" {
  for_each = local.messages

  name                = each.key
  iothub_name         = azurerm_iothub.this.name
  resource_group_name = azurerm_resource_group.this.name
  source              = "DeviceMessages"
  condition           = join(" OR ", [for type in each.value.types : "$body.type = '${type}'"])
  endpoint_names      = [azurerm_iothub_endpoint_storage_container.messages[each.key].name]
  enabled             = true
}

# Every message goes to the built-in endpoint too: a message that a route has taken would otherwise never be there.
resource "azurerm_iothub_route" "live" {
  name                = "live"
  iothub_name         = azurerm_iothub.this.name
  resource_group_name = azurerm_resource_group.this.name
  source              = "DeviceMessages"
  condition           = "true"
  endpoint_names      = ["events"]
  enabled             = true
}

# What no route takes, should the one above ever be off.
resource "azurerm_iothub_fallback_route" "this" {
  iothub_name         = azurerm_iothub.this.name
  resource_group_name = azurerm_resource_group.this.name
  source              = "DeviceMessages"
  condition           = "true"
  endpoint_names      = ["events"]
  enabled             = true
}
