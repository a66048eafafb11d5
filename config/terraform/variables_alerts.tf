variable "missing_telemetry_minutes" {
  description = "How long no message may arrive before the alert: 5, 15, 30, 60, 360 or 720 minutes (Azure's windows)."
  type        = number
  default     = 15
  nullable    = false

  validation {
    condition     = contains([5, 15, 30, 60, 360, 720], var.missing_telemetry_minutes)
    error_message = "missing_telemetry_minutes: one of 5, 15, 30, 60, 360, 720."
  }
}

variable "queue_age_minutes" {
  description = "How old a notice may grow in the queue, with none taken since, before the alert: 5 to 300 minutes."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.queue_age_minutes >= 5 && var.queue_age_minutes <= 300
    error_message = "queue_age_minutes: 5 to 300."
  }
}

variable "budget_amount" {
  description = "What the resource group may cost in a month, in the subscription's currency; mails at 80 and 100 %, and at 100 % forecast. It stops nothing."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.budget_amount >= 1
    error_message = "budget_amount: at least 1."
  }
}
