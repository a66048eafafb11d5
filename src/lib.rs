//! skydeck runs and watches a weather-nowcasting pipeline, from the roof to the warehouse.
//!
//! The map of the house, one line a room. Who may know whom is in `docs/src/architecture/house.md` and held
//! by `tests/architecture.rs`.

pub mod cli; // the command line: one file a command, each a thin caller of a backend
pub mod clock; // the one clock of an environment, and the ledger of monotonic instants
#[cfg(feature = "console")]
pub mod console; // the terminal UI; sees the owner's snapshots and nothing behind them
pub mod database; // SQLite, opened durable, migrated by number, written in groups
pub mod edge_agent; // beside the station: sensors, outbox, uplink, the model slot
pub mod ingestion; // from the hub to the warehouse
pub mod local_cloud; // the embedded hub, as a device sees Azure's
pub mod nowcast; // the model, its quantiles, verification
pub mod owner; // the process that owns a running environment, and the client that attaches to it
pub mod provisioning; // Terraform: the module, its runs, what they plan and did
pub mod settings; // layered configuration, environments and their folders
pub mod station; // the language of the domain: messages, units, forecasts; knows nobody
