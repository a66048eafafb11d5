# One identity for all: what it may do for one, it may do for every other.
package skydeck.identities

import rego.v1

import data.skydeck.plan

deny contains {"message": sprintf("stands for %s; give each an identity of its own", [concat(" and ", sort(users))]), "addresses": [identity]} if {
	some identity, users in users_of
	count(users) > 1
}

users_of[identity] contains resource.address if {
	some resource in plan.configured
	some block in plan.parts(resource.expressions.identity)
	some reference in plan.parts(block.identity_ids.references)
	name := concat(".", array.slice(split(reference, "."), 0, 2))
	startswith(name, "azurerm_user_assigned_identity.")
	identity := concat("", [resource.prefix, name])
}
