# Each variable refuses what its resource would refuse, before anything is made. Each of a run's has to fail.

variables {
  environment = "unit"
  owner       = "weather-team"
  contact     = "weather@example.org"

  # A key made for these tests; its private half is gone.
  skydeck_rsa_public_key = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu4x5iCr4a8nNwPdU6IAHMVCHH0TyHAQU3WiZt7TKWTLWjE3iu665QyiH4zFwXrZk8LYITIqMvtVUOc/6bzfh3NPcBKbz2amVedrTjBGvzHUbLKzv+DTylPzvEfvzk95k3s5nShIFFI0U8tOMJVqum2Ibx6f5Mf+8mi/DsLZzn1OWmSLsWySKMsFS2ZYnp1XjPwr2dL39X04yRw4RUKkoxgDkhYnPRyZr3oLZKtM+bcPVbeZ+5eDi7uFK1WdBxPg53Spc8u2y9m5vzVQi/L+CkfXyD155bJmtob/5ojaZKqsF2qoSE8U8dqbVRIdH8+v3CQ6ErYBQy3YZ0ZE2lDlO7wIDAQAB"
}

run "refused_first" {
  command = plan

  variables {
    environment                    = "Prod_1"
    project                        = "Sky"
    name_suffix                    = "sevench"
    iothub_name                    = "-hub"
    owner                          = " "
    contact                        = "nobody"
    extra_tags                     = { owner = "me" }
    subscription_id                = "my-subscription"
    location                       = "Switzerland North"
    storage_replication            = "lrs"
    registry_sku                   = "Free"
    skydeck_principal_ids          = { tower = "me" }
    iothub_units                   = 0
    iothub_partitions              = 1
    batch_window_s                 = 59
    batch_max_mib                  = 9
    pictures_cool_days             = 0
    pictures_delete_days           = 1
    batches_delete_days            = 29
    deleted_blob_days              = 0
    logs_retention_days            = 29
    logs_daily_quota_gb            = 0
    missing_telemetry_minutes      = 10
    queue_age_minutes              = 4
    budget_amount                  = 0
    snowflake_storage_principal_id = "snowflake"
    snowflake_queue_principal_id   = "snowflake"
    snowflake_organization         = "a-b"
    snowflake_account              = "a-b"
    snowflake_user                 = "a b"
    snowflake_role                 = "ACCOUNTADMIN"
    snowflake_prefixes             = { database = "weather_" }
    skydeck_rsa_public_key         = "-----BEGIN PUBLIC KEY-----"
    skydeck_rsa_public_key_next    = "MIIB"
    time_travel_days               = 91
  }

  expect_failures = [
    var.environment,
    var.project,
    var.name_suffix,
    var.iothub_name,
    var.owner,
    var.contact,
    var.extra_tags,
    var.subscription_id,
    var.location,
    var.storage_replication,
    var.registry_sku,
    var.skydeck_principal_ids,
    var.iothub_units,
    var.iothub_partitions,
    var.batch_window_s,
    var.batch_max_mib,
    var.pictures_cool_days,
    var.pictures_delete_days,
    var.batches_delete_days,
    var.deleted_blob_days,
    var.logs_retention_days,
    var.logs_daily_quota_gb,
    var.missing_telemetry_minutes,
    var.queue_age_minutes,
    var.budget_amount,
    var.snowflake_storage_principal_id,
    var.snowflake_queue_principal_id,
    var.snowflake_organization,
    var.snowflake_account,
    var.snowflake_user,
    var.snowflake_role,
    var.snowflake_prefixes,
    var.skydeck_rsa_public_key,
    var.skydeck_rsa_public_key_next,
    var.time_travel_days,
  ]
}

run "refused_second" {
  command = plan

  variables {
    environment            = "a"
    project                = "thirteenchars"
    name_suffix            = "A"
    iothub_name            = "ab"
    iothub_units           = 1.5
    iothub_partitions      = 33
    batch_window_s         = 721
    batch_max_mib          = 501
    snowflake_role         = "skydeck"
    snowflake_prefixes     = { database = "WEATHER" }
    skydeck_rsa_public_key = "MIIB"
  }

  expect_failures = [
    var.environment,
    var.project,
    var.name_suffix,
    var.iothub_name,
    var.iothub_units,
    var.iothub_partitions,
    var.batch_window_s,
    var.batch_max_mib,
    var.snowflake_role,
    var.snowflake_prefixes,
    var.skydeck_rsa_public_key,
  ]
}

