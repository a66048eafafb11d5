# What can't be judged, because Terraform will know it only after the apply.
package skydeck.unknown

import rego.v1

import data.skydeck.plan

# What other policies look at.
judged := {
	"azurerm_container_registry": {"admin_enabled", "anonymous_pull_enabled"},
	"azurerm_iothub": {"min_tls_version"},
	"azurerm_role_assignment": {"role_definition_name"},
	"azurerm_storage_account": {"allow_nested_items_to_be_public", "https_traffic_only_enabled", "min_tls_version", "shared_access_key_enabled"},
	"azurerm_storage_container": {"container_access_type"},
	"snowflake_grant_account_role": {"parent_role_name", "role_name"},
	"snowflake_grant_privileges_to_account_role": {"account_role_name", "all_privileges", "privileges"},
}

warn contains {"message": sprintf("%s is known only after the apply, so that no policy has judged it; look at it then", [name]), "addresses": [change.address]} if {
	some kind, names in judged
	some change in plan.standing({kind})
	some name in names
	plan.unknown(change, name)
	# A role may also be given by its id.
	not known_by_id(change, name)
}

known_by_id(change, "role_definition_name") if is_string(change.change.after.role_definition_id)

deny contains {"message": "lies six modules deep, where the policies don't look; call it from further up", "addresses": [trim_suffix(module.prefix, ".")]} if {
	some module in plan.modules_6
}
