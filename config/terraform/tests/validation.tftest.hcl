# Each variable refuses what its resource would refuse, before anything is made.

variables {
  environment = "unit"
  owner       = "weather-team"
  contact     = "weather@example.org"

  # A key made for these tests; its private half is gone.
  skydeck_rsa_public_key = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu4x5iCr4a8nNwPdU6IAHMVCHH0TyHAQU3WiZt7TKWTLWjE3iu665QyiH4zFwXrZk8LYITIqMvtVUOc/6bzfh3NPcBKbz2amVedrTjBGvzHUbLKzv+DTylPzvEfvzk95k3s5nShIFFI0U8tOMJVqum2Ibx6f5Mf+8mi/DsLZzn1OWmSLsWySKMsFS2ZYnp1XjPwr2dL39X04yRw4RUKkoxgDkhYnPRyZr3oLZKtM+bcPVbeZ+5eDi7uFK1WdBxPg53Spc8u2y9m5vzVQi/L+CkfXyD155bJmtob/5ojaZKqsF2qoSE8U8dqbVRIdH8+v3CQ6ErYBQy3YZ0ZE2lDlO7wIDAQAB"
}

run "refused_environment_1" {
  command = plan

  variables {
    environment = "Prod_1"
  }

  expect_failures = [var.environment]
}

run "refused_environment_2" {
  command = plan

  variables {
    environment = "a"
  }

  expect_failures = [var.environment]
}

run "refused_environment_3" {
  command = plan

  variables {
    environment = "two--hyphens"
  }

  expect_failures = [var.environment]
}

run "refused_environment_4" {
  command = plan

  variables {
    environment = "thirteenchars"
  }

  expect_failures = [var.environment]
}

run "refused_project_1" {
  command = plan

  variables {
    project = "Sky"
  }

  expect_failures = [var.project]
}

run "refused_project_2" {
  command = plan

  variables {
    project = "thirteenchars"
  }

  expect_failures = [var.project]
}

run "refused_name_suffix_1" {
  command = plan

  variables {
    name_suffix = "sevench"
  }

  expect_failures = [var.name_suffix]
}

run "refused_name_suffix_2" {
  command = plan

  variables {
    name_suffix = "A"
  }

  expect_failures = [var.name_suffix]
}

run "refused_iothub_name_1" {
  command = plan

  variables {
    iothub_name = "-hub"
  }

  expect_failures = [var.iothub_name]
}

run "refused_iothub_name_2" {
  command = plan

  variables {
    iothub_name = "ab"
  }

  expect_failures = [var.iothub_name]
}

run "refused_iothub_name_3" {
  command = plan

  variables {
    iothub_name = "under_score"
  }

  expect_failures = [var.iothub_name]
}

run "refused_owner_1" {
  command = plan

  variables {
    owner = " "
  }

  expect_failures = [var.owner]
}

run "refused_contact_1" {
  command = plan

  variables {
    contact = "nobody"
  }

  expect_failures = [var.contact]
}

run "refused_extra_tags_1" {
  command = plan

  variables {
    extra_tags = { owner = "me" }
  }

  expect_failures = [var.extra_tags]
}

run "refused_subscription_id_1" {
  command = plan

  variables {
    subscription_id = "my-subscription"
  }

  expect_failures = [var.subscription_id]
}

run "refused_location_1" {
  command = plan

  variables {
    location = "Switzerland North"
  }

  expect_failures = [var.location]
}

run "refused_storage_replication_1" {
  command = plan

  variables {
    storage_replication = "lrs"
  }

  expect_failures = [var.storage_replication]
}

run "refused_registry_sku_1" {
  command = plan

  variables {
    registry_sku = "Free"
  }

  expect_failures = [var.registry_sku]
}

run "refused_skydeck_principal_ids_1" {
  command = plan

  variables {
    skydeck_principal_ids = { tower = "me" }
  }

  expect_failures = [var.skydeck_principal_ids]
}

run "refused_iothub_units_1" {
  command = plan

  variables {
    iothub_units = 0
  }

  expect_failures = [var.iothub_units]
}

run "refused_iothub_units_2" {
  command = plan

  variables {
    iothub_units = 1.5
  }

  expect_failures = [var.iothub_units]
}

run "refused_iothub_partitions_1" {
  command = plan

  variables {
    iothub_partitions = 1
  }

  expect_failures = [var.iothub_partitions]
}

run "refused_iothub_partitions_2" {
  command = plan

  variables {
    iothub_partitions = 33
  }

  expect_failures = [var.iothub_partitions]
}

