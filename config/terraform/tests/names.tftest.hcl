# Names and tags.

variables {
  environment = "unit-1"
  owner       = "weather-team"
  contact     = "weather@example.org"

  # A key made for these tests; its private half is gone.
  skydeck_rsa_public_key = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu4x5iCr4a8nNwPdU6IAHMVCHH0TyHAQU3WiZt7TKWTLWjE3iu665QyiH4zFwXrZk8LYITIqMvtVUOc/6bzfh3NPcBKbz2amVedrTjBGvzHUbLKzv+DTylPzvEfvzk95k3s5nShIFFI0U8tOMJVqum2Ibx6f5Mf+8mi/DsLZzn1OWmSLsWySKMsFS2ZYnp1XjPwr2dL39X04yRw4RUKkoxgDkhYnPRyZr3oLZKtM+bcPVbeZ+5eDi7uFK1WdBxPg53Spc8u2y9m5vzVQi/L+CkfXyD155bJmtob/5ojaZKqsF2qoSE8U8dqbVRIdH8+v3CQ6ErYBQy3YZ0ZE2lDlO7wIDAQAB"
}

run "azure_names_come_from_the_project" {
  command = plan

  variables {
    project     = "sky"
    name_suffix = "k7"
  }

  assert {
    condition     = azurerm_resource_group.this.name == "sky-unit-1-k7-rg"
    error_message = "resource group: ${azurerm_resource_group.this.name}"
  }
  assert {
    condition     = azurerm_iothub.this.name == "sky-unit-1-k7-hub"
    error_message = "hub: ${azurerm_iothub.this.name}"
  }
  assert {
    condition     = azurerm_storage_account.pictures.name == "skyunit1k7pics" && azurerm_storage_account.telemetry.name == "skyunit1k7data" && azurerm_storage_account.models.name == "skyunit1k7models"
    error_message = "storage accounts: ${azurerm_storage_account.pictures.name}, ${azurerm_storage_account.telemetry.name}, ${azurerm_storage_account.models.name}"
  }
  assert {
    condition     = azurerm_container_registry.this.name == "skyunit1k7acr" && azurerm_key_vault.this.name == "sky-unit-1-k7-kv"
    error_message = "registry and vault: ${azurerm_container_registry.this.name}, ${azurerm_key_vault.this.name}"
  }
}

run "a_given_hub_name_stands" {
  command = plan

  variables {
    iothub_name = "roof-hub"
  }

  assert {
    condition     = azurerm_iothub.this.name == "roof-hub"
    error_message = "hub: ${azurerm_iothub.this.name}"
  }
}

run "snowflake_names_end_with_the_environment" {
  command = plan

  assert {
    condition     = snowflake_database.this.name == "WEATHER_UNIT_1" && snowflake_warehouse.this.name == "WEATHER_WHS_UNIT_1" && snowflake_schema.this.name == "DATAWAREHOUSE_UNIT_1"
    error_message = "database, warehouse, schema: ${snowflake_database.this.name}, ${snowflake_warehouse.this.name}, ${snowflake_schema.this.name}"
  }
  assert {
    condition = { for key, table in snowflake_table.messages : key => table.name } == {
      measurements = "WEATHER_JSON_UNIT_1"
      predictions  = "WEATHER_PREDICTIONS_UNIT_1"
      health       = "WEATHER_HEALTH_UNIT_1"
    }
    error_message = "tables: ${join(", ", [for table in snowflake_table.messages : table.name])}"
  }
  assert {
    condition     = snowflake_file_format_json.this.name == "JSON_DQ_UNIT_1" && snowflake_storage_integration_azure.this.name == "AZURE_INTEGRATION_UNIT_1" && snowflake_notification_integration.this.name == "WEATHER_NOTIFICATION_UNIT_1"
    error_message = "format and integrations: ${snowflake_file_format_json.this.name}, ${snowflake_storage_integration_azure.this.name}, ${snowflake_notification_integration.this.name}"
  }
  assert {
    condition     = alltrue([for stage in snowflake_stage_external_azure.messages : startswith(stage.name, "SNOWPIPE_STAGE_") && endswith(stage.name, "_UNIT_1")])
    error_message = "stages: ${join(", ", [for stage in snowflake_stage_external_azure.messages : stage.name])}"
  }
}

run "pipes_are_named_as_their_kind" {
  command = plan

  variables {
    access_granted                 = true
    snowflake_storage_principal_id = "00000000-0000-4000-8000-000000000002"
    snowflake_queue_principal_id   = "00000000-0000-4000-8000-000000000003"
  }

  assert {
    condition = { for key, pipe in snowflake_pipe.messages : key => pipe.name } == {
      measurements = "WEATHER_PIPE_DQ_UNIT_1"
      predictions  = "WEATHER_PIPE_PRED_DQ_UNIT_1"
      health       = "WEATHER_PIPE_HEALTH_DQ_UNIT_1"
    }
    error_message = "pipes: ${join(", ", [for pipe in snowflake_pipe.messages : pipe.name])}"
  }
}

run "everything_that_takes_tags_has_the_mandatory_ones" {
  command = plan

  variables {
    extra_tags = { cost-centre = "4711" }
  }

  assert {
    condition = alltrue([
      for tags in [
        azurerm_application_insights.this.tags,
        azurerm_container_registry.this.tags,
        azurerm_eventgrid_system_topic.telemetry.tags,
        azurerm_iothub.this.tags,
        azurerm_key_vault.learning.tags,
        azurerm_key_vault.this.tags,
        azurerm_log_analytics_workspace.this.tags,
        azurerm_machine_learning_datastore_blobstorage.pictures.tags,
        azurerm_machine_learning_workspace.this.tags,
        azurerm_monitor_action_group.contact.tags,
        azurerm_monitor_metric_alert.missing_telemetry.tags,
        azurerm_monitor_scheduled_query_rules_alert_v2.queue_age.tags,
        azurerm_resource_group.this.tags,
        azurerm_storage_account.models.tags,
        azurerm_storage_account.pictures.tags,
        azurerm_storage_account.telemetry.tags,
        azurerm_user_assigned_identity.events.tags,
        azurerm_user_assigned_identity.hub.tags,
        azurerm_user_assigned_identity.learning.tags,
        ] : tomap(tags) == tomap({
          managed-by  = "terraform"
          environment = "unit-1"
          owner       = "weather-team"
          contact     = "weather@example.org"
          cost-centre = "4711"
      })
    ])
    error_message = "a resource lacks a mandatory tag, or has another value for it"
  }
}
