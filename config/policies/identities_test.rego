package skydeck.identities_test

import rego.v1

import data.skydeck.identities
import data.skydeck.plans

user(address, identity) := {"address": address, "mode": "managed", "expressions": {"identity": [{"identity_ids": {"references": [sprintf("%s.id", [identity]), identity]}}]}}

test_one_for_two_is_denied if {
	configuration := {"root_module": {"resources": [user("a.x", "azurerm_user_assigned_identity.one"), user("b.x", "azurerm_user_assigned_identity.one")]}}
	found := identities.deny with input as plans.configured(configuration, {})
	plans.addresses(found) == {"azurerm_user_assigned_identity.one"}
	plans.says(found, "stands for a.x and b.x")
}

test_one_each_is_well if {
	configuration := {"root_module": {"resources": [user("a.x", "azurerm_user_assigned_identity.one"), user("b.x", "azurerm_user_assigned_identity.two")]}}
	count(identities.deny) == 0 with input as plans.configured(configuration, {})
}

test_the_same_name_in_two_modules_is_two if {
	inner := {"module": {"resources": [user("a.x", "azurerm_user_assigned_identity.one")]}}
	count(identities.deny) == 0 with input as plans.configured({"root_module": {"module_calls": {"left": inner, "right": inner}}}, {})
}
