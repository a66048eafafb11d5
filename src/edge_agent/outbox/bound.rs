//! What is given up when the outbox is over its bound, and in which order.

use jiff::SignedDuration;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::rows;
use crate::station::MessageKind;

/// The kinds given up before any measurement, in order.
const FIRST: [MessageKind; 3] = [MessageKind::PictureTaken, MessageKind::DeviceHealth, MessageKind::Prediction];
/// A further line is logged when the count of messages given up passes a multiple of this.
const LOG_EVERY: u64 = 1000;

/// Gives up messages until at most `max_rows` are left; answers how many of which kind.
pub(super) fn enforce(transaction: &Transaction<'_>, max_rows: u64) -> rusqlite::Result<Vec<(MessageKind, u64)>> {
    let mut given_up = Vec::new();
    for kind in FIRST {
        let excess = excess(transaction, max_rows)?;
        if excess == 0 {
            return Ok(given_up);
        }
        let seqs = oldest(transaction, kind, excess)?;
        give_up(transaction, kind, seqs, &mut given_up)?;
    }
    while excess(transaction, max_rows)? > 0 {
        let seqs = every_second_of_the_oldest_day(transaction)?;
        if seqs.is_empty() {
            break;
        }
        give_up(transaction, MessageKind::WeatherMeasurement, seqs, &mut given_up)?;
    }
    Ok(given_up)
}

fn excess(transaction: &Transaction<'_>, max_rows: u64) -> rusqlite::Result<i64> {
    let rows: i64 = transaction.prepare_cached("SELECT rows FROM totals")?.query_row([], |row| row.get(0))?;
    Ok(rows.saturating_sub(i64::try_from(max_rows).unwrap_or(i64::MAX)).max(0))
}

fn oldest(transaction: &Transaction<'_>, kind: MessageKind, limit: i64) -> rusqlite::Result<Vec<i64>> {
    transaction
        .prepare_cached("SELECT seq FROM message WHERE kind = ?1 ORDER BY measured_at, seq LIMIT ?2")?
        .query_map(params![kind.name(), limit], |row| row.get(0))?
        .collect()
}

