//! What makes a message the same from the sensor to the row.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::checks::InvalidMessage;

/// A message's identity: unique together with the device's, from the sensor to the row.
///
/// 1 to 128 characters of the set IoT Hub allows in `$.mid` (ASCII letters, digits and `-:.+%_#*?!(),=@;$'`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[A-Za-z0-9\\-:.+%_#*?!(),=@;$']{1,128}$"))]
pub struct MessageId(String);

impl MessageId {
    /// A new identity: a UUID of version 7 whose time is `measured_at`, so that identities sort by time.
    #[must_use]
    pub fn new(measured_at: Timestamp) -> Self {
        let seconds = u64::try_from(measured_at.as_second()).unwrap_or(0);
        let nanoseconds = u32::try_from(measured_at.subsec_nanosecond()).unwrap_or(0);
        let stamp = uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanoseconds);
        Self(uuid::Uuid::new_v7(stamp).to_string())
    }

    /// An identity that is the same each time for the same `measured_at` and `origin`: what is read twice from its source
    /// is one row in the warehouse. `origin` says where it was read and what stood there, so that no two readings share it;
    /// its SHA-256 takes the place of the random bits.
    #[must_use]
    pub fn derived(measured_at: Timestamp, origin: &[u8]) -> Self {
        let digest = Sha256::digest(origin);
        let mut bits = [0; 10];
        bits.copy_from_slice(&digest[..10]);
        let milliseconds = u64::try_from(measured_at.as_millisecond()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(milliseconds, &bits).into_uuid().to_string())
    }

    /// The identity as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for MessageId {
    type Error = InvalidMessage;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-:.+%_#*?!(),=@;$'".contains(c);
        if text.is_empty() || text.len() > 128 || !text.chars().all(allowed) {
            return Err(InvalidMessage::Identity { field: "messageId", value: super::text::printable(&text) });
        }
        Ok(Self(text))
    }
}

impl From<MessageId> for String {
    fn from(id: MessageId) -> Self {
        id.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_identity_is_the_origins_own_and_sorts_by_time() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let (noon, later) = (at("2026-06-01T12:00:00Z"), at("2026-06-01T12:00:00.001Z"));
        let id = MessageId::derived(noon, b"a");
        assert_eq!(id, MessageId::derived(noon, b"a"));
        assert_ne!(id, MessageId::derived(noon, b"b"));
        assert!(id < MessageId::derived(later, b"a") && id < MessageId::new(later));
        let uuid = uuid::Uuid::parse_str(id.as_str()).expect("a UUID");
        assert_eq!((uuid.get_version_num(), uuid.get_variant()), (7, uuid::Variant::RFC4122));
        // Before 1970 there is no such time: it counts as 1970.
        assert_eq!(
            MessageId::derived(at("1969-01-01T00:00:00Z"), b"a"),
            MessageId::derived(Timestamp::UNIX_EPOCH, b"a")
        );
    }
}
