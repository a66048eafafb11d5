# Plans for the tests beside this file: as short as a rule can be tested with.
package skydeck.plans

import rego.v1

# --- a plan of these changes, in staging or elsewhere ---

plan(changes) := in_environment("staging", "cloud", changes)

in_prod(changes) := in_environment("prod", "cloud", changes)

in_demo(changes) := in_environment("demo", "demo", changes)

in_local(changes) := in_environment("local", "local", changes)

in_environment(name, kind, changes) := {
	"format_version": "1.2",
	"resource_changes": changes,
	"skydeck": object.union(circumstances, {"environment": name, "kind": kind}),
}

circumstances := {
	"emulated": false,
	"now": "2026-11-24T03:00:00Z",
	"in_30_days": "2026-12-24T03:00:00Z",
	"within_change_window": null,
}

configured(configuration, variables) := object.union(plan([]), {
	"configuration": configuration,
	"variables": {name: {"value": value} | some name, value in variables},
})

# --- one change ---

made(kind, after) := change(kind, ["create"], null, after)

updated(kind, before, after) := change(kind, ["update"], before, after)

replaced(kind, before) := change(kind, ["delete", "create"], before, before)

replaced_by_new(kind, before) := change(kind, ["create", "delete"], before, before)

destroyed(kind, before) := change(kind, ["delete"], before, null)

forgotten(kind, before) := change(kind, ["forget"], before, null)

kept(kind, value) := change(kind, ["no-op"], value, value)

change(kind, actions, before, after) := {
	"address": concat("", [kind, ".it"]),
	"type": kind,
	"mode": "managed",
	"change": {"actions": actions, "before": before, "after": after, "after_unknown": {}},
}

# The change, with attributes that are known only after the apply.
with_unknown(made, names) := object.union(made, {"change": object.union(made.change, {
	"after": object.remove(made.change.after, names),
	"after_unknown": {name: true | some name in names},
})})

# --- what rules say ---

addresses(findings) := {address | some finding in findings; some address in finding.addresses}

says(findings, words) if {
	some finding in findings
	contains(finding.message, words)
}
