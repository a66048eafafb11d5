//! How a provider tells its schemas.

use std::collections::BTreeMap;

use super::Diagnostic;

/// Answer to `GetProviderSchema`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Schemas {
    /// The provider's own configuration.
    #[prost(message, optional, tag = "1")]
    pub provider: Option<Schema>,
    /// Resources, by type.
    #[prost(btree_map = "string, message", tag = "2")]
    pub resources: BTreeMap<String, Schema>,
    /// Data sources, by type.
    #[prost(btree_map = "string, message", tag = "3")]
    pub data_sources: BTreeMap<String, Schema>,
    /// What went wrong.
    #[prost(message, repeated, tag = "4")]
    pub diagnostics: Vec<Diagnostic>,
    /// What the server can beyond the first version of the protocol.
    #[prost(message, optional, tag = "6")]
    pub capabilities: Option<Capabilities>,
}

/// What a server can.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Capabilities {
    /// Is asked to plan a destruction, too.
    #[prost(bool, tag = "1")]
    pub plan_destroy: bool,
    /// Needn't be asked for its schemas before anything else.
    #[prost(bool, tag = "2")]
    pub schema_optional: bool,
}

/// The schema of one thing.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Schema {
    /// Its version; a state of an older one is upgraded.
    #[prost(int64, tag = "1")]
    pub version: i64,
    /// Its attributes and blocks.
    #[prost(message, optional, tag = "2")]
    pub block: Option<Block>,
}

/// Attributes and blocks on one level.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Block {
    /// Version of the level; unused.
    #[prost(int64, tag = "1")]
    pub version: i64,
    /// `name = value`.
    #[prost(message, repeated, tag = "2")]
    pub attributes: Vec<Attribute>,
    /// `name { … }`.
    #[prost(message, repeated, tag = "3")]
    pub blocks: Vec<NestedBlock>,
}

/// An attribute.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Attribute {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its type, as JSON.
    #[prost(bytes = "vec", tag = "2")]
    pub ty: Vec<u8>,
    /// Has to be set.
    #[prost(bool, tag = "4")]
    pub required: bool,
    /// May be set.
    #[prost(bool, tag = "5")]
    pub optional: bool,
    /// The provider sets it.
    #[prost(bool, tag = "6")]
    pub computed: bool,
    /// Isn't shown.
    #[prost(bool, tag = "7")]
    pub sensitive: bool,
    /// Is on its way out.
    #[prost(bool, tag = "9")]
    pub deprecated: bool,
}

/// A block within a block.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NestedBlock {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// What it holds.
    #[prost(message, optional, tag = "2")]
    pub block: Option<Block>,
    /// 1 single, 2 list, 3 set, 4 map.
    #[prost(int32, tag = "3")]
    pub nesting: i32,
    /// How many at least.
    #[prost(int64, tag = "4")]
    pub min_items: i64,
    /// How many at most; 0 is any number.
    #[prost(int64, tag = "5")]
    pub max_items: i64,
}
