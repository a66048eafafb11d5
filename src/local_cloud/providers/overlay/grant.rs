//! Ids of Snowflake's grants, as the provider forms them: parts with `|` between them.

use crate::local_cloud::providers::value::Value;

/// The id of a grant; unknown where something of it is.
pub fn id(grant: &Value) -> Value {
    if !grant.is_known_but_id() {
        return Value::Unknown;
    }
    let parts = if !grant.get("role_name").is_null() {
        account_role(grant)
    } else if grant.as_map().is_some_and(|attributes| attributes.contains_key("on")) {
        ownership(grant)
    } else {
        privileges(grant)
    };
    Value::Text(parts.join("|"))
}

impl Value {
    /// Everything that a grant's id is made of is known.
    fn is_known_but_id(&self) -> bool {
        self.as_map().is_some_and(|attributes| {
            attributes.iter().all(|(name, value)| ["id", "timeouts"].contains(&name.as_str()) || value.is_known())
        })
    }

    fn words(&self, path: &str) -> Option<String> {
        self.at(path).first().and_then(|value| value.as_text()).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn holds(&self, name: &str) -> bool {
        *self.get(name) == Self::Bool(true)
    }

    fn has_block(&self, path: &str) -> bool {
        self.at(path).iter().any(|value| matches!(value, Self::List(elements) if !elements.is_empty()))
    }
}

/// Each part of a dotted name in quotes.
fn quoted(name: &str) -> String {
    name.replace('"', "").split('.').map(|part| format!("\"{part}\"")).collect::<Vec<_>>().join(".")
}

fn account_role(grant: &Value) -> Vec<String> {
    let role = quoted(&grant.words("role_name").unwrap_or_default());
    let (kind, to) = match grant.words("parent_role_name") {
        Some(parent) => ("ROLE", parent),
        None => ("USER", grant.words("user_name").unwrap_or_default()),
    };
    vec![role, kind.to_owned(), quoted(&to)]
}

fn ownership(grant: &Value) -> Vec<String> {
    let (kind, role) = match grant.words("account_role_name") {
        Some(role) => ("ToAccountRole", role),
        None => ("ToDatabaseRole", grant.words("database_role_name").unwrap_or_default()),
    };
    let mut parts = vec![kind.to_owned(), quoted(&role), grant.words("outbound_privileges").unwrap_or_default()];
    parts.extend(objects(grant, "on"));
    parts
}

fn privileges(grant: &Value) -> Vec<String> {
    let privileges = match grant.get("privileges") {
        Value::List(elements) if !elements.is_empty() => {
            elements.iter().filter_map(Value::as_text).collect::<Vec<_>>().join(",")
        }
        _ => "ALL".to_owned(),
    };
    let mut parts = vec![
        quoted(&grant.words("account_role_name").unwrap_or_default()),
        grant.holds("with_grant_option").to_string(),
        grant.holds("always_apply").to_string(),
        privileges,
    ];
    if grant.holds("on_account") {
        parts.push("OnAccount".to_owned());
    } else if grant.has_block("on_account_object") {
        parts.push("OnAccountObject".to_owned());
        parts.extend(grant.words("on_account_object.object_type"));
        parts.extend(grant.words("on_account_object.object_name").map(|name| quoted(&name)));
    } else if grant.has_block("on_schema") {
        parts.push("OnSchema".to_owned());
        let kinds = [
            ("schema_name", "OnSchema"),
            ("all_schemas_in_database", "OnAllSchemasInDatabase"),
            ("future_schemas_in_database", "OnFutureSchemasInDatabase"),
        ];
        for (attribute, kind) in kinds {
            if let Some(name) = grant.words(&format!("on_schema.{attribute}")) {
                parts.extend([kind.to_owned(), quoted(&name)]);
            }
        }
    } else {
        parts.push("OnSchemaObject".to_owned());
        parts.extend(objects(grant, "on_schema_object"));
    }
    parts
}

/// One object, or all or future ones of a kind.
fn objects(grant: &Value, block: &str) -> Vec<String> {
    if let Some(name) = grant.words(&format!("{block}.object_name")) {
        let kind = grant.words(&format!("{block}.object_type")).unwrap_or_default();
        return vec!["OnObject".to_owned(), kind, quoted(&name)];
    }
    let mut parts = Vec::new();
    for (which, kind) in [("all", "OnAll"), ("future", "OnFuture")] {
        if let Some(plural) = grant.words(&format!("{block}.{which}.object_type_plural")) {
            parts.extend([kind.to_owned(), plural]);
            for (attribute, place) in [("in_database", "InDatabase"), ("in_schema", "InSchema")] {
                if let Some(name) = grant.words(&format!("{block}.{which}.{attribute}")) {
                    parts.extend([place.to_owned(), quoted(&name)]);
                }
            }
        }
    }
    parts
}