run "refused_batch_window_s_1" {
  command = plan

  variables {
    batch_window_s = 59
  }

  expect_failures = [var.batch_window_s]
}

run "refused_batch_window_s_2" {
  command = plan

  variables {
    batch_window_s = 721
  }

  expect_failures = [var.batch_window_s]
}

run "refused_batch_window_s_3" {
  command = plan

  variables {
    batch_window_s = 60.5
  }

  expect_failures = [var.batch_window_s]
}

run "refused_batch_max_mib_1" {
  command = plan

  variables {
    batch_max_mib = 9
  }

  expect_failures = [var.batch_max_mib]
}

run "refused_batch_max_mib_2" {
  command = plan

  variables {
    batch_max_mib = 501
  }

  expect_failures = [var.batch_max_mib]
}

run "refused_pictures_cool_days_1" {
  command = plan

  variables {
    pictures_cool_days = 0
  }

  expect_failures = [var.pictures_cool_days]
}

run "refused_pictures_delete_days_1" {
  command = plan

  variables {
    pictures_delete_days = 1
  }

  expect_failures = [var.pictures_delete_days]
}

run "refused_batches_delete_days_1" {
  command = plan

  variables {
    batches_delete_days = 29
  }

  expect_failures = [var.batches_delete_days]
}

run "refused_deleted_blob_days_1" {
  command = plan

  variables {
    deleted_blob_days = 0
  }

  expect_failures = [var.deleted_blob_days]
}

run "refused_logs_retention_days_1" {
  command = plan

  variables {
    logs_retention_days = 29
  }

  expect_failures = [var.logs_retention_days]
}

run "refused_logs_daily_quota_gb_1" {
  command = plan

  variables {
    logs_daily_quota_gb = 0
  }

  expect_failures = [var.logs_daily_quota_gb]
}

run "refused_missing_telemetry_minutes_1" {
  command = plan

  variables {
    missing_telemetry_minutes = 10
  }

  expect_failures = [var.missing_telemetry_minutes]
}

run "refused_queue_age_minutes_1" {
  command = plan

  variables {
    queue_age_minutes = 4
  }

  expect_failures = [var.queue_age_minutes]
}

run "refused_budget_amount_1" {
  command = plan

  variables {
    budget_amount = 0
  }

  expect_failures = [var.budget_amount]
}

run "refused_snowflake_storage_principal_id_1" {
  command = plan

  variables {
    snowflake_storage_principal_id = "snowflake"
  }

  expect_failures = [var.snowflake_storage_principal_id]
}

run "refused_snowflake_queue_principal_id_1" {
  command = plan

  variables {
    snowflake_queue_principal_id = "snowflake"
  }

  expect_failures = [var.snowflake_queue_principal_id]
}

run "refused_snowflake_organization_1" {
  command = plan

  variables {
    snowflake_organization = "a-b"
  }

  expect_failures = [var.snowflake_organization]
}

run "refused_snowflake_account_1" {
  command = plan

  variables {
    snowflake_account = "a-b"
  }

  expect_failures = [var.snowflake_account]
}

run "refused_snowflake_user_1" {
  command = plan

  variables {
    snowflake_user = "a b"
  }

  expect_failures = [var.snowflake_user]
}

run "refused_snowflake_role_1" {
  command = plan

  variables {
    snowflake_role = "ACCOUNTADMIN"
  }

  expect_failures = [var.snowflake_role]
}

run "refused_snowflake_role_2" {
  command = plan

  variables {
    snowflake_role = "skydeck"
  }

  expect_failures = [var.snowflake_role]
}

run "refused_snowflake_prefixes_1" {
  command = plan

  variables {
    snowflake_prefixes = { database = "weather_" }
  }

  expect_failures = [var.snowflake_prefixes]
}

run "refused_snowflake_prefixes_2" {
  command = plan

  variables {
    snowflake_prefixes = { database = "WEATHER" }
  }

  expect_failures = [var.snowflake_prefixes]
}

run "refused_snowflake_prefixes_3" {
  command = plan

  variables {
    snowflake_prefixes = { view_health = "WEATHER_HEALTH_" }
  }

  expect_failures = [var.snowflake_prefixes]
}

run "refused_skydeck_rsa_public_key_1" {
  command = plan

  variables {
    skydeck_rsa_public_key = "-----BEGIN PUBLIC KEY-----"
  }

  expect_failures = [var.skydeck_rsa_public_key]
}

