resource "azurerm_resource_group" "this" {
  name     = local.azure_names.resource_group.name
  location = var.location
  tags     = local.tags

  lifecycle {
    precondition {
      condition     = length(local.azure_name_faults) == 0
      error_message = "Azure names: ${join("; ", local.azure_name_faults)}. Shorten project, environment, name_suffix or iothub_name."
    }
    precondition {
      condition     = var.pictures_delete_days > var.pictures_cool_days
      error_message = "pictures_delete_days (${var.pictures_delete_days}) must be above pictures_cool_days (${var.pictures_cool_days})."
    }
  }
}
