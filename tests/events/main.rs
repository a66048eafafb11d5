//! The live feed at an AMQP peer over TLS that speaks as IoT Hub's built-in endpoint does.
#![cfg(all(feature = "local", feature = "cloud"))]
#![allow(clippy::panic, reason = "a test's panic is its verdict")]

#[allow(dead_code, reason = "what the peer can do, and not every test needs")]
#[path = "../peers/azurite.rs"]
mod azurite;
#[path = "../peers/skip.rs"]
mod skip;

mod breaks;
mod faults;
mod hub;
mod owner;
mod pictures;
mod reading;
