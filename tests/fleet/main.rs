//! A local hub and agents beside it, each a process of the real binary: led by Microsoft's service client, and by
//! `skydeck hub`.

#![cfg(unix)]
#![allow(clippy::panic, reason = "a test's panic is its verdict")]

#[path = "../journeys/place.rs"]
#[allow(dead_code, reason = "the journeys use the rest of it")]
mod place;
#[path = "../peers/python.rs"]
mod python;
#[path = "../peers/skip.rs"]
mod skip;

mod certificates;
mod faults;
mod ground;
mod led_by_service;
mod models;
mod registry;
mod rivals;
