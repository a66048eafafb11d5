//! The blob endpoint: what a device puts with the token it was given, and reads back with it; what it may read by a link.
//!
//! As storage's REST: Put Blob, Put Block, Put Block List, Get Blob (with a range) and Get Blob Properties. A blob
//! appears under its name whole, and is durable before the 201. Bodies are at most 64 MiB, a blob 256 MiB.
//! `Content-MD5` isn't checked: TLS has.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::Front;
use super::errors::{ApiError, BlobError};
use super::uploads::{Permission, Place};
use crate::ingestion::storage::BlobMeta;

/// Bytes of a body.
pub(super) const MAX_BODY: u64 = 64 * 1024 * 1024;
/// Bytes of a list of blocks: 1,000 of them.
const MAX_LIST: u64 = 128 * 1024;
/// How long nothing of a body may come.
const SILENCE: Duration = Duration::from_secs(30);

/// Serves whatever isn't one of the hub's own paths: a blob where it lies in the container of uploads or has a token.
pub(super) async fn serve(
    State(front): State<Arc<Front>>,
    query: Query<HashMap<String, String>>,
    request: Request<Body>,
) -> Response {
    let is_blobs = |place: &Place| {
        query.contains_key("sig") || front.upload_container().is_some_and(|container| place.container == container)
    };
    match place(request.uri()).filter(is_blobs) {
        Some(place) => blob(&front, place, &query, request).await.into_response(),
        None => {
            let message = "this hub has no such path";
            ApiError::new(StatusCode::NOT_FOUND, "ResourceNotFound", message).into_response()
        }
    }
}

async fn blob(
    front: &Front,
    place: Place,
    query: &HashMap<String, String>,
    request: Request<Body>,
) -> Result<Response, BlobError> {
    let denied = |why| BlobError::new(StatusCode::FORBIDDEN, "AuthenticationFailed", why);
    let permission = front.uploads.check(&place, query, front.now()).map_err(denied)?;
    if !front.has_container(&place.container) {
        let message = format!("container {} isn't applied any more", place.container);
        return Err(BlobError::new(StatusCode::NOT_FOUND, "ContainerNotFound", message));
    }
    let component = query.get("comp").map(String::as_str);
    let (head, body) = request.into_parts();
    if permission == Permission::Read && head.method == Method::PUT {
        let message = "the token is for reading";
        return Err(BlobError::new(StatusCode::FORBIDDEN, "AuthorizationPermissionMismatch", message));
    }
    match (head.method, component) {
        (Method::PUT, None) => put_blob(front, &place, &head.headers, body).await,
        (Method::PUT, Some("block")) => {
            let id = query.get("blockid").map_or("", String::as_str);
            put_block(front, &place, id, &head.headers, body).await
        }
        (Method::PUT, Some("blocklist")) => put_block_list(front, &place, &head.headers, body).await,
        (method @ (Method::GET | Method::HEAD), None) => get_blob(front, &place, &method, &head.headers).await,
        _ => Err(BlobError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "UnsupportedHttpVerb",
            "blobs are put whole or by blocks, and read",
        )),
    }
}

fn place(uri: &Uri) -> Option<Place> {
    Place::of(&percent_decode_str(uri.path().strip_prefix('/')?).decode_utf8().ok()?)
}

async fn put_blob(front: &Front, place: &Place, headers: &HeaderMap, body: Body) -> Result<Response, BlobError> {
    if !headers.get("x-ms-blob-type").is_some_and(|kind| kind.as_bytes().eq_ignore_ascii_case(b"BlockBlob")) {
        let message = "x-ms-blob-type must be BlockBlob";
        return Err(BlobError::new(StatusCode::BAD_REQUEST, "InvalidHeaderValue", message));
    }
    let only_new = only_new(headers);
    let mut body = Incoming::new(headers, body, MAX_BODY)?;
    let mut writer = front.containers.create(&place.container, &place.blob);
    while let Some(piece) = body.next().await? {
        writer.write(&piece).await.map_err(BlobError::server)?;
    }
    let _one = front.commits.lock().await;
    refuse_present(front, place, only_new).await?;
    writer.finish().await.map_err(BlobError::server)?;
    created(front, place).await
}

