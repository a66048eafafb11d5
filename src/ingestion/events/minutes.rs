//! What was measured, by the minute, for charts that go back behind the feed's ring.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::SignedDuration;
use rusqlite::types::ToSql;
use rusqlite::{Connection, Row, Transaction};

use crate::ingestion::bins::{Bin, Measured};
use crate::ingestion::warehouse::MeasurementRow;
use crate::station::{QcFlag, Variable};

/// Minutes of a device that are kept: a year of one station and of all devices together; some 200 MiB.
const MOST: i64 = 1_000_000;
const STEP_MS: i64 = 60_000;
/// The name under which the minutes of all devices together are kept; no device has it.
const ALL: &str = "";
/// Columns of a variable: mean, least and greatest value.
const OF_EACH: [&str; 3] = ["mean", "min", "max"];

/// Their table; its columns are named after the fields of a message.
pub(super) const TABLE: &str = "
CREATE TABLE minute (
    id INTEGER PRIMARY KEY, device TEXT NOT NULL, from_ms INTEGER NOT NULL, count INTEGER NOT NULL, qc TEXT,
    temperatureC_mean REAL, temperatureC_min REAL, temperatureC_max REAL,
    humidityPct_mean REAL, humidityPct_min REAL, humidityPct_max REAL,
    pressureHpa_mean REAL, pressureHpa_min REAL, pressureHpa_max REAL,
    illuminanceLx_mean REAL, illuminanceLx_min REAL, illuminanceLx_max REAL,
    soundDba_mean REAL, soundDba_min REAL, soundDba_max REAL,
    rainMm_mean REAL, rainMm_min REAL, rainMm_max REAL,
    windSpeedMs_mean REAL, windSpeedMs_min REAL, windSpeedMs_max REAL,
    windDirectionDeg_mean REAL, windDirectionDeg_min REAL, windDirectionDeg_max REAL,
    UNIQUE (device, from_ms)
);
";

/// What was measured in a minute, by one device or by all together.
#[derive(Debug, Clone, PartialEq)]
pub struct Minute {
    device_id: String,
    from_ms: i64,
    /// In the order of [`Variable::ALL`].
    bins: [Option<Bin>; 8],
    qc: BTreeMap<Variable, QcFlag>,
}

impl Measured for Minute {
    const STEP: SignedDuration = SignedDuration::from_millis(STEP_MS);

    fn at_ms(&self) -> i64 {
        self.from_ms
    }

    fn is_of(&self, device: Option<&str>) -> bool {
        self.device_id == device.unwrap_or(ALL)
    }

    fn bin(&self, variable: Variable) -> Option<Bin> {
        self.bins[variable.index()]
    }

    fn qc(&self) -> &BTreeMap<Variable, QcFlag> {
        &self.qc
    }
}

fn columns() -> Vec<String> {
    Variable::ALL.iter().flat_map(|variable| OF_EACH.map(|of| format!("{}_{of}", variable.field()))).collect()
}

/// Takes measurements that weren't taken before into their minutes, and forgets the minutes that came first where there are
/// too many.
pub(super) fn keep(transaction: &Transaction<'_>, rows: &[MeasurementRow]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(&INSERT)?;
    for row in rows {
        let qc = (!row.qc.is_empty()).then(|| serde_json::to_string(&row.qc).unwrap_or_default());
        let from_ms = row.at_ms.div_euclid(STEP_MS) * STEP_MS;
        for device in [row.device_id.as_str(), ALL] {
            let mut values: Vec<&dyn ToSql> = vec![&device, &from_ms, &qc];
            values.extend(row.values.iter().map(|value| value as &dyn ToSql));
            insert.execute(values.as_slice())?;
        }
    }
    transaction.execute("DELETE FROM minute WHERE id <= (SELECT max(id) FROM minute) - ?1", [MOST])?;
    Ok(())
}

/// A minute's first measurement, or one more of it. What isn't measured changes nothing.
static INSERT: LazyLock<String> = LazyLock::new(|| {
    let values = (4..4 + Variable::ALL.len()).map(|number| format!("?{number}, ?{number}, ?{number}"));
    let changes = Variable::ALL.map(|variable| {
        let field = variable.field();
        format!(
            "{field}_mean = coalesce({field}_mean + (excluded.{field}_mean - {field}_mean) / (count + 1), {field}_mean,
                excluded.{field}_mean),
             {field}_min = coalesce(min({field}_min, excluded.{field}_min), {field}_min, excluded.{field}_min),
             {field}_max = coalesce(max({field}_max, excluded.{field}_max), {field}_max, excluded.{field}_max)"
        )
    });
    format!(
        "INSERT INTO minute (device, from_ms, count, qc, {}) VALUES (?1, ?2, 1, ?3, {}) ON CONFLICT DO UPDATE SET
         count = count + 1, qc = coalesce(json_patch(qc, excluded.qc), qc, excluded.qc), {}",
        columns().join(", "),
        values.collect::<Vec<_>>().join(", "),
        changes.join(", ")
    )
});

/// The minutes that begin between two instants (inclusive), Unix ms, in order of time.
pub(super) fn between(
    connection: &Connection,
    device: Option<&str>,
    (from, to): (i64, i64),
) -> rusqlite::Result<Vec<Minute>> {
    let sql = format!(
        "SELECT device, from_ms, qc, {} FROM minute WHERE device = ?1 AND from_ms BETWEEN ?2 AND ?3 ORDER BY from_ms",
        columns().join(", ")
    );
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_map((device.unwrap_or(ALL), from, to), row)?.collect()
}

fn row(row: &Row<'_>) -> rusqlite::Result<Minute> {
    let from_ms = row.get(1)?;
    let mut bins = [None; 8];
    for (index, bin) in bins.iter_mut().enumerate() {
        let at = 3 + index * OF_EACH.len();
        let values: (Option<f64>, Option<f64>, Option<f64>) = (row.get(at)?, row.get(at + 1)?, row.get(at + 2)?);
        if let (Some(mean), Some(min), Some(max)) = values {
            *bin = Some(Bin { from_ms, mean, min, max });
        }
    }
    let qc: Option<String> = row.get(2)?;
    // Flags of a later version that can't be read are none here.
    let qc = qc.and_then(|qc| serde_json::from_str(&qc).ok()).unwrap_or_default();
    Ok(Minute { device_id: row.get(0)?, from_ms, bins, qc })
}
