# Before prod: the same, smaller, with short memories. Accounts, keys and principals come from the environment
# (ARM_*, SNOWFLAKE_*, TF_VAR_*): see the README.
environment = "staging"
owner       = "weather-team"
contact     = "weather@example.org"

location            = "switzerlandnorth"
storage_replication = "LRS"

pictures_cool_days   = 14
pictures_delete_days = 60
batches_delete_days  = 60

missing_telemetry_minutes = 60
budget_amount             = 100

# True once Snowflake has consent: see the README's two phases.
access_granted = false
