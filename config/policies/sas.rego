# SAS tokens: they end on a fixed day, and what used them stops.
package skydeck.sas

import rego.v1

import data.skydeck.plan

stages := {"snowflake_stage", "snowflake_stage_external_azure"}

deny contains {"message": "holds a SAS token, which ends on a fixed day; use a storage integration", "addresses": [stage.address]} if {
	some stage in plan.standing(stages)
	has_credentials(stage.change.after.credentials)
}

# Blocks in today's provider, a text in older ones.
has_credentials(credentials) if {
	not credentials in {null, "", false}
	credentials != []
}

deny contains {"message": "has no storage integration; name one", "addresses": [stage.address]} if {
	some stage in plan.standing({"snowflake_stage_external_azure"})
	object.get(stage.change.after, "storage_integration", null) == null
	not plan.unknown(stage, "storage_integration")
}

deny contains {"message": "makes a SAS token; use an identity or a storage integration", "addresses": [resource.address]} if {
	some resource in plan.configured
	resource.mode == "data"
	resource.type in {"azurerm_storage_account_blob_container_sas", "azurerm_storage_account_sas"}
}

# The day on which each token that is found ends, as 2027-01-31.
ends[address] contains day if {
	some stage in plan.standing(stages)
	walk(stage.change.after.credentials, [_, token])
	address := stage.address
	some day in days(token)
}

ends[address] contains day if {
	some name, variable in input.variables
	walk(variable.value, [_, token])
	address := sprintf("var.%s", [name])
	some day in days(token)
}

days(token) := [found[1] |
	is_string(token)
	some found in regex.find_all_string_submatch_n(`[?&]se=([0-9]{4}-[0-9]{2}-[0-9]{2})`, token, -1)
]

deny contains {"message": sprintf("its SAS token ended on %s; use an identity or a storage integration", [day]), "addresses": [address]} if {
	some address, found in ends
	some day in found
	day < substring(input.skydeck.now, 0, 10)
}

warn contains {"message": sprintf("its SAS token ends on %s, within 30 days; use an identity or a storage integration", [day]), "addresses": [address]} if {
	some address, found in ends
	some day in found
	day >= substring(input.skydeck.now, 0, 10)
	day < substring(input.skydeck.in_30_days, 0, 10)
}
