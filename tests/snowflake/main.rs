//! Snowflake through its unmodified connector, against a server on loopback that speaks its wire protocol.
//!
//! - `signing_in` – keys, passwords and tokens; a session that expires
//! - `watching` – pipes, files, rows, rights and wakes as an operator needs them
//! - `loads` – the same assertions on the local warehouse and here, through the owner
//! - `commanding` – pause, resume, refresh, validate, the failing line
//! - `failing` – what an operator sees first when something goes wrong, and what is not lost
//! - `day` – a day in simulated time: how often the warehouse is woken, and for how much

#![cfg(all(feature = "local", feature = "cloud"))]
#![allow(clippy::panic, reason = "a test's panic is its verdict")]

mod commanding;
mod day;
mod failing;
mod loads;
#[path = "../peers/snowflake/mod.rs"]
mod peer;
mod place;
mod signing_in;
mod watching;
