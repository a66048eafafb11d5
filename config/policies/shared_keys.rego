# Keys and passwords that several share: nobody knows who used one, and taking it from one takes it from all.
package skydeck.shared_keys

import rego.v1

import data.skydeck.plan

deny contains {"message": "its account keys open everything in it; set shared_access_key_enabled = false and sign in with Entra", "addresses": [account.address]} if {
	some account in plan.standing({"azurerm_storage_account"})
	account.change.after.shared_access_key_enabled != false
}

deny contains {"message": "has an admin user with a password; set admin_enabled = false and sign in with Entra", "addresses": [registry.address]} if {
	some registry in plan.standing({"azurerm_container_registry"})
	registry.change.after.admin_enabled != false
}

# Devices sign in with keys of their own; a policy's key is everybody's who has it.
deny contains {"message": "one key that may read and write devices' identities and speak as a service or a device; give each use a policy of its own", "addresses": [policy.address]} if {
	some policy in plan.standing({"azurerm_iothub_shared_access_policy"})
	after := policy.change.after
	count([right | some right in ["registry_write", "service_connect", "device_connect"]; plan.is_true(after[right])]) > 1
}

# Kinds of routing endpoints, and uploads of files.
deny contains {"message": "the hub writes with a key; set authentication_type = \"identityBased\"", "addresses": [endpoint.address]} if {
	some kind, _ in plan.places
	startswith(kind, "azurerm_iothub_endpoint_")
	some endpoint in plan.standing({kind})
	endpoint.change.after.authentication_type == "keyBased"
}

deny contains {"message": "the hub writes with a key; set authentication_type = \"identityBased\"", "addresses": [hub.address]} if {
	some hub in plan.standing({"azurerm_iothub"})
	some block in ["endpoint", "file_upload"]
	some part in plan.parts(hub.change.after[block])
	part.authentication_type == "keyBased"
}

deny contains {"message": "a key that may change the namespace itself; set manage = false", "addresses": [rule.address]} if {
	some rule in plan.standing({"azurerm_eventhub_authorization_rule", "azurerm_eventhub_namespace_authorization_rule"})
	plan.is_true(rule.change.after.manage)
}

deny contains {"message": "a user who signs in with a password; make it a snowflake_service_user with a key", "addresses": [user.address]} if {
	some user in plan.standing({"snowflake_legacy_service_user", "snowflake_user"})
}
