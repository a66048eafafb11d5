# The classic mistakes are absent.

variables {
  environment    = "unit"
  owner          = "weather-team"
  contact        = "weather@example.org"
  access_granted = true

  # A key made for these tests; its private half is gone.
  skydeck_rsa_public_key = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu4x5iCr4a8nNwPdU6IAHMVCHH0TyHAQU3WiZt7TKWTLWjE3iu665QyiH4zFwXrZk8LYITIqMvtVUOc/6bzfh3NPcBKbz2amVedrTjBGvzHUbLKzv+DTylPzvEfvzk95k3s5nShIFFI0U8tOMJVqum2Ibx6f5Mf+8mi/DsLZzn1OWmSLsWySKMsFS2ZYnp1XjPwr2dL39X04yRw4RUKkoxgDkhYnPRyZr3oLZKtM+bcPVbeZ+5eDi7uFK1WdBxPg53Spc8u2y9m5vzVQi/L+CkfXyD155bJmtob/5ojaZKqsF2qoSE8U8dqbVRIdH8+v3CQ6ErYBQy3YZ0ZE2lDlO7wIDAQAB"

  snowflake_storage_principal_id = "00000000-0000-4000-8000-000000000002"
  snowflake_queue_principal_id   = "00000000-0000-4000-8000-000000000003"
}

run "storage_is_private_and_takes_no_keys" {
  command = plan

  assert {
    condition = alltrue([
      for account in [azurerm_storage_account.pictures, azurerm_storage_account.telemetry, azurerm_storage_account.models] :
      !account.allow_nested_items_to_be_public && !account.shared_access_key_enabled && !account.cross_tenant_replication_enabled && !account.local_user_enabled && !account.sftp_enabled
    ])
    error_message = "a storage account is open to the public, takes keys, local users or sftp, or may be copied to another tenant"
  }
  assert {
    condition     = alltrue([for account in [azurerm_storage_account.pictures, azurerm_storage_account.telemetry, azurerm_storage_account.models] : account.min_tls_version == "TLS1_2" && account.https_traffic_only_enabled])
    error_message = "a storage account takes http or TLS below 1.2"
  }
  assert {
    condition = alltrue([
      for container in concat(values(azurerm_storage_container.messages), [azurerm_storage_container.pictures, azurerm_storage_container.models, azurerm_storage_container.undelivered]) :
      container.container_access_type == "private"
    ])
    error_message = "a container isn't private"
  }
  assert {
    condition     = alltrue([for account in [azurerm_storage_account.pictures, azurerm_storage_account.telemetry, azurerm_storage_account.models] : account.blob_properties[0].delete_retention_policy[0].days >= 7])
    error_message = "a deleted blob can't be brought back for a week"
  }
}

run "hub_and_events_sign_in_with_an_identity_of_their_own" {
  command = plan

  assert {
    condition     = azurerm_iothub.this.min_tls_version == "1.2" && azurerm_iothub.this.identity[0].type == "UserAssigned" && azurerm_iothub.this.file_upload[0].authentication_type == "identityBased"
    error_message = "the hub takes TLS below 1.2, or uploads pictures without its identity"
  }
  assert {
    condition     = alltrue([for endpoint in azurerm_iothub_endpoint_storage_container.messages : endpoint.authentication_type == "identityBased" && endpoint.connection_string == null])
    error_message = "an endpoint signs in with a key"
  }
  assert {
    condition     = azurerm_eventgrid_system_topic_event_subscription.snowpipe.delivery_identity[0].type == "UserAssigned"
    error_message = "Event Grid fills the queue with a key"
  }
  assert {
    condition     = length(distinct([azurerm_user_assigned_identity.hub.name, azurerm_user_assigned_identity.events.name, azurerm_user_assigned_identity.learning.name])) == 3
    error_message = "two jobs share an identity"
  }
  assert {
    condition     = !azurerm_iothub_shared_access_policy.registry.service_connect && !azurerm_iothub_shared_access_policy.registry.device_connect && !azurerm_iothub_shared_access_policy.feed.registry_write && !azurerm_iothub_shared_access_policy.feed.device_connect
    error_message = "a policy of the hub may more than its job"
  }
}

