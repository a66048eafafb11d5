# Snowflake's two service principals, known once somebody has consented to them (README, two phases). They read
# batch files and take notices; they write nothing.
resource "azurerm_role_assignment" "snowflake_reads_batches" {
  for_each = var.snowflake_storage_principal_id == null ? {} : local.messages

  scope                = azurerm_storage_container.messages[each.key].id
  role_definition_name = "Storage Blob Data Reader"
  principal_id         = var.snowflake_storage_principal_id
  principal_type       = "ServicePrincipal"
  description          = "Snowflake reads batches"
}

# Taking a message deletes it, for which there is no smaller role.
resource "azurerm_role_assignment" "snowflake_takes_notices" {
  count = var.snowflake_queue_principal_id == null ? 0 : 1

  scope                = azurerm_storage_queue.notices.id
  role_definition_name = "Storage Queue Data Contributor"
  principal_id         = var.snowflake_queue_principal_id
  principal_type       = "ServicePrincipal"
  description          = "Snowflake takes notices"
}
