# Destroying or replacing what holds data.
package skydeck.data_holders

import rego.v1

import data.skydeck.plan

kinds := {
	"azurerm_container_registry",
	"azurerm_eventhub",
	"azurerm_eventhub_namespace",
	"azurerm_iothub",
	"azurerm_key_vault",
	"azurerm_key_vault_key",
	"azurerm_key_vault_secret",
	"azurerm_resource_group",
	"azurerm_storage_account",
	"azurerm_storage_blob",
	"azurerm_storage_container",
	"azurerm_storage_data_lake_gen2_filesystem",
	"azurerm_storage_queue",
	"azurerm_storage_share",
	"azurerm_storage_table",
	"snowflake_database",
	"snowflake_dynamic_table",
	"snowflake_hybrid_table",
	"snowflake_schema",
	"snowflake_shared_database",
	"snowflake_stage_internal",
	"snowflake_table",
}

lost contains {"message": message, "addresses": [change.address]} if {
	some change in plan.changes(kinds)
	plan.destroyed(change)
	message := words(change)
}

words(change) := "would be replaced: what it holds is lost; keep it (undo what forces the replacement), or save its data first" if {
	plan.replaced(change)
} else := "would be destroyed with all that it holds; keep it (lifecycle { prevent_destroy = true }), or save its data first"

deny contains finding if {
	not plan.demo
	some finding in lost
}

# Demo's data are replayed again.
warn contains finding if {
	plan.demo
	some finding in lost
}
