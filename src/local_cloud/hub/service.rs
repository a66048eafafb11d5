//! What operators do to devices: the service side of IoT Hub, without its HTTP.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::{oneshot, watch};

use super::downlink::{Down, MethodCall};
use super::faults::FaultBoard;
use super::shared::{Call, Line};
use super::{Faults, Hub};
use crate::database::DatabaseError;
use crate::local_cloud::registry::{
    Authentication, DeviceBoundMessage, DeviceIdentity, DeviceSpec, RegistryError, Twin, TwinChange,
};
use crate::station::text::printable;

/// Devices that a list has at most, as IoT Hub's have.
pub const MAX_LIST: u32 = 1000;
/// Bytes of a method's payload, each way: 128 KB.
pub const MAX_METHOD_PAYLOAD: usize = 128 * 1024;
/// Bytes of a method's name.
const MAX_METHOD_NAME: usize = 100;
/// How long a device may take to answer.
const RESPONSE_TIMEOUT: std::ops::RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(300);
/// How long a device that isn't there may be waited for.
const MAX_CONNECT_TIMEOUT: Duration = Duration::from_secs(300);

/// A device's answer to a direct method.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodAnswer {
    /// Its own status: like HTTP's by convention.
    pub status: i32,
    /// A JSON value.
    pub payload: Value,
}

/// Why a direct method has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InvokeError {
    /// There is no such device.
    #[error("device {0}: not registered; skydeck hub devices lists those there are")]
    NotFound(String),
    /// It isn't connected, and didn't come within the connect timeout; or its connection ended before it answered.
    #[error("device {0}: isn't connected")]
    NotConnected(String),
    /// It doesn't take methods.
    #[error("device {0}: is connected and doesn't take direct methods (it has no subscription to them)")]
    NotServed(String),
    /// It didn't answer in time.
    #[error("device {device}: no answer within {seconds} s")]
    TimedOut {
        /// The device.
        device: String,
        /// The response timeout.
        seconds: u64,
    },
    /// What is asked breaks a rule; says which.
    #[error("{0}")]
    Invalid(String),
    /// The registry failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Counts of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    /// Devices registered.
    pub total_device_count: u64,
    /// Those that may connect.
    pub enabled_device_count: u64,
    /// Those that may not.
    pub disabled_device_count: u64,
    /// Those that are connected.
    pub connected_device_count: u64,
}

impl Hub {
    /// The devices by id, at most [`MAX_LIST`].
    pub async fn devices(&self) -> Result<Vec<DeviceIdentity>, RegistryError> {
        let devices = self.shared.registry.list(MAX_LIST).await?;
        Ok(devices.into_iter().map(|device| self.shared.live(device)).collect())
    }

    /// A device.
    pub async fn device(&self, device_id: &str) -> Result<DeviceIdentity, RegistryError> {
        let device = self.shared.registry.get(device_id).await?;
        device.map(|device| self.shared.live(device)).ok_or_else(|| RegistryError::NotFound(printable(device_id)))
    }

    /// Registers a device, or changes one: then `if_match` is its etag or `*`. One that is disabled, or whose keys or
    /// certificates change, is disconnected.
    pub async fn put_device(
        &self,
        device_id: &str,
        spec: DeviceSpec,
        if_match: Option<String>,
    ) -> Result<DeviceIdentity, RegistryError> {
        let old = self.shared.registry.get(device_id).await?;
        let device = self.shared.registry.put(device_id, spec, if_match, self.shared.clock.now()).await?;
        if !device.is_enabled {
            self.shared.end(device_id, "it was disabled");
        } else if old.is_some_and(|old| !same_proof(&old.authentication, &device.authentication)) {
            self.shared.end(device_id, "its keys or certificates have changed");
        }
        Ok(self.shared.live(device))
    }

    /// Removes a device with its twin and its messages, and disconnects it.
    pub async fn delete_device(&self, device_id: &str, if_match: Option<String>) -> Result<(), RegistryError> {
        self.shared.registry.delete(device_id, if_match).await?;
        self.shared.end(device_id, "it was deleted");
        self.shared.status.send_modify(|status| {
            status.last_seen.remove(device_id);
            status.takeovers.remove(device_id);
        });
        Ok(())
    }