async fn put_block(
    front: &Front,
    place: &Place,
    id: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, BlobError> {
    let mut body = Incoming::new(headers, body, MAX_BODY)?;
    let mut block = front.blocks.create(place, id, body.left).await?;
    while let Some(piece) = body.next().await? {
        block.write(&piece).await?;
    }
    block.finish().await?;
    Ok(StatusCode::CREATED.into_response())
}

async fn put_block_list(front: &Front, place: &Place, headers: &HeaderMap, body: Body) -> Result<Response, BlobError> {
    let only_new = only_new(headers);
    let mut body = Incoming::new(headers, body, MAX_LIST)?;
    let mut list = Vec::new();
    while let Some(piece) = body.next().await? {
        list.extend_from_slice(&piece);
    }
    let _one = front.commits.lock().await;
    refuse_present(front, place, only_new).await?;
    front.blocks.commit(place, &list, &front.containers).await?;
    created(front, place).await
}

/// `If-None-Match: *`: only where there is no such blob yet.
fn only_new(headers: &HeaderMap) -> bool {
    headers.get(IF_NONE_MATCH).is_some_and(|value| value == "*")
}

async fn refuse_present(front: &Front, place: &Place, only_new: bool) -> Result<(), BlobError> {
    let is_there =
        only_new && front.containers.exists(&place.container, &place.blob).await.map_err(BlobError::server)?;
    if is_there {
        let message = format!("{} is there already", place.blob);
        return Err(BlobError::new(StatusCode::CONFLICT, "BlobAlreadyExists", message));
    }
    Ok(())
}

async fn created(front: &Front, place: &Place) -> Result<Response, BlobError> {
    let found = front.containers.open_range(&place.container, &place.blob, None).await.map_err(BlobError::server)?;
    let headers = found.map(|(meta, _)| described(&meta)).unwrap_or_default();
    Ok((StatusCode::CREATED, headers).into_response())
}

async fn get_blob(front: &Front, place: &Place, method: &Method, asked: &HeaderMap) -> Result<Response, BlobError> {
    let none = || BlobError::new(StatusCode::NOT_FOUND, "BlobNotFound", format_args!("{} isn't there", place.blob));
    let open = |range| front.containers.open_range(&place.container, &place.blob, range);
    let (meta, content) = open(None).await.map_err(BlobError::server)?.ok_or_else(none)?;
    let mut headers = described(&meta);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert("x-ms-blob-type", HeaderValue::from_static("BlockBlob"));
    if method == Method::HEAD {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(meta.bytes));
        return Ok((StatusCode::OK, headers).into_response());
    }
    let range = asked.get("x-ms-range").or_else(|| asked.get(RANGE)).and_then(|value| value.to_str().ok());
    let Some((first, last)) = range.and_then(|range| bounds(range, meta.bytes)) else {
        if range.is_some_and(|range| range.starts_with("bytes=")) {
            let message = format!("the blob has {} bytes", meta.bytes);
            return Err(BlobError::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message));
        }
        headers.insert(CONTENT_LENGTH, HeaderValue::from(meta.bytes));
        return Ok((StatusCode::OK, headers, Body::from_stream(content)).into_response());
    };
    drop(content);
    let (_, content) = open(Some(first..last + 1)).await.map_err(BlobError::server)?.ok_or_else(none)?;
    headers.insert(CONTENT_LENGTH, HeaderValue::from(last + 1 - first));
    let range = format!("bytes {first}-{last}/{}", meta.bytes);
    headers.insert(CONTENT_RANGE, HeaderValue::from_str(&range).map_err(BlobError::server)?);
    Ok((StatusCode::PARTIAL_CONTENT, headers, Body::from_stream(content)).into_response())
}

/// First and last byte of `bytes=FIRST-[LAST]` in a blob of `size` bytes.
fn bounds(range: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let first: u64 = first.parse().ok()?;
    let end = size.checked_sub(1)?;
    let last = if last.is_empty() { end } else { last.parse::<u64>().ok()?.min(end) };
    (first <= last).then_some((first, last))
}

fn described(meta: &BlobMeta) -> HeaderMap {
    let modified = Timestamp::from_second(meta.modified_s).unwrap_or(Timestamp::UNIX_EPOCH);
    let modified = modified.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let mut headers = HeaderMap::new();
    for (name, value) in [(LAST_MODIFIED, modified), (ETAG, format!("\"0x{:X}-{:X}\"", meta.modified_s, meta.bytes))] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    headers
}

/// A body that comes in pieces, of the length that was announced.
struct Incoming {
    stream: axum::body::BodyDataStream,
    /// Bytes that are still to come.
    left: u64,
}

impl Incoming {
    fn new(headers: &HeaderMap, body: Body, max: u64) -> Result<Self, BlobError> {
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let left = length.ok_or_else(|| {
            BlobError::new(StatusCode::LENGTH_REQUIRED, "MissingContentLengthHeader", "say how long the body is")
        })?;
        if left > max {
            let message = format!("a body of {left} bytes; at most {max} are taken, put larger blobs by blocks");
            return Err(BlobError::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestBodyTooLarge", message));
        }
        Ok(Self { stream: body.into_data_stream(), left })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        let cut = |why| BlobError::new(StatusCode::BAD_REQUEST, "IncompleteBody", why);
        let piece = tokio::time::timeout(SILENCE, self.stream.next());
        match piece.await.map_err(|_| cut("nothing of the body came for 30 s"))? {
            Some(Ok(piece)) => {
                self.left = self.left.saturating_sub(piece.len() as u64);
                Ok(Some(piece))
            }
            Some(Err(_)) => Err(cut("the body broke off")),
            None if self.left > 0 => Err(cut("the body is shorter than announced")),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_blob() {
        assert_eq!(bounds("bytes=0-9", 100), Some((0, 9)));
        assert_eq!(bounds("bytes=90-200", 100), Some((90, 99)));
        assert_eq!(bounds("bytes=5-", 100), Some((5, 99)));
        for wrong in ["bytes=100-", "bytes=5-4", "bytes=-5", "bytes=a-b", "lines=1-2", ""] {
            assert_eq!(bounds(wrong, 100), None, "{wrong}");
        }
        assert_eq!(bounds("bytes=0-0", 0), None, "an empty blob has no bytes");
    }
}
