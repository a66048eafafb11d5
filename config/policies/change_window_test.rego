package skydeck.change_window_test

import rego.v1

import data.skydeck.change_window
import data.skydeck.plans

# Prod's plan of these changes, with the window as it is.
at(window, changes) := object.union(plans.in_prod(changes), {"skydeck": object.union(plans.in_prod([]).skydeck, {"within_change_window": window})})

something := [plans.updated("azurerm_iothub", {"a": 1}, {"a": 2})]

test_outside_it_prod_is_denied if {
	count(change_window.deny) == 1 with input as at(false, something)
}

test_each_prod_is_prod if {
	given := object.union(at(false, something), {"skydeck": object.union(at(false, something).skydeck, {"environment": "prod-eu"})})
	count(change_window.deny) == 1 with input as given
}

test_outputs_are_changes if {
	count(change_window.deny) == 1 with input as object.union(at(false, []), {"output_changes": {"a": {"actions": ["update"]}}})
}

test_within_it_prod_is_well if {
	count(change_window.deny) == 0 with input as at(true, something)
	count(change_window.info) == 0 with input as at(true, something)
}

test_without_one_it_is_said if {
	count(change_window.deny) == 0 with input as at(null, something)
	count(change_window.info) == 1 with input as at(null, something)
}

test_a_plan_of_nothing_is_well if {
	given := object.union(at(false, [plans.kept("azurerm_iothub", {"a": 1})]), {"output_changes": {"a": {"actions": ["no-op"]}}})
	count(change_window.deny) == 0 with input as given
}

test_other_environments_have_none if {
	given := object.union(plans.plan(something), {"skydeck": object.union(plans.plan([]).skydeck, {"within_change_window": false})})
	count(change_window.deny) == 0 with input as given
	count(change_window.info) == 0 with input as given
}
