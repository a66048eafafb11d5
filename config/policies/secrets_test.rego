package skydeck.secrets_test

import rego.v1

import data.skydeck.plans
import data.skydeck.secrets

# One variable, declared so.
denied(name, value, declared) := found if {
	found := secrets.deny with input as plans.configured({"root_module": {"variables": {name: declared}}}, {name: value})
}

test_a_secret_s_name if {
	every name in ["password", "db_password", "api_key", "apikey", "snowflake_private_key", "token", "sas_token", "connection_string", "hub_connection_string", "client_secret", "password_1", "ACCESS_KEY"] {
		count(denied(name, "x", {})) == 1
	}
}

test_declared_sensitive_it_is_well if {
	count(denied("password", "x", {"sensitive": true})) == 0
	count(denied("password", "x", {"ephemeral": true})) == 0
}

test_without_a_value_it_is_well if {
	every value in ["", null, 12, false, [], {}] {
		count(denied("password", value, {})) == 0
	}
}

test_names_that_only_sound_like_it if {
	every name in ["key_vault_name", "rsa_public_key", "password_length", "token_lifetime_s", "secret_name", "sasquatch", "monkeys", "keys", "storage_account_id", "compass"] {
		count(denied(name, "x", {})) == 0
	}
}

test_a_secret_s_value if {
	every value in [
		"DefaultEndpointsProtocol=https;AccountName=a;AccountKey=QUJDREVGR0hJSktMTU5PUA==",
		"HostName=h.azure-devices.net;SharedAccessKeyName=o;SharedAccessKey=QUJDREVGR0hJSktMTU5PUA==",
		"first\n-----BEGIN RSA PRIVATE KEY-----\nMIIE",
		"https://a.blob.core.windows.net/c?sv=2023-11-03&se=2027-01-01&sig=QUJDREVGR0hJSktMTU5PUA%3D",
		"AGE-SECRET-KEY-1QQQQ",
		"AKIAIOSFODNN7EXAMPLE",
		"postgres://ada:lovelace@db.example.org/x",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.x",
	] {
		count(denied("setting", value, {})) == 1
		count(denied("setting", value, {"sensitive": true})) == 0
	}
}

test_a_secret_deep_in_a_variable if {
	count(denied("settings", {"hubs": [{"text": "SharedAccessKey=QUJDREVGR0hJSktMTU5PUA=="}]}, {})) == 1
}

test_harmless_values if {
	every value in ["https://example.org/a?b=c", "weather@example.org", "-----BEGIN PUBLIC KEY-----", "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A", "AccountKey"] {
		count(denied("setting", value, {})) == 0
	}
}

test_a_secret_in_the_configuration if {
	configuration := {"root_module": {"module_calls": {"deep": {"module": {"resources": [{"address": "t.x", "mode": "managed", "expressions": {"block": [{"url": {"constant_value": "https://a/c?sig=QUJDREVGR0hJSktMTU5PUA"}}]}}]}}}}}
	found := secrets.deny with input as plans.configured(configuration, {})
	plans.addresses(found) == {"module.deep.t.x"}
}

test_a_secret_in_a_provider if {
	configuration := {"provider_config": {"snowflake": {"expressions": {"private_key": {"constant_value": "-----BEGIN PRIVATE KEY-----"}}}}, "root_module": {}}
	found := secrets.deny with input as plans.configured(configuration, {})
	plans.addresses(found) == {"provider.snowflake"}
}

test_a_configuration_without_is_well if {
	configuration := {"provider_config": {"azurerm": {"expressions": {"use": {"constant_value": true}}}}, "root_module": {"resources": [{"address": "t.x", "mode": "managed", "expressions": {"url": {"constant_value": "https://example.org"}, "key": {"references": ["var.key"]}}}]}}
	count(secrets.deny) == 0 with input as plans.configured(configuration, {})
}
