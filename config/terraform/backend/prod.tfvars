# State of prod. Locked by a lease on the blob while Terraform works; signed in to with Entra, not with a key.
resource_group_name  = "skydeck-tfstate-rg"
storage_account_name = "skydecktfstate"
container_name       = "prod"
key                  = "skydeck.tfstate"
use_azuread_auth     = true
