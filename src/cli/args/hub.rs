//! The commands about the environment's local hub.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

/// What to do with the hub.
#[derive(Debug, Subcommand)]
pub enum HubCommand {
    /// The devices that are registered
    #[command(after_help = "Examples:\n  skydeck hub devices\n  skydeck --env local hub devices --json")]
    Devices,
    /// Register a device
    ///
    /// It gets two keys, unless a certificate stands in for them.
    #[command(
        after_help = "Examples:\n  skydeck hub add roof-02\n  skydeck hub add roof-02 --x509-thumbprint 0A1B2C3D4E5F60718293A4B5C6D7E8F901234567\n  skydeck hub add roof-02 --ca"
    )]
    Add {
        /// Its id: 1 to 128 letters, digits and -.%_*?!(),:=@$'
        #[arg(value_name = "ID")]
        id: String,
        /// It shows the certificate with this thumbprint: SHA-1 or SHA-256, hexadecimal
        #[arg(long, value_name = "THUMBPRINT", conflicts_with = "ca")]
        x509_thumbprint: Option<String>,
        /// It shows a certificate that a registered authority has signed for its id
        #[arg(long)]
        ca: bool,
    },
    /// One device, without its keys
    #[command(after_help = "Examples:\n  skydeck hub show roof-01\n  skydeck hub show roof-01 --json")]
    Show {
        /// The device
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Remove a device with its twin; what it sent stays
    #[command(after_help = "Examples:\n  skydeck hub remove roof-02")]
    Remove {
        /// The device
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Let a device connect again
    #[command(after_help = "Examples:\n  skydeck hub enable roof-02")]
    Enable {
        /// The device
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Let a device connect no more; a connection that stands is ended
    #[command(after_help = "Examples:\n  skydeck hub disable roof-02")]
    Disable {
        /// The device
        #[arg(value_name = "ID")]
        id: String,
    },
    /// A connection string, which is a secret
    ///
    /// A device's for link.connection_string and Microsoft's device clients; without one the service's, for their
    /// service clients. Goes to standard output, or with --out into a file that only you can read. It is audited.
    #[command(
        after_help = "Examples:\n  skydeck hub connection-string roof-02 --out roof-02.secret\n  skydeck hub connection-string --service"
    )]
    ConnectionString {
        /// The device
        #[arg(value_name = "ID", required_unless_present = "service", conflicts_with = "service")]
        id: Option<String>,
        /// The service side's
        #[arg(long)]
        service: bool,
        /// The file to write; must not be there yet
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// A device's twin: what is desired beside what it reports
    ///
    /// --set and --file change what is desired, as a merge patch: null takes a property away.
    #[command(
        after_help = "Examples:\n  skydeck hub twin roof-01\n  skydeck hub twin roof-01 --set '{\"measureEveryS\": 60}'\n  skydeck hub twin roof-01 --set '{\"measureEveryS\": null}'\n  skydeck hub twin roof-01 --file desired.json --json"
    )]
    Twin {
        /// The device
        #[arg(value_name = "ID")]
        id: String,
        /// Desired properties to change, a JSON object
        #[arg(long, value_name = "JSON", value_parser = object, conflicts_with = "file")]
        set: Option<Value>,
        /// The same from a file
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Call a direct method of a connected device, and wait for its answer
    ///
    /// skydeck's agent has capture, set_interval, diagnose, tail_log, restart, flush, deploy_model and rollback_model.
    /// Ends with 1 when the device answers with a status of 300 or more.
    #[command(
        after_help = "Examples:\n  skydeck hub method roof-01 diagnose\n  skydeck hub method roof-01 set_interval '{\"seconds\": 60}'\n  skydeck hub method roof-01 flush --timeout 120"
    )]
    Method {
        /// The device
        #[arg(value_name = "ID")]
        id: String,
        /// The method
        #[arg(value_name = "NAME")]
        name: String,
        /// Its payload, JSON; null without it
        #[arg(value_name = "JSON", value_parser = json)]
        payload: Option<Value>,
        /// Seconds to wait for the answer, 5 to 300
        #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u32).range(5..=300))]
        timeout: u32,
    },
    /// Send a message to a device; it waits at the hub until the device takes it
    #[command(
        after_help = "Examples:\n  skydeck hub send roof-01 'lens cleaned'\n  skydeck hub send roof-01 '' --command flush\n  skydeck hub send roof-01 '{}' --property by=anna --property ticket=7"
    )]
    Send {
        /// The device
        #[arg(value_name = "ID")]
        id: String,
        /// The message's body, at most 64 KiB
        #[arg(value_name = "TEXT")]
        text: String,
        /// A property of the message; may be given again
        #[arg(long, value_name = "K=V", value_parser = pair)]
        property: Vec<(String, String)>,
        /// The same as --property command=NAME
        #[arg(long, value_name = "NAME")]
        command: Option<String>,
    },
    /// Make the hub misbehave on purpose, to see what comes of it
    ///
    /// Without a fault it says which are on. They add up, hold until `none` or until the hub starts anew, and are shown
    /// wherever the hub is.
    #[command(
        after_help = "Examples:\n  skydeck hub fault\n  skydeck hub fault slow 500\n  skydeck hub fault throttle 10\n  skydeck hub fault drop\n  skydeck hub fault none"
    )]
    Fault {
        /// Which
        #[command(subcommand)]
        fault: Option<FaultCommand>,
    },
}

/// A fault of the hub.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum FaultCommand {
    /// Refuse every connection
    #[command(after_help = "Examples:\n  skydeck hub fault refuse")]
    Refuse,
    /// Wait before each packet
    #[command(after_help = "Examples:\n  skydeck hub fault slow 500")]
    Slow(SlowFault),
    /// Take this many messages a second, and end the connection of whoever sends more
    #[command(after_help = "Examples:\n  skydeck hub fault throttle 10")]
    Throttle(ThrottleFault),
    /// Keep connections and answer nothing
    #[command(after_help = "Examples:\n  skydeck hub fault half-open")]
    HalfOpen,
    /// Judge tokens and certificates by a clock that is wrong
    #[command(after_help = "Examples:\n  skydeck hub fault clock 86400\n  skydeck hub fault clock -86400")]
    Clock(ClockFault),
    /// End every connection once
    #[command(after_help = "Examples:\n  skydeck hub fault drop")]
    Drop,
    /// Behave again
    #[command(after_help = "Examples:\n  skydeck hub fault none")]
    None,
}

/// How slow.
#[derive(Debug, Clone, Copy, Args)]
pub struct SlowFault {
    /// Milliseconds, 1 to 60000
    #[arg(value_name = "MS", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub ms: u32,
}

/// How few.
#[derive(Debug, Clone, Copy, Args)]
pub struct ThrottleFault {
    /// Messages a second, 1 to 100000
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub per_s: u32,
}

/// How wrong.
#[derive(Debug, Clone, Copy, Args)]
pub struct ClockFault {
    /// Seconds ahead of the right time, at most ten years either way
    #[arg(value_name = "SECONDS", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-315_360_000..=315_360_000))]
    pub seconds: i64,
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}

fn object(text: &str) -> Result<Value, String> {
    let value = json(text)?;
    if value.is_object() { Ok(value) } else { Err("a JSON object is expected, as in '{\"measureEveryS\": 60}'".into()) }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a property is NAME=VALUE".to_owned()),
    }
}
