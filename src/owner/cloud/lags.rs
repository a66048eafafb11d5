//! How long the hops behind the hub take: messages of the last batches of measurements, each followed as a trace follows it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use super::publisher::moved;
use super::way::{Ways, hops, is_loaded, median_lag};
use crate::clock::ledger::Hop;
use crate::ingestion::account::{AccountStatus, BatchFile};
use crate::ingestion::lines::Places;
use crate::ingestion::warehouse::snowflake::WarehouseStatus;
use crate::owner::answers::sent_at;
use crate::owner::views::TraceHop;
use crate::station::MessageKind;

/// Lines of a batch that are followed, the first ones.
const LINES: usize = 50;

/// What the hops take.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Lags {
    /// The middle of what each hop took, seconds; absent where none is known.
    median_s: BTreeMap<Hop, f64>,
    /// Seconds from roof to table of each message that is known to have come there, oldest first.
    pub(super) roof_to_table_s: Vec<f64>,
}

impl Lags {
    /// The middle of what a hop took, seconds.
    pub(super) fn of(&self, hop: Hop) -> Option<f64> {
        self.median_s.get(&hop).copied()
    }
}

/// A batch whose messages are followed.
struct Followed {
    file: BatchFile,
    /// When each of its messages was measured, sent and enqueued.
    messages: Vec<[Option<Timestamp>; 3]>,
    /// When its notice came and when it was loaded.
    loaded: Option<[Option<Timestamp>; 2]>,
}

/// Follows batches for good.
pub(super) struct LagsOf {
    pub(super) ways: Ways,
    pub(super) account: Option<watch::Receiver<AccountStatus>>,
    pub(super) warehouse: Option<watch::Receiver<WarehouseStatus>>,
    pub(super) lags: watch::Sender<Lags>,
}

impl LagsOf {
    /// Runs for good: it wakes when account or warehouse have news.
    pub(super) async fn run(mut self) {
        let mut followed = Vec::new();
        loop {
            if let Some(status) = self.account.as_mut().map(|status| status.borrow_and_update().clone()) {
                self.follow(&mut followed, &status).await;
                let now = lags(&followed);
                self.lags.send_if_modified(|lags| std::mem::replace(lags, now.clone()) != now);
            }
            tokio::select! {
                () = moved(&mut self.account) => {}
                () = moved(&mut self.warehouse) => {}
            }
        }
    }

    async fn follow(&self, followed: &mut Vec<Followed>, status: &AccountStatus) {
        let Some(account) = &self.ways.account else { return };
        let Some(container) = account.container_of(MessageKind::WeatherMeasurement.name()) else { return };
        let Some(recent) = status.containers.get(&container).map(|container| &container.recent) else { return };
        if recent.is_empty() {
            return;
        }
        followed.retain(|batch| recent.contains(&batch.file));
        for file in recent {
            if followed.iter().any(|batch| batch.file == *file) {
                continue;
            }
            // A batch that can't be read now is looked at again with the next news; the stage says why it can't.
            let Ok(store) = account.store(&container) else { return };
            let Ok(lines) = store.lines(&file.name, 1, LINES, &Places::default()).await else { return };
            let messages = lines.iter().filter_map(|line| times(&line.text)).collect();
            followed.push(Followed { file: file.clone(), messages, loaded: None });
        }
        followed.sort_by_key(|batch| batch.file.written_at);
        for batch in followed.iter_mut().filter(|batch| batch.loaded.is_none()) {
            let copied = self.ways.copied(&batch.file.name).await.ok().filter(is_loaded);
            batch.loaded = copied.map(|known| [known.copied.received_at, Some(known.copied.loaded_at)]);
        }
    }
}

/// When a line's message was measured, sent and enqueued.
fn times(line: &str) -> Option<[Option<Timestamp>; 3]> {
    let line: Value = serde_json::from_str(line).ok()?;
    let time = |at: Option<&Value>| at?.as_str()?.parse().ok();
    Some([
        time(line.pointer("/Body/measuredAt")),
        line.get("Properties").and_then(sent_at),
        time(line.get("EnqueuedTimeUtc")),
    ])
}

fn lags(followed: &[Followed]) -> Lags {
    let mut ways: Vec<Vec<TraceHop>> = Vec::new();
    for batch in followed {
        let [noticed, loaded] = batch.loaded.unwrap_or_default();
        for [measured, sent, enqueued] in &batch.messages {
            let times = [*measured, *sent, *enqueued, Some(batch.file.written_at), noticed, loaded];
            ways.push(hops(times, |_| String::new()));
        }
    }
    let at = |way: &[TraceHop], hop: Hop| way.iter().find(|at| at.hop == hop)?.at;
    let through =
        |way: &Vec<TraceHop>| Some(at(way, Hop::Loaded)?.duration_since(at(way, Hop::Measured)?).as_secs_f64());
    Lags {
        median_s: Hop::ALL.into_iter().filter_map(|hop| Some((hop, median_lag(&ways, hop)?))).collect(),
        roof_to_table_s: ways.iter().filter_map(through).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("in range")
    }

    #[test]
    fn a_line_says_when_its_message_was_where() {
        let line = r#"{"EnqueuedTimeUtc":"2023-11-14T22:13:22Z","Properties":{"sentAt":"2023-11-14T22:13:21Z"},"Body":{"measuredAt":"2023-11-14T22:13:20Z"}}"#;
        assert_eq!(times(line), Some([Some(at(0)), Some(at(1)), Some(at(2))]));
        assert_eq!(times(r#"{"Body":"bm8gSlNPTg=="}"#), Some([None, None, None]));
        assert_eq!(times("{ broken"), None);
    }

    #[test]
    fn hops_are_the_middle_of_all_messages_and_only_loaded_ones_came_through() {
        let file = |name: &str, written| BatchFile { name: name.into(), bytes: 1, written_at: at(written) };
        let message = |measured| [Some(at(measured)), None, Some(at(measured + 2))];
        let followed = [
            Followed {
                file: file("a", 300),
                messages: vec![message(0), message(100), message(290)],
                loaded: Some([Some(at(304)), Some(at(330))]),
            },
            Followed { file: file("b", 600), messages: vec![message(400)], loaded: None },
        ];
        let lags = lags(&followed);
        assert_eq!(
            [Hop::Enqueued, Hop::Noticed, Hop::Loaded].map(|hop| lags.of(hop)),
            [Some(2.0), Some(4.0), Some(26.0)]
        );
        // Of 298, 198, 8 and 198 seconds.
        assert_eq!(lags.of(Hop::Batched), Some(198.0));
        assert_eq!(lags.roof_to_table_s, [330.0, 230.0, 40.0]);
    }
}
