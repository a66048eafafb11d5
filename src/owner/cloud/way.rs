//! A reading's way through the cloud, by its message id: what the feed saw, the batch that holds it, what the copy history says
//! of that. What isn't known says why.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::clock::ledger::Hop;
use crate::ingestion::account::{AccountWatcher, BlobLine};
use crate::ingestion::enqueued::EnqueuedMessage;
use crate::ingestion::events::{EventsMemory, Seen};
use crate::ingestion::feed::LiveFeed;
use crate::ingestion::warehouse::snowflake::{FoundRow, KnownFile, Watcher};
use crate::owner::answers::{received, refused, sent_at};
use crate::owner::client::AskError;
use crate::owner::views::{ReceivedMessage, RowPlace, RowsFound, Trace, TraceHop};
use crate::station::text::printable;

/// How much later than its window a batch may be.
const SLACK: SignedDuration = SignedDuration::from_mins(2);
/// Batches that are looked into for one message.
const MOST_BATCHES: usize = 16;
/// How soon what the feed shows is kept, at the latest.
const KEPT_WITHIN: Duration = Duration::from_secs(5);

/// What follows a reading.
#[derive(Clone)]
pub(super) struct Ways {
    /// What the feed saw; absent where none is read.
    pub(super) memory: Option<EventsMemory>,
    /// The account with the batches.
    pub(super) account: Option<AccountWatcher>,
    /// The warehouse.
    pub(super) warehouse: Option<Watcher>,
    /// The longest that the hub gathers a batch.
    pub(super) window: SignedDuration,
}

/// A hop that is known, or why it isn't.
type Known<T> = Result<T, String>;

/// The batch that holds a message.
struct Batch {
    container: String,
    file: String,
    written_at: Timestamp,
    line: BlobLine,
}

/// What is known of a message beyond the feed.
struct Found {
    batch: Known<Batch>,
    copied: Known<KnownFile>,
    /// Absent where they weren't asked for.
    rows: Option<RowsFound>,
}

impl Ways {
    /// The way of a message, or of the newest measurement without an id; with `with_rows`, its rows are asked for.
    pub(super) async fn trace(
        &self,
        feed: &LiveFeed,
        (message_id, with_rows): (Option<&str>, bool),
        now: Timestamp,
    ) -> Result<Trace, AskError> {
        let Some(memory) = &self.memory else {
            let words = "trace: the feed isn't read, so nothing is known of single messages; set azure.feed and start the owner \
                         again";
            return Err(AskError::Refused(words.into()));
        };
        let mut seen = memory.find(message_id).await.map_err(refused)?;
        if let (None, Some(id)) = (&seen, message_id.filter(|id| feed.find(id).is_some())) {
            seen = memory.find_soon(id, KEPT_WITHIN).await.map_err(refused)?;
        }
        let Some(seen) = seen else {
            return Err(AskError::Refused(match message_id {
                Some(id) => format!(
                    "message {}: the feed hasn't seen it since it was first read; check its id, `skydeck trace` without one shows \
                     one that it has",
                    printable(id)
                ),
                None => "trace: the feed has no measurement yet; ask again in a moment".to_owned(),
            }));
        };
        let batch = self.batch(&seen, now).await;
        let mut copied = match &batch {
            Ok(batch) => {
                // Somebody waits for it: the history is asked for a little sooner than by itself.
                if let Some(warehouse) = &self.warehouse {
                    warehouse.look(now);
                }
                self.copied(&batch.file).await
            }
            Err(_) => Err("not known before its batch is".to_owned()),
        };
        let rows = if with_rows { Some(self.rows(&seen, copied.as_ref().ok(), now).await) } else { None };
        // The table's own columns tell the file where no batch does.
        let row = rows.as_ref().and_then(|found| found.rows.first());
        if let (Err(_), Some(row)) = (&copied, row) {
            copied = self.copied(&row.file).await;
        }
        let live = feed.find(&seen.message_id);
        Ok(way(&seen, live.as_deref(), &Found { batch, copied, rows }))
    }

