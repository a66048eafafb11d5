variable "access_granted" {
  description = "Whether Snowflake's principals have consent and roles on the storage account and the queue. False leaves the pipes out; see the README's two phases."
  type        = bool
  default     = false
  nullable    = false
}

variable "snowflake_storage_principal_id" {
  description = "Entra object id of the storage integration's service principal, known after consent; given, the module assigns its role."
  type        = string
  default     = null

  validation {
    condition     = var.snowflake_storage_principal_id == null || can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", var.snowflake_storage_principal_id))
    error_message = "snowflake_storage_principal_id: an Entra object id (a UUID), as `az ad sp list --display-name NAME --query [].id` prints it."
  }
}

variable "snowflake_queue_principal_id" {
  description = "Entra object id of the notification integration's service principal, known after consent; given, the module assigns its role."
  type        = string
  default     = null

  validation {
    condition     = var.snowflake_queue_principal_id == null || can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", var.snowflake_queue_principal_id))
    error_message = "snowflake_queue_principal_id: an Entra object id (a UUID), as `az ad sp list --display-name NAME --query [].id` prints it."
  }
}

variable "snowflake_organization" {
  description = "Snowflake organization; null takes SNOWFLAKE_ORGANIZATION_NAME."
  type        = string
  default     = null

  validation {
    condition     = var.snowflake_organization == null || can(regex("^[A-Za-z0-9]{1,255}$", var.snowflake_organization))
    error_message = "snowflake_organization: letters and digits, the part before the hyphen of ORGANIZATION-ACCOUNT."
  }
}

variable "snowflake_account" {
  description = "Snowflake account in the organization; null takes SNOWFLAKE_ACCOUNT_NAME."
  type        = string
  default     = null

  validation {
    condition     = var.snowflake_account == null || can(regex("^[A-Za-z0-9_]{1,255}$", var.snowflake_account))
    error_message = "snowflake_account: letters, digits and _, the part behind the hyphen of ORGANIZATION-ACCOUNT."
  }
}

variable "snowflake_user" {
  description = "The user Terraform signs in as; null takes SNOWFLAKE_USER."
  type        = string
  default     = null

  validation {
    condition     = var.snowflake_user == null || can(regex("^[A-Za-z_][A-Za-z0-9_$]{0,254}$", var.snowflake_user))
    error_message = "snowflake_user: 1 to 255 letters, digits, _ and $."
  }
}

variable "snowflake_role" {
  description = "The role Terraform works as; made by the README's SQL. ACCOUNTADMIN, SECURITYADMIN and ORGADMIN are refused."
  type        = string
  default     = "SKYDECK_TERRAFORM"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Z_][A-Z0-9_$]{0,254}$", var.snowflake_role)) && !contains(["ACCOUNTADMIN", "SECURITYADMIN", "ORGADMIN", "GLOBALORGADMIN"], var.snowflake_role)
    error_message = "snowflake_role: capitals, digits, _ and $, and not an account-wide administrator; make SKYDECK_TERRAFORM with the README's SQL."
  }
}

variable "snowflake_prefixes" {
  description = "Prefixes of the Snowflake names; the environment in capitals follows."
  type = object({
    database                 = optional(string, "WEATHER_")
    warehouse                = optional(string, "WEATHER_WHS_")
    schema                   = optional(string, "DATAWAREHOUSE_")
    table_measurements       = optional(string, "WEATHER_JSON_")
    table_predictions        = optional(string, "WEATHER_PREDICTIONS_")
    table_health             = optional(string, "WEATHER_HEALTH_")
    view_measurements        = optional(string, "WEATHER_MEASUREMENTS_V_")
    view_predictions         = optional(string, "WEATHER_PREDICTIONS_V_")
    view_health              = optional(string, "WEATHER_HEALTH_V_")
    file_format              = optional(string, "JSON_DQ_")
    storage_integration      = optional(string, "AZURE_INTEGRATION_")
    notification_integration = optional(string, "WEATHER_NOTIFICATION_")
    stage_measurements       = optional(string, "SNOWPIPE_STAGE_")
    stage_predictions        = optional(string, "SNOWPIPE_STAGE_PRED_")
    stage_health             = optional(string, "SNOWPIPE_STAGE_HEALTH_")
    pipe_measurements        = optional(string, "WEATHER_PIPE_DQ_")
    pipe_predictions         = optional(string, "WEATHER_PIPE_PRED_DQ_")
    pipe_health              = optional(string, "WEATHER_PIPE_HEALTH_DQ_")
    role_loader              = optional(string, "WEATHER_LOADER_")
    role_operator            = optional(string, "WEATHER_OPERATOR_")
    role_reader              = optional(string, "WEATHER_READER_")
    user                     = optional(string, "SKYDECK_")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for p in values(var.snowflake_prefixes) : can(regex("^[A-Z_][A-Z0-9_]{0,199}_$", p))])
    error_message = "snowflake_prefixes: each up to 200 capitals, digits and _, beginning with a letter or _ and ending with _; for example WEATHER_."
  }

  # Tables and views share a namespace in Snowflake.
  validation {
    condition     = length(distinct([for k, p in var.snowflake_prefixes : p if startswith(k, "table_") || startswith(k, "view_")])) == 6 && length(distinct([for k, p in var.snowflake_prefixes : p if startswith(k, "stage_")])) == 3 && length(distinct([for k, p in var.snowflake_prefixes : p if startswith(k, "pipe_")])) == 3 && length(distinct([for k, p in var.snowflake_prefixes : p if startswith(k, "role_")])) == 3
    error_message = "snowflake_prefixes: two tables or views, stages, pipes or roles have the same prefix and so would have the same name."
  }
}

variable "skydeck_rsa_public_key" {
  description = "skydeck's RSA public key for Snowflake: the base64 between the PEM's BEGIN and END lines, without line ends. Without one the user can't sign in."
  type        = string
  default     = null

  validation {
    condition     = var.skydeck_rsa_public_key == null || (can(regex("^MII[A-Za-z0-9+/]+={0,2}$", var.skydeck_rsa_public_key)) && length(coalesce(var.skydeck_rsa_public_key, "-")) >= 360 && length(coalesce(var.skydeck_rsa_public_key, "-")) <= 1500)
    error_message = "skydeck_rsa_public_key: base64 of an RSA public key of 2048 bits or more, without BEGIN, END and line ends (openssl rsa -in KEY -pubout | sed '/---/d' | tr -d '\\n')."
  }
}

variable "skydeck_rsa_public_key_next" {
  description = "A second public key while keys are exchanged, as skydeck_rsa_public_key."
  type        = string
  default     = null

  validation {
    condition     = var.skydeck_rsa_public_key_next == null || (can(regex("^MII[A-Za-z0-9+/]+={0,2}$", var.skydeck_rsa_public_key_next)) && length(coalesce(var.skydeck_rsa_public_key_next, "-")) >= 360 && length(coalesce(var.skydeck_rsa_public_key_next, "-")) <= 1500)
    error_message = "skydeck_rsa_public_key_next: base64 of an RSA public key of 2048 bits or more, without BEGIN, END and line ends."
  }
}

variable "time_travel_days" {
  description = "How long Snowflake can go back in time, 0 to 90 days; above 1 needs the Enterprise edition."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.time_travel_days >= 0 && var.time_travel_days <= 90 && floor(var.time_travel_days) == var.time_travel_days
    error_message = "time_travel_days: a whole number from 0 to 90."
  }
}
