variable "environment" {
  description = "The environment: 2 to 12 lower-case letters and digits, single hyphens between; suffix of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.environment)) && length(var.environment) >= 2 && length(var.environment) <= 12
    error_message = "environment: 2 to 12 lower-case letters and digits, beginning with a letter, single hyphens between them; for example staging."
  }
}

variable "project" {
  description = "Prefix of the Azure names: 2 to 12 lower-case letters and digits, beginning with a letter."
  type        = string
  default     = "skydeck"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,11}$", var.project))
    error_message = "project: 2 to 12 lower-case letters and digits, beginning with a letter; for example skydeck."
  }
}

variable "name_suffix" {
  description = "Ends the Azure names where another account has taken them (hub, storage, vault and registry names are the whole world's): up to 6 lower-case letters and digits."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]{0,6}$", var.name_suffix))
    error_message = "name_suffix: up to 6 lower-case letters and digits; for example k7."
  }
}

variable "iothub_name" {
  description = "The IoT Hub's name, 3 to 50 letters, digits and hyphens; null makes it from project, environment and suffix."
  type        = string
  default     = null

  validation {
    condition     = var.iothub_name == null || can(regex("^[A-Za-z0-9][A-Za-z0-9-]{1,48}[A-Za-z0-9]$", var.iothub_name))
    error_message = "iothub_name: 3 to 50 letters, digits and hyphens, with a letter or digit at both ends."
  }
}

variable "owner" {
  description = "Who answers for the environment; the tag owner."
  type        = string

  validation {
    condition     = can(regex("^[^<>%&\\\\?/[:cntrl:]]{1,256}$", var.owner)) && trimspace(var.owner) != ""
    error_message = "owner: 1 to 256 characters without < > % & \\ ? / and control characters; for example weather-team."
  }
}

variable "contact" {
  description = "E-mail address for alerts and the budget; the tag contact."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+$", var.contact)) && length(var.contact) <= 256
    error_message = "contact: an e-mail address; for example weather@example.org."
  }
}

variable "extra_tags" {
  description = "Tags beside the mandatory ones (managed-by, environment, owner, contact), which they can't replace."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setintersection(keys(var.extra_tags), ["managed-by", "environment", "owner", "contact"])) == 0
    error_message = "extra_tags: managed-by, environment, owner and contact are set by the module; choose other names."
  }

  validation {
    condition     = length(var.extra_tags) <= 11 && alltrue([for k, v in var.extra_tags : can(regex("^[^<>%&\\\\?/]{1,128}$", k)) && length(v) <= 256])
    error_message = "extra_tags: at most 11, names of 1 to 128 characters without < > % & \\ ? /, values of up to 256."
  }
}
