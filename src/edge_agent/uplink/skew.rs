//! How far this machine's clock is from the hub's: from the date that every HTTP answer carries.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use super::dial::dial;
use super::link::Link;
use super::meter::Meter;
use super::settings::UplinkSettings;
use super::tls::{self, Tls};
use crate::clock::wall;

/// Least time between two looks.
const EVERY: Duration = Duration::from_secs(600);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read in search of its date.
const MAX_ANSWER: usize = 8 * 1024;
/// Seconds from which a difference is worth a word: IoT Hub itself allows for five minutes at most.
const NOTABLE_S: f64 = 60.0;

/// The last look.
#[derive(Default)]
pub(super) struct Skew {
    looked_at: Option<Instant>,
    /// Seconds this clock was ahead of the hub's, this clock's time then, and when.
    found: Option<(f64, Timestamp, Instant)>,
}

impl Skew {
    /// Seconds by which this machine's clock is ahead of the hub's; negative is behind. Asks the hub at most once in
    /// ten minutes; what is known from before follows this clock's being set.
    pub(super) async fn look(&mut self, link: &Link, settings: &UplinkSettings) -> Option<f64> {
        let now = Instant::now();
        if self.looked_at.is_none_or(|at| now.duration_since(at) >= EVERY) {
            self.looked_at = Some(now);
            self.found = match tokio::time::timeout(TIMEOUT, hubs_date(settings, &link.tls, &link.meter)).await {
                Ok(Ok(date)) => {
                    let wall = wall::now();
                    // The date has no fraction of a second: half a second on average.
                    Some((wall.duration_since(date).as_secs_f64() - 0.5, wall, Instant::now()))
                }
                Ok(Err(error)) => {
                    tracing::debug!("the hub's clock can't be read: {error}");
                    None
                }
                Err(_) => None,
            };
        }
        let (found, wall, at) = self.found?;
        let stepped = wall::now().duration_since(wall).as_secs_f64() - at.elapsed().as_secs_f64();
        Some(found + stepped)
    }
}

/// The difference in words, where it is worth some.
pub(super) fn words(skew_s: f64) -> Option<String> {
    (skew_s.abs() >= NOTABLE_S).then(|| {
        let side = if skew_s < 0.0 { "behind" } else { "ahead of" };
        format!("this machine's clock is {} {side} the hub's; set it", span(skew_s.abs()))
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and saturating")]
fn span(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes:02} min"),
        (days, hours, _) => format!("{days} d {hours:02} h"),
    }
}

/// The hub's time, to the second.
pub(super) async fn hubs_date(settings: &UplinkSettings, tls: &Tls, meter: &Meter) -> Result<Timestamp, String> {
    let identity = tls::identity(&settings.credentials)?;
    let config = tls.config(settings, identity.as_ref())?;
    let name = ServerName::try_from(settings.host.clone()).map_err(|error| error.to_string())?;
    let stream = dial(&settings.host, settings.https_port, meter.clone()).await.map_err(|e| e.to_string())?;
    let mut stream =
        tokio_rustls::TlsConnector::from(config).connect(name, stream).await.map_err(|error| error.to_string())?;
    let request = format!("HEAD / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", settings.url_host());
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    stream.flush().await.map_err(|error| error.to_string())?;
    read_date(&mut stream).await.ok_or_else(|| "the answer has no date".to_owned())
}

async fn read_date(stream: &mut (impl AsyncRead + Unpin)) -> Option<Timestamp> {
    let mut answer = Vec::new();
    while answer.len() < MAX_ANSWER && !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read_buf(&mut answer).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    let text = String::from_utf8_lossy(&answer);
    let mut lines = text.split("\r\n");
    lines.next()?.starts_with("HTTP/").then_some(())?;
    let (_, date) =
        lines.filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("date"))?;
    DateTimeParser::new().parse_timestamp(date.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_date_is_read_from_any_answer() {
        let good = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nDATE: Thu, 26 Nov 2026 10:45:00 GMT\r\n\r\n";
        assert_eq!(read_date(&mut good.as_bytes()).await, Some("2026-11-26T10:45:00Z".parse().expect("a timestamp")));
        for wrong in [
            "",
            "HTTP/1.1 200 OK\r\n\r\n",
            "SSH-2.0\r\ndate: Thu, 26 Nov 2026 10:45:00 GMT\r\n\r\n",
            "HTTP/1.1 200\r\ndate: today\r\n\r\n",
        ] {
            assert_eq!(read_date(&mut wrong.as_bytes()).await, None, "{wrong}");
        }
        let endless = "x".repeat(100_000);
        assert_eq!(read_date(&mut endless.as_bytes()).await, None);
    }

    #[test]
    fn a_difference_is_told_as_people_say_it() {
        for (seconds, expected) in [
            (59.0, None),
            (-59.9, None),
            (-10_920.0, Some("this machine's clock is 3 h 02 min behind the hub's; set it")),
            (61.0, Some("this machine's clock is 1 min ahead of the hub's; set it")),
            (-1.8e9, Some("this machine's clock is 20833 d 08 h behind the hub's; set it")),
        ] {
            assert_eq!(words(seconds).as_deref(), expected);
        }
    }
}
