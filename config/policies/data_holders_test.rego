package skydeck.data_holders_test

import rego.v1

import data.skydeck.data_holders
import data.skydeck.plans

test_destroying_each_kind_is_denied_in_the_cloud if {
	every kind in data_holders.kinds {
		count(data_holders.deny) == 1 with input as plans.plan([plans.destroyed(kind, {"name": "x"})])
	}
}

test_destroying_is_denied_in_local if {
	count(data_holders.deny) == 1 with input as plans.in_local([plans.destroyed("snowflake_table", {"name": "x"})])
}

test_destroying_is_a_warning_in_demo if {
	given := plans.in_demo([plans.destroyed("snowflake_table", {"name": "x"})])
	count(data_holders.deny) == 0 with input as given
	count(data_holders.warn) == 1 with input as given
}

test_without_circumstances_it_is_denied if {
	given := object.remove(plans.plan([plans.destroyed("snowflake_table", {"name": "x"})]), ["skydeck"])
	count(data_holders.deny) == 1 with input as given
}

test_replacing_is_denied_in_both_orders if {
	every change in [plans.replaced("azurerm_key_vault", {"name": "x"}), plans.replaced_by_new("azurerm_key_vault", {"name": "x"})] {
		plans.says(data_holders.deny, "would be replaced") with input as plans.plan([change])
	}
}

test_a_deposed_object_counts if {
	deposed := object.union(plans.destroyed("azurerm_storage_account", {"name": "x"}), {"deposed": "12345678"})
	count(data_holders.deny) == 1 with input as plans.plan([deposed])
}

test_what_stays_is_updated_made_or_forgotten_is_well if {
	given := plans.plan([
		plans.kept("snowflake_table", {"name": "x"}),
		plans.updated("snowflake_database", {"comment": "a"}, {"comment": "b"}),
		plans.made("azurerm_iothub", {"name": "x"}),
		plans.forgotten("azurerm_storage_container", {"name": "x"}),
	])
	count(data_holders.deny) == 0 with input as given
	count(data_holders.warn) == 0 with input as given
}

test_what_holds_no_data_may_go if {
	count(data_holders.deny) == 0 with input as plans.plan([plans.destroyed("azurerm_iothub_route", {"name": "x"}), plans.destroyed("snowflake_view", {"name": "x"})])
}
