# Pipes made anew: a pipe remembers which files it has loaded, and a new one remembers none.
package skydeck.pipes

import rego.v1

import data.skydeck.plan

recreated contains {"message": "would be made anew and forget what it has loaded: files that are still in the stage can be loaded twice; pause it, and refresh only from the day it stopped", "addresses": [pipe.address]} if {
	some pipe in plan.changes({"snowflake_pipe"})
	plan.replaced(pipe)
}

deny contains finding if {
	plan.prod
	some finding in recreated
}

warn contains finding if {
	not plan.prod
	some finding in recreated
}

warn contains {"message": "would be destroyed: files that arrive from then on aren't loaded, and what it has loaded is forgotten", "addresses": [pipe.address]} if {
	some pipe in plan.changes({"snowflake_pipe"})
	plan.destroyed(pipe)
	not plan.created(pipe)
}
