resource "azurerm_monitor_action_group" "contact" {
  name                = local.azure_names.action_group.name
  resource_group_name = azurerm_resource_group.this.name
  short_name          = "skydeck"
  tags                = local.tags

  email_receiver {
    name                    = "contact"
    email_address           = var.contact
    use_common_alert_schema = true
  }
}

resource "azurerm_monitor_metric_alert" "missing_telemetry" {
  name                = "${local.base}-missing-telemetry"
  resource_group_name = azurerm_resource_group.this.name
  description         = "No message has reached the hub for ${var.missing_telemetry_minutes} minutes: look at the station's power, network and agent (skydeck status devices)."
  scopes              = [azurerm_iothub.this.id]
  severity            = 1
  frequency           = "PT5M"
  window_size         = local.alert_windows[var.missing_telemetry_minutes]
  auto_mitigate       = true
  tags                = local.tags

  criteria {
    metric_namespace = "Microsoft.Devices/IotHubs"
    metric_name      = "d2c.telemetry.ingress.success"
    aggregation      = "Total"
    operator         = "LessThan"
    threshold        = 1
  }

  action {
    action_group_id = azurerm_monitor_action_group.contact.id
  }
}

# Storage has no metric for a queue's age. This measures it from the queue's log: how old the oldest notice is of those
# put since one was last taken. A queue that is taken from too slowly shows in skydeck's own alarms instead.
resource "azurerm_monitor_scheduled_query_rules_alert_v2" "queue_age" {
  name                 = "${local.base}-queue-age"
  resource_group_name  = azurerm_resource_group.this.name
  location             = azurerm_resource_group.this.location
  description          = "Notices of batch files wait ${var.queue_age_minutes} minutes or more in ${local.queue_name} and none is taken: look at the pipes (SYSTEM$PIPE_STATUS)."
  scopes               = [azurerm_log_analytics_workspace.this.id]
  severity             = 2
  evaluation_frequency = "PT5M"
  window_duration      = "PT6H"
  tags                 = local.tags

  auto_mitigation_enabled = true

  # The workspace has no StorageQueueLogs before the first notice.
  skip_query_validation = true

  criteria {
    query = <<-KQL
      let operations = StorageQueueLogs
          | where AccountName == "${azurerm_storage_account.telemetry.name}" and Uri contains "/${local.queue_name}/messages"
          | where StatusCode startswith "2";
      let last_taken = toscalar(operations | where OperationName == "DeleteMessage" | summarize max(TimeGenerated));
      operations
      | where OperationName == "PutMessage" and (isnull(last_taken) or TimeGenerated > last_taken)
      | summarize AgeMinutes = datetime_diff("minute", now(), min(TimeGenerated))
      | where isnotnull(AgeMinutes)
    KQL

    metric_measure_column   = "AgeMinutes"
    time_aggregation_method = "Maximum"
    operator                = "GreaterThanOrEqual"
    threshold               = var.queue_age_minutes

    failing_periods {
      minimum_failing_periods_to_trigger_alert = 1
      number_of_evaluation_periods             = 1
    }
  }

  action {
    action_groups = [azurerm_monitor_action_group.contact.id]
  }
}

locals {
  alert_windows = { 5 = "PT5M", 15 = "PT15M", 30 = "PT30M", 60 = "PT1H", 360 = "PT6H", 720 = "PT12H" }
}
