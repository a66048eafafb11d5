# Two phases: everything but the pipes, then the pipes.

variables {
  environment = "unit"
  owner       = "weather-team"
  contact     = "weather@example.org"

  # A key made for these tests; its private half is gone.
  skydeck_rsa_public_key = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu4x5iCr4a8nNwPdU6IAHMVCHH0TyHAQU3WiZt7TKWTLWjE3iu665QyiH4zFwXrZk8LYITIqMvtVUOc/6bzfh3NPcBKbz2amVedrTjBGvzHUbLKzv+DTylPzvEfvzk95k3s5nShIFFI0U8tOMJVqum2Ibx6f5Mf+8mi/DsLZzn1OWmSLsWySKMsFS2ZYnp1XjPwr2dL39X04yRw4RUKkoxgDkhYnPRyZr3oLZKtM+bcPVbeZ+5eDi7uFK1WdBxPg53Spc8u2y9m5vzVQi/L+CkfXyD155bJmtob/5ojaZKqsF2qoSE8U8dqbVRIdH8+v3CQ6ErYBQy3YZ0ZE2lDlO7wIDAQAB"
}

run "first_phase_makes_everything_but_the_pipes" {
  assert {
    condition     = length(snowflake_pipe.messages) == 0 && length(snowflake_grant_ownership.loader_pipes) == 0 && length(snowflake_grant_privileges_to_account_role.operator_pipes) == 0
    error_message = "pipes without access granted"
  }
  assert {
    condition     = length(snowflake_table.messages) == 3 && length(snowflake_stage_external_azure.messages) == 3 && length(snowflake_view.messages) == 3
    error_message = "the first phase leaves out more than the pipes"
  }
  assert {
    condition     = !output.access_granted && output.consent.storage.role == "Storage Blob Data Reader" && output.consent.queue.statement == "DESC NOTIFICATION INTEGRATION WEATHER_NOTIFICATION_UNIT"
    error_message = "the first phase doesn't say what consent needs"
  }
  assert {
    condition     = toset(output.consent.storage.scopes) == toset([for container in azurerm_storage_container.messages : container.id]) && output.consent.tenant_id == data.azurerm_client_config.current.tenant_id
    error_message = "consent is asked for on other resources than the three containers"
  }
  assert {
    condition     = alltrue([for load in output.loads : load.pipe == null && load.stage != null])
    error_message = "loads name pipes that aren't there"
  }
}

run "second_phase_adds_the_pipes" {
  variables {
    access_granted                 = true
    snowflake_storage_principal_id = "00000000-0000-4000-8000-000000000002"
    snowflake_queue_principal_id   = "00000000-0000-4000-8000-000000000003"
  }

  assert {
    condition     = length(snowflake_pipe.messages) == 3 && alltrue([for pipe in snowflake_pipe.messages : pipe.auto_ingest && pipe.integration == snowflake_notification_integration.this.name])
    error_message = "the second phase must make three auto-ingest pipes on the queue"
  }
  assert {
    condition     = alltrue([for grant in snowflake_grant_ownership.loader_pipes : grant.account_role_name == snowflake_account_role.loader.name && grant.outbound_privileges == "COPY"])
    error_message = "the loader doesn't own the pipes"
  }
  assert {
    condition     = output.access_granted && output.loads.health.pipe == "WEATHER_PIPE_HEALTH_DQ_UNIT"
    error_message = "the second phase doesn't name its pipes"
  }
}

run "back_to_the_first_removes_only_the_pipes" {
  variables {
    access_granted = false
  }

  assert {
    condition     = length(snowflake_pipe.messages) == 0 && length(snowflake_table.messages) == 3
    error_message = "taking access away must remove the pipes and nothing that holds data"
  }
}