    /// The rows of a message, by the tables' own columns. It wakes the warehouse.
    async fn rows(&self, seen: &Seen, known: Option<&KnownFile>, now: Timestamp) -> RowsFound {
        let trouble = |words: String| RowsFound { rows: Vec::new(), trouble: Some(words) };
        let Some(warehouse) = &self.warehouse else {
            return trouble("no warehouse is watched: set snowflake.account".to_owned());
        };
        let since = seen.enqueued_at.checked_sub(SLACK).unwrap_or(seen.enqueued_at);
        let first = known.map(|known| known.table.as_str());
        let place = |row: FoundRow| RowPlace {
            table: printable(&row.table),
            file: printable(&row.file),
            line: row.line,
            loaded_at: row.loaded_at,
        };
        match warehouse.rows_of((&seen.device_id, &seen.message_id), first, since, now).await {
            Ok(rows) => RowsFound { rows: rows.into_iter().map(place).collect(), trouble: None },
            Err(error) => trouble(printable(&error.to_string())),
        }
    }

    /// The batch that holds a message: of those written from when the hub took it in until it was due.
    async fn batch(&self, seen: &Seen, now: Timestamp) -> Known<Batch> {
        let Some(account) = &self.account else { return Err("not watched: set azure.storage_account".into()) };
        let kind = seen.kind.as_deref().unwrap_or_default();
        let Some(container) = account.container_of(kind) else {
            return Err(format!("no container of azure.containers takes {}", printable(kind)));
        };
        let due = seen.enqueued_at.checked_add(self.window + SLACK).unwrap_or(seen.enqueued_at);
        let store = account.store(&container).map_err(|error| error.to_string())?;
        let files = store.since(seen.enqueued_at).await.map_err(|error| error.to_string())?;
        let needle = format!("\"{}\"", seen.message_id);
        for file in files.into_iter().take_while(|file| file.written_at <= due + SLACK).take(MOST_BATCHES) {
            let line = store.find(&file.name, &needle).await.map_err(|error| error.to_string())?;
            if let Some(line) = line {
                return Ok(Batch { container, file: file.name, written_at: file.written_at, line });
            }
        }
        Err(if due > now {
            format!("in no batch yet: the hub gathers for up to {} s", self.window.as_secs())
        } else {
            format!("in no batch of {container}: the hub's route or its rights are worth a look")
        })
    }

    /// What the copy history says of a file.
    pub(super) async fn copied(&self, file: &str) -> Known<KnownFile> {
        let Some(warehouse) = &self.warehouse else { return Err("not watched: set snowflake.account".into()) };
        let found = warehouse.history().find(file.to_owned()).await.map_err(|error| error.to_string())?;
        found.ok_or_else(|| {
            let asked = warehouse.status().borrow().woke_at;
            let asked = asked
                .map_or_else(|| "which wasn't asked for yet".to_owned(), |at| at.strftime("as of %H:%MZ").to_string());
            format!("not in the copy history, {asked}; `skydeck pipe look` asks for it now")
        })
    }
}

fn way(seen: &Seen, live: Option<&EnqueuedMessage>, found: &Found) -> Trace {
    let Found { batch, copied, rows } = found;
    let row = rows.as_ref().and_then(|found| found.rows.first());
    let line: Option<Value> = batch.as_ref().ok().and_then(|batch| serde_json::from_str(&batch.line.text).ok());
    let properties = |line: &Value| line.get("Properties").and_then(sent_at);
    let live_sent = || live.and_then(|message| message.properties.get("sentAt")?.parse().ok());
    let times = [
        seen.measured_at,
        line.as_ref().and_then(properties).or_else(live_sent),
        Some(seen.enqueued_at),
        batch.as_ref().ok().map(|batch| batch.written_at),
        copied.as_ref().ok().and_then(|known| known.copied.received_at),
        copied
            .as_ref()
            .ok()
            .filter(|known| is_loaded(known))
            .map(|known| known.copied.loaded_at)
            .or_else(|| row.and_then(|row| row.loaded_at)),
    ];
    let body = live.map(received).or_else(|| Some(from_line(seen, line.as_ref()?)));
    Trace {
        hops: hops(times, |hop| place(hop, seen, found)),
        message_id: seen.message_id.clone(),
        device_id: seen.device_id.clone(),
        message_type: seen.kind.clone(),
        file: batch
            .as_ref()
            .ok()
            .map(|batch| format!("{}/{}", batch.container, batch.file))
            .or_else(|| row.map(|row| row.file.clone())),
        file_line: batch.as_ref().ok().map(|batch| batch.line.number).or_else(|| row.map(|row| row.line)),
        table: copied
            .as_ref()
            .ok()
            .filter(|known| is_loaded(known))
            .map(|known| known.table_name().to_owned())
            .or_else(|| row.map(|row| row.table.clone())),
        rows: rows.clone(),
        message: body,
    }
}

