# What the pipeline stands on: routes, batches, notices, loads.

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

run "batches_are_cut_as_designed" {
  command = plan

  assert {
    condition = alltrue([
      for endpoint in azurerm_iothub_endpoint_storage_container.messages :
      endpoint.batch_frequency_in_seconds == 300 && endpoint.max_chunk_size_in_bytes == 104857600 && endpoint.encoding == "JSON" && endpoint.file_name_format == "{iothub}/{partition}/{YYYY}-{MM}-{DD}/{HH}-{mm}"
    ])
    error_message = "an endpoint has another window, size, encoding or file name"
  }
}

run "window_and_size_are_passed_through" {
  command = plan

  variables {
    batch_window_s = 60
    batch_max_mib  = 10
  }

  assert {
    condition     = alltrue([for endpoint in azurerm_iothub_endpoint_storage_container.messages : endpoint.batch_frequency_in_seconds == 60 && endpoint.max_chunk_size_in_bytes == 10485760])
    error_message = "an endpoint doesn't follow batch_window_s and batch_max_mib"
  }
  assert {
    condition     = output.batch.window_s == 60 && output.batch.max_bytes == 10485760
    error_message = "the output says otherwise"
  }
}

run "each_message_has_its_route_and_all_go_to_the_feed" {
  command = plan

  assert {
    condition = { for key, route in azurerm_iothub_route.messages : key => route.condition } == {
      measurements = "$body.type = 'WeatherMeasurement'"
      predictions  = "$body.type = 'Prediction'"
      health       = "$body.type = 'DeviceHealth' OR $body.type = 'PictureTaken'"
    }
    error_message = "routes: ${join("; ", [for route in azurerm_iothub_route.messages : route.condition])}"
  }
  assert {
    condition     = azurerm_iothub_route.live.condition == "true" && azurerm_iothub_route.live.endpoint_names == tolist(["events"]) && azurerm_iothub_fallback_route.this.endpoint_names == tolist(["events"])
    error_message = "not every message reaches the built-in endpoint"
  }
  assert {
    condition = { for key, container in azurerm_storage_container.messages : key => container.name } == {
      measurements = "json-blob-messages"
      predictions  = "json-blob-predictions"
      health       = "json-blob-health"
    }
    error_message = "containers: ${join(", ", [for container in azurerm_storage_container.messages : container.name])}"
  }
  assert {
    condition     = alltrue([for key, route in azurerm_iothub_route.messages : route.endpoint_names == tolist([key]) && azurerm_iothub_endpoint_storage_container.messages[key].container_name == azurerm_storage_container.messages[key].name])
    error_message = "a route, its endpoint and its container don't belong together"
  }
}

run "notices_of_the_three_containers_reach_the_queue" {
  command = plan

  assert {
    condition     = azurerm_storage_queue.notices.name == "snowpipe-event-sub" && azurerm_eventgrid_system_topic_event_subscription.snowpipe.storage_queue_endpoint[0].queue_name == "snowpipe-event-sub"
    error_message = "the queue isn't snowpipe-event-sub"
  }
  assert {
    condition     = azurerm_eventgrid_system_topic_event_subscription.snowpipe.included_event_types == tolist(["Microsoft.Storage.BlobCreated"])
    error_message = "other events than BlobCreated reach the queue"
  }
  assert {
    condition = toset(azurerm_eventgrid_system_topic_event_subscription.snowpipe.advanced_filter[0].string_begins_with[0].values) == toset([
      "/blobServices/default/containers/json-blob-messages/blobs/",
      "/blobServices/default/containers/json-blob-predictions/blobs/",
      "/blobServices/default/containers/json-blob-health/blobs/",
    ])
    error_message = "notices aren't filtered to the three containers"
  }
}

run "tables_hold_json_and_what_the_load_knows" {
  command = plan

  assert {
    condition     = alltrue([for table in snowflake_table.messages : [for column in table.column : column.name] == ["VARIANT", "FILE_NAME", "FILE_ROW_NUMBER", "START_SCAN_TIME"]])
    error_message = "a table has other columns"
  }
  assert {
    condition     = snowflake_file_format_json.this.strip_outer_array == "true" && snowflake_file_format_json.this.compression == "NONE"
    error_message = "the file format doesn't strip the outer array, or expects compression"
  }
  assert {
    condition     = snowflake_warehouse.this.warehouse_size == "XSMALL" && snowflake_warehouse.this.auto_suspend == 60
    error_message = "the warehouse is larger than XSMALL, or runs on for more than 60 s"
  }
}

