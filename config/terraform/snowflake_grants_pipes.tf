resource "snowflake_grant_privileges_to_account_role" "operator_pipes" {
  for_each = local.pipes

  account_role_name = snowflake_account_role.operator.name
  privileges        = ["MONITOR", "OPERATE"]
  on_schema_object {
    object_type = "PIPE"
    object_name = snowflake_pipe.messages[each.key].fully_qualified_name
  }
}

# A pipe is paused while its owner changes, and resumed by whoever may operate it.
resource "snowflake_grant_privileges_to_account_role" "terraform_pipes" {
  for_each = local.pipes

  account_role_name = var.snowflake_role
  privileges        = ["MONITOR", "OPERATE"]
  on_schema_object {
    object_type = "PIPE"
    object_name = snowflake_pipe.messages[each.key].fully_qualified_name
  }
}

resource "snowflake_grant_ownership" "loader_pipes" {
  for_each = local.pipes

  account_role_name   = snowflake_account_role.loader.name
  outbound_privileges = "COPY"
  on {
    object_type = "PIPE"
    object_name = snowflake_pipe.messages[each.key].fully_qualified_name
  }

  # The loader can load before the pipe is its own.
  depends_on = [
    snowflake_grant_account_role.loader_to_terraform,
    snowflake_grant_privileges_to_account_role.database,
    snowflake_grant_privileges_to_account_role.file_format,
    snowflake_grant_privileges_to_account_role.loader_notices,
    snowflake_grant_privileges_to_account_role.operator_pipes,
    snowflake_grant_privileges_to_account_role.schema,
    snowflake_grant_privileges_to_account_role.stages,
    snowflake_grant_privileges_to_account_role.tables,
    snowflake_grant_privileges_to_account_role.terraform_pipes,
  ]
}
