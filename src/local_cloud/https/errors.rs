//! What a request is refused with: IoT Hub's JSON for the hub's paths, storage's XML for blobs.

use std::fmt::Display;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use crate::station::text::printable;

/// Names the error beside the status, as IoT Hub does.
const ERROR_CODE: HeaderName = HeaderName::from_static("iothub-errorcode");
/// Names the error beside the status, as storage does.
const STORAGE_ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");

/// A refusal in IoT Hub's words: `{"Message":"ErrorCode:NAME;…","ExceptionMessage":"Tracking ID:…"}`.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    name: &'static str,
    /// Printable.
    message: String,
    /// IoT Hub's six digits; given where the message is JSON itself, as direct methods' are.
    number: Option<u32>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, name: &'static str, message: impl Display) -> Self {
        Self { status, name, message: printable(&message.to_string()), number: None }
    }

    /// An error of a direct method, whose message is JSON with IoT Hub's number.
    pub(super) fn of_method(status: StatusCode, name: &'static str, number: u32, message: String) -> Self {
        Self { status, name, message, number: Some(number) }
    }

    pub(super) fn argument(message: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ArgumentInvalid", message)
    }

    pub(super) fn unauthorized(message: impl Display) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "IotHubUnauthorizedAccess", message)
    }

    pub(super) fn precondition(message: impl Display) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message)
    }

    /// The hub's own failure; the words go to the log alone, which the owner reads.
    pub(super) fn server(error: impl Display) -> Self {
        tracing::error!("the local hub can't answer a request: {error}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "ServerError", "the hub's log says why")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (tracking, now) = (uuid::Uuid::now_v7(), Timestamp::now());
        let body = match self.number {
            Some(number) => {
                let message = json!({
                    "errorCode": number, "trackingId": tracking, "message": self.message, "timestampUtc": now,
                });
                json!({"Message": message.to_string(), "ExceptionMessage": ""})
            }
            None => json!({
                "Message": format!("ErrorCode:{};{}", self.name, self.message),
                "ExceptionMessage": format!("Tracking ID:{tracking}-TimeStamp:{now}"),
            }),
        };
        let mut headers = HeaderMap::new();
        headers.insert(ERROR_CODE, HeaderValue::from_static(self.name));
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => drop(headers.insert(RETRY_AFTER, HeaderValue::from_static("1"))),
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("SharedAccessSignature"));
            }
            _ => {}
        }
        (self.status, headers, axum::Json(body)).into_response()
    }
}

/// A refusal in storage's words.
#[derive(Debug)]
pub(super) struct BlobError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl BlobError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Display) -> Self {
        Self { status, code, message: printable(&message.to_string()) }
    }

    pub(super) fn server(error: impl Display) -> Self {
        tracing::error!("the local hub can't keep or read a blob: {error}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "the hub's log says why")
    }
}

impl IntoResponse for BlobError {
    fn into_response(self) -> Response {
        let message = self.message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let code = self.code;
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        );
        let mut headers = HeaderMap::new();
        headers.insert(STORAGE_ERROR_CODE, HeaderValue::from_static(code));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        (self.status, headers, body).into_response()
    }
}
