//! From the hub to the warehouse: the log of what came in, routing and batching, notices, the loader, the
//! warehouse, verification and the health of it all.

pub mod enqueued;
