//! Gives waiting messages the time they were measured at, once it is known.

use jiff::Timestamp;

use super::outbox::{Boot, Outbox, Redated, Undated};
use super::timekeeping::{LEAST_STEP_NS, dated, note};
use crate::database::DatabaseError;
use crate::station::{ClockFlag, Message, WeatherMeasurement};

/// Messages dated in one transaction.
const CHUNK: usize = 500;

/// Held messages with their times, to be made durable with [`Outbox::redate`].
#[derive(Debug, Default)]
pub struct Freed {
    /// The messages.
    pub messages: Vec<Redated>,
    /// The measurements among them, in order.
    pub measurements: Vec<WeatherMeasurement>,
}

/// The next held messages of a boot whose offset is known, dated; `None` once there are no more. Each chunk has to be
/// made durable before the next is taken.
pub async fn next_held(outbox: &Outbox, boot: &Boot, offset_ns: i64) -> Result<Option<Freed>, DatabaseError> {
    let rows = outbox.of_boot(boot.id, true, 0, CHUNK).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut freed = Freed::default();
    for row in rows {
        let at = dated(row.boot_ns, offset_ns);
        let redated = redate(row, at, ClockFlag::Restamped, &boot.boot_id, &mut freed.measurements);
        freed.messages.push(redated);
    }
    Ok(Some(freed))
}

/// Frees what is held of a boot whose offset will never be known: it says so, and is sent after everything else.
pub async fn give_up_dating(outbox: &Outbox, boot: &Boot) -> Result<u64, DatabaseError> {
    let (mut after, mut count) = (0, 0);
    loop {
        let rows = outbox.of_boot(boot.id, true, after, CHUNK).await?;
        let Some(last) = rows.last() else { return Ok(count) };
        after = last.seq;
        count += rows.len() as u64;
        let redated = rows
            .into_iter()
            .map(|row| {
                let at = row.measured_at;
                Redated { is_last: true, ..redate(row, at, ClockFlag::Unset, &boot.boot_id, &mut Vec::new()) }
            })
            .collect();
        outbox.redate(redated, Vec::new()).await?;
    }
}

/// After a step: dates anew what waits of this boot and is off by more than a second.
pub async fn follow_step(outbox: &Outbox, boot: &Boot, offset_ns: i64) -> Result<u64, DatabaseError> {
    let (mut after, mut count) = (0, 0);
    loop {
        let rows = outbox.of_boot(boot.id, false, after, CHUNK).await?;
        let Some(last) = rows.last() else { return Ok(count) };
        after = last.seq;
        let off = |row: &Undated| {
            let by = dated(row.boot_ns, offset_ns).duration_since(row.measured_at);
            by.as_nanos().unsigned_abs() > u128::from(LEAST_STEP_NS.unsigned_abs())
        };
        let redated: Vec<_> = rows
            .into_iter()
            .filter(off)
            .map(|row| {
                let at = dated(row.boot_ns, offset_ns);
                redate(row, at, ClockFlag::Restamped, &boot.boot_id, &mut Vec::new())
            })
            .collect();
        count += redated.len() as u64;
        if !redated.is_empty() {
            outbox.redate(redated, Vec::new()).await?;
        }
    }
}

fn redate(
    row: Undated,
    at: Timestamp,
    flag: ClockFlag,
    boot_id: &str,
    measurements: &mut Vec<WeatherMeasurement>,
) -> Redated {
    let Undated { seq, boot_ns, measured_at, body, .. } = row;
    // What isn't a message of this version any more goes on as it is; the hub's end says so.
    let Ok(mut message) = Message::from_json(body.as_bytes()) else {
        return Redated { seq, measured_at, body, is_last: false };
    };
    message.restamp(at, note(flag, boot_id, boot_ns));
    let body = message.to_json();
    if let Message::WeatherMeasurement(measurement) = message {
        measurements.push(measurement);
    }
    Redated { seq, measured_at: at, body, is_last: false }
}

#[cfg(test)]
mod tests {
    use super::super::outbox::samples::{at, health, measurement};
    use super::super::outbox::{Dated, Stamp};
    use super::*;

    const S: i64 = 1_000_000_000;

    async fn held(outbox: &Outbox, boot: &Boot, boot_s: i64) -> String {
        let message = measurement(Timestamp::from_second(boot_s).expect("1970"));
        let id = message.message_id().as_str().to_owned();
        let stamp = Some(Stamp { boot: boot.id, boot_ns: boot_s * S, held: true });
        outbox.append_dated(vec![Dated { message, stamp }], Vec::new()).await.expect("appends");
        id
    }

