# A station of one's own with no cloud account, providers emulated by skydeck.
environment = "local"
owner       = "the station's owner"
contact     = "station@example.org"

access_granted             = true
key_vault_purge_protection = false
budget_amount              = 10