/// Whether something of a file was loaded.
pub(super) fn is_loaded(known: &KnownFile) -> bool {
    matches!(known.copied.status.as_str(), "Loaded" | "Partially loaded")
}

/// Where a hop is, or why it isn't known.
fn place(hop: Hop, seen: &Seen, found: &Found) -> String {
    let row = found.rows.as_ref().and_then(|found| found.rows.first());
    let text = match (hop, &found.batch, &found.copied) {
        (Hop::Measured, ..) => seen.device_id.clone(),
        (Hop::Sent, ..) => "uplink".to_owned(),
        (Hop::Enqueued, ..) => format!("hub, partition {} number {}", seen.partition, seen.sequence),
        (Hop::Batched, Ok(batch), _) => format!("{}/{}", batch.container, batch.file),
        (Hop::Batched, Err(_), _) if row.is_some() => "its file is known by its row".to_owned(),
        (Hop::Loaded, _, Err(_)) if row.is_some() => row.map(|row| row.table.clone()).unwrap_or_default(),
        (Hop::Batched, Err(why), _) | (Hop::Noticed | Hop::Loaded, _, Err(why)) => why.clone(),
        (Hop::Noticed, _, Ok(known)) if known.copied.received_at.is_none() => "loaded by hand: no notice".to_owned(),
        (Hop::Noticed, _, Ok(known)) => known.pipe.clone(),
        (Hop::Loaded, _, Ok(known)) if is_loaded(known) => known.table_name().to_owned(),
        (Hop::Loaded, _, Ok(known)) => match &known.copied.error {
            Some(error) => format!("{}: {error}", known.copied.status),
            None => known.copied.status.clone(),
        },
    };
    printable(&text)
}

/// Hops with the seconds since the one before that is known. All of them are differences of stamps: of several clocks.
pub(super) fn hops(times: [Option<Timestamp>; 6], place: impl Fn(Hop) -> String) -> Vec<TraceHop> {
    let mut before: Option<Timestamp> = None;
    Hop::ALL
        .into_iter()
        .zip(times)
        .map(|(hop, at)| {
            let latency_s = at.zip(before).map(|(at, before)| at.duration_since(before).as_secs_f64());
            before = at.or(before);
            TraceHop { hop, at, latency_s, monotonic: false, place: place(hop) }
        })
        .collect()
}

/// The middle of what a hop took, of several ways; `None` where none knows it.
pub(super) fn median_lag(ways: &[Vec<TraceHop>], hop: Hop) -> Option<f64> {
    let lags = ways.iter().flatten().filter(|at| at.hop == hop).filter_map(|at| at.latency_s);
    let mut lags: Vec<f64> = lags.collect();
    let middle = lags.len() / 2;
    (!lags.is_empty()).then(|| *lags.select_nth_unstable_by(middle, f64::total_cmp).1)
}

/// The ways of messages as far as the hub, which is as far as the feed alone knows them.
pub(super) fn to_the_hub(messages: &[Arc<EnqueuedMessage>]) -> Vec<Vec<TraceHop>> {
    let way = |message: &Arc<EnqueuedMessage>| {
        let told = received(message);
        let sent = message.properties.get("sentAt").and_then(|at| at.parse().ok());
        hops([told.measured_at, sent, Some(message.enqueued_at), None, None, None], |_| String::new())
    };
    messages.iter().map(way).collect()
}

