//! What was measured, kept for charts that go back behind the feed's ring.

use rusqlite::{Connection, Row, Transaction, params};

use crate::ingestion::warehouse::MeasurementRow;
use crate::station::Variable;

/// Measurements that are kept: a month of one each three seconds; some 130 MiB.
const MOST: i64 = 1_000_000;

/// Their table; its columns are named after the fields of a message.
pub(super) const TABLE: &str = "
CREATE TABLE measurement (
    id INTEGER PRIMARY KEY, device TEXT NOT NULL, measured_ms INTEGER NOT NULL, qc TEXT, temperatureC REAL, humidityPct REAL,
    pressureHpa REAL, illuminanceLx REAL, soundDba REAL, rainMm REAL, windSpeedMs REAL, windDirectionDeg REAL,
    UNIQUE (measured_ms, device)
);
";

fn fields() -> String {
    Variable::ALL.map(Variable::field).join(", ")
}

/// Keeps measurements, each once, and forgets those that came first where there are too many.
pub(super) fn keep(transaction: &Transaction<'_>, rows: &[MeasurementRow]) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT OR IGNORE INTO measurement (device, measured_ms, qc, {}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        fields()
    );
    let mut insert = transaction.prepare_cached(&sql)?;
    for row in rows {
        let qc = (!row.qc.is_empty()).then(|| serde_json::to_string(&row.qc).unwrap_or_default());
        let [a, b, c, d, e, f, g, h] = row.values;
        insert.execute(params![row.device_id, row.at_ms, qc, a, b, c, d, e, f, g, h])?;
    }
    transaction.execute("DELETE FROM measurement WHERE id <= (SELECT max(id) FROM measurement) - ?1", [MOST])?;
    Ok(())
}

/// Those of between two instants (inclusive), Unix ms, oldest first; at most `limit`, the newest.
pub(super) fn between(
    connection: &Connection,
    (from, to): (i64, i64),
    limit: usize,
) -> rusqlite::Result<Vec<MeasurementRow>> {
    let sql = format!(
        "SELECT device, measured_ms, qc, {} FROM measurement WHERE measured_ms BETWEEN ?1 AND ?2
         ORDER BY measured_ms DESC LIMIT ?3",
        fields()
    );
    let limit = i64::try_from(limit).unwrap_or(MOST);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows: Vec<_> = statement.query_map(params![from, to, limit], row)?.collect::<rusqlite::Result<_>>()?;
    rows.reverse();
    Ok(rows)
}

fn row(row: &Row<'_>) -> rusqlite::Result<MeasurementRow> {
    let mut values = [None; 8];
    for (index, value) in values.iter_mut().enumerate() {
        *value = row.get(index + 3)?;
    }
    let qc: Option<String> = row.get(2)?;
    // Flags of a later version that can't be read are none here.
    let qc = qc.and_then(|qc| serde_json::from_str(&qc).ok()).unwrap_or_default();
    Ok(MeasurementRow { device_id: row.get(0)?, at_ms: row.get(1)?, values, qc })
}
