# What the policies share: a plan's changes by type, and what becomes of them. Your own may import it as
# data.skydeck.plan.
#
# Input: `terraform show -json PLAN`, and `input.skydeck`: the circumstances.
package skydeck.plan

import rego.v1

# --- circumstances ---

demo if input.skydeck.kind == "demo"

# The environment prod, and any that begins with prod-.
prod if input.skydeck.environment == "prod"

prod if startswith(input.skydeck.environment, "prod-")

# --- changes ---

# Their places in resource_changes by type: one walk over a large plan for all policies together.
places[change.type] contains place if {
	some place, change in input.resource_changes
	change.mode == "managed"
}

# All changes of these types, those of which nothing changes among them.
changes(kinds) := [input.resource_changes[place] | some kind in kinds; some place in places[kind]]

# Those of which something stands after the apply.
standing(kinds) := [change | some change in changes(kinds); is_object(change.change.after)]

destroyed(change) if "delete" in change.change.actions

created(change) if "create" in change.change.actions

# Destroyed and made anew, in either order.
replaced(change) if {
	destroyed(change)
	created(change)
}

# Made, or changed in its place.
written(change) if created(change)

written(change) if "update" in change.change.actions

# The parts of a list, a set or an object; nothing else has any. Providers write null for what isn't given.
parts(value) := value if {
	is_array(value)
} else := value if {
	is_set(value)
} else := value if {
	is_object(value)
} else := []

# Whether the attribute is known only after the apply.
unknown(change, name) if change.change.after_unknown[name] == true

# --- configuration ---

# Resources as they are configured, of the root module and five levels of modules below it, with their addresses.
configured := [resource |
	some level in [modules_0, modules_1, modules_2, modules_3, modules_4, modules_5]
	some module in level
	some found in module.module.resources
	resource := object.union(found, {"address": concat("", [module.prefix, found.address]), "prefix": module.prefix})
]

modules_0 := [{"prefix": "", "module": input.configuration.root_module}]

modules_1 := called(modules_0)

modules_2 := called(modules_1)

modules_3 := called(modules_2)

modules_4 := called(modules_3)

modules_5 := called(modules_4)

# Deeper ones aren't looked into; the policy `unknown` says so.
modules_6 := called(modules_5)

called(level) := [{"prefix": concat("", [caller.prefix, "module.", name, "."]), "module": call.module} |
	some caller in level
	some name, call in caller.module.module_calls
]

# --- texts ---

upper_text(value) := upper(value) if is_string(value)

# A boolean as providers write it: true, or "true".
is_true(value) if value == true

is_true(value) if lower_text(value) == "true"

lower_text(value) := lower(value) if is_string(value)