fn from_line(seen: &Seen, line: &Value) -> ReceivedMessage {
    ReceivedMessage {
        device_id: seen.device_id.clone(),
        message_id: Some(seen.message_id.clone()),
        message_type: seen.kind.clone(),
        enqueued_at: seen.enqueued_at,
        measured_at: seen.measured_at,
        body: line["Body"].clone(),
        properties: line["Properties"].clone(),
        system_properties: line["SystemProperties"].clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    fn seen() -> Seen {
        Seen {
            device_id: "roof-01".into(),
            message_id: "m-1".into(),
            kind: Some("WeatherMeasurement".into()),
            measured_at: Some(at(0)),
            enqueued_at: at(2),
            received_at: at(3),
            partition: "1".into(),
            sequence: 77,
        }
    }

    fn batch() -> Batch {
        let text = r#"{"EnqueuedTimeUtc":"x","Properties":{"sentAt":"2023-11-14T22:13:21Z"},"SystemProperties":{},"Body":{"a":1}}"#;
        Batch {
            container: "json-blob-messages".into(),
            file: "hub/01/2023-11-14/22-13".into(),
            written_at: at(200),
            line: BlobLine { number: 4, text: text.into() },
        }
    }

    fn found(batch: Known<Batch>, copied: Known<KnownFile>) -> Found {
        Found { batch, copied, rows: None }
    }

    fn words(trace: &Trace) -> Vec<String> {
        let hop = |hop: &TraceHop| {
            let latency = hop.latency_s.map_or_else(|| "–".to_owned(), |seconds| format!("{seconds}"));
            format!("{:?} {latency} {}", hop.hop, hop.place)
        };
        trace.hops.iter().map(hop).collect()
    }

    #[test]
    fn what_isn_t_known_yet_says_why() {
        let trace =
            way(&seen(), None, &found(Err("in no batch yet".into()), Err("not known before its batch is".into())));
        assert_eq!(
            words(&trace),
            [
                "Measured – roof-01",
                "Sent – uplink",
                "Enqueued 2 hub, partition 1 number 77",
                "Batched – in no batch yet",
                "Noticed – not known before its batch is",
                "Loaded – not known before its batch is",
            ]
        );
        assert_eq!([Hop::Sent, Hop::Batched].map(|hop| trace.without_time(hop)), ["not told", "not yet"]);
        assert_eq!((trace.file, trace.table), (None, None));
    }

    #[test]
    fn the_batch_tells_when_it_was_sent_and_what_it_said() {
        let trace = way(&seen(), None, &found(Ok(batch()), Err("not in the copy history".into())));
        assert_eq!(trace.hops[1].at, Some(at(1)));
        assert_eq!(trace.hops[3].latency_s, Some(198.0));
        assert_eq!(trace.file.as_deref(), Some("json-blob-messages/hub/01/2023-11-14/22-13"));
        assert_eq!((trace.file_line, trace.message.expect("its body").body), (Some(4), serde_json::json!({"a": 1})));
    }

    #[test]
    fn a_row_tells_its_file_where_no_batch_does() {
        let row = RowPlace { table: "T".into(), file: "hub/01/x".into(), line: 4, loaded_at: Some(at(250)) };
        let rows = Some(RowsFound { rows: vec![row], trouble: None });
        let why = || "not watched: set azure.storage_account".to_owned();
        let trace = way(&seen(), None, &Found { batch: Err(why()), copied: Err(why()), rows });
        assert_eq!(
            (trace.file.as_deref(), trace.file_line, trace.table.as_deref()),
            (Some("hub/01/x"), Some(4), Some("T"))
        );
        assert_eq!((trace.hops[5].latency_s, trace.hops[5].place.as_str()), (Some(248.0), "T"));
    }

    #[test]
    fn the_lag_of_a_hop_is_the_middle_one() {
        let ways: Vec<_> =
            [3, 9, 4].map(|lag| hops([Some(at(0)), None, Some(at(lag)), None, None, None], |_| String::new())).into();
        assert_eq!(median_lag(&ways, Hop::Enqueued), Some(4.0));
        assert_eq!(median_lag(&ways, Hop::Batched), None);
    }
}
