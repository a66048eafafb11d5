# Secrets where everybody reads them: variables that aren't declared sensitive, and texts in the configuration.
package skydeck.secrets

import rego.v1

import data.skydeck.plan

# Names of what is secret. Both patterns also find a line among others.
secret_name := `(?im)(^|_)(password|passwd|passphrase|secret|token|credentials?|api_?key|private_?key|access_?key|account_?key|shared_?key|signing_?key|connection_?string|sas)s?(_value)?(_[0-9]+|_next|_primary|_secondary)?$`

# Values that can't be anything else.
secret_value := `(?im)((account|sharedaccess)key\s*=\s*[a-z0-9+/]{16}|-----BEGIN [A-Z ]*PRIVATE KEY-----|[?&]sig=[a-z0-9%+/]{16}|^AGE-SECRET-KEY-1|^gh[pousr]_[a-z0-9]{30}|^AKIA[0-9A-Z]{16}$|^eyJ[a-z0-9_-]{8,}\.eyJ[a-z0-9_-]{8,}\.|://[^/:@\s]+:[^/@\s]{3,}@)`

# --- variables ---

plain_variables[name] := variable.value if {
	some name, variable in input.variables
	not input.configuration.root_module.variables[name].sensitive == true
	not input.configuration.root_module.variables[name].ephemeral == true
}

# A pattern costs more than a text: all at once first, one by one only where there is something to find.
secretly_named[name] := value if {
	regex.match(secret_name, concat("\n", object.keys(plain_variables)))
	some name, value in plain_variables
	regex.match(secret_name, name)
}

deny contains {"message": sprintf("the variable %s bears a secret's name and isn't declared sensitive, so that plans and logs show it; set sensitive = true, or take it from a vault", [name]), "addresses": [sprintf("var.%s", [name])]} if {
	some name, value in secretly_named
	some text in texts(value)
	text != ""
}

deny contains {"message": sprintf("the variable %s holds a key or a token and isn't declared sensitive, so that plans and logs show it; set sensitive = true, or take it from a vault", [name]), "addresses": [sprintf("var.%s", [name])]} if {
	regex.match(secret_value, concat("\n", texts(plain_variables)))
	some name, value in plain_variables
	not secretly_named[name]
	regex.match(secret_value, concat("\n", texts(value)))
}

# --- configuration ---

deny contains {"message": "a key or a token stands in the configuration itself; take it from a sensitive variable or a vault, and have it exchanged", "addresses": [resource.address]} if {
	regex.match(secret_value, concat("\n", constants([resource.expressions | some resource in plan.configured])))
	some resource in plan.configured
	regex.match(secret_value, concat("\n", constants(resource.expressions)))
}

deny contains {"message": "a key or a token stands in a provider's configuration; take it from the environment, and have it exchanged", "addresses": [sprintf("provider.%s", [name])]} if {
	some name, provider in input.configuration.provider_config
	regex.match(secret_value, concat("\n", constants(provider.expressions)))
}

constants(expressions) := [text |
	walk(expressions, [_, expression])
	some text in texts(expression.constant_value)
]

texts(value) := [text | walk(value, [_, text]); is_string(text)]
