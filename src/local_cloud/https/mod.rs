//! The local hub's HTTPS side, on its own port: what IoT Hub has on 443.
//!
//! `service` registry, twins, methods, messages to devices (REST, api-version 2021-04-12) · `query` the query language's
//! part · `device` and `uploads` where devices upload to · `blobs` and `blocks` what they upload · `websocket` MQTT over
//! WebSocket · `policies` and `access` who may · `server` TLS, HTTP/1.1 and their bounds · `errors` what is refused, and
//! how. Started by the hub.

mod access;
mod blobs;
mod blocks;
mod device;
mod errors;
mod policies;
mod query;
mod server;
mod service;
#[cfg(test)]
mod tests;
mod uploads;
mod websocket;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use bytes::Bytes;
use http::{Request, StatusCode};
use jiff::Timestamp;
use rustls::ServerConfig;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use policies::{Policy, PolicyError};

use super::hub::Hub;
use crate::ingestion::storage::Containers;
use crate::ingestion::topology::Ground;
use blocks::Blocks;
use errors::ApiError;
use policies::Policies;
use uploads::Uploads;

/// Bytes of a JSON body: a method's payload of 128 KiB, with room for escapes.
const MAX_JSON: usize = 256 * 1024;
/// Time a JSON body may take.
const BODY_TIME: Duration = Duration::from_secs(10);

/// What the handlers share.
struct Front {
    hub: Hub,
    ground: Ground,
    containers: Containers,
    policies: Arc<Policies>,
    uploads: Uploads,
    blocks: Blocks,
    /// Blobs take their names one at a time, so that *only where there is none* holds.
    commits: tokio::sync::Mutex<()>,
    address: SocketAddr,
    shutdown: CancellationToken,
}

/// The keys of the service side, for who runs the hub.
#[derive(Clone)]
pub(super) struct Keys(Arc<Policies>);

impl Keys {
    /// Reads the keys in the hub's `folder`, or makes them.
    pub(super) fn load_or_make(folder: &Path) -> Result<Self, PolicyError> {
        Policies::load_or_make(folder).map(|policies| Self(Arc::new(policies)))
    }

    /// The connection string of a policy, for a hub reached at `host` (with its port, unless that is 443).
    pub(super) fn connection_string(&self, policy: Policy, host: &str) -> SecretString {
        self.0.connection_string(policy, host)
    }
}

/// What the HTTPS side is started with.
pub(super) struct Https {
    pub(super) listener: TcpListener,
    pub(super) address: SocketAddr,
    /// The newest certificate.
    pub(super) tls: watch::Receiver<Arc<ServerConfig>>,
    pub(super) hub: Hub,
    pub(super) keys: Keys,
    pub(super) ground: Ground,
    /// Where blobs go.
    pub(super) containers: Containers,
    pub(super) shutdown: CancellationToken,
}

impl Https {
    /// Serves until `shutdown`; answers once every connection has ended. `folder` is the hub's.
    pub(super) async fn run(self, folder: &Path) {
        let front = Arc::new(Front {
            hub: self.hub.clone(),
            ground: self.ground,
            containers: self.containers,
            uploads: Uploads::new(Arc::clone(&self.keys.0)),
            policies: self.keys.0,
            blocks: Blocks::new(folder.join("blocks")),
            commits: tokio::sync::Mutex::default(),
            address: self.address,
            shutdown: self.shutdown.clone(),
        });
        let Self { listener, tls, hub, shutdown, .. } = self;
        server::Server { listener, tls, hub, router: router(front), shutdown }.run().await;
    }
}

fn router(front: Arc<Front>) -> Router {
    let registry = Router::new()
        .route("/devices", get(service::devices))
        .route("/devices/{id}", get(service::device).put(service::put_device).delete(service::delete_device))
        .route("/statistics/devices", get(service::device_statistics))
        .route_layer(from_fn_with_state(Arc::clone(&front), access::registry));
    let service = Router::new()
        .route("/devices/query", post(service::query))
        .route("/devices/{id}/commands", delete(service::purge))
        .route("/devices/{id}/messages/devicebound", post(service::send))
        .route("/twins/{id}", get(service::twin).patch(service::patch_twin).put(service::replace_twin))
        .route("/twins/{id}/methods", post(service::invoke))
        .route("/statistics/service", get(service::service_statistics))
        .route_layer(from_fn_with_state(Arc::clone(&front), access::service));
    let device = Router::new()
        .route("/devices/{id}/files", post(device::begin))
        .route("/devices/{id}/files/notifications", post(device::end))
        .route("/devices/{id}/files/{*blob}", get(device::begin_by_name));
    registry
        .merge(service)
        .merge(device)
        .route_layer(from_fn(versioned))
        .route("/$iothub/websocket", get(websocket::upgrade))
        .fallback(blobs::serve)
        .layer(from_fn_with_state(Arc::clone(&front), troubled))
        // Each reads its body itself, within its own bounds.
        .layer(DefaultBodyLimit::disable())
        .with_state(front)
}

/// `api-version` must be there; which, is as with IoT Hub's additive versions all one.
async fn versioned(query: Query<std::collections::HashMap<String, String>>, request: Request<Body>, next: Next) -> Response {
    let is_version = |text: &str| {
        let date = text.strip_suffix("-preview").unwrap_or(text);
        date.len() == 10 && date.parse::<jiff::civil::Date>().is_ok()
    };
    match query.get("api-version").map(String::as_str) {
        Some(version) if is_version(version) => next.run(request).await,
        Some(_) => invalid_version("api-version must be a date, as in 2021-04-12"),
        None => invalid_version("api-version is missing from the address; 2021-04-12 is served"),
    }
}

fn invalid_version(message: &str) -> Response {
    ApiError::new(StatusCode::BAD_REQUEST, "InvalidProtocolVersion", message).into_response()
}

/// Whatever hinders the hub: it was destroyed, or a scenario wants it to behave badly.
async fn troubled(State(front): State<Arc<Front>>, request: Request<Body>, next: Next) -> Response {
    let unavailable =
        |why: &str| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", why).into_response();
    front.hub.fault_board().slow().await;
    if !front.hub.is_open() {
        return unavailable("there is no hub now; try again later");
    }
    if !front.hub.fault_board().admits() {
        let message = "more requests a second than the hub takes; try again in a second";
        return ApiError::new(StatusCode::TOO_MANY_REQUESTS, "ThrottlingException", message).into_response();
    }
    next.run(request).await
}

impl Front {
    /// Wall time as the hub has it.
    fn now(&self) -> Timestamp {
        self.hub.fault_board().wall_now()
    }

    /// The container that devices upload to.
    fn upload_container(&self) -> Option<String> {
        self.ground.peek().upload_container().map(str::to_owned)
    }

    fn has_container(&self, container: &str) -> bool {
        self.ground.peek().has_container(container)
    }
}

/// A body of at most `most` bytes.
async fn body(request: Request<Body>, most: usize) -> Result<Bytes, ApiError> {
    let body = tokio::time::timeout(BODY_TIME, axum::body::to_bytes(request.into_body(), most));
    let slow = |_| ApiError::new(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", "the body didn't come within 10 s");
    body.await.map_err(slow)?.map_err(|_| {
        let message = format!("the body broke off or has more than {most} bytes");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "MessageTooLarge", message)
    })
}

async fn json_body<T: DeserializeOwned>(request: Request<Body>) -> Result<T, ApiError> {
    let body = body(request, MAX_JSON).await?;
    serde_json::from_slice(&body).map_err(|error| ApiError::argument(format_args!("the body can't be read: {error}")))
}
