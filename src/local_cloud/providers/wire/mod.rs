//! The messages of Terraform's plugin protocol, version 6, as far as Terraform 1.6 to 1.11 sends them to a provider.
//!
//! Written by hand after the published definition `tfplugin6.proto`; a message's field numbers are the contract,
//! names aren't on the wire. `rpc` holds what is asked and answered, `schema` how a schema is told.

mod rpc;
mod schema;

pub use rpc::{
    ApplyAnswer, ApplyRequest, ConfigureRequest, DataRequest, DataState, Empty, Import, ImportAnswer, Imported,
    PlanAnswer, PlanRequest, ProviderConfig, ReadAnswer, ReadRequest, Stopped, UpgradeAnswer, UpgradeRequest, Validate,
    Validated, ValidatedProvider,
};
pub use schema::{Attribute, Block, Capabilities, NestedBlock, Schema, Schemas};

/// A value of Terraform's type system, encoded.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DynamicValue {
    /// MessagePack; empty where `json` is set.
    #[prost(bytes = "vec", tag = "1")]
    pub msgpack: Vec<u8>,
    /// JSON; empty where `msgpack` is set.
    #[prost(bytes = "vec", tag = "2")]
    pub json: Vec<u8>,
}

/// What a provider has to say about a request.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Diagnostic {
    /// 1 error; nothing else is ever said.
    #[prost(int32, tag = "1")]
    pub severity: i32,
    /// One line.
    #[prost(string, tag = "2")]
    pub summary: String,
    /// More lines.
    #[prost(string, tag = "3")]
    pub detail: String,
    /// What it is about; Terraform shows file and line of it.
    #[prost(message, optional, tag = "4")]
    pub attribute: Option<AttributePath>,
}

impl Diagnostic {
    /// `severity` of an error.
    pub const ERROR: i32 = 1;
}

/// A place in a value.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AttributePath {
    /// From the outside to the inside.
    #[prost(message, repeated, tag = "1")]
    pub steps: Vec<Step>,
}

/// One step of an [`AttributePath`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Step {
    /// Which.
    #[prost(oneof = "Selector", tags = "1, 2, 3")]
    pub selector: Option<Selector>,
}

/// Where a [`Step`] goes.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Selector {
    /// To an attribute or a block of an object.
    #[prost(string, tag = "1")]
    Attribute(String),
    /// To an element of a map.
    #[prost(string, tag = "2")]
    Key(String),
    /// To an element of a list, from 0.
    #[prost(int64, tag = "3")]
    Index(i64),
}

/// A state as it was written to a state file.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RawState {
    /// JSON by the schema it was written with.
    #[prost(bytes = "vec", tag = "1")]
    pub json: Vec<u8>,
}
