# What all three roles need to find anything at all.

resource "snowflake_grant_privileges_to_account_role" "database" {
  for_each = local.roles

  account_role_name = each.value
  privileges        = ["USAGE"]
  on_account_object {
    object_type = "DATABASE"
    object_name = snowflake_database.this.name
  }
}

resource "snowflake_grant_privileges_to_account_role" "schema" {
  for_each = local.roles

  account_role_name = each.value
  privileges        = ["USAGE"]
  on_schema {
    schema_name = snowflake_schema.this.fully_qualified_name
  }
}

# Pipes use Snowflake's compute, so that the loader has no warehouse.
resource "snowflake_grant_privileges_to_account_role" "warehouse" {
  for_each = { for name, role in local.roles : name => role if name != "loader" }

  account_role_name = each.value
  privileges        = ["USAGE"]
  on_account_object {
    object_type = "WAREHOUSE"
    object_name = snowflake_warehouse.this.name
  }
}

resource "snowflake_grant_privileges_to_account_role" "reader_views" {
  for_each = local.messages

  account_role_name = snowflake_account_role.reader.name
  privileges        = ["SELECT"]
  on_schema_object {
    object_type = "VIEW"
    object_name = snowflake_view.messages[each.key].fully_qualified_name
  }
}

# The loader loads. The operator needs the same of a table, a stage and the format to refresh a pipe.

resource "snowflake_grant_privileges_to_account_role" "tables" {
  for_each = local.loading

  account_role_name = each.value.role
  privileges        = ["INSERT", "SELECT"]
  on_schema_object {
    object_type = "TABLE"
    object_name = snowflake_table.messages[each.value.message].fully_qualified_name
  }
}

resource "snowflake_grant_privileges_to_account_role" "stages" {
  for_each = local.loading

  account_role_name = each.value.role
  privileges        = ["USAGE"]
  on_schema_object {
    object_type = "STAGE"
    object_name = snowflake_stage_external_azure.messages[each.value.message].fully_qualified_name
  }
}

resource "snowflake_grant_privileges_to_account_role" "file_format" {
  for_each = { for name, role in local.roles : name => role if name != "reader" }

  account_role_name = each.value
  privileges        = ["USAGE"]
  on_schema_object {
    object_type = "FILE FORMAT"
    object_name = snowflake_file_format_json.this.fully_qualified_name
  }
}

resource "snowflake_grant_privileges_to_account_role" "loader_notices" {
  account_role_name = snowflake_account_role.loader.name
  privileges        = ["USAGE"]
  on_account_object {
    object_type = "INTEGRATION"
    object_name = snowflake_notification_integration.this.name
  }
}

locals {
  roles = {
    loader   = snowflake_account_role.loader.name
    operator = snowflake_account_role.operator.name
    reader   = snowflake_account_role.reader.name
  }

  loading = merge([
    for name in ["loader", "operator"] : {
      for key in keys(local.messages) : "${name}-${key}" => { role = local.roles[name], message = key }
    }
  ]...)
}
