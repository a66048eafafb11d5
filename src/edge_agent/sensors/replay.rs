//! A recorded series, played by the environment's clock.
//!
//! Rows are decoded as they are due, so that a series of any length costs the same memory.

use std::path::Path;

use jiff::Timestamp;

use super::series::{CARRIED_NAME, Origin, Rows};
use super::{Item, Rejected, SensorError, SensorSource, Stamped};
use crate::clock::Clock;
use crate::station::Reading;
use crate::station::text::printable;

/// A series being played.
#[derive(Debug)]
pub struct Replay {
    origin: Origin,
    rows: Rows,
    starts_at: Timestamp,
    ends_at: Timestamp,
    /// Decoded and not yet due.
    pending: Option<Result<Reading, Rejected>>,
    /// Time of the last reading handed over, and rows rejected since.
    position: (Option<Timestamp>, u32),
    ended: bool,
}

impl Replay {
    /// The month carried by skydeck.
    pub fn carried() -> Result<Self, SensorError> {
        Self::from_origin(Origin::Carried)
    }

    /// The series in the file at `path`. Reads it once to its end, for its span.
    pub fn open(path: &Path) -> Result<Self, SensorError> {
        Self::from_origin(Origin::File(path.to_owned()))
    }

    fn from_origin(origin: Origin) -> Result<Self, SensorError> {
        let (starts_at, ends_at) = Rows::open(&origin)?.span()?;
        let rows = Rows::open(&origin)?;
        Ok(Self { origin, rows, starts_at, ends_at, pending: None, position: (None, 0), ended: false })
    }

    /// Time of the first reading.
    #[must_use]
    pub const fn starts_at(&self) -> Timestamp {
        self.starts_at
    }

    /// Time of the last reading.
    #[must_use]
    pub const fn ends_at(&self) -> Timestamp {
        self.ends_at
    }

    fn skip(&mut self, until: Option<Timestamp>, rejected: u32) {
        self.position = (until, rejected);
        let (mut newest, mut skipped) = (None, 0);
        while let Some(row) = self.take_pending() {
            let is_behind = match &row {
                Ok(reading) => {
                    newest = Some(reading.measured_at);
                    newest <= until
                }
                // Between the reading at `until` and the next one only the rows dealt with are skipped.
                Err(_) if newest == until => {
                    skipped += 1;
                    skipped <= rejected
                }
                Err(_) => true,
            };
            if !is_behind {
                self.pending = Some(row);
                return;
            }
        }
    }

    fn take_pending(&mut self) -> Option<Result<Reading, Rejected>> {
        let row = self.pending.take().or_else(|| self.rows.next_row());
        self.ended = row.is_none();
        row
    }

    fn hand_over(&mut self, outcome: Result<Reading, Rejected>) -> Item {
        match &outcome {
            Ok(reading) => self.position = (Some(reading.measured_at), 0),
            Err(_) => self.position.1 += 1,
        }
        let position = match self.position {
            (Some(at), 0) => at.to_string(),
            (Some(at), rejected) => format!("{at}+{rejected}"),
            (None, rejected) => format!("+{rejected}"),
        };
        Item { position, outcome, stamped: Stamped::InSeries, id: None }
    }
}

impl SensorSource for Replay {
    /// Positions are the time of the last reading, followed by `+N` where `N` rows after it were rejected.
    fn resume(&mut self, position: &str) -> Result<(), SensorError> {
        let (instant, rejected) = position.split_once('+').unwrap_or((position, "0"));
        let instant = if instant.is_empty() { Ok(None) } else { instant.parse().map(Some) };
        let (Ok(instant), Ok(rejected)) = (instant, rejected.parse()) else {
            return Err(SensorError::Position { file: self.rows.name.clone(), position: printable(position) });
        };
        self.skip(instant, rejected);
        Ok(())
    }

    async fn next(&mut self, clock: &Clock) -> Option<Item> {
        let row = self.take_pending()?;
        if let Ok(reading) = &row {
            let due = reading.measured_at;
            self.pending = Some(row);
            clock.sleep_until(due).await;
            let row = self.pending.take()?;
            return Some(self.hand_over(row));
        }
        Some(self.hand_over(row))
    }

    fn drain_until(&mut self, until: Timestamp, limit: usize) -> Vec<Item> {
        let mut items = Vec::new();
        while items.len() < limit
            && let Some(row) = self.take_pending()
        {
            if matches!(&row, Ok(reading) if reading.measured_at > until) {
                self.pending = Some(row);
                break;
            }
            items.push(self.hand_over(row));
        }
        items
    }

    fn state(&self) -> String {
        let ended = if self.ended { ", ended" } else { "" };
        match &self.origin {
            Origin::Carried => format!("replay of {CARRIED_NAME}{ended}"),
            Origin::File(_) => format!("replay of {}{ended}", self.rows.name),
        }
    }

