# What holds in every environment; run with -var-file=environments/ENV.tfvars.

variables {
  # A key made for these tests; its private half is gone.
  skydeck_rsa_public_key = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu4x5iCr4a8nNwPdU6IAHMVCHH0TyHAQU3WiZt7TKWTLWjE3iu665QyiH4zFwXrZk8LYITIqMvtVUOc/6bzfh3NPcBKbz2amVedrTjBGvzHUbLKzv+DTylPzvEfvzk95k3s5nShIFFI0U8tOMJVqum2Ibx6f5Mf+8mi/DsLZzn1OWmSLsWySKMsFS2ZYnp1XjPwr2dL39X04yRw4RUKkoxgDkhYnPRyZr3oLZKtM+bcPVbeZ+5eDi7uFK1WdBxPg53Spc8u2y9m5vzVQi/L+CkfXyD155bJmtob/5ojaZKqsF2qoSE8U8dqbVRIdH8+v3CQ6ErYBQy3YZ0ZE2lDlO7wIDAQAB"
}

run "an_environment_is_itself" {
  command = plan

  assert {
    condition     = azurerm_resource_group.this.name == "skydeck-${var.environment}-rg" && snowflake_database.this.name == "WEATHER_${upper(var.environment)}"
    error_message = "names: ${azurerm_resource_group.this.name}, ${snowflake_database.this.name}"
  }
  assert {
    condition     = azurerm_resource_group.this.tags.environment == var.environment && azurerm_resource_group.this.tags.owner == var.owner && azurerm_resource_group.this.tags.contact == var.contact
    error_message = "tags don't say whose environment it is"
  }
  assert {
    condition     = length(snowflake_pipe.messages) == (contains(["demo", "local"], var.environment) ? 3 : 0)
    error_message = "pipes must be there from the start where providers are emulated, and nowhere else"
  }
  assert {
    condition     = azurerm_key_vault.this.purge_protection_enabled == !contains(["demo", "local"], var.environment)
    error_message = "vaults must be protected where they are real"
  }
  assert {
    condition     = alltrue([for endpoint in azurerm_iothub_endpoint_storage_container.messages : endpoint.batch_frequency_in_seconds == 300 && endpoint.max_chunk_size_in_bytes == 104857600])
    error_message = "an environment cuts batches otherwise than by the default"
  }
}
