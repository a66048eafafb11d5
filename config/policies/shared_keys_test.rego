package skydeck.shared_keys_test

import rego.v1

import data.skydeck.plans
import data.skydeck.shared_keys

denied(kind, after) := found if {
	found := shared_keys.deny with input as plans.plan([plans.made(kind, after)])
}

test_account_keys if {
	count(denied("azurerm_storage_account", {"shared_access_key_enabled": true})) == 1
	count(denied("azurerm_storage_account", {"shared_access_key_enabled": null})) == 1
	count(denied("azurerm_storage_account", {"shared_access_key_enabled": false})) == 0
}

test_an_admin_user if {
	count(denied("azurerm_container_registry", {"admin_enabled": true})) == 1
	count(denied("azurerm_container_registry", {"admin_enabled": false})) == 0
}

test_one_key_for_everything if {
	count(denied("azurerm_iothub_shared_access_policy", {"registry_read": true, "registry_write": true, "service_connect": true, "device_connect": true})) == 1
	count(denied("azurerm_iothub_shared_access_policy", {"registry_read": true, "registry_write": true, "service_connect": false})) == 0
	count(denied("azurerm_iothub_shared_access_policy", {"service_connect": true})) == 0
}

test_a_hub_that_writes_with_a_key if {
	count(denied("azurerm_iothub_endpoint_storage_container", {"authentication_type": "keyBased"})) == 1
	count(denied("azurerm_iothub_endpoint_storage_container", {"authentication_type": "identityBased"})) == 0
	count(denied("azurerm_iothub", {"file_upload": [{"authentication_type": "keyBased"}], "endpoint": []})) == 1
	count(denied("azurerm_iothub", {"file_upload": [{"authentication_type": "identityBased"}], "endpoint": []})) == 0
	count(denied("azurerm_iothub", {"endpoint": [{"authentication_type": "keyBased"}]})) == 1
}

test_a_key_that_manages if {
	count(denied("azurerm_eventhub_namespace_authorization_rule", {"manage": true})) == 1
	count(denied("azurerm_eventhub_namespace_authorization_rule", {"manage": false, "send": true})) == 0
}

test_a_user_with_a_password if {
	count(denied("snowflake_user", {"name": "X"})) == 1
	count(denied("snowflake_legacy_service_user", {"name": "X"})) == 1
	count(denied("snowflake_service_user", {"name": "X"})) == 0
}
