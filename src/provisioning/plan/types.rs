//! Types of resources' attributes, as the schemas carried in `config/providers` tell them: a plan's JSON doesn't say
//! which of its lists are sets. A resource of a provider that isn't carried has none.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

const SCHEMAS: [&str; 2] = [
    include_str!("../../../config/providers/azurerm.schema.json"),
    include_str!("../../../config/providers/snowflake.schema.json"),
];

static TYPES: LazyLock<HashMap<String, Value>> = LazyLock::new(|| {
    let schemas = SCHEMAS.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
    schemas
        .flat_map(|schema| schema["resource_schemas"].as_object().cloned().unwrap_or_default())
        .map(|(name, resource)| (name, object(&resource["block"])))
        .collect()
});

/// The type of a resource as Terraform writes types: `["object", {"tags": ["map", "string"], …}]`.
pub(super) fn of(resource_type: &str) -> Option<&'static Value> {
    TYPES.get(resource_type)
}

/// A block's attributes and the blocks in it.
fn object(block: &Value) -> Value {
    let each = |part: &str| block[part].as_object().into_iter().flatten();
    let mut fields: Map<String, Value> =
        each("attributes").map(|(name, attribute)| (name.clone(), attribute["type"].clone())).collect();
    fields.extend(each("block_types").map(|(name, nested)| {
        let within = object(&nested["block"]);
        let kind = match nested["nesting_mode"].as_str() {
            Some(many @ ("list" | "set" | "map")) => json!([many, within]),
            _ => within,
        };
        (name.clone(), kind)
    }));
    json!(["object", fields])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_and_blocks_have_the_types_of_the_published_schemas() {
        let account = of("azurerm_storage_account").expect("carried");
        assert_eq!(account[1]["tags"], json!(["map", "string"]));
        let rules = &of("azurerm_storage_management_policy").expect("carried")[1]["rule"];
        assert_eq!(rules[0], "list");
        assert_eq!(rules[1][1]["filters"][1][1]["prefix_match"], json!(["set", "string"]));
        let grant = &of("snowflake_grant_privileges_to_account_role").expect("carried")[1];
        assert_eq!(grant["privileges"], json!(["set", "string"]));
        assert!(of("aws_instance").is_none());
    }
}
