package skydeck.pipes_test

import rego.v1

import data.skydeck.pipes
import data.skydeck.plans

test_recreated_is_a_warning if {
	every change in [plans.replaced("snowflake_pipe", {"name": "P"}), plans.replaced_by_new("snowflake_pipe", {"name": "P"})] {
		plans.says(pipes.warn, "would be made anew") with input as plans.plan([change])
		count(pipes.deny) == 0 with input as plans.plan([change])
	}
}

test_recreated_in_prod_is_denied if {
	given := plans.in_prod([plans.replaced("snowflake_pipe", {"name": "P"})])
	count(pipes.deny) == 1 with input as given
	count(pipes.warn) == 0 with input as given
}

test_destroyed_is_a_warning if {
	plans.says(pipes.warn, "would be destroyed") with input as plans.in_prod([plans.destroyed("snowflake_pipe", {"name": "P"})])
}

test_made_or_changed_is_well if {
	given := plans.in_prod([plans.made("snowflake_pipe", {"name": "P"}), plans.updated("snowflake_pipe", {"comment": "a"}, {"comment": "b"}), plans.kept("snowflake_pipe", {"name": "P"})])
	count(pipes.deny) == 0 with input as given
	count(pipes.warn) == 0 with input as given
}
