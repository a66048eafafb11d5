resource "azurerm_eventgrid_system_topic" "telemetry" {
  name                = local.azure_names.event_topic.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  source_resource_id  = azurerm_storage_account.telemetry.id
  topic_type          = "Microsoft.Storage.StorageAccounts"
  tags                = local.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.events.id]
  }
}

resource "azurerm_eventgrid_system_topic_event_subscription" "snowpipe" {
  name                  = local.queue_name
  system_topic          = azurerm_eventgrid_system_topic.telemetry.name
  resource_group_name   = azurerm_resource_group.this.name
  event_delivery_schema = "EventGridSchema"
  included_event_types  = ["Microsoft.Storage.BlobCreated"]

  storage_queue_endpoint {
    storage_account_id = azurerm_storage_account.telemetry.id
    queue_name         = azurerm_storage_queue.notices.name

    # Two weeks: as long as Snowflake lets a pipe be paused before it calls it stale.
    queue_message_time_to_live_in_seconds = 1209600
  }

  delivery_identity {
    type                   = "UserAssigned"
    user_assigned_identity = azurerm_user_assigned_identity.events.id
  }

  subject_filter {
    subject_begins_with = "/blobServices/default/containers/json-blob-"
    case_sensitive      = true
  }

  advanced_filter {
    string_begins_with {
      key    = "subject"
      values = [for container in azurerm_storage_container.messages : "/blobServices/default/containers/${container.name}/blobs/"]
    }
  }

  retry_policy {
    max_delivery_attempts = 30
    event_time_to_live    = 1440
  }

  storage_blob_dead_letter_destination {
    storage_account_id          = azurerm_storage_account.telemetry.id
    storage_blob_container_name = azurerm_storage_container.undelivered.name
  }

  dead_letter_identity {
    type                   = "UserAssigned"
    user_assigned_identity = azurerm_user_assigned_identity.events.id
  }

  depends_on = [
    azurerm_role_assignment.events_fill_queue,
    azurerm_role_assignment.events_keep_undelivered,
  ]
}