    /// A device's twin.
    pub async fn twin(&self, device_id: &str) -> Result<Twin, RegistryError> {
        let twin = self.shared.registry.twin(device_id).await?;
        twin.map(|twin| self.shared.live_twin(twin)).ok_or_else(|| RegistryError::NotFound(printable(device_id)))
    }

    /// The twins by device id, at most [`MAX_LIST`].
    pub async fn twins(&self) -> Result<Vec<Twin>, RegistryError> {
        let twins = self.shared.registry.twins(MAX_LIST).await?;
        Ok(twins.into_iter().map(|twin| self.shared.live_twin(twin)).collect())
    }

    /// Merges a JSON merge patch (`{"tags": …, "properties": {"desired": …}}`) into a twin and tells its device.
    /// `if_match` is an etag, `*`, or absent for any state.
    pub async fn patch_twin(
        &self,
        device_id: &str,
        body: &Value,
        if_match: Option<String>,
    ) -> Result<Twin, RegistryError> {
        self.change_twin(device_id, body, if_match, false).await
    }

    /// Replaces the tags and desired properties that `body` has, and tells the device; as [`Hub::patch_twin`] otherwise.
    pub async fn replace_twin(
        &self,
        device_id: &str,
        body: &Value,
        if_match: Option<String>,
    ) -> Result<Twin, RegistryError> {
        self.change_twin(device_id, body, if_match, true).await
    }

    async fn change_twin(
        &self,
        device_id: &str,
        body: &Value,
        if_match: Option<String>,
        replaces: bool,
    ) -> Result<Twin, RegistryError> {
        let change = TwinChange::from_rest(body, replaces).map_err(RegistryError::Invalid)?;
        let now = self.shared.clock.now();
        // A device has to hear of changes in the order of their versions.
        let one_at_a_time = self.shared.twins.lock().await;
        let (twin, desired) = self.shared.registry.change_twin(device_id, change, if_match, now).await?;
        if let (Some(desired), Some(line)) = (desired, self.shared.line(device_id)) {
            line.send(device_id, Down::Desired(desired));
        }
        drop(one_at_a_time);
        Ok(self.shared.live_twin(twin))
    }

