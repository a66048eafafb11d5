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
mod uploads;
mod websocket;

use std::net::{IpAddr, SocketAddr};
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
use http::{HeaderValue, Request, StatusCode};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use policies::{Policy, PolicyError};

use super::hub::Hub;
use crate::ingestion::storage::Containers;
use crate::ingestion::topology::Ground;
use blocks::Blocks;
use errors::ApiError;
use policies::Policies;
use uploads::{Permission, Place, Uploads};

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

/// What the HTTPS side needs beside the hub.
#[derive(Debug, Clone)]
pub struct HttpsConfig {
    /// TCP port, on the hub's address; 0 takes a free one.
    pub port: u16,
    /// Where uploaded files go.
    pub containers: Containers,
}

/// The keys of the service side, for who runs the hub.
#[derive(Clone)]
pub(super) struct Keys(Arc<Policies>);

impl Keys {
    /// The connection string of a policy, for a hub that listens at `address`.
    pub(super) fn connection_string(&self, policy: Policy, address: SocketAddr) -> SecretString {
        let host = if address.ip().is_unspecified() { IpAddr::from([127, 0, 0, 1]) } else { address.ip() };
        self.0.connection_string(policy, &authority(SocketAddr::new(host, address.port())))
    }

    /// A link to read one blob of a hub that is found at `address`, until `ends`.
    pub(super) fn read_link(
        &self,
        address: SocketAddr,
        container: &str,
        blob: &str,
        ends: Timestamp,
    ) -> Option<SecretString> {
        let place = Place::of(&format!("{container}/{blob}"))?;
        let path: Vec<_> =
            blob.split('/').map(|part| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string()).collect();
        let token = uploads::token(&self.0, &place, Permission::Read, ends)?;
        Some(format!("https://{}/{container}/{}{token}", authority(address), path.join("/")).into())
    }
}

/// `HOST:PORT`, without the port where it is HTTPS's own.
fn authority(address: SocketAddr) -> String {
    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
    let text = address.to_string();
    text.strip_suffix(":443").map_or_else(|| text.clone(), str::to_owned)
}

/// The HTTPS side, ready to serve.
pub(super) struct Https {
    front: Arc<Front>,
    listener: TcpListener,
}

impl Https {
    /// `folder` is the hub's: the policies' keys and the blocks of uploads lie in it.
    pub(super) fn new(
        hub: Hub,
        folder: &Path,
        listener: TcpListener,
        containers: Containers,
        ground: Ground,
        shutdown: CancellationToken,
    ) -> Result<Self, PolicyError> {
        let policies = Arc::new(Policies::load_or_make(folder)?);
        let address = listener.local_addr().unwrap_or_else(|_| hub.address());
        let front = Arc::new(Front {
            hub,
            ground,
            containers,
            uploads: Uploads::new(Arc::clone(&policies)),
            policies,
            blocks: Blocks::new(folder.join("blocks")),
            commits: tokio::sync::Mutex::default(),
            address,
            shutdown,
        });
        Ok(Self { front, listener })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.front.address
    }

    /// The policies' keys.
    pub(super) fn keys(&self) -> Keys {
        Keys(Arc::clone(&self.front.policies))
    }

    /// What answers requests, for a fuzzer: without a socket, to a caller at the hub's own address.
    pub(super) fn into_router(self) -> Option<Router> {
        let address = self.front.address;
        let share = Arc::new(Arc::new(tokio::sync::Semaphore::new(1)).try_acquire_owned().ok()?);
        let caller = server::Caller { peer: address, reached: address, certificates: [].into(), share };
        Some(router(self.front).layer(axum::Extension(caller)))
    }

    /// Serves until the shutdown; answers once every connection has ended.
    pub(super) async fn run(self) {
        let Self { front, listener } = self;
        let (hub, shutdown) = (front.hub.clone(), front.shutdown.clone());
        server::Server { listener, hub, router: router(front), shutdown }.run().await;
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
        .method_not_allowed_fallback(not_served)
        .route("/$iothub/websocket", get(websocket::upgrade))
        .fallback(blobs::serve)
        .layer(from_fn_with_state(Arc::clone(&front), troubled))
        .layer(from_fn_with_state(Arc::clone(&front), dated))
        // Each reads its body itself, within its own bounds.
        .layer(DefaultBodyLimit::disable())
        .with_state(front)
}

async fn not_served() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "InvalidOperation", "this path doesn't take that method")
}

/// `api-version` must be there; which, is as with IoT Hub's additive versions all one.
async fn versioned(
    query: Query<std::collections::HashMap<String, String>>,
    request: Request<Body>,
    next: Next,
) -> Response {
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

/// Gives every answer the hub's own date: devices compare their clocks with it.
async fn dated(State(front): State<Arc<Front>>, request: Request<Body>, next: Next) -> Response {
    let mut response = next.run(request).await;
    let date = front.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::from_str(&date) {
        response.headers_mut().insert(http::header::DATE, date);
    }
    response
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
