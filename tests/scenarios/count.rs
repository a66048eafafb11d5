//! What is in outboxes, hub, queue, pipes and tables.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

/// Where things lie.
pub struct Stores {
    /// The owner's data.
    pub data: PathBuf,
    /// Outboxes that are to be empty in the end.
    pub outboxes: Vec<PathBuf>,
}

/// What has come how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Rows in the table of measurements, as loaded.
    pub rows: usize,
    /// Measurements in the hub's log.
    pub logged: usize,
    /// Messages of any kind in outboxes, log, queue and pipes.
    pub waiting: usize,
}

impl Stores {
    /// `None` while something isn't there yet, or is locked.
    pub fn counts(&self) -> Option<Counts> {
        let data = &self.data;
        let rows = count(&data.join("warehouse.db"), "SELECT count(*) FROM WEATHER_JSON")?;
        let log = data.join("hub/enqueued.db");
        let mut waiting = count(&log, "SELECT count(*) FROM enqueued")?
            + count(&data.join("notices.db"), "SELECT count(*) FROM notice")?
            + count(&data.join("warehouse.db"), "SELECT count(*) FROM copy_history WHERE status = 'Pending'")?;
        for outbox in &self.outboxes {
            waiting += count(outbox, "SELECT count(*) FROM message")?;
        }
        let logged = count(
            &log,
            "SELECT count(*) FROM enqueued WHERE json_extract(CAST(body AS TEXT), '$.type') = 'WeatherMeasurement'",
        )?;
        Some(Counts { rows, logged, waiting })
    }

    /// Holds that `expected` measurements are rows once each, but for `missing` at most that were told as lost.
    /// `numbered`: the light of each is its number, from 1 on.
    pub fn judge(&self, expected: usize, numbered: bool, told_lost: usize) -> Result<String, String> {
        let warehouse = open(&self.data.join("warehouse.db")).ok_or("the warehouse isn't there")?;
        let one = |sql: &str| -> Result<usize, String> {
            let number = warehouse.query_row(sql, [], |row| row.get::<_, i64>(0));
            number
                .map_err(|error| format!("{sql}: {error}"))
                .and_then(|n| usize::try_from(n).map_err(|e| e.to_string()))
        };
        let equal = |what: &str, found: usize, wanted: usize| {
            if found == wanted { Ok(()) } else { Err(format!("{what}: {found} instead of {wanted}")) }
        };
        let rows = one("SELECT count(*) FROM WEATHER_MEASUREMENTS_V")?;
        if rows > expected || rows + told_lost < expected {
            return Err(format!("rows: {rows} instead of {expected}, of which {told_lost} may be missing"));
        }
        equal("rows as loaded", one("SELECT count(*) FROM WEATHER_JSON")?, rows)?;
        equal("messages", one("SELECT count(DISTINCT message_id) FROM WEATHER_MEASUREMENTS_V")?, rows)?;
        let of = if numbered { "CAST(illuminance_lx AS INTEGER)" } else { "measured_at_ms" };
        equal("readings", one(&format!("SELECT count(DISTINCT {of}) FROM WEATHER_MEASUREMENTS_V"))?, rows)?;
        if numbered {
            let outside =
                format!("SELECT count(*) FROM WEATHER_MEASUREMENTS_V WHERE {of} NOT BETWEEN 1 AND {expected}");
            equal("readings that nobody made", one(&outside)?, 0)?;
        }
        // A nowcast is there once as well and, of a whole series, one each ten minutes.
        let nowcasts = one("SELECT count(*) FROM WEATHER_PREDICTIONS")?;
        equal("nowcasts", one("SELECT count(DISTINCT measured_at_ms) FROM WEATHER_PREDICTIONS")?, nowcasts)?;
        if !numbered {
            let span = "SELECT (max(measured_at_ms) - min(measured_at_ms)) / 600000 + 1 FROM WEATHER_PREDICTIONS";
            equal("nowcasts", nowcasts, one(span)?)?;
        }
        equal("files not loaded", one("SELECT count(*) FROM copy_history WHERE status <> 'Loaded'")?, 0)?;
        for outbox in &self.outboxes {
            let wrong = count(outbox, "SELECT given_up + set_aside FROM totals").ok_or("an outbox isn't there")?;
            if told_lost == 0 {
                equal(&format!("given up or set aside in {}", outbox.display()), wrong, 0)?;
            }
        }
        let lost = if rows < expected { format!(", {} told as lost", expected - rows) } else { String::new() };
        Ok(format!("{rows} measurements and {nowcasts} nowcasts, each once{lost}"))
    }
}

fn count(path: &Path, sql: &str) -> Option<usize> {
    let count: i64 = open(path)?.query_row(sql, [], |row| row.get(0)).ok()?;
    usize::try_from(count).ok()
}

/// Only looks: a connection that could write would tidy up behind a killed process, in the place of the one that is to.
fn open(path: &Path) -> Option<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    connection.busy_timeout(std::time::Duration::from_secs(2)).ok()?;
    Some(connection)
}
