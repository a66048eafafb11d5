//! Verification in the warehouse: what is due, what was verified, the sums.

use jiff::Timestamp;
use rusqlite::params;

use super::Warehouse;
use crate::database::DatabaseError;
use crate::nowcast::{Outcome, ScoreSums};
use crate::station::{Message, Prediction, Variable};

/// A nowcast with leads that may have become due.
#[derive(Debug, Clone, PartialEq)]
pub struct DueNowcast {
    /// The nowcast.
    pub prediction: Prediction,
    /// Valid time of its first lead that isn't verified.
    pub next_valid: Timestamp,
}

/// One lead of one variable, verified.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedLead {
    /// The device.
    pub device_id: String,
    /// The nowcast's identity.
    pub message_id: String,
    /// Its issue time.
    pub issued_at: Timestamp,
    /// The variable.
    pub variable: Variable,
    /// The lead, minutes.
    pub lead_minutes: u16,
    /// The median forecast.
    pub forecast: f64,
    /// What persistence said.
    pub persistence: f64,
    /// What was measured: the mean of the ten minutes before the valid time.
    pub measured: f64,
    /// The errors.
    pub outcome: Outcome,
}

/// How far a nowcast is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The device.
    pub device_id: String,
    /// The nowcast's identity.
    pub message_id: String,
    /// Valid time of its next lead; absent once all are done.
    pub next_valid: Option<Timestamp>,
}

/// Sums of one variable and lead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreRow {
    /// The variable.
    pub variable: Variable,
    /// The lead, minutes.
    pub lead_minutes: u16,
    /// The sums.
    pub sums: ScoreSums,
}

impl Warehouse {
    /// `measuredAt` of the newest measurement in the table.
    pub async fn newest_measurement(&self) -> Result<Option<Timestamp>, DatabaseError> {
        self.database
            .read(|connection| {
                let newest: Option<i64> = connection
                    .prepare_cached("SELECT max(measured_at_ms) FROM WEATHER_JSON")?
                    .query_row([], |row| row.get(0))?;
                Ok(newest.and_then(|ms| Timestamp::from_millisecond(ms).ok()))
            })
            .await
    }

    /// Nowcasts whose next lead is valid at or before `until`, at most `limit`, the earliest first.
    pub async fn due(&self, until: Timestamp, limit: usize) -> Result<Vec<DueNowcast>, DatabaseError> {
        let (until, limit) = (until.as_millisecond(), i64::try_from(limit).unwrap_or(i64::MAX));
        let rows: Vec<(String, i64)> = self
            .database
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT json_extract(p.variant, '$.Body'), d.next_valid_ms FROM verification_due d
                     JOIN WEATHER_PREDICTIONS p ON p.device_id = d.device_id AND p.message_id = d.message_id
                     WHERE d.next_valid_ms <= ?1 ORDER BY d.next_valid_ms LIMIT ?2",
                )?;
                let rows = statement.query_map(params![until, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
                rows.collect()
            })
            .await?;
        let due = rows.into_iter().filter_map(|(body, next)| match Message::from_json(body.as_bytes()) {
            Ok(Message::Prediction(prediction)) => {
                Some(DueNowcast { prediction, next_valid: Timestamp::from_millisecond(next).ok()? })
            }
            _ => None,
        });
        Ok(due.collect())
    }

    /// Stores what was verified, adds it to the sums, and notes when each nowcast's next lead is valid, in one
    /// transaction. A lead that was stored before is not added again.
    pub async fn record_verified(
        &self,
        verified: Vec<VerifiedLead>,
        progress: Vec<Progress>,
    ) -> Result<(), DatabaseError> {
        self.database
            .write(move |transaction| {
                let mut insert = transaction.prepare_cached(
                    "INSERT INTO NOWCAST_VERIFICATION VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                     ON CONFLICT DO NOTHING",
                )?;
                let mut sums: std::collections::BTreeMap<(Variable, u16), ScoreSums> = Default::default();
                for lead in verified {
                    let inserted = insert.execute(params![
                        lead.device_id,
                        lead.message_id,
                        lead.variable.key(),
                        lead.lead_minutes,
                        lead.issued_at.as_millisecond(),
                        lead.forecast,
                        lead.persistence,
                        lead.measured,
                        lead.outcome.inside_50,
                        lead.outcome.inside_90,
                    ])?;
                    if inserted == 1 {
                        sums.entry((lead.variable, lead.lead_minutes)).or_default().add(&lead.outcome);
                    }
                }
                let mut add = transaction.prepare_cached(
                    "INSERT INTO verification_sums VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                     ON CONFLICT(variable, lead_minutes) DO UPDATE SET count = count + ?3, absolute = absolute + ?4,
                     squared = squared + ?5, error = error + ?6, inside_50 = inside_50 + ?7,
                     inside_90 = inside_90 + ?8, persistence_absolute = persistence_absolute + ?9,
                     pinball = pinball + ?10",
                )?;
                for ((variable, lead_minutes), s) in sums {
                    add.execute(params![
                        variable.key(),
                        lead_minutes,
                        integer(s.count),
                        s.absolute,
                        s.squared,
                        s.error,
                        integer(s.inside_50),
                        integer(s.inside_90),
                        s.persistence_absolute,
                        s.pinball,
                    ])?;
                }
                let mut advance = transaction.prepare_cached(
                    "UPDATE verification_due SET next_valid_ms = ?3 WHERE device_id = ?1 AND message_id = ?2",
                )?;
                let mut finish = transaction
                    .prepare_cached("DELETE FROM verification_due WHERE device_id = ?1 AND message_id = ?2")?;
                for Progress { device_id, message_id, next_valid } in progress {
                    match next_valid {
                        Some(next) => advance.execute(params![device_id, message_id, next.as_millisecond()])?,
                        None => finish.execute(params![device_id, message_id])?,
                    };
                }
                Ok(())
            })
            .await
    }

    /// The sums, by variable and lead.
    pub async fn scores(&self) -> Result<Vec<ScoreRow>, DatabaseError> {
        self.database
            .read(|connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT variable, lead_minutes, count, absolute, squared, error, inside_50, inside_90,
                     persistence_absolute, pinball FROM verification_sums",
                )?;
                let rows = statement.query_map([], |row| {
                    let sums = ScoreSums {
                        count: row.get::<_, i64>(2)?.unsigned_abs(),
                        absolute: row.get(3)?,
                        squared: row.get(4)?,
                        error: row.get(5)?,
                        inside_50: row.get::<_, i64>(6)?.unsigned_abs(),
                        inside_90: row.get::<_, i64>(7)?.unsigned_abs(),
                        persistence_absolute: row.get(8)?,
                        pinball: row.get(9)?,
                    };
                    Ok((row.get::<_, String>(0)?, row.get(1)?, sums))
                })?;
                let mut scores = Vec::new();
                for row in rows {
                    let (variable, lead_minutes, sums) = row?;
                    // A variable of a newer skydeck isn't shown by this one.
                    if let Ok(variable) = variable.parse() {
                        scores.push(ScoreRow { variable, lead_minutes, sums });
                    }
                }
                scores.sort_by_key(|score| (score.variable, score.lead_minutes));
                Ok(scores)
            })
            .await
    }
}

fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