run "registry_and_vaults_have_no_back_door" {
  command = plan

  assert {
    condition     = !azurerm_container_registry.this.admin_enabled && !azurerm_container_registry.this.anonymous_pull_enabled
    error_message = "the registry has an admin user, or gives to anybody"
  }
  assert {
    condition     = azurerm_key_vault.this.rbac_authorization_enabled && azurerm_key_vault.learning.rbac_authorization_enabled && azurerm_key_vault.this.purge_protection_enabled && azurerm_key_vault.learning.purge_protection_enabled
    error_message = "a vault is without roles or without purge protection"
  }
  assert {
    condition     = azurerm_machine_learning_workspace.this.storage_account_access_type == "Identity" && azurerm_machine_learning_datastore_blobstorage.pictures.account_key == null && azurerm_machine_learning_datastore_blobstorage.pictures.shared_access_signature == null
    error_message = "the machine-learning workspace signs in to storage with a key"
  }
}

run "no_role_reaches_beyond_a_resource" {
  command = plan

  variables {
    skydeck_principal_ids = { tower = "00000000-0000-4000-8000-000000000001" }
  }

  assert {
    condition = alltrue([
      for assignment in concat(
        values(azurerm_role_assignment.hub_writes_batches),
        values(azurerm_role_assignment.learning),
        values(azurerm_role_assignment.skydeck),
        values(azurerm_role_assignment.snowflake_reads_batches),
        azurerm_role_assignment.snowflake_takes_notices,
        [
          azurerm_role_assignment.events_fill_queue,
          azurerm_role_assignment.events_keep_undelivered,
          azurerm_role_assignment.hub_delegates_pictures,
          azurerm_role_assignment.hub_writes_pictures,
          azurerm_role_assignment.learning_workspace,
        ],
      ) : !contains(["Owner", "User Access Administrator", "Role Based Access Control Administrator"], assignment.role_definition_name)
    ])
    error_message = "a role could give roles away"
  }
  assert {
    condition     = length(azurerm_role_assignment.skydeck) == 9 && alltrue([for assignment in azurerm_role_assignment.skydeck : can(regex("Reader|Secrets User|AcrPull", assignment.role_definition_name))])
    error_message = "those who run skydeck may change something: ${join(", ", [for assignment in azurerm_role_assignment.skydeck : assignment.role_definition_name])}"
  }
  assert {
    condition     = length(azurerm_role_assignment.snowflake_reads_batches) == 3 && alltrue([for assignment in azurerm_role_assignment.snowflake_reads_batches : assignment.role_definition_name == "Storage Blob Data Reader"])
    error_message = "Snowflake may do more than read the three containers"
  }
}

run "snowflake_takes_no_token_and_no_password" {
  command = plan

  assert {
    condition     = alltrue([for stage in snowflake_stage_external_azure.messages : length(stage.credentials) == 0 && stage.storage_integration == snowflake_storage_integration_azure.this.name])
    error_message = "a stage holds a SAS token instead of signing in through the integration"
  }
  assert {
    condition     = snowflake_service_user.skydeck.default_role == snowflake_account_role.operator.name && snowflake_service_user.skydeck.default_secondary_roles_option == "NONE"
    error_message = "skydeck's user works as more than the operator"
  }
  assert {
    condition     = alltrue([for grant in snowflake_grant_privileges_to_account_role.operator_pipes : toset(grant.privileges) == toset(["MONITOR", "OPERATE"])])
    error_message = "the operator has other rights on pipes than MONITOR and OPERATE"
  }
  assert {
    condition     = alltrue([for grant in snowflake_grant_privileges_to_account_role.reader_views : toset(grant.privileges) == toset(["SELECT"])]) && !contains(keys(snowflake_grant_privileges_to_account_role.warehouse), "loader")
    error_message = "the reader may do more than read views, or the loader has a warehouse"
  }
}
