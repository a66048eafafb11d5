//! What goes over the line: a table as rows of strings, the longer ones in chunks, every second of them compressed.

use std::io::Write as _;

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

/// Rows that go in the answer itself.
const INLINE: usize = 50;
/// Rows in a chunk.
const CHUNK: usize = 2000;

/// An answer: columns with their types, and rows.
#[derive(Debug, Default)]
pub struct Table {
    pub columns: Vec<(&'static str, &'static str)>,
    pub rows: Vec<Vec<Option<String>>>,
}

pub fn json(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

/// Rows apart from their answer: bytes, and whether they are compressed.
pub type Chunk = (Vec<u8>, bool);

/// The answer, and the chunks it names.
pub fn table(table: &Table, url: &str, id: &str) -> (Value, Vec<(String, Chunk)>) {
    let types = table.columns.iter().map(|(name, kind)| {
        let scale = if kind.starts_with("timestamp") { json!(9) } else { json!(0) };
        json!({"name": name, "type": kind, "nullable": true, "scale": scale, "precision": 38, "length": 16_777_216})
    });
    let (inline, rest) = table.rows.split_at(table.rows.len().min(INLINE));
    let mut chunks = Vec::new();
    let mut named = Vec::new();
    for (number, rows) in rest.chunks(CHUNK).enumerate() {
        // Rows without the brackets around them.
        let text = serde_json::to_string(rows).expect("JSON");
        let plain = text.as_bytes()[1..text.len() - 1].to_vec();
        let is_packed = number % 2 == 0;
        let bytes = if is_packed { gzip(&plain) } else { plain.clone() };
        let name = format!("{id}-{number}");
        named.push(json!({"url": format!("{url}/chunks/{name}"), "rowCount": rows.len(),
            "uncompressedSize": plain.len(), "compressedSize": bytes.len()}));
        chunks.push((name, (bytes, is_packed)));
    }
    let mut data = json!({
        "queryId": id,
        "rowtype": types.collect::<Vec<_>>(),
        "rowset": inline,
        "returned": table.rows.len(),
        "total": table.rows.len(),
        "queryResultFormat": "json",
    });
    if !named.is_empty() {
        data["chunks"] = json!(named);
        data["chunkHeaders"] = json!({});
    }
    (json!({"success": true, "code": null, "message": null, "data": data}), chunks)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("written to memory");
    encoder.finish().expect("finished")
}
