package skydeck.tags_test

import rego.v1

import data.skydeck.plans
import data.skydeck.tags

full := {"contact": "a@example.org", "environment": "staging", "managed-by": "terraform", "owner": "ada"}

warned(kind, after) := found if {
	found := tags.warn with input as plans.plan([plans.made(kind, after)])
}

test_a_missing_tag_is_named if {
	plans.says(warned("azurerm_iothub", {"tags": object.remove(full, ["owner", "contact"])}), "has no tag contact, owner;")
}

test_an_empty_tag_is_none if {
	plans.says(warned("azurerm_iothub", {"tags": object.union(full, {"owner": ""})}), "has no tag owner;")
}

test_no_tags_at_all if {
	plans.says(warned("azurerm_iothub", {"tags": null}), "has no tag contact, environment, managed-by, owner;")
}

test_all_of_them_are_well if {
	count(warned("azurerm_iothub", {"tags": object.union(full, {"more": "x"})})) == 0
}

test_what_bears_no_tags_is_well if {
	count(warned("azurerm_iothub_route", {"name": "x"})) == 0
	count(warned("azurerm_machine_learning_datastore_blobstorage", {"tags": null})) == 0
	count(warned("snowflake_table", {"tags": null})) == 0
}

test_another_environment_s_tag if {
	plans.says(warned("azurerm_iothub", {"tags": object.union(full, {"environment": "prod"})}), "another environment")
}

test_tags_not_yet_known if {
	change := plans.made("azurerm_iothub", {"tags": object.remove(full, ["owner"])})
	partly := object.union(change, {"change": object.union(change.change, {"after_unknown": {"tags": {"owner": true}}})})
	count(tags.warn) == 0 with input as plans.plan([partly])
	count(tags.warn) == 0 with input as plans.plan([plans.with_unknown(change, ["tags"])])
}
