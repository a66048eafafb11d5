# Rights beyond what a task needs: account-wide administrators, wildcards, ownership.
package skydeck.grants

import rego.v1

import data.skydeck.plan

administrators := {"ACCOUNTADMIN", "GLOBALORGADMIN", "ORGADMIN", "SECURITYADMIN", "SYSADMIN", "USERADMIN"}

# --- Snowflake: who ---

deny contains {"message": sprintf("works as %s; give Terraform a role of its own", [provider_role]), "addresses": ["provider.snowflake"]} if {
	provider_role in administrators
}

provider_role := plan.upper_text(input.configuration.provider_config.snowflake.expressions.role.constant_value)

provider_role := role if {
	not input.configuration.provider_config.snowflake.expressions.role.constant_value
	roles := [plan.upper_text(input.variables[substring(reference, 4, -1)].value) |
		some reference in plan.parts(input.configuration.provider_config.snowflake.expressions.role.references)
		startswith(reference, "var.")
	]
	role := roles[0]
}

# What names a role, by what the attribute does with it.
roles := {
	"snowflake_grant_account_role": {"role_name"},
	"snowflake_grant_ownership": {"account_role_name"},
	"snowflake_grant_privileges_to_account_role": {"account_role_name"},
	"snowflake_service_user": {"default_role"},
	"snowflake_user": {"default_role"},
	"snowflake_legacy_service_user": {"default_role"},
}

deny contains {"message": sprintf("hands out %s; grant a role of least privilege", [role]), "addresses": [grant.address]} if {
	some kind, names in roles
	some grant in plan.standing({kind})
	some name in names
	role := plan.upper_text(grant.change.after[name])
	role in administrators
}

# Roles below SYSADMIN are Snowflake's own advice; below the others, they pass on what nobody looks at.
deny contains {"message": sprintf("%s inherits it; let a role of your own", [role]), "addresses": [grant.address]} if {
	some grant in plan.standing({"snowflake_grant_account_role"})
	role := plan.upper_text(grant.change.after.parent_role_name)
	role in (administrators - {"SYSADMIN"})
}

warn contains {"message": "SYSADMIN inherits it: whoever is SYSADMIN may do all that it may", "addresses": [grant.address]} if {
	some grant in plan.standing({"snowflake_grant_account_role"})
	plan.upper_text(grant.change.after.parent_role_name) == "SYSADMIN"
}

deny contains {"message": "everybody in the account may use it (PUBLIC); grant it to a role", "addresses": [grant.address]} if {
	some grant in privileges
	plan.upper_text(grant.change.after.account_role_name) == "PUBLIC"
}

# --- Snowflake: what ---

privileges := plan.standing({"snowflake_grant_privileges_to_account_role", "snowflake_grant_privileges_to_database_role"})

deny contains {"message": "grants all privileges; name those that are needed", "addresses": [grant.address]} if {
	some grant in privileges
	plan.is_true(grant.change.after.all_privileges)
}

deny contains {"message": sprintf("grants %s; name what is needed", [privilege]), "addresses": [grant.address]} if {
	some grant in privileges
	some named in plan.parts(grant.change.after.privileges)
	privilege := plan.upper_text(named)
	privilege in {"ALL", "ALL PRIVILEGES", "MANAGE GRANTS", "OWNERSHIP"}
}

warn contains {"message": "may be passed on by whoever has it; set with_grant_option = false", "addresses": [grant.address]} if {
	some grant in privileges
	plan.is_true(grant.change.after.with_grant_option)
}

warn contains {"message": sprintf("is granted on %s objects of a kind, also on those that nobody thought of; name the object", [reach]), "addresses": [grant.address]} if {
	some grant in privileges
	some block in ["on_schema", "on_schema_object"]
	some part in plan.parts(grant.change.after[block])
	some name, reach in {"all": "all", "all_schemas_in_database": "all", "future": "future", "future_schemas_in_database": "future"}
	is_set(part[name])
}

is_set(value) if {
	is_string(value)
	value != ""
}

is_set(value) if {
	is_array(value)
	count(value) > 0
}

# --- Snowflake: ownership ---

ownerships := plan.standing({"snowflake_grant_ownership"})

deny contains {"message": sprintf("makes a role the owner of a whole %s; grant what is needed", [plan.lower_text(part.object_type)]), "addresses": [grant.address]} if {
	some grant in ownerships
	some part in plan.parts(grant.change.after.on)
	plan.upper_text(part.object_type) in {"DATABASE", "INTEGRATION", "ROLE", "SCHEMA", "USER", "WAREHOUSE"}
}

deny contains {"message": "makes a role the owner of all objects of a kind; name the object", "addresses": [grant.address]} if {
	some grant in ownerships
	some part in plan.parts(grant.change.after.on)
	some name in ["all", "future"]
	is_set(part[name])
}

warn contains {"message": "takes every right on it from those who have one; set outbound_privileges = \"COPY\"", "addresses": [grant.address]} if {
	some grant in ownerships
	plan.written(grant)
	not plan.upper_text(grant.change.after.outbound_privileges) == "COPY"
}

# --- Azure ---

# By name, and by the ids that are the same in every tenant.
mighty := {
	"Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
	"Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
	"Role Based Access Control Administrator": "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
	"User Access Administrator": "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
}

assigned contains {"address": assignment.address, "role": role, "scope": lower(scope)} if {
	some assignment in plan.standing({"azurerm_role_assignment"})
	scope := assignment.change.after.scope
	is_string(scope)
	some role, id in mighty
	is_role(assignment.change.after, role, id)
}

is_role(after, role, _) if after.role_definition_name == role

is_role(after, _, id) if endswith(plan.lower_text(after.role_definition_id), id)

wide(scope) if scope == "/"

wide(scope) if regex.match(`^/subscriptions/[^/]+/?$`, scope)

wide(scope) if startswith(scope, "/providers/microsoft.management/managementgroups/")

deny contains {"message": sprintf("is %s of a whole subscription or more; assign a narrower role on the resource", [found.role]), "addresses": [found.address]} if {
	some found in assigned
	wide(found.scope)
}

warn contains {"message": sprintf("is %s of a whole resource group; assign a narrower role on the resource", [found.role]), "addresses": [found.address]} if {
	some found in assigned
	regex.match(`^/subscriptions/[^/]+/resourcegroups/[^/]+/?$`, found.scope)
}

deny contains {"message": "a role that may do everything (actions = [\"*\"]); name the actions", "addresses": [definition.address]} if {
	some definition in plan.standing({"azurerm_role_definition"})
	some permissions in plan.parts(definition.change.after.permissions)
	some list in ["actions", "data_actions"]
	"*" in plan.parts(permissions[list])
}
