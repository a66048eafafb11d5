# The embedded pipeline on a replayed month: no account, providers emulated by skydeck.
environment = "demo"
owner       = "skydeck demo"
contact     = "demo@example.org"

access_granted             = true
key_vault_purge_protection = false
budget_amount              = 10
