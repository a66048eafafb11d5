# Tags that say who answers for a resource and what it belongs to.
package skydeck.tags

import rego.v1

import data.skydeck.plan

wanted := ["contact", "environment", "managed-by", "owner"]

# What can bear Azure's tags has the attribute. A datastore's are the workspace's own and change nothing in Azure.
tagged := [change |
	some kind, _ in plan.places
	startswith(kind, "azurerm_")
	not startswith(kind, "azurerm_machine_learning_datastore_")
	some change in plan.standing({kind})
	"tags" in object.keys(change.change.after)
	not plan.unknown(change, "tags")
]

warn contains {"message": sprintf("has no tag %s; set tags = local.tags", [concat(", ", missing)]), "addresses": [change.address]} if {
	some change in tagged
	tags := given(change.change.after.tags)
	unknown := given(object.get(change.change.after_unknown, "tags", {}))
	missing := [name | some name in wanted; not has(tags, name); not unknown[name] == true]
	count(missing) > 0
}

warn contains {"message": "its tag environment names another environment; correct the tag, or the environment you plan for", "addresses": [change.address]} if {
	some change in tagged
	environment := given(change.change.after.tags).environment
	environment != ""
	environment != input.skydeck.environment
}

has(tags, name) if tags[name] != ""

given(tags) := tags if {
	is_object(tags)
} else := {}
