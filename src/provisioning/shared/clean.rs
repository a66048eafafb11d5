//! What others wrote, made printable before anybody here sees it.

use serde_json::Value;

use crate::provisioning::run::RunLogLine;
use crate::station::text::printable;

/// `value` with every text in it printable; lines stay lines, a signature's among them.
#[must_use]
pub fn texts(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(lines(&text)),
        Value::Array(values) => Value::Array(values.into_iter().map(texts).collect()),
        Value::Object(values) => {
            Value::Object(values.into_iter().map(|(name, value)| (printable(&name), texts(value))).collect())
        }
        other => other,
    }
}

/// A run's log with its texts printable; what isn't a line of a log is left out.
#[must_use]
pub fn log(bytes: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(bytes.len());
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(mut line) = serde_json::from_slice::<RunLogLine>(line) else { continue };
        line.text = printable(&line.text);
        if let Ok(line) = serde_json::to_vec(&line) {
            clean.extend(line);
            clean.push(b'\n');
        }
    }
    clean
}

fn lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_lose_what_moves_a_cursor_and_keep_their_lines() {
        let value = serde_json::json!({"a\u{1b}[2J": ["x\u{7}\ny\u{202e}z", 7, null]});
        assert_eq!(texts(value), serde_json::json!({"a[2J": ["x\nyz", 7, null]}));
    }

    #[test]
    fn a_log_keeps_its_lines_only() {
        let line = |text: &str| {
            format!(
                "{{\"number\":1,\"at\":\"2026-11-24T00:00:00Z\",\"phase\":\"planning\",\"level\":\"info\",\"text\":{text:?}}}\n"
            )
        };
        let log = log(format!("{}rubbish\n{}", line("one"), line("two")).as_bytes());
        assert_eq!(String::from_utf8(log).expect("text").lines().count(), 2);
        let evil = self::log(line("a").replace("\"a\"", "\"a\\u001b[2J\"").as_bytes());
        assert!(String::from_utf8(evil).expect("text").contains("\"a[2J\""));
    }
}
