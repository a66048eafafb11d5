//! The providers' schemas, read from the published JSON that is carried along, and told to Terraform.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::value::Type;
use super::wire;

/// A provider's schemas, in the shape of `terraform providers schema -json`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSchema {
    /// The provider's version.
    pub version: String,
    /// Its own configuration.
    pub provider: Schema,
    /// Resources, by type.
    #[serde(rename = "resource_schemas")]
    pub resources: BTreeMap<String, Schema>,
    /// Data sources, by type.
    #[serde(rename = "data_source_schemas")]
    pub data_sources: BTreeMap<String, Schema>,
}

/// The schema of one thing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// Its version.
    pub version: i64,
    /// What it holds.
    pub block: Block,
}

/// Attributes and blocks on one level.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// `name = value`, by name.
    #[serde(default)]
    pub attributes: BTreeMap<String, Attribute>,
    /// `name { … }`, by name.
    #[serde(default, rename = "block_types")]
    pub blocks: BTreeMap<String, NestedBlock>,
}

/// An attribute.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "the schema's own flags")]
pub struct Attribute {
    /// Its type.
    #[serde(rename = "type")]
    pub ty: Type,
    /// Has to be set.
    #[serde(default)]
    pub required: bool,
    /// May be set.
    #[serde(default)]
    pub optional: bool,
    /// The provider sets it.
    #[serde(default)]
    pub computed: bool,
    /// Isn't shown.
    #[serde(default)]
    pub sensitive: bool,
    /// Is on its way out.
    #[serde(default)]
    pub deprecated: bool,
}

/// A block within a block.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NestedBlock {
    /// How many there may be, and how they are told apart.
    #[serde(rename = "nesting_mode")]
    pub nesting: Nesting,
    /// What it holds.
    pub block: Block,
    /// How many at least.
    #[serde(default)]
    pub min_items: i64,
    /// How many at most; 0 is any number.
    #[serde(default)]
    pub max_items: i64,
}

/// How many blocks of a name there may be, and how they are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nesting {
    /// One or none.
    Single,
    /// By their order.
    List,
    /// By what they hold.
    Set,
    /// By a label.
    Map,
}

impl ProviderSchema {
    /// Reads the JSON; `name` is for the error's words.
    pub fn read(name: &str, json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| format!("{name}: schema: {error}"))
    }
}

impl Schema {
    /// As Terraform takes it.
    #[must_use]
    pub fn to_wire(&self) -> wire::Schema {
        wire::Schema { version: self.version, block: Some(self.block.to_wire()) }
    }
}

impl Block {
    /// The type of a value of it.
    #[must_use]
    pub fn value_type(&self) -> Type {
        let attributes = self.attributes.iter().map(|(name, attribute)| (name.clone(), attribute.ty.clone()));
        let blocks = self.blocks.iter().map(|(name, nested)| {
            let inner = Box::new(nested.block.value_type());
            let ty = match nested.nesting {
                Nesting::Single => *inner,
                Nesting::List => Type::List(inner),
                Nesting::Set => Type::Set(inner),
                Nesting::Map => Type::Map(inner),
            };
            (name.clone(), ty)
        });
        Type::Object(attributes.chain(blocks).collect())
    }

    /// What `path` leads to (names, joined by dots; lists and sets are gone into).
    #[must_use]
    pub fn find(&self, path: &str) -> Option<Found<'_>> {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        if let Some(nested) = self.blocks.get(name) {
            return rest.map_or(Some(Found::Block), |rest| nested.block.find(rest));
        }
        let attribute = self.attributes.get(name)?;
        let Some(rest) = rest else { return Some(Found::Attribute(attribute)) };
        let mut ty = &attribute.ty;
        for name in rest.split('.') {
            while let Type::List(of) | Type::Set(of) = ty {
                ty = of;
            }
            ty = ty.attribute(name)?;
        }
        Some(Found::Inside)
    }

    fn to_wire(&self) -> wire::Block {
        let attributes = self.attributes.iter().map(|(name, attribute)| wire::Attribute {
            name: name.clone(),
            ty: serde_json::to_vec(&attribute.ty).unwrap_or_default(),
            required: attribute.required,
            optional: attribute.optional,
            computed: attribute.computed,
            sensitive: attribute.sensitive,
            deprecated: attribute.deprecated,
        });
        let blocks = self.blocks.iter().map(|(name, nested)| wire::NestedBlock {
            name: name.clone(),
            block: Some(nested.block.to_wire()),
            nesting: match nested.nesting {
                Nesting::Single => 1,
                Nesting::List => 2,
                Nesting::Set => 3,
                Nesting::Map => 4,
            },
            min_items: nested.min_items,
            max_items: nested.max_items,
        });
        wire::Block { version: 0, attributes: attributes.collect(), blocks: blocks.collect() }
    }
}