run "pipes_and_views_carry_it_on" {
  assert {
    condition = alltrue([
      for key, pipe in snowflake_pipe.messages :
      strcontains(pipe.copy_statement, "SELECT $1, METADATA$FILENAME, METADATA$FILE_ROW_NUMBER, METADATA$START_SCAN_TIME")
      && startswith(pipe.copy_statement, "COPY INTO ${snowflake_table.messages[key].fully_qualified_name} ")
      && strcontains(pipe.copy_statement, "FROM @${snowflake_stage_external_azure.messages[key].fully_qualified_name}\n")
      && strcontains(pipe.copy_statement, "FORMAT_NAME = '${snowflake_file_format_json.this.fully_qualified_name}'")
    ])
    error_message = "a pipe copies something else, or elsewhere"
  }
  assert {
    condition = alltrue([
      for key, view in snowflake_view.messages :
      strcontains(view.statement, "FROM ${snowflake_table.messages[key].fully_qualified_name}\n")
      && strcontains(view.statement, "QUALIFY ROW_NUMBER() OVER (PARTITION BY device_id, message_id ORDER BY load_time, file_name, file_row_number) = 1")
    ])
    error_message = "a view reads another table, or keeps more than a row a message"
  }
  assert {
    condition = alltrue([
      for key, stage in snowflake_stage_external_azure.messages :
      stage.url == "azure://${azurerm_storage_account.telemetry.name}.blob.core.windows.net/${azurerm_storage_container.messages[key].name}/"
    ]) && toset(snowflake_storage_integration_azure.this.storage_allowed_locations) == toset([for stage in snowflake_stage_external_azure.messages : stage.url])
    error_message = "stages: ${join(", ", [for stage in snowflake_stage_external_azure.messages : stage.url])}"
  }
  assert {
    condition     = output.queue_url == "https://${azurerm_storage_account.telemetry.name}.queue.core.windows.net/snowpipe-event-sub"
    error_message = "queue: ${output.queue_url}"
  }
}

run "alerts_and_budget_reach_the_contact" {
  command = plan

  variables {
    missing_telemetry_minutes = 30
    queue_age_minutes         = 45
    budget_amount             = 250
  }

  assert {
    condition     = azurerm_monitor_metric_alert.missing_telemetry.window_size == "PT30M" && one(azurerm_monitor_metric_alert.missing_telemetry.criteria).metric_name == "d2c.telemetry.ingress.success"
    error_message = "missing telemetry isn't looked for in its window"
  }
  assert {
    condition     = azurerm_monitor_scheduled_query_rules_alert_v2.queue_age.criteria[0].threshold == 45
    error_message = "the queue's age isn't compared with queue_age_minutes"
  }
  assert {
    condition     = azurerm_monitor_action_group.contact.email_receiver[0].email_address == "weather@example.org"
    error_message = "alerts don't reach the contact"
  }
  assert {
    condition     = azurerm_consumption_budget_resource_group.this.amount == 250 && alltrue([for n in azurerm_consumption_budget_resource_group.this.notification : contains(n.contact_emails, "weather@example.org")])
    error_message = "the budget has another amount, or doesn't tell the contact"
  }
}

run "pictures_cool_and_then_go" {
  command = plan

  variables {
    pictures_cool_days   = 10
    pictures_delete_days = 40
  }

  assert {
    condition     = azurerm_storage_management_policy.pictures.rule[0].actions[0].base_blob[0].tier_to_cool_after_days_since_modification_greater_than == 10 && azurerm_storage_management_policy.pictures.rule[0].actions[0].base_blob[0].delete_after_days_since_modification_greater_than == 40
    error_message = "pictures don't follow pictures_cool_days and pictures_delete_days"
  }
}

run "each_part_stands_on_the_part_it_should" {
  assert {
    condition     = azurerm_iothub.this.sku[0].name == "S1" && azurerm_iothub_consumer_group.skydeck.iothub_name == azurerm_iothub.this.name && azurerm_iothub_consumer_group.skydeck.eventhub_endpoint_name == "events"
    error_message = "the hub isn't an S1, or the live feed has no consumer group of its own"
  }
  assert {
    condition     = azurerm_eventgrid_system_topic.telemetry.source_resource_id == azurerm_storage_account.telemetry.id && azurerm_storage_queue.notices.storage_account_id == azurerm_storage_account.telemetry.id
    error_message = "notices are of another account, or in one"
  }
  assert {
    condition     = azurerm_application_insights.this.workspace_id == azurerm_log_analytics_workspace.this.id
    error_message = "Application Insights isn't on the Log Analytics workspace"
  }
  assert {
    condition     = azurerm_machine_learning_datastore_blobstorage.pictures.workspace_id == azurerm_machine_learning_workspace.this.id && azurerm_machine_learning_datastore_blobstorage.pictures.storage_container_id == azurerm_storage_container.pictures.id
    error_message = "the machine-learning workspace has no datastore on the pictures"
  }
  assert {
    condition     = snowflake_service_user.skydeck.rsa_public_key == var.skydeck_rsa_public_key && snowflake_notification_integration.this.azure_storage_queue_primary_uri == output.queue_url
    error_message = "skydeck's user has another key, or notices are awaited in another queue"
  }
}
