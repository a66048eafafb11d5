# Attribute names are those of azurerm 4.81 and snowflake 2.22; older 4.x and 2.x lack some.
terraform {
  required_version = ">= 1.6"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.81"
    }
    snowflake = {
      source  = "snowflakedb/snowflake"
      version = "~> 2.22"
    }
  }

  # Filled by -backend-config=backend/ENV.tfvars. A generated *_override.tf gives demo and local a local one.
  backend "azurerm" {}
}
