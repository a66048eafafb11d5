//! From the hub to the warehouse: the log of what came in, routing and batching, notices, the loader, the
//! warehouse, verification and the live feed. In the cloud these are others' and are watched: `warehouse::snowflake`.

#[cfg(all(feature = "local", feature = "cloud"))]
pub mod account;
#[cfg(all(feature = "local", feature = "cloud"))]
pub mod azure;
#[cfg(feature = "local")]
pub mod batching;
#[cfg(feature = "local")]
pub mod bins;
#[cfg(feature = "local")]
pub mod enqueued;
#[cfg(all(feature = "local", feature = "cloud"))]
pub mod events;
#[cfg(feature = "local")]
pub mod feed;
#[cfg(feature = "local")]
pub mod keeper;
#[cfg(feature = "local")]
pub mod lines;
#[cfg(feature = "local")]
pub mod loader;
#[cfg(feature = "local")]
pub mod notices;
#[cfg(feature = "cloud")]
mod proxy;
pub mod pulse;
#[cfg(feature = "local")]
mod returning;
#[cfg(feature = "local")]
pub mod routing;
#[cfg(feature = "local")]
pub mod storage;
#[cfg(feature = "local")]
pub mod topology;
#[cfg(feature = "local")]
pub mod trash;
#[cfg(feature = "cloud")]
mod unreachable;
#[cfg(feature = "local")]
pub mod verify;
pub mod warehouse;
#[cfg(feature = "local")]
pub mod written;

#[cfg(all(test, feature = "local"))]
mod tests;
