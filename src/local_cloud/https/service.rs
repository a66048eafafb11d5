//! The service side: registry, twins, direct methods, messages to devices, statistics (IoT Hub's REST, 2021-04-12).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{ETAG, IF_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::ApiError;
use super::query::Query as TwinQuery;
use super::{Front, body, json_body};
use crate::local_cloud::hub::{self, InvokeError};
use crate::local_cloud::registry::{DeviceBoundMessage, DeviceSpec, MAX_MESSAGE, RegistryError};

/// Twins in an answer to a query where the caller doesn't say.
const PAGE: usize = 100;
/// Devices listed at most.
const MAX_LIST: usize = hub::MAX_LIST as usize;
/// Seconds a method may take to answer where the caller doesn't say.
const RESPONSE_S: u64 = 30;
/// How a page of twins says where the next begins.
const CONTINUATION: HeaderName = HeaderName::from_static("x-ms-continuation");
const ITEM_TYPE: HeaderName = HeaderName::from_static("x-ms-item-type");
/// The prefix of headers that become a message's own properties.
const APP: &str = "iothub-app-";

type Answer = Result<Response, ApiError>;

impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        match &error {
            RegistryError::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "DeviceNotFound", error),
            RegistryError::AlreadyExists(_) => Self::new(StatusCode::CONFLICT, "DeviceAlreadyExists", error),
            RegistryError::Changed(_) => Self::precondition(error),
            RegistryError::Invalid(_) => Self::argument(error),
            RegistryError::QueueFull(_) => Self::new(StatusCode::FORBIDDEN, "DeviceMaximumQueueDepthExceeded", error),
            RegistryError::Database(_) => Self::server(error),
        }
    }
}

