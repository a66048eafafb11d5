package skydeck.cost_test

import rego.v1

import data.skydeck.cost
import data.skydeck.plans

warned(kind, after) := found if {
	found := cost.warn with input as plans.plan([plans.made(kind, after)])
}

test_a_large_hub if {
	plans.says(warned("azurerm_iothub", {"sku": [{"name": "S2", "capacity": 1}]}), "of S2")
	plans.says(warned("azurerm_iothub", {"sku": [{"name": "S1", "capacity": 4}]}), "of 4 units")
	count(warned("azurerm_iothub", {"sku": [{"name": "S1", "capacity": 1}]})) == 0
}

test_a_premium_registry if {
	count(warned("azurerm_container_registry", {"sku": "Premium"})) == 1
	count(warned("azurerm_container_registry", {"sku": "Standard"})) == 0
}

test_a_large_warehouse if {
	plans.says(warned("snowflake_warehouse", {"warehouse_size": "X-LARGE", "auto_suspend": 60}), "of size XLARGE")
	every size in ["XSMALL", "X-Small", "small", null] {
		count(warned("snowflake_warehouse", {"warehouse_size": size, "auto_suspend": 60})) == 0
	}
}

test_a_warehouse_that_runs_on if {
	every seconds in [0, 3600] {
		plans.says(warned("snowflake_warehouse", {"warehouse_size": "XSMALL", "auto_suspend": seconds}), "runs on")
	}
	every seconds in [60, 600, null] {
		count(warned("snowflake_warehouse", {"warehouse_size": "XSMALL", "auto_suspend": seconds})) == 0
	}
}

test_logs_without_a_limit if {
	count(warned("azurerm_log_analytics_workspace", {"daily_quota_gb": -1})) == 1
	count(warned("azurerm_log_analytics_workspace", {})) == 1
	count(warned("azurerm_log_analytics_workspace", {"daily_quota_gb": 1})) == 0
}

test_machines if {
	count(warned("azurerm_machine_learning_compute_instance", {})) == 1
	count(warned("azurerm_machine_learning_workspace", {})) == 0
}

test_only_what_is_written_is_said if {
	given := plans.plan([plans.kept("azurerm_container_registry", {"sku": "Premium"}), plans.destroyed("azurerm_kubernetes_cluster", {})])
	count(cost.warn) == 0 with input as given
	count(cost.info) == 0 with input as given
}

test_what_is_new_is_counted if {
	given := plans.plan([plans.made("azurerm_iothub", {}), plans.made("azurerm_storage_account", {}), plans.made("azurerm_iothub_route", {})])
	found := cost.info with input as given
	plans.says(found, "1 azurerm_iothub, 1 azurerm_storage_account")
	plans.addresses(found) == {"azurerm_iothub.it", "azurerm_storage_account.it"}
}

test_what_is_replaced_is_not_new if {
	count(cost.info) == 0 with input as plans.plan([plans.replaced("azurerm_iothub", {})])
}
