variable "pictures_cool_days" {
  description = "Age at which a picture moves to the cool tier, 1 to 3650 days."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.pictures_cool_days >= 1 && var.pictures_cool_days <= 3650
    error_message = "pictures_cool_days: 1 to 3650 days."
  }
}

variable "pictures_delete_days" {
  description = "Age at which a picture is deleted, 2 to 3650 days, above pictures_cool_days."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = var.pictures_delete_days >= 2 && var.pictures_delete_days <= 3650
    error_message = "pictures_delete_days: 2 to 3650 days."
  }
}

variable "batches_delete_days" {
  description = "Age at which a loaded batch file is deleted, 30 to 3650 days: Snowflake remembers loads for 14 days, so that files must outlive that by far."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = var.batches_delete_days >= 30 && var.batches_delete_days <= 3650
    error_message = "batches_delete_days: 30 to 3650 days."
  }
}

variable "deleted_blob_days" {
  description = "How long a deleted blob or container can be brought back, 1 to 365 days."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition     = var.deleted_blob_days >= 1 && var.deleted_blob_days <= 365
    error_message = "deleted_blob_days: 1 to 365 days."
  }
}

variable "logs_retention_days" {
  description = "How long the Log Analytics workspace keeps logs, 30 to 730 days."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.logs_retention_days >= 30 && var.logs_retention_days <= 730
    error_message = "logs_retention_days: 30 to 730 days."
  }
}

variable "logs_daily_quota_gb" {
  description = "Most that the Log Analytics workspace takes in a day, 0.1 to 100 GB."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.logs_daily_quota_gb >= 0.1 && var.logs_daily_quota_gb <= 100
    error_message = "logs_daily_quota_gb: 0.1 to 100 GB."
  }
}
