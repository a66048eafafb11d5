//! What Terraform asks a provider, and what it is answered.

use super::{AttributePath, Diagnostic, DynamicValue, RawState};

/// A request that says nothing more than its name.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Empty {}

/// Request of `ValidateProviderConfig`; of `ConfigureProvider` it is [`ConfigureRequest`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct ProviderConfig {
    /// The provider's configuration.
    #[prost(message, optional, tag = "1")]
    pub config: Option<DynamicValue>,
}

/// Answer to `ValidateProviderConfig`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ValidatedProvider {
    /// What is wrong with it.
    #[prost(message, repeated, tag = "2")]
    pub diagnostics: Vec<Diagnostic>,
}

/// Request of `ValidateResourceConfig` and `ValidateDataResourceConfig`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Validate {
    /// Resource type or data source.
    #[prost(string, tag = "1")]
    pub type_name: String,
    /// Its configuration.
    #[prost(message, optional, tag = "2")]
    pub config: Option<DynamicValue>,
}

/// Answer to both, and to `ConfigureProvider`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Validated {
    /// What is wrong with it.
    #[prost(message, repeated, tag = "1")]
    pub diagnostics: Vec<Diagnostic>,
}

/// Request of `ConfigureProvider`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ConfigureRequest {
    /// Terraform's version.
    #[prost(string, tag = "1")]
    pub terraform_version: String,
    /// The provider's configuration.
    #[prost(message, optional, tag = "2")]
    pub config: Option<DynamicValue>,
}

/// Request of `UpgradeResourceState`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct UpgradeRequest {
    /// Resource type.
    #[prost(string, tag = "1")]
    pub type_name: String,
    /// Schema version it was written with.
    #[prost(int64, tag = "2")]
    pub version: i64,
    /// The state.
    #[prost(message, optional, tag = "3")]
    pub raw_state: Option<RawState>,
}

/// Answer to `UpgradeResourceState`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct UpgradeAnswer {
    /// The state by today's schema.
    #[prost(message, optional, tag = "1")]
    pub upgraded_state: Option<DynamicValue>,
    /// What went wrong.
    #[prost(message, repeated, tag = "2")]
    pub diagnostics: Vec<Diagnostic>,
}

/// Request of `ReadResource`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadRequest {
    /// Resource type.
    #[prost(string, tag = "1")]
    pub type_name: String,
    /// The state Terraform has.
    #[prost(message, optional, tag = "2")]
    pub current_state: Option<DynamicValue>,
    /// The provider's own notes.
    #[prost(bytes = "vec", tag = "3")]
    pub private: Vec<u8>,
}

/// Answer to `ReadResource`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReadAnswer {
    /// The state as it is; null where the resource is gone.
    #[prost(message, optional, tag = "1")]
    pub new_state: Option<DynamicValue>,
    /// What went wrong.
    #[prost(message, repeated, tag = "2")]
    pub diagnostics: Vec<Diagnostic>,
    /// The provider's own notes.
    #[prost(bytes = "vec", tag = "3")]
    pub private: Vec<u8>,
}

/// Request of `PlanResourceChange`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PlanRequest {
    /// Resource type.
    #[prost(string, tag = "1")]
    pub type_name: String,
    /// The state that is; null to create.
    #[prost(message, optional, tag = "2")]
    pub prior_state: Option<DynamicValue>,
    /// Configuration, with the state's values where it is silent; null to destroy.
    #[prost(message, optional, tag = "3")]
    pub proposed_new_state: Option<DynamicValue>,
    /// Configuration as written.
    #[prost(message, optional, tag = "4")]
    pub config: Option<DynamicValue>,
    /// The provider's own notes.
    #[prost(bytes = "vec", tag = "5")]
    pub prior_private: Vec<u8>,
}

/// Answer to `PlanResourceChange`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PlanAnswer {
    /// The state that will be, with unknown values.
    #[prost(message, optional, tag = "1")]
    pub planned_state: Option<DynamicValue>,
    /// What can't be changed in place.
    #[prost(message, repeated, tag = "2")]
    pub requires_replace: Vec<AttributePath>,
    /// The provider's own notes.
    #[prost(bytes = "vec", tag = "3")]
    pub planned_private: Vec<u8>,
    /// What went wrong.
    #[prost(message, repeated, tag = "4")]
    pub diagnostics: Vec<Diagnostic>,
    /// Lets a default stand on an attribute that isn't computed, as both real providers do.
    #[prost(bool, tag = "5")]
    pub legacy_type_system: bool,
}

/// Request of `ApplyResourceChange`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ApplyRequest {
    /// Resource type.
    #[prost(string, tag = "1")]
    pub type_name: String,
    /// The state that is; null to create.
    #[prost(message, optional, tag = "2")]
    pub prior_state: Option<DynamicValue>,
    /// The state that was planned; null to destroy.
    #[prost(message, optional, tag = "3")]
    pub planned_state: Option<DynamicValue>,
    /// Configuration as written.
    #[prost(message, optional, tag = "4")]
    pub config: Option<DynamicValue>,
    /// The provider's own notes.
    #[prost(bytes = "vec", tag = "5")]
    pub planned_private: Vec<u8>,
}

/// Answer to `ApplyResourceChange`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ApplyAnswer {
    /// The state that is now, whole or as far as it came.
    #[prost(message, optional, tag = "1")]
    pub new_state: Option<DynamicValue>,
    /// The provider's own notes.
    #[prost(bytes = "vec", tag = "2")]
    pub private: Vec<u8>,
    /// What went wrong.
    #[prost(message, repeated, tag = "3")]
    pub diagnostics: Vec<Diagnostic>,
    /// As in [`PlanAnswer`].
    #[prost(bool, tag = "4")]
    pub legacy_type_system: bool,
}

/// Request of `ImportResourceState`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Import {
    /// Resource type.
    #[prost(string, tag = "1")]
    pub type_name: String,
    /// Its id, as a person wrote it.
    #[prost(string, tag = "2")]
    pub id: String,
}

/// Answer to `ImportResourceState`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ImportAnswer {
    /// What was found.
    #[prost(message, repeated, tag = "1")]
    pub imported: Vec<Imported>,
    /// What went wrong.
    #[prost(message, repeated, tag = "2")]
    pub diagnostics: Vec<Diagnostic>,
}

/// A resource that was found.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Imported {
    /// Resource type.
    #[prost(string, tag = "1")]
    pub type_name: String,
    /// Its state.
    #[prost(message, optional, tag = "2")]
    pub state: Option<DynamicValue>,
    /// The provider's own notes.
    #[prost(bytes = "vec", tag = "3")]
    pub private: Vec<u8>,
}

/// Request of `ReadDataSource`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DataRequest {
    /// Data source.
    #[prost(string, tag = "1")]
    pub type_name: String,
    /// Its configuration.
    #[prost(message, optional, tag = "2")]
    pub config: Option<DynamicValue>,
}

/// Answer to `ReadDataSource`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DataState {
    /// What it says.
    #[prost(message, optional, tag = "1")]
    pub state: Option<DynamicValue>,
    /// What went wrong.
    #[prost(message, repeated, tag = "2")]
    pub diagnostics: Vec<Diagnostic>,
}

/// Answer to `StopProvider`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Stopped {
    /// Why it can't; empty where it can.
    #[prost(string, tag = "1")]
    pub error: String,
}