/// A document with its etag.
fn tagged(document: Value) -> Response {
    let tag = document["etag"].as_str().and_then(|tag| HeaderValue::from_str(&format!("\"{tag}\"")).ok());
    let mut response = Json(document).into_response();
    if let Some(tag) = tag {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// `If-Match`, as the registry takes it.
fn if_match(headers: &HeaderMap) -> Option<String> {
    headers.get(IF_MATCH).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

pub(super) async fn devices(State(front): State<Arc<Front>>, query: Query<HashMap<String, String>>) -> Answer {
    let top = match query.get("top") {
        Some(text) => text.parse().map_err(|_| ApiError::argument("top must be a number from 1 to 1,000"))?,
        None => MAX_LIST,
    };
    if !(1..=MAX_LIST).contains(&top) {
        return Err(ApiError::argument("top must be a number from 1 to 1,000"));
    }
    let devices = front.hub.devices().await?;
    Ok(Json(devices.iter().take(top).map(|device| device.rest_json()).collect::<Vec<_>>()).into_response())
}

pub(super) async fn device(State(front): State<Arc<Front>>, Path(id): Path<String>) -> Answer {
    Ok(tagged(front.hub.device(&id).await?.rest_json()))
}

pub(super) async fn put_device(
    State(front): State<Arc<Front>>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Answer {
    let if_match = if_match(request.headers());
    let body: Value = json_body(request).await?;
    let spec = DeviceSpec::from_rest(&id, &body).map_err(ApiError::argument)?;
    Ok(tagged(front.hub.put_device(&id, spec, if_match).await?.rest_json()))
}

pub(super) async fn delete_device(
    State(front): State<Arc<Front>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    front.hub.delete_device(&id, if_match(&headers)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
struct Asked {
    query: String,
}

pub(super) async fn query(State(front): State<Arc<Front>>, request: Request<Body>) -> Answer {
    let headers = request.headers().clone();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let most: usize = match header("x-ms-max-item-count").filter(|text| !text.is_empty()) {
        Some(text) => text
            .parse()
            .ok()
            .filter(|most| (1..=MAX_LIST).contains(most))
            .ok_or_else(|| ApiError::argument("x-ms-max-item-count must be a number from 1 to 1,000"))?,
        None => PAGE,
    };
    // The device the next page begins after: devices that come and go don't shift pages.
    let after = header(CONTINUATION.as_str()).unwrap_or_default();
    let Asked { query } = json_body(request).await?;
    let query = TwinQuery::parse(&query)
        .map_err(|why| ApiError::new(StatusCode::BAD_REQUEST, "IotHubQueryNotSupported", why))?;
    let twins = front.hub.twins().await?;
    let mut found = twins.iter().filter(|twin| twin.device.device_id.as_str() > after).map(|twin| twin.rest_json());
    let page: Vec<Value> = found.by_ref().filter(|twin| query.takes(twin)).take(most).collect();
    let mut headers = HeaderMap::new();
    headers.insert(ITEM_TYPE, HeaderValue::from_static("Twin"));
    let last = page.last().and_then(|twin| HeaderValue::from_str(twin["deviceId"].as_str()?).ok());
    if let Some(last) = last
        && found.any(|twin| query.takes(&twin))
    {
        headers.insert(CONTINUATION, last);
    }
    Ok((headers, Json(page)).into_response())
}

pub(super) async fn twin(State(front): State<Arc<Front>>, Path(id): Path<String>) -> Answer {
    Ok(tagged(front.hub.twin(&id).await?.rest_json()))
}

pub(super) async fn patch_twin(front: State<Arc<Front>>, id: Path<String>, request: Request<Body>) -> Answer {
    change_twin(front, id, request, false).await
}

pub(super) async fn replace_twin(front: State<Arc<Front>>, id: Path<String>, request: Request<Body>) -> Answer {
    change_twin(front, id, request, true).await
}

async fn change_twin(
    State(front): State<Arc<Front>>,
    Path(id): Path<String>,
    request: Request<Body>,
    replaces: bool,
) -> Answer {
    let if_match = if_match(request.headers());
    let body: Value = json_body(request).await?;
    let twin = match replaces {
        true => front.hub.replace_twin(&id, &body, if_match).await?,
        false => front.hub.patch_twin(&id, &body, if_match).await?,
    };
    Ok(tagged(twin.rest_json()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    method_name: String,
    #[serde(default)]
    payload: Value,
    response_timeout_in_seconds: Option<u64>,
    connect_timeout_in_seconds: Option<u64>,
}

pub(super) async fn invoke(State(front): State<Arc<Front>>, Path(id): Path<String>, request: Request<Body>) -> Answer {
    let call: Call = json_body(request).await?;
    let response = Duration::from_secs(call.response_timeout_in_seconds.unwrap_or(RESPONSE_S));
    let connect = Duration::from_secs(call.connect_timeout_in_seconds.unwrap_or(0));
    let answer = front.hub.invoke(&id, &call.method_name, &call.payload, connect, response).await?;
    Ok(Json(json!({"status": answer.status, "payload": answer.payload})).into_response())
}

impl From<InvokeError> for ApiError {
    fn from(error: InvokeError) -> Self {
        let words = error.to_string();
        match error {
            InvokeError::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "DeviceNotFound", words),
            InvokeError::NotConnected(_) | InvokeError::NotServed(_) => {
                Self::of_method(StatusCode::NOT_FOUND, "DeviceNotOnline", 404_103, words)
            }
            InvokeError::TimedOut { .. } => {
                Self::of_method(StatusCode::GATEWAY_TIMEOUT, "GatewayTimeout", 504_101, words)
            }
            InvokeError::Invalid(_) => Self::argument(words),
            InvokeError::Database(_) => Self::server(words),
        }
    }
}

/// Our own, where IoT Hub has AMQP only: a message to a device, its properties in headers as in IoT Hub's HTTPS
/// telemetry.
pub(super) async fn send(State(front): State<Arc<Front>>, Path(id): Path<String>, request: Request<Body>) -> Answer {
    let mut message = DeviceBoundMessage::default();
    for (name, value) in request.headers() {
        let wrong = || ApiError::argument(format_args!("the header {name} isn't plain text"));
        if !name.as_str().starts_with("iothub-") {
            continue;
        }
        let value = value.to_str().map_err(|_| wrong())?.to_owned();
        match (name.as_str(), name.as_str().strip_prefix(APP)) {
            (_, Some(property)) => drop(message.properties.insert(property.to_owned(), value)),
            ("iothub-messageid", _) => message.message_id = Some(value),
            ("iothub-correlationid", _) => message.correlation_id = Some(value),
            ("iothub-userid", _) => drop(message.system.insert("$.uid".to_owned(), value)),
            ("iothub-contenttype", _) => drop(message.system.insert("$.ct".to_owned(), value)),
            ("iothub-contentencoding", _) => drop(message.system.insert("$.ce".to_owned(), value)),
            ("iothub-expiry", _) => {
                let at = value.parse().map_err(|_| ApiError::argument("iothub-expiry must be an RFC 3339 time"))?;
                message.expires_at = Some(at);
            }
            _ => return Err(ApiError::argument(format_args!("the header {name} isn't known"))),
        }
    }
    message.body = body(request, MAX_MESSAGE).await?.to_vec();
    front.hub.send_to_device(&id, message).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn purge(State(front): State<Arc<Front>>, Path(id): Path<String>) -> Answer {
    let purged = front.hub.purge_device_bound(&id).await?;
    Ok(Json(json!({"totalMessagesPurged": purged, "deviceId": id, "moduleId": null})).into_response())
}

pub(super) async fn device_statistics(State(front): State<Arc<Front>>) -> Answer {
    let statistics = front.hub.statistics().await?;
    Ok(Json(json!({
        "totalDeviceCount": statistics.total_device_count,
        "enabledDeviceCount": statistics.enabled_device_count,
        "disabledDeviceCount": statistics.disabled_device_count,
    }))
    .into_response())
}

pub(super) async fn service_statistics(State(front): State<Arc<Front>>) -> Answer {
    let statistics = front.hub.statistics().await?;
    Ok(Json(json!({"connectedDeviceCount": statistics.connected_device_count})).into_response())
}
