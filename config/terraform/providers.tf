# Credentials come from the environment (ARM_*, SNOWFLAKE_*) or az login, never from variables.
provider "azurerm" {
  subscription_id     = var.subscription_id
  storage_use_azuread = true

  # Only what the module makes is registered, not the provider's whole default list.
  resource_provider_registrations = "none"
  resource_providers_to_register  = local.resource_providers

  features {
    # Else it makes an action group of its own that later keeps the resource group from going.
    application_insights {
      disable_generated_rule = true
    }
    key_vault {
      purge_soft_delete_on_destroy    = false
      recover_soft_deleted_key_vaults = true
    }
    resource_group {
      prevent_deletion_if_contains_resources = true
    }
  }
}

provider "snowflake" {
  organization_name = var.snowflake_organization
  account_name      = var.snowflake_account
  user              = var.snowflake_user
  role              = var.snowflake_role

  preview_features_enabled = [
    "snowflake_notification_integration_resource",
    "snowflake_pipe_resource",
    "snowflake_table_resource",
  ]
}

locals {
  resource_providers = [
    "Microsoft.Consumption",
    "Microsoft.ContainerRegistry",
    "Microsoft.Devices",
    "Microsoft.EventGrid",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.MachineLearningServices",
    "Microsoft.ManagedIdentity",
    "Microsoft.OperationalInsights",
    "Microsoft.Storage",
  ]
}

data "azurerm_client_config" "current" {}
