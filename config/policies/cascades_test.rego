package skydeck.cascades_test

import rego.v1

import data.skydeck.cascades
import data.skydeck.plans

# What goes with the first of these changes.
gone(changes) := plans.addresses(found) if {
	found := cascades.warn with input as plans.plan(changes)
}

hub := {"name": "h", "resource_group_name": "g", "id": "/h"}

test_what_hangs_on_a_hub_by_its_name if {
	route := plans.kept("azurerm_iothub_route", {"iothub_name": "h", "resource_group_name": "g"})
	gone([plans.replaced("azurerm_iothub", hub), route]) == {"azurerm_iothub_route.it"}
	gone([plans.destroyed("azurerm_iothub", hub), route]) == {"azurerm_iothub_route.it"}
	gone([plans.kept("azurerm_iothub", hub), route]) == set()
}

test_what_hangs_on_a_hub_by_its_id if {
	endpoint := plans.updated("azurerm_iothub_endpoint_storage_container", {"iothub_id": "/h"}, {"iothub_id": "/h"})
	gone([plans.replaced("azurerm_iothub", hub), endpoint]) == {"azurerm_iothub_endpoint_storage_container.it"}
}

test_another_hub_s_stays if {
	every before in [{"iothub_name": "other", "resource_group_name": "g"}, {"iothub_name": "h", "resource_group_name": "other"}, {"iothub_id": "/other"}] {
		gone([plans.replaced("azurerm_iothub", hub), plans.kept("azurerm_iothub_route", before)]) == set()
	}
}

test_what_the_plan_itself_replaces_or_makes_is_well if {
	child := {"iothub_name": "h", "resource_group_name": "g"}
	gone([plans.replaced("azurerm_iothub", hub), plans.replaced("azurerm_iothub_route", child)]) == set()
	gone([plans.replaced("azurerm_iothub", hub), plans.made("azurerm_iothub_route", child)]) == set()
	gone([plans.destroyed("azurerm_iothub", hub), plans.destroyed("azurerm_iothub_route", child)]) == set()
}

test_a_topic_s_subscriptions if {
	topic := {"name": "t", "resource_group_name": "g"}
	subscription := {"system_topic": "t", "resource_group_name": "g"}
	kind := "azurerm_eventgrid_system_topic_event_subscription"
	gone([plans.replaced("azurerm_eventgrid_system_topic", topic), plans.kept(kind, subscription)]) == {"azurerm_eventgrid_system_topic_event_subscription.it"}
	gone([plans.replaced("azurerm_eventgrid_system_topic", topic), plans.kept(kind, object.union(subscription, {"system_topic": "u"}))]) == set()
}

test_a_database_s_and_a_schema_s if {
	table := plans.kept("snowflake_table", {"database": "D", "schema": "S"})
	gone([plans.replaced("snowflake_database", {"name": "D"}), table]) == {"snowflake_table.it"}
	gone([plans.replaced("snowflake_database", {"name": "E"}), table]) == set()
	gone([plans.replaced("snowflake_schema", {"name": "S", "database": "D"}), table]) == {"snowflake_table.it"}
	gone([plans.replaced("snowflake_schema", {"name": "S", "database": "E"}), table]) == set()
}

test_grants_on_an_object if {
	grant := plans.kept("snowflake_grant_privileges_to_account_role", {"on_schema_object": [{"object_name": "D.S.T"}]})
	gone([plans.replaced("snowflake_table", {"fully_qualified_name": "D.S.T"}), grant]) == {"snowflake_grant_privileges_to_account_role.it"}
	gone([plans.replaced("snowflake_table", {"fully_qualified_name": "D.S.U"}), grant]) == set()
	gone([plans.kept("snowflake_table", {"fully_qualified_name": "D.S.T"}), grant]) == set()
}
