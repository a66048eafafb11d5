# Owns the pipes, so that loads run with its rights and not with Terraform's.
resource "snowflake_account_role" "loader" {
  name    = local.snowflake_names.role_loader
  comment = "Owns the pipes of ${local.snowflake_names.database}; loads into its tables"
}

# skydeck's: watches, pauses, resumes and refreshes pipes, and reads what the reader reads.
resource "snowflake_account_role" "operator" {
  name    = local.snowflake_names.role_operator
  comment = "Watches and operates the pipes of ${local.snowflake_names.database}"
}

# For data teams: the views, and nothing behind them.
resource "snowflake_account_role" "reader" {
  name    = local.snowflake_names.role_reader
  comment = "Reads the views of ${local.snowflake_names.database}"
}

# Signs in by key alone: a service user has no password.
resource "snowflake_service_user" "skydeck" {
  name                           = local.snowflake_names.user
  display_name                   = "skydeck, ${var.environment}"
  comment                        = "skydeck's own user; answers: ${var.owner}"
  default_role                   = snowflake_account_role.operator.name
  default_warehouse              = snowflake_warehouse.this.name
  default_namespace              = "${snowflake_database.this.name}.${snowflake_schema.this.name}"
  default_secondary_roles_option = "NONE"
  rsa_public_key                 = var.skydeck_rsa_public_key
  rsa_public_key_2               = var.skydeck_rsa_public_key_next
}

resource "snowflake_grant_account_role" "operator_to_skydeck" {
  role_name = snowflake_account_role.operator.name
  user_name = snowflake_service_user.skydeck.name
}

resource "snowflake_grant_account_role" "reader_to_operator" {
  role_name        = snowflake_account_role.reader.name
  parent_role_name = snowflake_account_role.operator.name
}

# Terraform goes on managing pipes that the loader owns.
resource "snowflake_grant_account_role" "loader_to_terraform" {
  role_name        = snowflake_account_role.loader.name
  parent_role_name = var.snowflake_role
}
