# What those who run skydeck may do: look, fetch secrets and models. Nothing here changes anything.
locals {
  skydeck_roles = merge(
    { for key, container in azurerm_storage_container.messages : "batches-${key}" => { scope = container.id, role = "Storage Blob Data Reader" } },
    {
      hub      = { scope = azurerm_iothub.this.id, role = "IoT Hub Data Reader" }
      pictures = { scope = azurerm_storage_container.pictures.id, role = "Storage Blob Data Reader" }
      models   = { scope = azurerm_storage_container.models.id, role = "Storage Blob Data Reader" }
      notices  = { scope = azurerm_storage_queue.notices.id, role = "Storage Queue Data Reader" }
      secrets  = { scope = azurerm_key_vault.this.id, role = "Key Vault Secrets User" }
      registry = { scope = azurerm_container_registry.this.id, role = "AcrPull" }
    },
  )

  skydeck_assignments = merge([
    for name, principal in var.skydeck_principal_ids : {
      for key, grant in local.skydeck_roles : "${name}-${key}" => merge(grant, { principal = principal, name = name })
    }
  ]...)
}

resource "azurerm_role_assignment" "skydeck" {
  for_each = local.skydeck_assignments

  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = each.value.principal
  description          = "skydeck, run by ${each.value.name}"
}
