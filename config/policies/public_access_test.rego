package skydeck.public_access_test

import rego.v1

import data.skydeck.plans
import data.skydeck.public_access

closed := {"allow_nested_items_to_be_public": false, "static_website": []}

test_an_account_whose_blobs_can_be_public_is_denied if {
	every value in [true, null] {
		count(public_access.deny) == 1 with input as plans.plan([plans.made("azurerm_storage_account", object.union(closed, {"allow_nested_items_to_be_public": value}))])
	}
}

test_what_already_stands_is_denied_too if {
	count(public_access.deny) == 1 with input as plans.plan([plans.kept("azurerm_storage_account", object.union(closed, {"allow_nested_items_to_be_public": true}))])
}

test_what_is_destroyed_is_well if {
	count(public_access.deny) == 0 with input as plans.plan([plans.destroyed("azurerm_storage_account", {"allow_nested_items_to_be_public": true})])
}

test_a_closed_account_is_well if {
	count(public_access.deny) == 0 with input as plans.plan([plans.made("azurerm_storage_account", closed)])
}

test_a_container_that_anybody_reads_is_denied if {
	every access in ["blob", "container"] {
		count(public_access.deny) == 1 with input as plans.plan([plans.made("azurerm_storage_container", {"container_access_type": access})])
	}
}

test_a_private_container_is_well if {
	count(public_access.deny) == 0 with input as plans.plan([plans.made("azurerm_storage_container", {"container_access_type": "private"})])
}

test_a_registry_open_to_anybody_is_denied if {
	count(public_access.deny) == 1 with input as plans.plan([plans.made("azurerm_container_registry", {"anonymous_pull_enabled": true})])
	count(public_access.deny) == 0 with input as plans.plan([plans.made("azurerm_container_registry", {"anonymous_pull_enabled": false})])
}

test_a_website_is_denied if {
	given := object.union(closed, {"static_website": [{"index_document": "index.html"}]})
	count(public_access.deny) == 1 with input as plans.plan([plans.made("azurerm_storage_account", given)])
	count(public_access.deny) == 1 with input as plans.plan([plans.made("azurerm_storage_account_static_website", {})])
}