run "refused_third" {
  command = plan

  variables {
    environment        = "two--hyphens"
    iothub_name        = "under_score"
    batch_window_s     = 60.5
    snowflake_prefixes = { view_health = "WEATHER_HEALTH_" }
  }

  expect_failures = [
    var.environment,
    var.iothub_name,
    var.batch_window_s,
    var.snowflake_prefixes,
  ]
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

# Every name has a rule, and every rule takes and refuses what Azure's own does (limits and characters as published in
# "Naming rules and restrictions for Azure resources").
run "every_name_has_its_rule" {
  command = plan

  assert {
    condition = { for kind, rule in local.azure_names : kind => [rule.least, rule.most] } == {
      resource_group    = [1, 90]
      iothub            = [3, 50]
      storage_pictures  = [3, 24]
      storage_telemetry = [3, 24]
      storage_models    = [3, 24]
      identity_hub      = [3, 128]
      identity_events   = [3, 128]
      identity_learning = [3, 128]
      event_topic       = [3, 50]
      key_vault         = [3, 24]
      learning_vault    = [3, 24]
      registry          = [5, 50]
      logs              = [4, 63]
      insights          = [1, 260]
      learning          = [3, 33]
      action_group      = [1, 260]
      budget            = [1, 63]
    }
    error_message = "a name's length: ${jsonencode({ for kind, rule in local.azure_names : kind => [rule.least, rule.most] })}"
  }

  assert {
    condition = alltrue(flatten([
      for kind, samples in {
        resource_group    = ["a", "A_(b).c-d", "a)"]
        iothub            = ["abc", "A-0", "a--b"]
        storage_pictures  = ["abc", "0a1"]
        storage_telemetry = ["abc", "0a1"]
        storage_models    = ["abc", "0a1"]
        identity_hub      = ["abc", "0_a-"]
        identity_events   = ["abc", "0_a-"]
        identity_learning = ["abc", "0_a-"]
        event_topic       = ["abc", "-A0-"]
        key_vault         = ["abc", "A-0-b"]
        learning_vault    = ["abc", "A-0-b"]
        registry          = ["Abc01"]
        logs              = ["a-b0", "A--9"]
        insights          = ["a", "A_(b).c-d"]
        learning          = ["abc", "0_a-"]
        action_group      = ["a", "A_(b).c-d"]
        budget            = ["a", "-_0A"]
      } : [for sample in samples : can(regex("^${local.azure_names[kind].characters}$", sample))]
    ]))
    error_message = "a name that its resource takes is refused"
  }

  assert {
    condition = alltrue(flatten([
      for kind, samples in {
        resource_group    = ["a.", "a b", "a/b", "a*", "ü"]
        iothub            = ["-ab", "ab-", "a_b", "a.b", "a b"]
        storage_pictures  = ["Abc", "a-b", "a_b", "a b"]
        storage_telemetry = ["Abc", "a-b", "a_b", "a b"]
        storage_models    = ["Abc", "a-b", "a_b", "a b"]
        identity_hub      = ["-ab", "_ab", "a.b", "a b"]
        identity_events   = ["-ab", "_ab", "a.b", "a b"]
        identity_learning = ["-ab", "_ab", "a.b", "a b"]
        event_topic       = ["a_b", "a.b", "a b"]
        key_vault         = ["0ab", "-ab", "ab-", "a--b", "a_b"]
        learning_vault    = ["0ab", "-ab", "ab-", "a--b", "a_b"]
        registry          = ["ab-cd", "ab_cd", "ab cd"]
        logs              = ["-abc", "abc-", "a_bc", "a bc"]
        insights          = ["a.", "a b", "a/b", "a%"]
        learning          = ["-ab", "_ab", "a.b", "a b"]
        action_group      = ["a.", "a b", "a/b", "a&"]
        budget            = ["a.b", "a b", "a(b)"]
      } : [for sample in samples : !can(regex("^${local.azure_names[kind].characters}$", sample))]
    ]))
    error_message = "a name that its resource refuses is taken"
  }

  assert {
    condition     = local.azure_name_faults == []
    error_message = "faults: ${join("; ", local.azure_name_faults)}"
  }
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