run "refused_skydeck_rsa_public_key_2" {
  command = plan

  variables {
    skydeck_rsa_public_key = "MIIB"
  }

  expect_failures = [var.skydeck_rsa_public_key]
}

run "refused_skydeck_rsa_public_key_next_1" {
  command = plan

  variables {
    skydeck_rsa_public_key_next = "MIIB"
  }

  expect_failures = [var.skydeck_rsa_public_key_next]
}

run "refused_time_travel_days_1" {
  command = plan

  variables {
    time_travel_days = 91
  }

  expect_failures = [var.time_travel_days]
}

# Names that are each allowed, but together too long for a storage account.
run "refused_names_too_long_together" {
  command = plan

  variables {
    project     = "weatherworks"
    environment = "acceptance"
    name_suffix = "zurich"
  }

  expect_failures = [azurerm_resource_group.this]
}

run "refused_deleted_before_cool" {
  command = plan

  variables {
    pictures_cool_days   = 30
    pictures_delete_days = 30
  }

  expect_failures = [azurerm_resource_group.this]
}

run "warned_without_a_key" {
  command = plan

  variables {
    skydeck_rsa_public_key = null
  }

  expect_failures = [check.skydeck_can_sign_in]
}

run "warned_without_principals" {
  command = plan

  variables {
    access_granted = true
  }

  expect_failures = [check.snowflake_principals]
}

# And takes what its resource would take, up to the edges.
run "allowed_at_the_lower_edges" {
  command = plan

  variables {
    environment               = "ab"
    project                   = "ab"
    name_suffix               = "0"
    iothub_name               = "a-0"
    owner                     = "Météo, équipe 1 (toit)"
    contact                   = "a.b+c@sub.example.org"
    location                  = "eastus2"
    storage_replication       = "RAGZRS"
    registry_sku              = "Premium"
    iothub_units              = 1
    batch_window_s            = 60
    batch_max_mib             = 10
    pictures_cool_days        = 1
    pictures_delete_days      = 2
    batches_delete_days       = 30
    deleted_blob_days         = 1
    logs_retention_days       = 30
    logs_daily_quota_gb       = 0.1
    missing_telemetry_minutes = 5
    queue_age_minutes         = 5
    budget_amount             = 1
    time_travel_days          = 0
  }
}

run "allowed_at_the_upper_edges" {
  command = plan

  variables {
    environment                 = "abcdefgh-1"
    project                     = "abcdefg"
    iothub_name                 = "abcdefghijklmnopqrstuvwxyz-0123456789-ABCDEFGHIJKL"
    extra_tags                  = { "cost centre" = "4711" }
    subscription_id             = "00000000-0000-4000-8000-00000000000a"
    skydeck_principal_ids       = { tower = "00000000-0000-4000-8000-00000000000b" }
    iothub_units                = 200
    iothub_partitions           = 32
    batch_window_s              = 720
    batch_max_mib               = 500
    pictures_cool_days          = 3649
    pictures_delete_days        = 3650
    batches_delete_days         = 3650
    deleted_blob_days           = 365
    logs_retention_days         = 730
    logs_daily_quota_gb         = 100
    missing_telemetry_minutes   = 720
    queue_age_minutes           = 300
    snowflake_organization      = "MYORG1"
    snowflake_account           = "MY_ACCOUNT"
    snowflake_user              = "TERRAFORM$1"
    snowflake_role              = "SYSADMIN"
    snowflake_prefixes          = { database = "ROOF_", view_health = "V_HEALTH_" }
    skydeck_rsa_public_key_next = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu4x5iCr4a8nNwPdU6IAHMVCHH0TyHAQU3WiZt7TKWTLWjE3iu665QyiH4zFwXrZk8LYITIqMvtVUOc/6bzfh3NPcBKbz2amVedrTjBGvzHUbLKzv+DTylPzvEfvzk95k3s5nShIFFI0U8tOMJVqum2Ibx6f5Mf+8mi/DsLZzn1OWmSLsWySKMsFS2ZYnp1XjPwr2dL39X04yRw4RUKkoxgDkhYnPRyZr3oLZKtM+bcPVbeZ+5eDi7uFK1WdBxPg53Spc8u2y9m5vzVQi/L+CkfXyD155bJmtob/5ojaZKqsF2qoSE8U8dqbVRIdH8+v3CQ6ErYBQy3YZ0ZE2lDlO7wIDAQAB"
    time_travel_days            = 90
  }
}
