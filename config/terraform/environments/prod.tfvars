# Accounts, keys and principals come from the environment (ARM_*, SNOWFLAKE_*, TF_VAR_*): see the README.
environment = "prod"
owner       = "weather-team"
contact     = "weather@example.org"

location            = "switzerlandnorth"
storage_replication = "ZRS"
registry_sku        = "Standard"
iothub_partitions   = 4

pictures_cool_days   = 30
pictures_delete_days = 730
batches_delete_days  = 730
deleted_blob_days    = 30
logs_retention_days  = 90

missing_telemetry_minutes = 15
queue_age_minutes         = 15
budget_amount             = 300

# True once Snowflake has consent: see the README's two phases.
access_granted = false