    /// Calls a direct method of a device. One that isn't there, or doesn't take methods yet, is waited for as long as
    /// `connect_timeout` (at most 300 s); its answer as long as `response_timeout` (5 to 300 s).
    pub async fn invoke(
        &self,
        device_id: &str,
        method: &str,
        payload: &Value,
        connect_timeout: Duration,
        response_timeout: Duration,
    ) -> Result<MethodAnswer, InvokeError> {
        let payload = serde_json::to_vec(payload).map_err(|error| InvokeError::Invalid(error.to_string()))?;
        check_call(method, payload.len(), connect_timeout, response_timeout).map_err(InvokeError::Invalid)?;
        let device = printable(device_id);
        match self.shared.registry.get(device_id).await? {
            Some(known) if known.is_enabled => {}
            Some(_) => return Err(InvokeError::NotConnected(device)),
            None => return Err(InvokeError::NotFound(device)),
        }
        let line = self.line_for_methods(device_id, connect_timeout).await?;
        let (answer, answered) = oneshot::channel();
        let call = Calling::begin(self, device_id, answer);
        let sent = Down::Method(MethodCall { request_id: call.request_id.clone(), name: method.to_owned(), payload });
        line.send(device_id, sent);
        tokio::select! {
            answer = tokio::time::timeout(response_timeout, answered) => match answer {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(_)) => Err(InvokeError::NotConnected(device)),
                Err(_) => Err(InvokeError::TimedOut { device, seconds: response_timeout.as_secs() }),
            },
            () = line.cancel.cancelled() => Err(InvokeError::NotConnected(device)),
        }
    }

    /// The connection of a device that takes methods.
    async fn line_for_methods(&self, device_id: &str, timeout: Duration) -> Result<Line, InvokeError> {
        let mut presence = self.shared.presence.subscribe();
        let waited = tokio::time::timeout(timeout, async {
            loop {
                presence.mark_unchanged();
                if let Some(line) = self.shared.line(device_id).filter(|line| line.takes_methods(device_id)) {
                    return line;
                }
                // The sender is the hub's own.
                drop(presence.changed().await);
            }
        });
        waited.await.map_err(|_| match self.shared.line(device_id) {
            Some(_) => InvokeError::NotServed(printable(device_id)),
            None => InvokeError::NotConnected(printable(device_id)),
        })
    }

    /// Puts a message into a device's queue: it is delivered when the device is there and takes messages.
    pub async fn send_to_device(&self, device_id: &str, message: DeviceBoundMessage) -> Result<(), RegistryError> {
        // Messages live by the hub's wall clock.
        self.shared.registry.push(device_id, message, self.shared.faults.wall_now()).await?;
        if let Some(line) = self.shared.line(device_id) {
            line.device_bound.notify_one();
        }
        Ok(())
    }

    /// Empties a device's queue; answers how many messages there were.
    pub async fn purge_device_bound(&self, device_id: &str) -> Result<u64, RegistryError> {
        self.shared.registry.purge(device_id).await
    }

    /// Lets something go wrong from now on; the default takes it back.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.faults.set(faults);
        self.shared.status.send_modify(|status| status.faults = faults);
        tracing::debug!("faults: {faults:?}");
    }

    /// What goes wrong at the moment.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.shared.faults.now()
    }

    /// Cuts every connection there is, without a goodbye.
    pub fn drop_connections(&self) {
        self.shared.faults.drop_streams();
        self.shared.end_all();
    }

    /// Counts of the registry.
    pub async fn statistics(&self) -> Result<Statistics, RegistryError> {
        let (total, enabled) = self.shared.registry.counts().await?;
        let connected = self.shared.status.borrow().connected.len();
        Ok(Statistics {
            total_device_count: total,
            enabled_device_count: enabled,
            disabled_device_count: total - enabled,
            connected_device_count: u64::try_from(connected).unwrap_or(u64::MAX),
        })
    }

    /// What the hub shows of itself over TLS; changes each 30 days.
    pub(in crate::local_cloud) fn tls(&self) -> watch::Receiver<Arc<rustls::ServerConfig>> {
        self.shared.tls.subscribe()
    }

    /// The hub's faults, for who serves beside it.
    pub(in crate::local_cloud) fn fault_board(&self) -> &FaultBoard {
        &self.shared.faults
    }
}

fn check_call(
    method: &str,
    payload: usize,
    connect_timeout: Duration,
    response_timeout: Duration,
) -> Result<(), String> {
    if method.is_empty() || method.len() > MAX_METHOD_NAME {
        return Err(format!("a method's name has 1 to {MAX_METHOD_NAME} bytes"));
    }
    if payload > MAX_METHOD_PAYLOAD {
        return Err(format!("the payload has {payload} bytes; at most {MAX_METHOD_PAYLOAD} are taken"));
    }
    if !RESPONSE_TIMEOUT.contains(&response_timeout) {
        return Err("responseTimeoutInSeconds must be 5 to 300".into());
    }
    if connect_timeout > MAX_CONNECT_TIMEOUT {
        return Err("connectTimeoutInSeconds must be 0 to 300".into());
    }
    Ok(())
}

fn same_proof(one: &Authentication, other: &Authentication) -> bool {
    use secrecy::ExposeSecret;
    let keys = |proof: &Authentication| proof.keys().map(|key| key.map(|key| key.expose_secret().clone()));
    one.kind() == other.kind() && one.thumbprints() == other.thumbprints() && keys(one) == keys(other)
}

/// A call's place among those that wait for an answer; given up when dropped.
struct Calling<'a> {
    hub: &'a Hub,
    request_id: String,
}

impl<'a> Calling<'a> {
    fn begin(hub: &'a Hub, device_id: &str, answer: oneshot::Sender<MethodAnswer>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let request_id = format!("{:x}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut methods = hub.shared.methods.lock().unwrap_or_else(PoisonError::into_inner);
        methods.insert(request_id.clone(), Call { device_id: device_id.to_owned(), answer });
        Self { hub, request_id }
    }
}

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        self.hub.shared.methods.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.request_id);
    }
}
