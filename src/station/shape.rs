//! Reading JSON strictly, and saying where it isn't a message.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::text::printable;
use super::{DeviceHealth, InvalidMessage, MessageKind, PictureTaken, Prediction, WeatherMeasurement};

/// A field that may be left out, but holds a value where it stands: `null` isn't absence, it is an error.
pub(super) fn given<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// Why `bytes` aren't a message, with the field. `error` is what the reader of all four types said: it knows no
/// field, because the type may stand last. So the bytes are read again as the type they claim to be.
pub(super) fn why(bytes: &[u8], error: &serde_json::Error) -> InvalidMessage {
    let words = wrong_field(bytes).unwrap_or_else(|| error.to_string());
    InvalidMessage::Shape(printable(&words))
}

fn wrong_field(bytes: &[u8]) -> Option<String> {
    let Value::Object(mut fields) = serde_json::from_slice(bytes).ok()? else { return None };
    let kind = MessageKind::from_name(fields.remove("type")?.as_str()?)?;
    let body = Value::Object(fields);
    match kind {
        MessageKind::WeatherMeasurement => field_and_words::<WeatherMeasurement>(&body),
        MessageKind::Prediction => field_and_words::<Prediction>(&body),
        MessageKind::DeviceHealth => field_and_words::<DeviceHealth>(&body),
        MessageKind::PictureTaken => field_and_words::<PictureTaken>(&body),
    }
}

fn field_and_words<T: DeserializeOwned>(body: &Value) -> Option<String> {
    let error = serde_path_to_error::deserialize::<_, T>(body).err()?;
    let (field, words) = (error.path().to_string(), error.inner().to_string());
    Some(if field == "." { words } else { format!("{field}: {words}") })
}
