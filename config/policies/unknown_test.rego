package skydeck.unknown_test

import rego.v1

import data.skydeck.plans
import data.skydeck.unknown

test_what_is_judged_and_unknown_is_said if {
	every kind, names in unknown.judged {
		every name in names {
			count(unknown.warn) == 1 with input as plans.plan([plans.with_unknown(plans.made(kind, {}), [name])])
		}
	}
}

test_a_role_by_its_id_is_known if {
	change := plans.with_unknown(plans.made("azurerm_role_assignment", {"role_definition_id": "/x/y"}), ["role_definition_name"])
	count(unknown.warn) == 0 with input as plans.plan([change])
}

test_other_attributes_may_be_unknown if {
	count(unknown.warn) == 0 with input as plans.plan([plans.with_unknown(plans.made("azurerm_storage_account", {}), ["id"])])
}

nested(depth) := {"module_calls": {"a": {"module": {"module_calls": {"b": {"module": {"module_calls": {"c": {"module": {"module_calls": {"d": {"module": {"module_calls": {"e": {"module": depth}}}}}}}}}}}}}}}

test_a_module_six_deep_is_denied if {
	found := unknown.deny with input as plans.configured({"root_module": nested({"module_calls": {"f": {"module": {}}}})}, {})
	plans.addresses(found) == {"module.a.module.b.module.c.module.d.module.e.module.f"}
}

test_a_module_five_deep_is_well if {
	count(unknown.deny) == 0 with input as plans.configured({"root_module": nested({})}, {})
}
