# Mistakes that modules of this kind are known for. Each is denied wherever a plan has it.
#
# Input: `terraform show -json PLAN`. Output: `deny`, a set of sentences "address: what is wrong; what to do".
package skydeck.classic_mistakes

import rego.v1

# What stands after the apply, with its address and type. What is destroyed makes no mistake.
planned contains {"address": change.address, "kind": change.type, "after": change.change.after} if {
	some change in input.resource_changes
	change.mode == "managed"
	is_object(change.change.after)
}

# --- anybody may read ---

deny contains sprintf("%s: blobs in it can be made public; set allow_nested_items_to_be_public = false", [r.address]) if {
	some r in planned
	r.kind == "azurerm_storage_account"
	r.after.allow_nested_items_to_be_public != false
}

deny contains sprintf("%s: anybody may read it; set container_access_type = \"private\"", [r.address]) if {
	some r in planned
	r.kind == "azurerm_storage_container"
	r.after.container_access_type != "private"
}

# --- without encryption on the way ---

deny contains sprintf("%s: plain http is allowed; set https_traffic_only_enabled = true", [r.address]) if {
	some r in planned
	r.kind == "azurerm_storage_account"
	r.after.https_traffic_only_enabled != true
}

deny contains sprintf("%s: takes TLS older than 1.2; set min_tls_version to 1.2", [r.address]) if {
	some r in planned
	r.kind in {"azurerm_storage_account", "azurerm_iothub"}
	not r.after.min_tls_version in {"TLS1_2", "TLS1_3", "1.2", "1.3"}
}

# --- keys that outlive their purpose ---

deny contains sprintf("%s: holds a SAS token, which ends on a fixed day; use a storage integration", [r.address]) if {
	some r in planned
	r.kind in {"snowflake_stage", "snowflake_stage_external_azure"}
	count(object.get(r.after, "credentials", [])) > 0
}

deny contains sprintf("%s: has no storage integration; name one", [r.address]) if {
	some r in planned
	r.kind == "snowflake_stage_external_azure"
	object.get(r.after, "storage_integration", null) == null
	not will_be_known(r.address, "storage_integration")
}

deny contains sprintf("%s: makes a SAS token; use an identity or a storage integration", [address]) if {
	some resource in input.configuration.root_module.resources
	resource.mode == "data"
	resource.type in {"azurerm_storage_account_sas", "azurerm_storage_account_blob_container_sas"}
	address := resource.address
}

# --- users who may do everything ---

deny contains sprintf("%s: has an admin user with a password; set admin_enabled = false", [r.address]) if {
	some r in planned
	r.kind == "azurerm_container_registry"
	r.after.admin_enabled != false
}

deny contains "provider snowflake: works as ACCOUNTADMIN; give Terraform a role of its own" if {
	upper(provider_role) == "ACCOUNTADMIN"
}

deny contains sprintf("%s: hands out ACCOUNTADMIN; grant a role of least privilege", [r.address]) if {
	some r in planned
	some name in ["role_name", "account_role_name", "parent_role_name", "default_role"]
	role := object.get(r.after, name, "")
	is_string(role)
	upper(role) == "ACCOUNTADMIN"
}

deny contains sprintf("%s: a service user with a password; sign in by key", [r.address]) if {
	some r in planned
	r.kind in {"snowflake_user", "snowflake_legacy_service_user"}
}

# --- one identity for all ---

deny contains sprintf("%s: stands for %s; give each an identity of its own", [identity, concat(" and ", sort(users))]) if {
	some identity in {name | some [name, _] in uses_of_identities}
	users := {user | some [name, user] in uses_of_identities; name == identity}
	count(users) > 1
}

uses_of_identities contains [identity, resource.address] if {
	some resource in input.configuration.root_module.resources
	some block in resource.expressions.identity
	some reference in block.identity_ids.references
	identity := concat(".", array.slice(split(reference, "."), 0, 2))
	startswith(identity, "azurerm_user_assigned_identity.")
}

# --- helpers ---

provider_role := role if {
	role := input.configuration.provider_config.snowflake.expressions.role.constant_value
}

provider_role := role if {
	some reference in input.configuration.provider_config.snowflake.expressions.role.references
	startswith(reference, "var.")
	role := input.variables[substring(reference, 4, -1)].value
}

will_be_known(address, name) if {
	some change in input.resource_changes
	change.address == address
	change.change.after_unknown[name] == true
}
