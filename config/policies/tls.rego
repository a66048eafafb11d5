# Encryption on the way: TLS 1.2 at least, and no plain http.
package skydeck.tls

import rego.v1

import data.skydeck.plan

# The attribute that says the oldest version taken, by type.
versions := {
	"azurerm_eventhub_namespace": "minimum_tls_version",
	"azurerm_iothub": "min_tls_version",
	"azurerm_mssql_server": "minimum_tls_version",
	"azurerm_redis_cache": "minimum_tls_version",
	"azurerm_servicebus_namespace": "minimum_tls_version",
	"azurerm_storage_account": "min_tls_version",
}

enough := {"1.2", "1.3", "TLS1_2", "TLS1_3"}

deny contains {"message": sprintf("takes TLS older than 1.2; set %s to 1.2", [name]), "addresses": [change.address]} if {
	some kind, name in versions
	some change in plan.standing({kind})
	not plan.unknown(change, name)
	not object.get(change.change.after, name, null) in enough
}

deny contains {"message": "plain http is allowed; set https_traffic_only_enabled = true", "addresses": [account.address]} if {
	some account in plan.standing({"azurerm_storage_account"})
	account.change.after.https_traffic_only_enabled != true
}

deny contains {"message": "plain http is allowed; set https_only = true", "addresses": [app.address]} if {
	some app in plan.standing({"azurerm_linux_function_app", "azurerm_linux_web_app", "azurerm_windows_function_app", "azurerm_windows_web_app"})
	app.change.after.https_only != true
}

deny contains {"message": "connections without TLS are taken; set non_ssl_port_enabled = false", "addresses": [cache.address]} if {
	some cache in plan.standing({"azurerm_redis_cache"})
	plan.is_true(cache.change.after.non_ssl_port_enabled)
}
