//! Twins: what an operator wants of a device (tags, desired properties) and what it says of itself (reported
//! properties). The JSON is that of IoT Hub's REST interface, api-version 2021-04-12.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::{Map, Value, json};

use super::identity::{self, DeviceIdentity, state, status, time};
use super::merge::{self, MAX_PROPERTIES, MAX_TAGS, Stamp};
use super::{RegistryError, tag_matches};

/// A twin.
#[derive(Debug)]
pub struct Twin {
    /// Its device.
    pub device: DeviceIdentity,
    /// Changes with tags and desired properties.
    pub etag: String,
    /// Counts every change.
    pub version: u64,
    /// An operator's own notes; devices don't see them.
    pub tags: Map<String, Value>,
    /// What is wanted of the device.
    pub desired: Section,
    /// What it says of itself.
    pub reported: Section,
}

/// Desired or reported properties.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Section {
    /// The properties.
    pub properties: Map<String, Value>,
    /// When each was last changed, `$lastUpdated`, and of desired ones `$lastUpdatedVersion`.
    pub metadata: Map<String, Value>,
    /// Counts the changes.
    pub version: u64,
}

/// A change of a twin by an operator: merge patches, or whole sections.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TwinChange {
    /// Of the tags.
    pub tags: Option<Map<String, Value>>,
    /// Of the desired properties.
    pub desired: Option<Map<String, Value>>,
    /// Whether what is given replaces a section instead of being merged into it.
    pub replaces: bool,
}

/// What devices are told of a change of their desired properties.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredChange {
    /// The merge patch.
    pub patch: Map<String, Value>,
    /// The version after it.
    pub version: u64,
}

impl TwinChange {
    /// Reads the body of `PATCH` (merges) or `PUT` (`replaces`) `/twins/{device_id}`; the error says what is wrong.
    /// Sections it doesn't have stay as they are.
    pub fn from_rest(body: &Value, replaces: bool) -> Result<Self, String> {
        let object = body.as_object().ok_or("the body must be a JSON object")?;
        let section = |name: &str, value: Option<&Value>| match value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(patch)) => {
                let patch = merge::without_hubs_own(patch.clone());
                merge::check(&patch).map_err(|error| format!("{name}: {error}"))?;
                Ok(Some(patch))
            }
            Some(_) => Err(format!("{name} must be a JSON object")),
        };
        let desired = object.get("properties").and_then(|properties| properties.get("desired"));
        Ok(Self { tags: section("tags", object.get("tags"))?, desired: section("desired", desired)?, replaces })
    }
}

impl Section {
    /// The properties with `$version`, as devices are told them.
    #[must_use]
    pub fn device_json(&self) -> Value {
        let mut json = self.properties.clone();
        json.insert("$version".into(), self.version.into());
        json.into()
    }

    /// The properties with `$metadata` and `$version`, as REST answers them.
    #[must_use]
    pub fn rest_json(&self) -> Value {
        let mut json = self.device_json();
        json["$metadata"] = Value::from(self.metadata.clone());
        json
    }

    fn merge(&mut self, patch: &Map<String, Value>, at: Timestamp, is_desired: bool) -> Result<(), String> {
        let version = self.version + 1;
        let stamp = Stamp { at, version: is_desired.then_some(version) };
        merge::merge(&mut self.properties, &mut self.metadata, patch, stamp);
        self.version = version;
        within(&self.properties, MAX_PROPERTIES)
    }
}

fn within(section: &Map<String, Value>, max: usize) -> Result<(), String> {
    let size = merge::size(&Value::Object(section.clone()));
    if size > max {
        return Err(format!("it would have {size} bytes; at most {max} are kept"));
    }
    // A patch can put an object where there was one already.
    merge::check(section)
}

impl Twin {
    /// As REST answers it.
    #[must_use]
    pub fn rest_json(&self) -> Value {
        let device = &self.device;
        let [primary, secondary] = device.authentication.thumbprints().map(|print| print.map(|print| print.as_str()));
        json!({
            "deviceId": device.device_id,
            "etag": self.etag,
            "deviceEtag": device.etag,
            "status": status(device.is_enabled),
            "statusReason": device.status_reason,
            "statusUpdateTime": time(device.status_updated_at),
            "connectionState": state(device.is_connected),
            "lastActivityTime": time(device.last_activity_at),
            "cloudToDeviceMessageCount": device.device_bound,
            "authenticationType": device.authentication.kind(),
            "x509Thumbprint": {"primaryThumbprint": primary, "secondaryThumbprint": secondary},
            "version": self.version,
            "tags": self.tags,
            "properties": {"desired": self.desired.rest_json(), "reported": self.reported.rest_json()},
            "capabilities": {"iotEdge": false},
        })
    }

    /// As the device itself is told it.
    #[must_use]
    pub fn device_json(&self) -> Value {
        json!({"desired": self.desired.device_json(), "reported": self.reported.device_json()})
    }
}

/// Makes a new device's twin.
pub(super) fn make(transaction: &Transaction<'_>, device_id: &str, at: Timestamp) -> rusqlite::Result<()> {
    let noted = |version| {
        let mut metadata = Map::new();
        Stamp { at, version }.put(&mut metadata);
        Value::from(metadata).to_string()
    };
    transaction
        .execute(
            "INSERT INTO twin(device_id, desired_metadata, reported_metadata) VALUES (?1, ?2, ?3)",
            [device_id, &noted(Some(1)), &noted(None)],
        )
        .map(|_| ())
}

