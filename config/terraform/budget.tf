resource "azurerm_consumption_budget_resource_group" "this" {
  name              = local.azure_names.budget.name
  resource_group_id = azurerm_resource_group.this.id
  amount            = var.budget_amount
  time_grain        = "Monthly"

  # Azure takes only a month that has begun; later plans leave it as it was.
  time_period {
    start_date = formatdate("YYYY-MM-01'T'00:00:00Z", plantimestamp())
  }

  dynamic "notification" {
    for_each = {
      spent_80  = { threshold = 80, type = "Actual" }
      spent_100 = { threshold = 100, type = "Actual" }
      forecast  = { threshold = 100, type = "Forecasted" }
    }
    content {
      enabled        = true
      operator       = "GreaterThanOrEqualTo"
      threshold      = notification.value.threshold
      threshold_type = notification.value.type
      contact_emails = [var.contact]
    }
  }

  lifecycle {
    ignore_changes = [time_period]
  }
}
