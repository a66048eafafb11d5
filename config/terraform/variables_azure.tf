variable "subscription_id" {
  description = "The Azure subscription; null takes ARM_SUBSCRIPTION_ID."
  type        = string
  default     = null

  validation {
    condition     = var.subscription_id == null || can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", var.subscription_id))
    error_message = "subscription_id: a UUID, as `az account show --query id` prints it."
  }
}

variable "location" {
  description = "The Azure region of everything, as Azure writes it: lower case, no spaces."
  type        = string
  default     = "switzerlandnorth"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2,}[a-z0-9]*$", var.location))
    error_message = "location: a region's short name, such as switzerlandnorth (`az account list-locations`)."
  }
}

variable "storage_replication" {
  description = "How the storage accounts are replicated: LRS, ZRS, GRS, RAGRS, GZRS or RAGZRS."
  type        = string
  default     = "LRS"
  nullable    = false

  validation {
    condition     = contains(["LRS", "ZRS", "GRS", "RAGRS", "GZRS", "RAGZRS"], var.storage_replication)
    error_message = "storage_replication: one of LRS, ZRS, GRS, RAGRS, GZRS, RAGZRS."
  }
}

variable "registry_sku" {
  description = "The container registry's tier: Basic, Standard or Premium."
  type        = string
  default     = "Basic"
  nullable    = false

  validation {
    condition     = contains(["Basic", "Standard", "Premium"], var.registry_sku)
    error_message = "registry_sku: one of Basic, Standard, Premium."
  }
}

variable "key_vault_purge_protection" {
  description = "Whether deleted vaults are kept for their 90 days whatever happens. Can't be taken back once true."
  type        = bool
  default     = true
  nullable    = false
}

variable "skydeck_principal_ids" {
  description = "Entra object ids of those who run skydeck (people, groups, service principals), by a name of your choice: they get the watcher's rights, none to change anything."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for id in values(var.skydeck_principal_ids) : can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", id))])
    error_message = "skydeck_principal_ids: each an Entra object id (a UUID), such as `az ad sp show --id APP --query id` prints."
  }
}