const TWIN_COLUMNS: &str = "t.etag, t.version, t.tags, t.desired, t.desired_metadata, t.desired_version, t.reported, \
    t.reported_metadata, t.reported_version";
/// Where they begin.
const FIRST: usize = 15;

pub(super) fn get(connection: &Connection, device_id: &str) -> rusqlite::Result<Option<Twin>> {
    let columns = identity::COLUMNS;
    connection
        .prepare_cached(&format!(
            "SELECT {columns}, {TWIN_COLUMNS} FROM identity i JOIN twin t USING(device_id) WHERE i.device_id = ?1"
        ))?
        .query_row([device_id], read)
        .optional()
}

/// Every twin, by device id; at most `most`.
pub(super) fn all(connection: &Connection, most: u32) -> rusqlite::Result<Vec<Twin>> {
    let columns = identity::COLUMNS;
    connection
        .prepare_cached(&format!(
            "SELECT {columns}, {TWIN_COLUMNS} FROM identity i JOIN twin t USING(device_id) ORDER BY i.device_id LIMIT ?1"
        ))?
        .query_map([most], read)?
        .collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Twin> {
    let count = |column: usize| row.get::<_, i64>(FIRST + column).map(i64::unsigned_abs);
    let section = |properties: usize, metadata: usize, version: usize| {
        Ok::<_, rusqlite::Error>(Section {
            properties: object(row, FIRST + properties)?,
            metadata: object(row, FIRST + metadata)?,
            version: count(version)?,
        })
    };
    Ok(Twin {
        device: identity::read(row)?,
        etag: etag(count(0)?),
        version: count(1)?,
        tags: object(row, FIRST + 2)?,
        desired: section(3, 4, 5)?,
        reported: section(6, 7, 8)?,
    })
}

fn object(row: &Row<'_>, column: usize) -> rusqlite::Result<Map<String, Value>> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// As IoT Hub's look: base64 of a counter.
fn etag(count: u64) -> String {
    STANDARD.encode(count.to_be_bytes())
}

/// Carries out an operator's change.
pub(super) fn change(
    transaction: &Transaction<'_>,
    device_id: &str,
    change: TwinChange,
    if_match: Option<&str>,
    at: Timestamp,
) -> rusqlite::Result<Result<(Twin, Option<DesiredChange>), RegistryError>> {
    let Some(mut twin) = get(transaction, device_id)? else {
        return Ok(Err(RegistryError::not_found(device_id)));
    };
    if !tag_matches(if_match, &twin.etag) {
        return Ok(Err(RegistryError::Changed(twin.etag)));
    }
    let patch_of = |old: &Map<String, Value>, given: Map<String, Value>| {
        if change.replaces { merge::replacing(old, &given) } else { given }
    };
    let mut desired_change = None;
    let outcome = (|| {
        if let Some(given) = change.tags {
            let patch = patch_of(&twin.tags, given);
            // Tags have no metadata.
            merge::merge(&mut twin.tags, &mut Map::new(), &patch, Stamp { at, version: None });
            within(&twin.tags, MAX_TAGS).map_err(|error| format!("tags: {error}"))?;
        }
        if let Some(given) = change.desired {
            let patch = patch_of(&twin.desired.properties, given);
            twin.desired.merge(&patch, at, true).map_err(|error| format!("desired: {error}"))?;
            desired_change = Some(DesiredChange { patch, version: twin.desired.version });
        }
        Ok(())
    })();
    if let Err(error) = outcome {
        return Ok(Err(RegistryError::Invalid(error)));
    }
    transaction
        .prepare_cached(
            "UPDATE twin SET etag = etag + 1, version = version + 1, tags = ?2, desired = ?3, desired_metadata = ?4,
             desired_version = ?5 WHERE device_id = ?1",
        )?
        .execute(params![
            device_id,
            text(twin.tags),
            text(twin.desired.properties),
            text(twin.desired.metadata),
            i64::try_from(twin.desired.version).unwrap_or(i64::MAX),
        ])?;
    Ok(get(transaction, device_id)?.map(|twin| (twin, desired_change)).ok_or(RegistryError::not_found(device_id)))
}

/// Merges what a device says of itself; answers the new version of its reported properties.
pub(super) fn report(
    transaction: &Transaction<'_>,
    device_id: &str,
    patch: Map<String, Value>,
    at: Timestamp,
) -> rusqlite::Result<Result<u64, RegistryError>> {
    let Some(mut twin) = get(transaction, device_id)? else {
        return Ok(Err(RegistryError::not_found(device_id)));
    };
    let patch = merge::without_hubs_own(patch);
    if let Err(error) = merge::check(&patch).and_then(|()| twin.reported.merge(&patch, at, false)) {
        return Ok(Err(RegistryError::Invalid(format!("reported: {error}"))));
    }
    transaction
        .prepare_cached(
            "UPDATE twin SET version = version + 1, reported = ?2, reported_metadata = ?3, reported_version = ?4
             WHERE device_id = ?1",
        )?
        .execute(params![
            device_id,
            text(twin.reported.properties),
            text(twin.reported.metadata),
            i64::try_from(twin.reported.version).unwrap_or(i64::MAX),
        ])?;
    Ok(Ok(twin.reported.version))
}

fn text(object: Map<String, Value>) -> String {
    Value::Object(object).to_string()
}