    #[tokio::test]
    async fn what_was_measured_before_the_clock_was_set_is_dated_and_keeps_its_identity() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let outbox = Outbox::open(&folder.path().join("outbox.db"), 10_000).expect("opens");
        let boot = outbox.enter_boot("boot-a").await.expect("enters");
        let mut ids = Vec::new();
        for second in 0..3 {
            ids.push(held(&outbox, &boot, second).await);
        }
        let offset = at("2026-06-01T00:00:00Z").as_second() * S;
        let freed = next_held(&outbox, &boot, offset).await.expect("reads").expect("three are held");
        let learnt: Vec<_> = freed.measurements.iter().map(|m| m.measured_at.to_string()).collect();
        outbox.redate(freed.messages, vec![("learnt".into(), "3".into())]).await.expect("dates");
        assert!(next_held(&outbox, &boot, offset).await.expect("reads").is_none());
        assert_eq!(learnt, ["2026-06-01T00:00:00Z", "2026-06-01T00:00:01Z", "2026-06-01T00:00:02Z"]);
        assert_eq!(outbox.state("learnt").await.expect("reads").as_deref(), Some("3"));
        let rows = outbox.peek(0, 10).await.expect("peeks");
        assert_eq!(rows.iter().map(|row| row.message_id.clone()).collect::<Vec<_>>(), ids);
        let message = Message::from_json(rows[2].body.as_bytes()).expect("a message");
        assert_eq!(message.measured_at(), at("2026-06-01T00:00:02Z"));
        let note = message.clock().expect("a note");
        assert_eq!((note.flag, note.boot_id.as_str(), note.boot_time_s), (ClockFlag::Restamped, "boot-a", 2.0));
        assert_eq!(outbox.status().borrow().held, 0);
    }

    #[tokio::test]
    async fn a_boot_that_never_had_its_clock_set_is_sent_last_and_says_so() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let outbox = Outbox::open(&folder.path().join("outbox.db"), 10_000).expect("opens");
        let first = outbox.enter_boot("boot-a").await.expect("enters");
        held(&outbox, &first, 7).await;
        let second = outbox.enter_boot("boot-b").await.expect("enters");
        held(&outbox, &second, 9).await;
        assert_eq!(give_up_dating(&outbox, &first).await.expect("frees"), 1);
        assert!(outbox.peek(0, 10).await.expect("peeks").is_empty());
        let last = outbox.peek_last(0, 10, usize::MAX).await.expect("peeks");
        let message = Message::from_json(last[0].body.as_bytes()).expect("a message");
        let note = message.clock().expect("a note");
        assert_eq!((note.flag, note.boot_id.as_str(), note.boot_time_s), (ClockFlag::Unset, "boot-a", 7.0));
        assert_eq!(message.measured_at(), at("1970-01-01T00:00:07Z"));
        // The second boot's clock is set: only its own message is dated.
        let freed = next_held(&outbox, &second, 1_800_000_000 * S).await.expect("reads").expect("one is held");
        assert_eq!(freed.messages.len(), 1);
        outbox.redate(freed.messages, Vec::new()).await.expect("dates");
        assert_eq!((outbox.peek(0, 10).await.expect("peeks").len(), outbox.status().borrow().held), (1, 0));
    }

    #[tokio::test]
    async fn a_step_dates_anew_what_waits_of_this_boot_and_nothing_else() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let outbox = Outbox::open(&folder.path().join("outbox.db"), 10_000).expect("opens");
        let boot = outbox.enter_boot("boot-a").await.expect("enters");
        let start = at("2026-06-01T00:00:00Z");
        let stamp = |boot_ns| Some(Stamp { boot: boot.id, boot_ns, held: false });
        let messages = vec![
            Dated { message: measurement(start), stamp: stamp(0) },
            Dated { message: health(start), stamp: stamp(S / 2) },
            measurement(at("2016-06-01T00:00:00Z")).into(),
        ];
        outbox.append_dated(messages, Vec::new()).await.expect("appends");
        let offset = start.as_second() * S;
        assert_eq!(follow_step(&outbox, &boot, offset).await.expect("looks"), 0, "nothing is off by a second");
        assert_eq!(follow_step(&outbox, &boot, offset - 3600 * S).await.expect("dates"), 2);
        let rows = outbox.peek(0, 10).await.expect("peeks");
        assert_eq!(rows[0].measured_at, at("2026-05-31T23:00:00Z"));
        assert_eq!(rows[1].measured_at, at("2026-05-31T23:00:00.5Z"));
        assert_eq!(rows[2].measured_at, at("2016-06-01T00:00:00Z"), "a replay's time is the series' own");
    }
}
