# What costs money while nothing happens, and sizes that cost a multiple. No prices: they are the provider's.
package skydeck.cost

import rego.v1

import data.skydeck.plan

# Only what is made or changed: what already stands was looked at then.
written(kinds) := [change | some change in plan.standing(kinds); plan.written(change)]

warn contains {"message": sprintf("an IoT Hub of %s, above S1; S1 takes 400,000 messages a day and unit", [sku.name]), "addresses": [hub.address]} if {
	some hub in written({"azurerm_iothub"})
	some sku in plan.parts(hub.change.after.sku)
	sku.name in {"B2", "B3", "S2", "S3"}
}

warn contains {"message": sprintf("an IoT Hub of %d units; each is paid for and takes 400,000 messages a day at S1", [sku.capacity]), "addresses": [hub.address]} if {
	some hub in written({"azurerm_iothub"})
	some sku in plan.parts(hub.change.after.sku)
	is_number(sku.capacity)
	sku.capacity > 1
}

warn contains {"message": "a container registry of the Premium tier; Basic or Standard hold the models, too", "addresses": [registry.address]} if {
	some registry in written({"azurerm_container_registry"})
	registry.change.after.sku == "Premium"
}

warn contains {"message": sprintf("a warehouse of size %s; each size costs twice the one before", [size]), "addresses": [warehouse.address]} if {
	some warehouse in written({"snowflake_warehouse"})
	size := replace(plan.upper_text(warehouse.change.after.warehouse_size), "-", "")
	not size in {"XSMALL", "SMALL"}
}

warn contains {"message": "a warehouse that runs on for more than ten minutes after its last query; set auto_suspend = 60", "addresses": [warehouse.address]} if {
	some warehouse in written({"snowflake_warehouse"})
	not plan.unknown(warehouse, "auto_suspend")
	lingers(object.get(warehouse.change.after, "auto_suspend", null))
}

# Null is Snowflake's own ten minutes, 0 never.
lingers(seconds) if seconds == 0

lingers(seconds) if {
	is_number(seconds)
	seconds > 600
}

warn contains {"message": "logs without a daily limit; set daily_quota_gb", "addresses": [workspace.address]} if {
	some workspace in written({"azurerm_log_analytics_workspace"})
	object.get(workspace.change.after, "daily_quota_gb", null) in {null, -1}
	not plan.unknown(workspace, "daily_quota_gb")
}

warn contains {"message": "machines that are paid for by the hour; see that they end when nobody uses them", "addresses": [machine.address]} if {
	some machine in written({
		"azurerm_databricks_workspace",
		"azurerm_kubernetes_cluster",
		"azurerm_linux_virtual_machine",
		"azurerm_machine_learning_compute_cluster",
		"azurerm_machine_learning_compute_instance",
		"azurerm_mssql_database",
		"azurerm_windows_virtual_machine",
		"snowflake_compute_pool",
	})
}

info contains {"message": sprintf("new, and paid for while it stands: %s", [concat(", ", [sprintf("%d %s", [count(addresses), kind]) | some kind, addresses in new])]), "addresses": [address | some _, addresses in new; some address in addresses]} if {
	count(new) > 0
}

# Made where there was none.
new[change.type] contains change.address if {
	some change in written({
		"azurerm_container_registry",
		"azurerm_eventhub_namespace",
		"azurerm_iothub",
		"azurerm_log_analytics_workspace",
		"azurerm_machine_learning_workspace",
		"azurerm_storage_account",
		"snowflake_warehouse",
	})
	not plan.destroyed(change)
	plan.created(change)
}
