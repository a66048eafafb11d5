//! skydeck runs and watches a weather-nowcasting pipeline, from the roof to the warehouse.
//!
//! The map of the house, one line a room. Who may know whom, and which rooms a feature leaves out, is in
//! `docs/src/architecture/house.md` and held by `tests/architecture.rs`.

#![forbid(unsafe_code)]

#[cfg(not(any(feature = "agent", feature = "local", feature = "cloud")))]
compile_error!(
    "skydeck has nothing to do without features: name one or more of `agent` (on a device), `local` (the embedded \
     environments) and `cloud` (plans for environments in the cloud), as in --no-default-features --features agent"
);
#[cfg(all(feature = "console", not(feature = "local")))]
compile_error!(
    "the feature `console` shows an environment that runs, and those are in the feature `local`: build with \
     --features console,local, or leave `console` out"
);

pub mod cli; // the command line: one file a command, each a thin caller of a backend
pub mod clock; // the one clock of an environment, and the ledger of monotonic instants
#[cfg(feature = "console")]
pub mod console; // the terminal UI; sees the owner's snapshots and nothing behind them
pub mod database; // SQLite, opened durable, migrated by number, written in groups
#[cfg(feature = "diag")]
pub mod diag; // what a technician sees who stands beside the device
pub mod edge_agent; // beside the station: sensors, outbox, uplink, the model slot
#[cfg(any(feature = "local", feature = "cloud"))]
pub mod ingestion; // from the hub to the warehouse
#[cfg(feature = "local")]
pub mod local_cloud; // the embedded hub, as a device sees Azure's
pub mod nowcast; // the model, its quantiles, verification
pub mod owner; // the process that owns a running environment, and the client that attaches to it
#[cfg(feature = "_ground")]
pub mod provisioning; // Terraform: the module, its runs, what they plan and did
pub mod settings; // layered configuration, environments and their folders
pub mod station; // the language of the domain: messages, units, forecasts; knows nobody
