//! What viewers ask of the environment's local hub: its devices, their twins and methods, its faults.
//!
//! `view` – what they are answered · `twin` – a twin, desired beside reported · `carry` – how it is done, on the hub's
//! handle.

#[cfg(feature = "local")]
mod carry;
#[cfg(test)]
pub mod fixture;
mod twin;
mod view;

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[cfg(feature = "local")]
pub(super) use self::carry::{carry_out, faults_view, registry_refused};
pub use self::twin::{Standing, TwinLine, twin_lines};
pub use self::view::{Authentication, HubDevice, HubFaults, HubTwin, Thumbprints, TwinProperties};

/// Something asked of the hub. Devices go by their ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "act")]
pub enum HubAsk {
    /// Every device.
    Devices,
    /// One device.
    Device {
        /// Which.
        id: String,
    },
    /// Register a device.
    Add {
        /// Its id.
        id: String,
        /// As what it shows itself.
        proof: Proof,
    },
    /// Remove a device.
    Remove {
        /// Which.
        id: String,
    },
    /// Let a device connect, or not.
    Enable {
        /// Which.
        id: String,
        /// Whether it may.
        enabled: bool,
    },
    /// A connection string, which is a secret.
    ConnectionString {
        /// Whose; absent is the service side's.
        id: Option<String>,
    },
    /// A device's twin.
    Twin {
        /// Whose.
        id: String,
    },
    /// Change what a device's twin desires.
    Desire {
        /// Whose.
        id: String,
        /// A merge patch (RFC 7396) for the desired properties.
        patch: Value,
    },
    /// Call a direct method.
    Method {
        /// Whose.
        id: String,
        /// Its name.
        name: String,
        /// Its payload.
        payload: Value,
        /// Seconds to wait for the answer, 5 to 300.
        timeout_s: u32,
    },
    /// Send a message to a device.
    Send {
        /// To which.
        id: String,
        /// Its body, at most 64 KiB.
        text: String,
        /// Its properties.
        properties: BTreeMap<String, String>,
    },
    /// Which faults are on.
    Faults,
    /// Turn a fault on, or all of them off.
    Fault {
        /// Which.
        fault: Fault,
    },
}

impl HubAsk {
    /// Whether it changes the world or reveals a secret.
    #[must_use]
    pub const fn is_command(&self) -> bool {
        !matches!(self, Self::Devices | Self::Device { .. } | Self::Twin { .. } | Self::Faults)
    }
}

/// As what a device shows itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "by")]
pub enum Proof {
    /// By a token made with one of two keys, which the hub makes.
    Key,
    /// By the certificate with this thumbprint, hexadecimal.
    Thumbprint {
        /// SHA-1 or SHA-256.
        thumbprint: String,
    },
    /// By a certificate that a registered authority has signed.
    Authority,
}

/// Something the hub does wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "is")]
pub enum Fault {
    /// Refuses every connection.
    Refuse,
    /// Waits before each packet.
    Slow {
        /// Milliseconds.
        ms: u32,
    },
    /// Ends the connection of whoever sends more.
    Throttle {
        /// Messages a second.
        per_s: u32,
    },
    /// Keeps connections and answers nothing.
    HalfOpen,
    /// Judges by a wrong clock.
    Clock {
        /// Seconds ahead.
        seconds: i64,
    },
    /// Ends every connection once.
    Drop,
    /// Behaves again.
    None,
}

/// What the hub answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "is")]
pub enum HubAnswer {
    /// To [`HubAsk::Devices`], by id.
    Devices {
        /// The devices.
        devices: Vec<HubDevice>,
    },
    /// To [`HubAsk::Device`] and [`HubAsk::Add`].
    Device {
        /// The device.
        device: Box<HubDevice>,
    },
    /// To [`HubAsk::ConnectionString`].
    ConnectionString {
        /// The text.
        text: HandedOut,
        /// Where a device finds the hub, which no connection string says; absent for the service side's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ports: Option<HubPorts>,
    },
    /// To [`HubAsk::Twin`] and [`HubAsk::Desire`].
    Twin {
        /// The twin.
        twin: Box<HubTwin>,
    },
    /// To [`HubAsk::Method`].
    Method {
        /// Like HTTP's.
        status: u16,
        /// What the device answered.
        payload: Value,
    },
    /// To [`HubAsk::Faults`] and [`HubAsk::Fault`].
    Faults {
        /// Those that are on.
        faults: HubFaults,
    },
}

/// Where a hub listens: what `link.port` and `link.https_port` have to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HubPorts {
    /// MQTT's; absent for the service side, which doesn't speak it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// WebSocket's and HTTPS's; absent where that isn't served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https_port: Option<u16>,
}

/// A secret on its way to whoever asked for it; not shown by [`std::fmt::Debug`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HandedOut(String);

impl From<String> for HandedOut {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl From<HandedOut> for SecretString {
    fn from(secret: HandedOut) -> Self {
        Self::from(secret.0)
    }
}

impl std::fmt::Debug for HandedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HandedOut(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_handed_out_is_told_on_the_wire_alone() {
        let answer = HubAnswer::ConnectionString { text: HandedOut::from("SharedAccessKey=k".to_owned()), ports: None };
        assert!(!format!("{answer:?}").contains("SharedAccessKey"));
        let wire = serde_json::json!({"is": "connectionString", "text": "SharedAccessKey=k"});
        assert_eq!(serde_json::to_value(&answer).expect("JSON"), wire);
    }
}