    fn ended(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write;

    use super::*;
    use crate::station::{QcFlag, Variable};

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a test's timestamp")
    }

    fn series(text: &[u8]) -> (tempfile::TempDir, Result<Replay, SensorError>) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("series.csv");
        std::fs::write(&path, text).expect("written");
        let replay = Replay::open(&path);
        (folder, replay)
    }

    fn drain(replay: &mut Replay) -> Vec<Item> {
        replay.drain_until(Timestamp::MAX, usize::MAX)
    }

    #[test]
    fn the_carried_month_is_whole() {
        let mut replay = Replay::carried().expect("carried");
        assert_eq!(replay.starts_at(), at("2016-06-01T00:00:00Z"));
        assert_eq!(replay.ends_at(), at("2016-06-30T23:59:00Z"));
        let items = drain(&mut replay);
        assert_eq!(items.len(), 43_200);
        assert!(items.iter().all(|item| item.outcome.is_ok()));
        let clipped = |item: &&Item| item.outcome.as_ref().is_ok_and(|r| r.qc.contains_key(&Variable::Humidity));
        assert_eq!(items.iter().filter(clipped).count(), 16_167);
        // 2016-06-01T00:00:00Z,9.3,100.5,958.0,,,
        let first = items[0].outcome.as_ref().expect("a reading");
        let values = [(Variable::Temperature, 9.3), (Variable::Humidity, 100.0), (Variable::Pressure, 958.0)];
        assert_eq!(first.values, values, "no irradiance yet, so no light");
        assert_eq!(first.qc, BTreeMap::from([(Variable::Humidity, QcFlag::Clipped)]));
        assert!(replay.ended());
        assert_eq!(replay.state(), "replay of Payerne, June 2016 (BSRN, MeteoSwiss), ended");
    }

    #[test]
    fn irradiance_becomes_derived_light_and_nights_are_dark() {
        let (_folder, replay) = series(
            b"time_utc,ghi_w_m2\n2016-06-01T00:00:00Z,-1.0\n2016-06-01T12:00:00Z,500\n2016-06-01T12:01:00Z,nan\n",
        );
        let items = drain(&mut replay.expect("a series"));
        let light = |i: usize| items[i].outcome.as_ref().expect("a reading").values[0];
        assert_eq!(light(0), (Variable::Light, 0.0));
        assert_eq!(light(1), (Variable::Light, 55_000.0));
        assert!(light(2).1.is_nan(), "left to the check of ranges, which flags it");
        assert_eq!(items[1].outcome.as_ref().expect("a reading").qc[&Variable::Light], QcFlag::Derived);
    }

    #[test]
    fn a_row_that_cannot_be_read_is_handed_over_and_the_series_goes_on() {
        let (_folder, replay) = series(
            b"time_utc,temperature_c,humidity_pct\n2016-06-01T00:00:00Z,1.0,50\nyesterday,1,2\n2016-06-01T00:01:00Z,warm,50\n\
              2016-06-01T00:02:00Z,2.0\n2016-06-01T00:00:00Z,1,1\n2016-06-01T00:03:00Z,\xff,1\n2016-06-01T00:04:00Z,,170\n",
        );
        let items = drain(&mut replay.expect("a series"));
        let reasons: Vec<&str> =
            items.iter().filter_map(|i| i.outcome.as_ref().err()).map(|r| r.reason.as_str()).collect();
        let endings = [
            "line 3: time_utc: \"yesterday\" isn't an RFC 3339 instant",
            "line 4: temperature_c: \"warm\" isn't a number",
            "line 5: has 2 cells, the header 3",
            "line 6: time_utc: 2016-06-01T00:00:00Z doesn't come after the row before",
            "line 7: isn't UTF-8",
        ];
        assert_eq!(reasons.len(), endings.len());
        for (reason, ending) in reasons.iter().zip(endings) {
            assert!(reason.ends_with(ending), "{reason}");
        }
        assert_eq!(items[2].outcome.as_ref().expect_err("rejected").raw, "2016-06-01T00:01:00Z,warm,50");
        // Beyond the tolerance of saturation: not clipped but left to the range check.
        assert_eq!(items[6].outcome.as_ref().expect("a reading").values, [(Variable::Humidity, 170.0)]);
    }

    #[test]
    fn every_position_resumes_with_the_item_after_it() {
        let text = b"time_utc,temperature_c\nx,1\n2016-06-01T00:00:00Z,1\ny,1\nz,1\n2016-06-01T00:01:00Z,2\nw,1\n2016-06-01T00:02:00Z,3\n";
        let (folder, replay) = series(text);
        let items = drain(&mut replay.expect("a series"));
        let positions: Vec<&str> = items.iter().map(|item| item.position.as_str()).collect();
        assert_eq!(positions[..4], ["+1", "2016-06-01T00:00:00Z", "2016-06-01T00:00:00Z+1", "2016-06-01T00:00:00Z+2"]);
        for (index, item) in items.iter().enumerate() {
            let mut replay = Replay::open(&folder.path().join("series.csv")).expect("a series");
            replay.resume(&item.position).expect("its own position");
            assert_eq!(drain(&mut replay), items[index + 1..], "after {}", item.position);
        }
        let mut replay = Replay::open(&folder.path().join("series.csv")).expect("a series");
        assert!(matches!(replay.resume("12345@abc"), Err(SensorError::Position { .. })));
        replay.resume("2016-06-01T00:00:30Z").expect("a time between two readings");
        assert_eq!(replay.drain_until(at("2016-06-01T00:01:30Z"), 10).len(), 2, "the second minute and the line after");
        assert_eq!(replay.drain_until(Timestamp::MAX, 10).len(), 1);
    }

    #[test]
    fn what_is_not_a_series_is_refused_with_file_and_line() {
        let refusal = |text: &[u8]| {
            let (_folder, replay) = series(text);
            replay.expect_err("refused").to_string()
        };
        assert!(
            refusal(b"time_utc,temp\n").contains("series.csv, line 1: unknown column \"temp\"; expected time_utc, ")
        );
        assert!(refusal(b"temperature_c\n1\n").contains("line 1: no column time_utc"));
        assert!(refusal(b"time_utc,ghi_w_m2,illuminance_lx\n").contains("says again what another column says"));
        assert!(refusal(b"time_utc,temperature_c\nnever,1\n").contains("no row can be read"));
        assert!(refusal(b"").contains("no column time_utc"));
        let folder = tempfile::tempdir().expect("a folder");
        assert!(matches!(Replay::open(folder.path()), Err(SensorError::Unreadable { .. })), "a directory");
    }

    #[test]
    fn a_gzip_file_cut_short_gives_what_it_holds_and_says_where_it_breaks() {
        let mut text = b"time_utc,temperature_c\n".to_vec();
        for minute in 0..60 {
            writeln!(text, "2016-06-01T00:{minute:02}:00Z,{}", f64::from(minute * 7919 % 97) / 3.0).expect("in memory");
        }
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        encoder.write_all(&text).expect("in memory");
        let whole = encoder.finish().expect("in memory");
        let (_folder, replay) = series(&whole);
        assert_eq!(drain(&mut replay.expect("a series")).len(), 60);
        let (_folder, replay) = series(&whole[..whole.len() / 2]);
        let mut replay = replay.expect("its first half can be read");
        let items = drain(&mut replay);
        let reason = &items.last().expect("items").outcome.as_ref().expect_err("the break").reason;
        assert!(items.len() > 10 && reason.contains("the series ends here"), "{reason}");
        assert!(replay.ended());
    }

    proptest::proptest! {
        #[test]
        fn no_rows_make_it_fail_otherwise(rows in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            let text = [b"time_utc,temperature_c\n2016-06-01T00:00:00Z,1\n".as_slice(), &rows].concat();
            let (_folder, replay) = series(&text);
            let items = drain(&mut replay.expect("its first row can be read"));
            for item in &items[1..] {
                let reason = &item.outcome.as_ref().expect_err("no time begins a row of noise").reason;
                proptest::prop_assert!(!reason.chars().any(char::is_control), "{}", reason);
            }
        }
    }

    #[tokio::test]
    async fn a_reading_comes_when_the_clock_shows_its_time_and_a_dropped_wait_loses_nothing() {
        let (_folder, replay) = series(b"time_utc,temperature_c\n2016-06-01T00:00:00Z,1\n2016-06-01T01:00:00Z,2\n");
        let mut replay = replay.expect("a series");
        let clock = Clock::replay(at("2016-06-01T00:00:00Z"), 600, at("2016-06-01T01:00:00Z"));
        let first = replay.next(&clock).await.expect("due at once");
        assert_eq!(first.position, "2016-06-01T00:00:00Z");
        let early = tokio::time::timeout(std::time::Duration::from_millis(20), replay.next(&clock)).await;
        assert!(early.is_err(), "an hour lasts six seconds at this speed");
        let second = tokio::time::timeout(std::time::Duration::from_secs(30), replay.next(&clock)).await;
        assert_eq!(second.expect("due").expect("the second").position, "2016-06-01T01:00:00Z");
        assert_eq!(clock.now(), at("2016-06-01T01:00:00Z"));
        assert_eq!(replay.next(&clock).await, None);
        assert!(replay.ended());
    }
}