fn every_second_of_the_oldest_day(transaction: &Transaction<'_>) -> rusqlite::Result<Vec<i64>> {
    let kind = MessageKind::WeatherMeasurement.name();
    let oldest: Option<i64> = transaction
        .prepare_cached("SELECT min(measured_at) FROM message WHERE kind = ?1")?
        .query_row([kind], |row| row.get(0))
        .optional()?
        .flatten();
    let Some(oldest) = oldest else { return Ok(Vec::new()) };
    let day = i64::try_from(SignedDuration::from_hours(24).as_nanos()).unwrap_or(i64::MAX);
    let start = oldest.saturating_sub(oldest.rem_euclid(day));
    let seqs: Vec<i64> = transaction
        .prepare_cached(
            "SELECT seq FROM message WHERE kind = ?1 AND measured_at >= ?2 AND measured_at < ?3
             ORDER BY measured_at, seq",
        )?
        .query_map(params![kind, start, start.saturating_add(day)], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(seqs.into_iter().step_by(2).collect())
}

fn give_up(
    transaction: &Transaction<'_>,
    kind: MessageKind,
    seqs: Vec<i64>,
    given_up: &mut Vec<(MessageKind, u64)>,
) -> rusqlite::Result<()> {
    if seqs.is_empty() {
        return Ok(());
    }
    let count = seqs.len();
    let stored = i64::try_from(count).unwrap_or(i64::MAX);
    rows::remove(transaction, seqs)?;
    transaction
        .prepare_cached(
            "INSERT INTO given_up VALUES (?1, ?2)
             ON CONFLICT(kind) DO UPDATE SET messages = messages + excluded.messages",
        )?
        .execute(params![kind.name(), stored])?;
    transaction.prepare_cached("UPDATE totals SET given_up = given_up + ?1")?.execute([stored])?;
    given_up.push((kind, count as u64));
    Ok(())
}

pub(super) fn given_up(connection: &Connection) -> rusqlite::Result<Vec<(MessageKind, u64)>> {
    let mut statement = connection.prepare_cached("SELECT messages FROM given_up WHERE kind = ?1")?;
    let mut counts = Vec::new();
    for kind in MessageKind::ALL {
        let count: Option<i64> = statement.query_row([kind.name()], |row| row.get(0)).optional()?;
        counts.extend(count.map(|count| (kind, u64::try_from(count).unwrap_or(0))));
    }
    Ok(counts)
}

/// Says what was given up: the first time, and then each thousand messages.
pub(super) fn log(given_up: &[(MessageKind, u64)], total: u64, max_rows: u64) {
    let now: u64 = given_up.iter().map(|(_, count)| count).sum();
    let before = total.saturating_sub(now);
    if now == 0 || (before != 0 && before / LOG_EVERY == total / LOG_EVERY) {
        return;
    }
    let kinds: Vec<String> = given_up.iter().map(|(kind, count)| format!("{count} {}", kind.name())).collect();
    tracing::warn!(
        total,
        "the outbox is over its bound of {max_rows} messages: gave up {}; check the link to the hub, or raise \
         agent.outbox_max_rows",
        kinds.join(", ")
    );
}

#[cfg(test)]
mod tests {
    use super::super::samples::{at, health, measurement, picture, prediction};
    use super::super::{Outbox, OutboxRow};
    use crate::station::{Message, MessageKind};

    fn minute(day: u8, minute: usize) -> jiff::Timestamp {
        at(&format!("2016-06-{day:02}T{:02}:{:02}:00Z", minute / 60, minute % 60))
    }

    async fn rows(outbox: &Outbox) -> Vec<OutboxRow> {
        outbox.peek(0, 1000).await.expect("peeks")
    }

    async fn append(outbox: &Outbox, messages: Vec<Message>) {
        outbox.append(messages, Vec::new()).await.expect("appends");
    }

    #[tokio::test]
    async fn pictures_go_before_health_before_predictions_before_measurements() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let outbox = Outbox::open(&folder.path().join("outbox.db"), 4).expect("opens");
        let first =
            vec![measurement(minute(8, 0)), prediction(minute(8, 1)), picture(minute(8, 3)), health(minute(8, 2))];
        append(&outbox, first).await;
        for (i, gone) in
            [MessageKind::PictureTaken, MessageKind::DeviceHealth, MessageKind::Prediction].into_iter().enumerate()
        {
            append(&outbox, vec![measurement(minute(8, 10 + i))]).await;
            let rows = rows(&outbox).await;
            assert_eq!(rows.len(), 4);
            assert!(rows.iter().all(|row| row.kind != gone), "{gone:?} is given up");
        }
        let counts = outbox.given_up().await.expect("counts");
        assert_eq!(
            counts,
            [(MessageKind::Prediction, 1), (MessageKind::DeviceHealth, 1), (MessageKind::PictureTaken, 1)]
        );
        assert_eq!(outbox.status().borrow().given_up, 3);
    }

    #[tokio::test]
    async fn the_oldest_day_is_thinned_before_the_next_is_touched() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let outbox = Outbox::open(&folder.path().join("outbox.db"), 12).expect("opens");
        append(&outbox, (0..8).map(|m| measurement(minute(8, m))).collect()).await;
        append(&outbox, (0..4).map(|m| measurement(minute(9, m))).collect()).await;
        append(&outbox, vec![measurement(minute(9, 4))]).await;
        let left: Vec<_> = rows(&outbox).await.iter().map(|row| row.measured_at).collect();
        let expected: Vec<_> =
            [1, 3, 5, 7].map(|m| minute(8, m)).into_iter().chain((0..5).map(|m| minute(9, m))).collect();
        assert_eq!(left, expected);
        // 9 are left; 7 more are 4 over: the 8th keeps 3 and 7, then 7 alone, then nothing, and the 9th, of
        // 5 and 7 measurements, isn't touched.
        append(&outbox, (5..12).map(|m| measurement(minute(9, m))).collect()).await;
        let left: Vec<_> = rows(&outbox).await.iter().map(|row| row.measured_at).collect();
        assert_eq!(left, (0..12).map(|m| minute(9, m)).collect::<Vec<_>>());
        let status = outbox.status().borrow().clone();
        assert_eq!((status.rows, status.given_up), (12, 8));
        assert_eq!(status.oldest_measured_at, Some(minute(9, 0)));
    }
}
