//! From the hub to the warehouse: the log of what came in, routing and batching, notices, the loader, the
//! warehouse, verification and the live feed.

pub mod batching;
pub mod enqueued;
pub mod feed;
pub mod keeper;
pub mod loader;
pub mod notices;
pub mod pulse;
mod returning;
pub mod routing;
pub mod storage;
pub mod topology;
pub mod trash;
pub mod verify;
pub mod warehouse;

#[cfg(test)]
mod tests;