/// What a path of a schema leads to.
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    /// An attribute.
    Attribute(&'a Attribute),
    /// A part of an attribute of object type.
    Inside,
    /// A block.
    Block,
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{
        "version": "1.2.3",
        "provider": {"version": 0, "block": {"attributes": {"token": {"type": "string", "optional": true, "sensitive": true}}}},
        "resource_schemas": {"a_thing": {"version": 4, "block": {
            "attributes": {
                "id": {"type": "string", "computed": true},
                "names": {"type": ["set", "string"], "required": true},
                "shown": {"type": ["list", ["object", {"name": "string", "size": "number"}]], "computed": true, "deprecated": true}
            },
            "block_types": {
                "one": {"nesting_mode": "single", "block": {}},
                "row": {"nesting_mode": "list", "min_items": 1, "max_items": 3, "block": {
                    "block_types": {"cell": {"nesting_mode": "set", "block": {"attributes": {"on": {"type": "bool", "optional": true}}}}}
                }},
                "by": {"nesting_mode": "map", "block": {}}
            }
        }}},
        "data_source_schemas": {}
    }"#;

    #[test]
    fn a_schema_is_told_as_it_is_published() {
        let schema = ProviderSchema::read("a", JSON).unwrap_or_else(|error| panic!("{error}"));
        assert!(schema.provider.to_wire().block.expect("a block").attributes[0].sensitive);
        let thing = schema.resources["a_thing"].to_wire();
        assert_eq!(thing.version, 4);
        let block = thing.block.expect("a block");
        let attributes: Vec<_> = block
            .attributes
            .iter()
            .map(|a| {
                (a.name.as_str(), String::from_utf8_lossy(&a.ty).into_owned(), a.required, a.computed, a.deprecated)
            })
            .collect();
        assert_eq!(
            attributes,
            [
                ("id", r#""string""#.to_owned(), false, true, false),
                ("names", r#"["set","string"]"#.to_owned(), true, false, false),
                ("shown", r#"["list",["object",{"name":"string","size":"number"}]]"#.to_owned(), false, true, true),
            ]
        );
        let blocks: Vec<_> =
            block.blocks.iter().map(|b| (b.name.as_str(), b.nesting, b.min_items, b.max_items)).collect();
        assert_eq!(blocks, [("by", 4, 0, 0), ("one", 1, 0, 0), ("row", 2, 1, 3)]);
        let cells = &block.blocks[2].block.as_ref().expect("a block").blocks[0];
        assert_eq!((cells.name.as_str(), cells.nesting), ("cell", 3));
    }

    #[test]
    fn a_blocks_value_has_the_type_that_its_nesting_says() {
        let schema = ProviderSchema::read("a", JSON).unwrap_or_else(|error| panic!("{error}"));
        let written = r#"["object",{"by":["map",["object",{}]],"id":"string","names":["set","string"],"one":["object",{}],"row":["list",["object",{"cell":["set",["object",{"on":"bool"}]]}]],"shown":["list",["object",{"name":"string","size":"number"}]]}]"#;
        assert_eq!(serde_json::to_string(&schema.resources["a_thing"].block.value_type()).expect("JSON"), written);
    }

    #[test]
    fn a_path_leads_through_blocks_and_objects() {
        let schema = ProviderSchema::read("a", JSON).unwrap_or_else(|error| panic!("{error}"));
        let block = &schema.resources["a_thing"].block;
        assert!(matches!(block.find("row"), Some(Found::Block)));
        assert!(matches!(block.find("row.cell.on"), Some(Found::Attribute(on)) if on.ty == Type::Bool));
        assert!(matches!(block.find("shown.size"), Some(Found::Inside)));
        for nowhere in ["", "rows", "row.on", "shown.colour", "id.x"] {
            assert!(block.find(nowhere).is_none(), "{nowhere}");
        }
    }

    #[test]
    fn what_a_schema_says_beyond_the_known_is_refused() {
        let error = ProviderSchema::read("a", &JSON.replace("\"computed\"", "\"computes\"")).expect_err("refused");
        assert!(error.starts_with("a: schema: unknown field `computes`"), "{error}");
        assert!(ProviderSchema::read("a", &JSON.replace("\"bool\"", "\"dynamic\"")).is_err());
    }
}
