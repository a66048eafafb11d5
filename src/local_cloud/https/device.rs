//! What devices ask for: places to upload files to (*Upload files with IoT Hub*).

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use http::{Request, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::ApiError;
use super::server::Caller;
use super::uploads::{MAX_OPEN, Place, is_blob_name};
use super::{Front, authority, json_body};
use crate::station::text::printable;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    blob_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    correlation_id: String,
    is_success: bool,
    status_code: Option<i64>,
    status_description: Option<String>,
}

/// `POST /devices/{id}/files`: a place for the blob, and a token for it.
pub(super) async fn begin(
    State(front): State<Arc<Front>>,
    Path(device_id): Path<String>,
    Extension(caller): Extension<Caller>,
    request: Request<Body>,
) -> Result<Json<Value>, ApiError> {
    front.admit_device(&device_id, request.headers(), &caller).await?;
    let Wanted { blob_name } = json_body(request).await?;
    open(&front, &device_id, &blob_name, &caller).await
}

/// `GET /devices/{id}/files/{blob}`, as clients of old versions ask.
pub(super) async fn begin_by_name(
    State(front): State<Arc<Front>>,
    Path((device_id, blob_name)): Path<(String, String)>,
    Extension(caller): Extension<Caller>,
    request: Request<Body>,
) -> Result<Json<Value>, ApiError> {
    front.admit_device(&device_id, request.headers(), &caller).await?;
    open(&front, &device_id, &blob_name, &caller).await
}

async fn open(front: &Front, device_id: &str, blob_name: &str, caller: &Caller) -> Result<Json<Value>, ApiError> {
    let blob = format!("{device_id}/{blob_name}");
    if !is_blob_name(&blob) {
        return Err(ApiError::argument("blobName can't be a blob's name below the device's id"));
    }
    let container = front.upload_container().ok_or_else(|| {
        let message = "no container for uploads is applied; apply azurerm_iothub's file_upload and its container";
        ApiError::new(StatusCode::BAD_REQUEST, "InvalidStorageEndpoint", message)
    })?;
    front.blocks.sweep(SystemTime::now()).await;
    let place = Place { container, blob };
    let begun = front.uploads.begin(device_id, place.clone(), front.now()).ok_or_else(|| {
        let message = format!("{MAX_OPEN} uploads of {device_id} are open; say of one how it went");
        ApiError::new(StatusCode::FORBIDDEN, "DeviceMaximumActiveFileUploadLimitExceeded", message)
    })?;
    Ok(Json(json!({
        "correlationId": begun.correlation_id,
        "hostName": authority(caller.reached),
        "containerName": place.container,
        "blobName": place.blob,
        "sasToken": begun.token,
    })))
}

/// `POST /devices/{id}/files/notifications`: how an upload went.
pub(super) async fn end(
    State(front): State<Arc<Front>>,
    Path(device_id): Path<String>,
    Extension(caller): Extension<Caller>,
    request: Request<Body>,
) -> Result<StatusCode, ApiError> {
    front.admit_device(&device_id, request.headers(), &caller).await?;
    let outcome: Outcome = json_body(request).await?;
    let place = front.uploads.end(&device_id, &outcome.correlation_id).ok_or_else(|| {
        ApiError::new(StatusCode::NOT_FOUND, "FileUploadNotFound", "no upload of that correlationId is open")
    })?;
    if !outcome.is_success {
        front.blocks.forget(&place).await;
        let why = printable(outcome.status_description.as_deref().unwrap_or("no reason given"));
        let code = outcome.status_code.unwrap_or_default();
        tracing::info!(device = device_id, "an upload to {} failed: {code} {why}", printable(&place.blob));
    }
    Ok(StatusCode::NO_CONTENT)
}
