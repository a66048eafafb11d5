//! The embedded environments: an IoT-Hub-compatible endpoint on this machine.
//!
//! The same protocols and formats as Azure's, so that what works here works there. Called by the owner of an
//! environment; knows `station`, `clock`, `database` and `ingestion`, to whose log it hands what devices send.

mod certificates; // the certificate authority, made at first start, and the hub's certificate
pub mod cloud; // what has been applied: the resources of the emulated cloud
mod device_certificates; // certificates that devices show
pub mod https; // IoT Hub's HTTPS: service side, file upload, WebSocket
pub mod hub; // IoT Hub's device side
mod private; // files that only the owner may read
pub mod providers; // Terraform providers emulated in process
pub mod registry; // who may connect, twins, messages to devices
pub mod topology; // what is applied is what runs
