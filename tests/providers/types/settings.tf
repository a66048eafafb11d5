# One of every emulated type, the least that each needs. `step` 2 changes each of them.
terraform {
  required_providers {
    azurerm   = { source = "hashicorp/azurerm" }
    snowflake = { source = "snowflakedb/snowflake" }
  }
}

provider "azurerm" {
  subscription_id = "00000000-0000-4000-8000-0000000000aa"
  features {}
}

provider "snowflake" {
  preview_features_enabled = [
    "snowflake_current_account_datasource",
    "snowflake_notification_integration_resource",
    "snowflake_pipe_resource",
    "snowflake_table_resource",
  ]
}

variable "step" {
  type    = number
  default = 1
}

locals {
  second = var.step == 2
  words  = "step ${var.step}"
  tags   = { step = tostring(var.step) }
}
