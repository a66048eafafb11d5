variable "iothub_units" {
  description = "Units of the S1 hub, 1 to 200; each takes 400,000 messages a day."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.iothub_units >= 1 && var.iothub_units <= 200 && floor(var.iothub_units) == var.iothub_units
    error_message = "iothub_units: a whole number from 1 to 200."
  }
}

variable "iothub_partitions" {
  description = "Partitions of the built-in endpoint, 2 to 32; each writes its own batch files. Azure refuses to change it: only a new hub (-replace) has another number."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.iothub_partitions >= 2 && var.iothub_partitions <= 32 && floor(var.iothub_partitions) == var.iothub_partitions
    error_message = "iothub_partitions: a whole number from 2 to 32."
  }
}

variable "batch_window_s" {
  description = "How long the hub collects messages before it writes a batch file, 60 to 720 s."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.batch_window_s >= 60 && var.batch_window_s <= 720 && floor(var.batch_window_s) == var.batch_window_s
    error_message = "batch_window_s: a whole number of seconds from 60 to 720, as IoT Hub allows."
  }
}

variable "batch_max_mib" {
  description = "How large a batch file may grow before its window is over, 10 to 500 MiB."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.batch_max_mib >= 10 && var.batch_max_mib <= 500 && floor(var.batch_max_mib) == var.batch_max_mib
    error_message = "batch_max_mib: a whole number of MiB from 10 to 500, as IoT Hub allows."
  }
}
