locals {
  base    = join("-", compact([var.project, var.environment, var.name_suffix]))
  compact = replace(local.base, "-", "")

  iothub_name = coalesce(var.iothub_name, "${local.base}-hub")

  # Every Azure name with its resource's own rule. One precondition (resource_group.tf) holds them all, before
  # anything is made.
  azure_names = {
    resource_group    = { name = "${local.base}-rg", least = 1, most = 90, characters = "[A-Za-z0-9_().-]*[A-Za-z0-9_()-]" }
    iothub            = { name = local.iothub_name, least = 3, most = 50, characters = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?" }
    storage_pictures  = { name = "${local.compact}pics", least = 3, most = 24, characters = "[a-z0-9]+" }
    storage_telemetry = { name = "${local.compact}data", least = 3, most = 24, characters = "[a-z0-9]+" }
    storage_models    = { name = "${local.compact}models", least = 3, most = 24, characters = "[a-z0-9]+" }
    identity_hub      = { name = "${local.base}-hub-id", least = 3, most = 128, characters = "[A-Za-z0-9][A-Za-z0-9_-]*" }
    identity_events   = { name = "${local.base}-events-id", least = 3, most = 128, characters = "[A-Za-z0-9][A-Za-z0-9_-]*" }
    identity_learning = { name = "${local.base}-ml-id", least = 3, most = 128, characters = "[A-Za-z0-9][A-Za-z0-9_-]*" }
    event_topic       = { name = "${local.base}-blobs", least = 3, most = 50, characters = "[A-Za-z0-9-]+" }
    key_vault         = { name = "${local.base}-kv", least = 3, most = 24, characters = "[A-Za-z](-?[A-Za-z0-9])*" }
    learning_vault    = { name = "${local.base}-mlkv", least = 3, most = 24, characters = "[A-Za-z](-?[A-Za-z0-9])*" }
    registry          = { name = "${local.compact}acr", least = 5, most = 50, characters = "[A-Za-z0-9]+" }
    logs              = { name = "${local.base}-logs", least = 4, most = 63, characters = "[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]" }
    insights          = { name = "${local.base}-insights", least = 1, most = 260, characters = "[A-Za-z0-9_().-]*[A-Za-z0-9_()-]" }
    learning          = { name = "${local.base}-ml", least = 3, most = 33, characters = "[A-Za-z0-9][A-Za-z0-9_-]*" }
    action_group      = { name = "${local.base}-alerts", least = 1, most = 260, characters = "[A-Za-z0-9_().-]*[A-Za-z0-9_()-]" }
    budget            = { name = "${local.base}-budget", least = 1, most = 63, characters = "[A-Za-z0-9_-]+" }
  }

  azure_name_faults = [
    for kind, rule in local.azure_names :
    "${kind}: ${rule.name} has ${length(rule.name)} characters, ${rule.least} to ${rule.most} of ${rule.characters} are allowed"
    if length(rule.name) < rule.least || length(rule.name) > rule.most || !can(regex("^${rule.characters}$", rule.name))
  ]

  # Snowflake's names end with the environment in capitals; a hyphen isn't allowed there unquoted.
  snowflake_suffix = replace(upper(var.environment), "-", "_")
  snowflake_names  = { for kind, prefix in var.snowflake_prefixes : kind => "${prefix}${local.snowflake_suffix}" }
}
