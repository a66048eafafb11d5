package skydeck.tls_test

import rego.v1

import data.skydeck.plans
import data.skydeck.tls

good := {"min_tls_version": "TLS1_2", "https_traffic_only_enabled": true}

test_an_old_version_is_denied_of_every_kind if {
	every kind, name in tls.versions {
		plans.says(tls.deny, "TLS older than 1.2") with input as plans.plan([plans.made(kind, {name: "1.1"})])
		not plans.says(tls.deny, "TLS older than 1.2") with input as plans.plan([plans.made(kind, {name: "1.2"})])
	}
}

test_no_version_is_an_old_one if {
	plans.says(tls.deny, "TLS older than 1.2") with input as plans.plan([plans.made("azurerm_iothub", {"min_tls_version": null})])
}

test_a_version_not_yet_known_is_for_another_policy if {
	count(tls.deny) == 0 with input as plans.plan([plans.with_unknown(plans.made("azurerm_iothub", {}), ["min_tls_version"])])
}

test_plain_http_to_an_account_is_denied if {
	plans.says(tls.deny, "plain http") with input as plans.plan([plans.made("azurerm_storage_account", object.union(good, {"https_traffic_only_enabled": false}))])
	count(tls.deny) == 0 with input as plans.plan([plans.made("azurerm_storage_account", good)])
}

test_plain_http_to_an_app_is_denied if {
	count(tls.deny) == 1 with input as plans.plan([plans.made("azurerm_linux_web_app", {"https_only": false})])
	count(tls.deny) == 0 with input as plans.plan([plans.made("azurerm_linux_web_app", {"https_only": true})])
}

test_a_cache_without_tls_is_denied if {
	count(tls.deny) == 1 with input as plans.plan([plans.made("azurerm_redis_cache", {"minimum_tls_version": "1.2", "non_ssl_port_enabled": true})])
	count(tls.deny) == 0 with input as plans.plan([plans.made("azurerm_redis_cache", {"minimum_tls_version": "1.2", "non_ssl_port_enabled": false})])
}
