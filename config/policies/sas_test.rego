package skydeck.sas_test

import rego.v1

import data.skydeck.plans
import data.skydeck.sas

stage(credentials) := plans.made("snowflake_stage_external_azure", {"storage_integration": "I", "credentials": credentials})

ending(day) := concat("", ["?sv=2023-11-03&se=", day, "T00%3A00%3A00Z&sig=abc"])

test_a_stage_with_a_token_is_denied if {
	plans.says(sas.deny, "holds a SAS token") with input as plans.plan([stage([{"azure_sas_token": ending("2027-06-01")}])])
	plans.says(sas.deny, "holds a SAS token") with input as plans.plan([plans.made("snowflake_stage", {"credentials": "AZURE_SAS_TOKEN='x'"})])
}

test_a_stage_without_is_well if {
	every credentials in [[], null, ""] {
		count(sas.deny) == 0 with input as plans.plan([stage(credentials)])
	}
}

test_a_stage_without_an_integration_is_denied if {
	bare := plans.made("snowflake_stage_external_azure", {"storage_integration": null, "credentials": []})
	plans.says(sas.deny, "has no storage integration") with input as plans.plan([bare])
	count(sas.deny) == 0 with input as plans.plan([plans.with_unknown(bare, ["storage_integration"])])
}

test_making_a_token_is_denied if {
	configuration := {"root_module": {"resources": [{"address": "data.azurerm_storage_account_sas.x", "mode": "data", "type": "azurerm_storage_account_sas"}]}}
	found := sas.deny with input as plans.configured(configuration, {})
	plans.addresses(found) == {"data.azurerm_storage_account_sas.x"}
}

test_reading_something_else_is_well if {
	configuration := {"root_module": {"resources": [{"address": "data.azurerm_client_config.x", "mode": "data", "type": "azurerm_client_config"}]}}
	count(sas.deny) == 0 with input as plans.configured(configuration, {})
}

test_a_token_that_ended_is_denied if {
	plans.says(sas.deny, "ended on 2026-11-23") with input as plans.configured({}, {"url": ending("2026-11-23")})
	plans.says(sas.deny, "ended on 2026-11-23") with input as plans.plan([stage([{"azure_sas_token": ending("2026-11-23")}])])
}

test_a_token_that_ends_soon_is_a_warning if {
	every day in ["2026-11-24", "2026-12-23"] {
		plans.says(sas.warn, "within 30 days") with input as plans.configured({}, {"settings": {"url": ending(day)}})
		count(sas.deny) == 0 with input as plans.configured({}, {"settings": {"url": ending(day)}})
	}
}

test_a_token_that_ends_later_is_no_warning if {
	count(sas.warn) == 0 with input as plans.configured({}, {"url": ending("2026-12-24")})
}
