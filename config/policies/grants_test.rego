package skydeck.grants_test

import rego.v1

import data.skydeck.grants
import data.skydeck.plans

denied(kind, after) := found if {
	found := grants.deny with input as plans.plan([plans.made(kind, after)])
}

warned(kind, after) := found if {
	found := grants.warn with input as plans.plan([plans.made(kind, after)])
}

provider(role, variables) := plans.configured({"provider_config": {"snowflake": {"expressions": {"role": role}}}}, variables)

test_terraform_as_an_administrator if {
	every role in grants.administrators {
		plans.says(grants.deny, "works as") with input as provider({"constant_value": role}, {})
		plans.says(grants.deny, "works as") with input as provider({"references": ["var.role"]}, {"role": lower(role)})
	}
}

test_terraform_with_a_role_of_its_own if {
	count(grants.deny) == 0 with input as provider({"constant_value": "SKYDECK_TERRAFORM"}, {})
	count(grants.deny) == 0 with input as provider({"references": ["var.role"]}, {"role": "SKYDECK_TERRAFORM"})
	count(grants.deny) == 0 with input as provider({"references": ["var.role"]}, {"role": null})
}

test_handing_out_an_administrator if {
	every role in grants.administrators {
		every kind, names in grants.roles {
			every name in names {
				plans.says(denied(kind, {name: role}), "hands out")
				count(denied("snowflake_grant_account_role", {"role_name": "READER", "user_name": "X"})) == 0
			}
		}
	}
}

test_administrators_that_inherit if {
	count(denied("snowflake_grant_account_role", {"role_name": "READER", "parent_role_name": "ACCOUNTADMIN"})) == 1
	count(denied("snowflake_grant_account_role", {"role_name": "READER", "parent_role_name": "SYSADMIN"})) == 0
	count(warned("snowflake_grant_account_role", {"role_name": "READER", "parent_role_name": "SYSADMIN"})) == 1
	count(warned("snowflake_grant_account_role", {"role_name": "READER", "parent_role_name": "OPERATOR"})) == 0
}

grant := "snowflake_grant_privileges_to_account_role"

test_rights_for_everybody if {
	count(denied(grant, {"account_role_name": "PUBLIC", "privileges": ["SELECT"]})) == 1
}

test_all_privileges if {
	count(denied(grant, {"all_privileges": true, "privileges": null})) == 1
	every privilege in ["ALL", "all privileges", "OWNERSHIP", "MANAGE GRANTS"] {
		count(denied(grant, {"all_privileges": false, "privileges": [privilege, "SELECT"]})) == 1
	}
	count(denied(grant, {"all_privileges": false, "privileges": ["SELECT"], "account_role_name": "READER"})) == 0
}

test_rights_that_are_passed_on if {
	count(warned(grant, {"with_grant_option": true, "privileges": ["SELECT"]})) == 1
	count(warned(grant, {"with_grant_option": false, "privileges": ["SELECT"]})) == 0
}

test_rights_on_all_of_a_kind if {
	every part in [{"all": [{"object_type_plural": "TABLES"}]}, {"future": [{"object_type_plural": "TABLES"}]}] {
		count(warned(grant, {"privileges": ["SELECT"], "on_schema_object": [part]})) == 1
	}
	count(warned(grant, {"privileges": ["USAGE"], "on_schema": [{"all_schemas_in_database": "D"}]})) == 1
	count(warned(grant, {"privileges": ["SELECT"], "on_schema_object": [{"all": [], "future": [], "object_name": "T"}], "on_schema": []})) == 0
}

test_owners if {
	count(denied("snowflake_grant_ownership", {"outbound_privileges": "COPY", "on": [{"object_type": "DATABASE", "object_name": "D"}]})) == 1
	count(denied("snowflake_grant_ownership", {"outbound_privileges": "COPY", "on": [{"future": [{"object_type_plural": "TABLES"}]}]})) == 1
	count(denied("snowflake_grant_ownership", {"outbound_privileges": "COPY", "on": [{"object_type": "PIPE", "object_name": "P", "all": [], "future": []}]})) == 0
}

test_owners_that_take_all_rights if {
	on := [{"object_type": "PIPE", "object_name": "P"}]
	count(warned("snowflake_grant_ownership", {"outbound_privileges": null, "on": on})) == 1
	count(warned("snowflake_grant_ownership", {"outbound_privileges": "REVOKE", "on": on})) == 1
	count(warned("snowflake_grant_ownership", {"outbound_privileges": "COPY", "on": on})) == 0
}

wide_scopes := {
	"/",
	"/subscriptions/00000000-0000-0000-0000-000000000001",
	"/providers/Microsoft.Management/managementGroups/all",
}

test_azure_roles_on_everything if {
	every scope in wide_scopes {
		every role, id in grants.mighty {
			count(denied("azurerm_role_assignment", {"scope": scope, "role_definition_name": role})) == 1
			count(denied("azurerm_role_assignment", {"scope": scope, "role_definition_id": sprintf("/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/%s", [id])})) == 1
			count(denied("azurerm_role_assignment", {"scope": scope, "role_definition_name": "Reader"})) == 0
		}
	}
}

test_azure_roles_on_a_group_and_on_a_resource if {
	group := "/subscriptions/x/resourceGroups/g"
	count(warned("azurerm_role_assignment", {"scope": group, "role_definition_name": "Contributor"})) == 1
	count(denied("azurerm_role_assignment", {"scope": group, "role_definition_name": "Contributor"})) == 0
	count(warned("azurerm_role_assignment", {"scope": concat("/", [group, "providers/Microsoft.Storage/storageAccounts/a"]), "role_definition_name": "Contributor"})) == 0
}

test_a_scope_not_yet_known_is_a_resource_s if {
	count(denied("azurerm_role_assignment", {"role_definition_name": "Owner"})) == 0
}

test_a_role_that_may_do_everything if {
	count(denied("azurerm_role_definition", {"permissions": [{"actions": ["*"]}]})) == 1
	count(denied("azurerm_role_definition", {"permissions": [{"actions": ["Microsoft.Storage/*/read"], "data_actions": []}]})) == 0
}
