# Said at every plan, stopping nothing.

check "skydeck_can_sign_in" {
  assert {
    condition     = var.skydeck_rsa_public_key != null || contains(["demo", "local"], var.environment)
    error_message = "skydeck_rsa_public_key is not set: ${local.snowflake_names.user} is made without a key, so skydeck can't sign in to Snowflake."
  }
}

check "snowflake_principals" {
  assert {
    condition     = !var.access_granted || contains(["demo", "local"], var.environment) || (var.snowflake_storage_principal_id != null && var.snowflake_queue_principal_id != null)
    error_message = "access_granted is true, but snowflake_storage_principal_id or snowflake_queue_principal_id isn't set: their roles must have been assigned by hand, else the pipes are refused."
  }
}
