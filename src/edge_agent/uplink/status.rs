//! How the link is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The way a connection goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// MQTT over TLS.
    Mqtt,
    /// MQTT over WebSocket over TLS.
    Websocket,
}

impl Transport {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::Websocket => "websocket",
        }
    }
}

/// How much may be sent, and how much has been.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Quota {
    /// Messages a second at most.
    pub max_per_s: Option<u32>,
    /// Messages a day (UTC) at most, counted in 4 KiB as IoT Hub does.
    pub max_per_day: Option<u32>,
    /// Messages sent today, counted so; repeats count.
    pub sent_today: u64,
    /// When the day's count begins anew.
    pub resets_at: Option<Timestamp>,
}

/// A metered line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metered {
    /// Bytes a day (UTC).
    pub budget_bytes: u64,
    /// Bytes spent today, both ways, TLS included, TCP's and IP's own not.
    pub spent_bytes: u64,
    /// Bytes of today's health reports that were not sent because a newer one was there.
    pub saved_bytes: u64,
    /// When the budget begins anew.
    pub resets_at: Option<Timestamp>,
    /// What waits because of the budget: `pictures`, `messages`.
    pub holding: Vec<String>,
}

/// How the link is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UplinkStatus {
    /// Whether the hub has accepted the connection.
    pub connected: bool,
    /// The way the connection goes, or the last attempt went.
    pub transport: Option<Transport>,
    /// Messages handed to the link, repeats included.
    pub sent: u64,
    /// Messages acknowledged by the hub and removed from the outbox.
    pub acknowledged: u64,
    /// Messages waiting that lay in the outbox when the connection was made.
    pub backlog: u64,
    /// Messages waiting that came since.
    pub live: u64,
    /// Seconds until everything waiting is through, at the last minute's rate and within the quota; absent where
    /// nothing waits, or nothing has been acknowledged yet.
    pub remaining_s: Option<f64>,
    /// Until when nothing is sent because a day's quota or budget is used up.
    pub waits_until: Option<Timestamp>,
    /// How much may be sent; absent where there is no bound.
    pub quota: Option<Quota>,
    /// The metered line; absent where it isn't.
    pub metered: Option<Metered>,
    /// When the device's certificate ends; absent for a key.
    pub credential_ends_at: Option<Timestamp>,
    /// Something that will go wrong unless something is done: a certificate's end.
    pub warning: Option<String>,
    /// This machine's clock minus the hub's, seconds, where a refusal made it worth a look; until the next
    /// connection is accepted.
    pub clock_skew_s: Option<f64>,
    /// The last failure in words, until the next connection is accepted.
    pub last_error: Option<String>,
    /// Connections accepted by the hub.
    pub connects: u64,
}
