# When prod may be changed: provisioning.change_window.
package skydeck.change_window

import rego.v1

import data.skydeck.plan

deny contains {"message": "prod may not be changed now; apply within provisioning.change_window"} if {
	plan.prod
	input.skydeck.within_change_window == false
	changes_anything
}

info contains {"message": "prod may be changed at any time; set provisioning.change_window to say when"} if {
	plan.prod
	input.skydeck.within_change_window == null
	changes_anything
}

changes_anything if {
	some change in input.resource_changes
	some action in change.change.actions
	action in {"create", "update", "delete", "forget"}
}

changes_anything if {
	some _, output in input.output_changes
	output.actions != ["no-op"]
}
