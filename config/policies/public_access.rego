# What anybody may read.
package skydeck.public_access

import rego.v1

import data.skydeck.plan

deny contains {"message": "blobs in it can be made public; set allow_nested_items_to_be_public = false", "addresses": [account.address]} if {
	some account in plan.standing({"azurerm_storage_account"})
	account.change.after.allow_nested_items_to_be_public != false
}

deny contains {"message": "anybody may read it; set container_access_type = \"private\"", "addresses": [container.address]} if {
	some container in plan.standing({"azurerm_storage_container"})
	container.change.after.container_access_type != "private"
}

deny contains {"message": "anybody may pull images and models from it; set anonymous_pull_enabled = false", "addresses": [registry.address]} if {
	some registry in plan.standing({"azurerm_container_registry"})
	plan.is_true(registry.change.after.anonymous_pull_enabled)
}

deny contains {"message": "a website that anybody may read is served from it; remove static_website", "addresses": [account.address]} if {
	some account in plan.standing({"azurerm_storage_account"})
	count(plan.parts(account.change.after.static_website)) > 0
}

deny contains {"message": "a website that anybody may read is served from its account; remove it", "addresses": [site.address]} if {
	some site in plan.standing({"azurerm_storage_account_static_website"})
}
