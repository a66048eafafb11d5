# What goes with something that is destroyed or replaced although this plan doesn't say so. Terraform finds it missing
# afterwards, and only the next plan makes it again.
package skydeck.cascades

import rego.v1

import data.skydeck.plan

# Addresses by what they are lost with.
lost_with[parent.address] contains child.address if {
	some parent in plan.changes({"azurerm_iothub"})
	plan.destroyed(parent)
	some kind, _ in plan.places
	startswith(kind, "azurerm_iothub_")
	some child in plan.standing({kind})
	stays(child)
	child.change.before.iothub_name == parent.change.before.name
	child.change.before.resource_group_name == parent.change.before.resource_group_name
}

lost_with[parent.address] contains child.address if {
	some parent in plan.changes({"azurerm_iothub"})
	plan.destroyed(parent)
	some kind, _ in plan.places
	startswith(kind, "azurerm_iothub_")
	some child in plan.standing({kind})
	stays(child)
	child.change.before.iothub_id == parent.change.before.id
}

lost_with[parent.address] contains child.address if {
	some parent in plan.changes({"azurerm_eventgrid_system_topic"})
	plan.destroyed(parent)
	some child in plan.standing({"azurerm_eventgrid_system_topic_event_subscription"})
	stays(child)
	child.change.before.system_topic == parent.change.before.name
	child.change.before.resource_group_name == parent.change.before.resource_group_name
}

lost_with[parent.address] contains child.address if {
	some parent in plan.changes({"snowflake_database"})
	plan.destroyed(parent)
	some child in snowflake
	child.change.before.database == parent.change.before.name
}

lost_with[parent.address] contains child.address if {
	some parent in plan.changes({"snowflake_schema"})
	plan.destroyed(parent)
	some child in snowflake
	child.change.before.database == parent.change.before.database
	child.change.before.schema == parent.change.before.name
}

# Grants go with the object they are on.
lost_with[parent.address] contains child.address if {
	some kind, _ in plan.places
	startswith(kind, "snowflake_")
	some parent in plan.changes({kind})
	plan.destroyed(parent)
	name := parent.change.before.fully_qualified_name
	is_string(name)
	some child in grants_on[name]
}

# Grants that stay, by the full name of what they are on.
grants_on[name] contains {"address": grant.address} if {
	some grant in plan.standing({"snowflake_grant_ownership", "snowflake_grant_privileges_to_account_role"})
	stays(grant)
	some block in ["on", "on_account_object", "on_schema", "on_schema_object"]
	some part in plan.parts(grant.change.before[block])
	some attribute in ["object_name", "schema_name"]
	name := part[attribute]
	is_string(name)
}

snowflake := [child |
	some kind, _ in plan.places
	startswith(kind, "snowflake_")
	not startswith(kind, "snowflake_grant_")
	some child in plan.standing({kind})
	stays(child)
]

# It is there, and this plan neither destroys nor makes it.
stays(change) if {
	is_object(change.change.before)
	not plan.destroyed(change)
}

warn contains {"message": sprintf("goes with %s, and only the next plan makes it again; plan once more right after the apply", [parent]), "addresses": children} if {
	some parent, children in lost_with
}
