//! The warehouse in step with what is applied: which tables exist under which names, which pipes are new.
//!
//! A table is dropped in three steps, so that a crash loses nothing: it is marked (from then on nothing is loaded
//! into it), its rows are copied elsewhere, and only then it is emptied and forgotten.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::Warehouse;
use super::schema::{MESSAGE_TABLES, table_of};
use crate::database::DatabaseError;
use crate::ingestion::topology::{Made, PipeTopology, Topology};

/// A table that was applied and is no more, and whose rows are still here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedTable {
    /// The container its rows came from.
    pub container: String,
    /// The name it was applied under.
    pub name: String,
    /// The table its rows are in here.
    pub rows_in: &'static str,
}

/// A table as it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AppliedTable {
    name: String,
    full_name: String,
    made: Made,
    has_view: bool,
    is_dropped: bool,
}

impl AppliedTable {
    /// Its full name in `topology`, where it is there still: a table that was renamed is the one made at that time.
    fn name_in<'a>(&self, topology: &'a Topology) -> Option<&'a String> {
        let is_it = |made: &Made| made.is_some() && *made == self.made;
        let tables = || topology.tables.iter().filter(|(_, made)| is_it(made)).map(|(name, _)| name);
        tables().find(|name| **name == self.full_name).or_else(|| tables().next())
    }
}

impl Warehouse {
    /// Marks the tables that were applied and aren't in `topology` any more, or are there anew; answers those and the
    /// ones marked before.
    pub async fn mark_dropped(&self, topology: &Topology) -> Result<Vec<DroppedTable>, DatabaseError> {
        let topology = topology.clone();
        self.database
            .write(move |transaction| {
                let mut dropped = Vec::new();
                for (container, rows_in) in MESSAGE_TABLES {
                    let Some(table) = applied_table(transaction, container)? else { continue };
                    let is_gone = topology.applied && table.made.is_some() && table.name_in(&topology).is_none();
                    if !is_gone && !table.is_dropped {
                        continue;
                    }
                    drop_view(transaction, &table)?;
                    transaction.execute(
                        "UPDATE applied_table SET dropped = 1, has_view = 0 WHERE container = ?1",
                        [container],
                    )?;
                    dropped.push(DroppedTable { container: container.to_owned(), name: table.name, rows_in });
                }
                Ok(dropped)
            })
            .await
    }

    /// Forgets a marked table and deletes its rows, which are kept elsewhere.
    pub async fn empty(&self, table: &DroppedTable) -> Result<(), DatabaseError> {
        let (container, rows_in) = (table.container.clone(), table.rows_in);
        self.database
            .write(move |transaction| {
                transaction.execute(&format!("DELETE FROM {rows_in}"), [])?;
                if rows_in == "WEATHER_PREDICTIONS" {
                    transaction.execute("DELETE FROM verification_due", [])?;
                }
                transaction.execute("DELETE FROM applied_table WHERE container = ?1", [container]).map(|_| ())
            })
            .await
    }

    /// Containers that were applied and aren't in `topology` any more, or are there anew.
    pub async fn gone_containers(&self, topology: &Topology) -> Result<Vec<String>, DatabaseError> {
        if !topology.applied {
            return Ok(Vec::new());
        }
        let now = topology.containers.clone();
        self.database
            .read(move |connection| {
                let mut statement = connection.prepare_cached("SELECT name, made_at FROM applied_container")?;
                let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, made(row, 1)?)))?;
                let mut gone = rows.collect::<rusqlite::Result<Vec<_>>>()?;
                gone.retain(|(name, made)| now.get(name) != Some(made));
                Ok(gone.into_iter().map(|(name, _)| name).collect())
            })
            .await
    }

    /// Forgets a container whose blobs are kept elsewhere.
    pub async fn forget_container(&self, name: &str) -> Result<(), DatabaseError> {
        let name = name.to_owned();
        self.database
            .write(|transaction| {
                transaction.execute("DELETE FROM applied_container WHERE name = ?1", [name]).map(|_| ())
            })
            .await
    }

    /// Takes over the names of `topology`: its tables become views, a pipe that is there anew forgets what was loaded.
    /// A table that is still marked as dropped waits.
    pub async fn take_over(&self, topology: &Topology) -> Result<(), DatabaseError> {
        let topology = topology.clone();
        self.database
            .write(move |transaction| {
                for (container, rows_in) in MESSAGE_TABLES {
                    take_over_table(transaction, &topology, container, rows_in)?;
                    if let Some(pipe) = topology.pipe_of(container) {
                        take_over_pipe(transaction, pipe)?;
                    }
                }
                let mut known = transaction.prepare_cached(
                    "INSERT INTO applied_container VALUES (?1, ?2) ON CONFLICT DO UPDATE SET made_at = excluded.made_at",
                )?;
                for (name, made) in &topology.containers {
                    if let Some(made) = made {
                        known.execute(params![name, made.to_string()])?;
                    }
                }
                Ok(())
            })
            .await
    }
}

/// Whether `pipe`'s table exists, so that rows may be stored in it.
pub(super) fn has_table(connection: &Connection, pipe: &PipeTopology) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM applied_table WHERE container = ?1 AND full_name = ?2 AND dropped = 0")?
        .exists([&pipe.container, &pipe.full_table])
}

/// The generation of the pipe that loads from `container`: rises when it is made anew.
pub(super) fn generation(connection: &Connection, container: &str) -> rusqlite::Result<i64> {
    let found = connection
        .prepare_cached("SELECT generation FROM applied_pipe WHERE container = ?1")?
        .query_row([container], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or(0))
}

/// The name that the table for `container` goes by: the applied one, else the table's own.
pub(super) fn table_name(connection: &Connection, container: &str) -> rusqlite::Result<String> {
    let applied = applied_table(connection, container)?.map(|table| table.name);
    Ok(applied.unwrap_or_else(|| table_of(container).unwrap_or_default().to_owned()))
}

fn applied_table(connection: &Connection, container: &str) -> rusqlite::Result<Option<AppliedTable>> {
    connection
        .prepare_cached("SELECT name, full_name, made_at, has_view, dropped FROM applied_table WHERE container = ?1")?
        .query_row([container], |row| {
            Ok(AppliedTable {
                name: row.get(0)?,
                full_name: row.get(1)?,
                made: made(row, 2)?,
                has_view: row.get(3)?,
                is_dropped: row.get(4)?,
            })
        })
        .optional()
}

fn made(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<String>>(index)?.and_then(|text| text.parse().ok()))
}

fn take_over_table(
    transaction: &Transaction<'_>,
    topology: &Topology,
    container: &str,
    rows_in: &str,
) -> rusqlite::Result<()> {
    let known = applied_table(transaction, container)?;
    if known.as_ref().is_some_and(|table| table.is_dropped) {
        return Ok(());
    }
    // Without a pipe the table is still the one that the last pipe loaded into.
    let of_pipe = topology.pipe_of(container).filter(|pipe| topology.tables.contains_key(&pipe.full_table));
    let renamed = known
        .as_ref()
        .and_then(|table| table.name_in(topology))
        .and_then(|name| name.rsplit('.').next().zip(Some(name)));
    let same = known.as_ref().map(|table| (table.name.as_str(), &table.full_name));
    let named = of_pipe.map(|pipe| (pipe.table.as_str(), &pipe.full_table)).or(renamed).or(same);
    let wanted = named.and_then(|(name, full_name)| Some((name, full_name, *topology.tables.get(full_name)?)));
    if let Some(known) = &known {
        if wanted == Some((known.name.as_str(), &known.full_name, known.made)) {
            return Ok(());
        }
        drop_view(transaction, known)?;
        transaction.execute("DELETE FROM applied_table WHERE container = ?1", [container])?;
    }
    // Rows of a table that was never applied stay, and show again once one is.
    let Some((name, full_name, made)) = wanted else { return Ok(()) };
    let has_view = make_view(transaction, name, rows_in)?;
    transaction.execute(
        "INSERT INTO applied_table(container, name, full_name, made_at, has_view) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![container, name, full_name, made.map(|at| at.to_string()), has_view],
    )?;
    Ok(())
}

fn take_over_pipe(transaction: &Transaction<'_>, pipe: &PipeTopology) -> rusqlite::Result<()> {
    let known = transaction
        .prepare_cached("SELECT made_at FROM applied_pipe WHERE container = ?1")?
        .query_row([&pipe.container], |row| made(row, 0))
        .optional()?;
    let is_first = known.is_none();
    if known == Some(pipe.made) {
        return Ok(());
    }
    // What was built in goes on under its applied name; another pipe of the cloud's begins anew.
    let is_anew = known.flatten().is_some() && pipe.made.is_some();
    transaction.execute(
        "INSERT INTO applied_pipe(container, made_at) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET made_at = excluded.made_at, generation = generation + ?3",
        params![pipe.container, pipe.made.map(|at| at.to_string()), is_anew],
    )?;
    if is_anew {
        transaction.execute("DELETE FROM pipe_paused WHERE container = ?1", [&pipe.container])?;
        // What the one before it had taken and not loaded is this one's to load.
        transaction.execute(
            "UPDATE OR IGNORE copy_history SET generation = ?2 WHERE container = ?1 AND status = 'Pending'",
            params![pipe.container, generation(transaction, &pipe.container)?],
        )?;
    }
    if is_first {
        // The history of before pipes had names of their own.
        transaction.execute(
            "UPDATE copy_history SET pipe = ?2, table_name = ?3 WHERE container = ?1 AND pipe = ''",
            [&pipe.container, &pipe.name, &pipe.table],
        )?;
    }
    Ok(())
}

/// A view by an applied table's name, so that it is found under it; `false` where the name is taken.
fn make_view(transaction: &Transaction<'_>, name: &str, rows_in: &str) -> rusqlite::Result<bool> {
    let is_taken =
        transaction.prepare_cached("SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE")?.exists([name])?;
    if is_taken || name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_")) {
        return Ok(false);
    }
    transaction.execute_batch(&format!("CREATE VIEW {} AS SELECT * FROM {rows_in}", quoted(name)))?;
    Ok(true)
}

fn drop_view(transaction: &Transaction<'_>, table: &AppliedTable) -> rusqlite::Result<()> {
    if table.has_view {
        transaction.execute_batch(&format!("DROP VIEW IF EXISTS {}", quoted(&table.name)))?;
    }
    Ok(())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::super::schema::MIGRATIONS;
    use super::*;
    use crate::database::Database;

    #[tokio::test]
    async fn a_warehouse_of_before_keeps_its_history_and_what_was_paused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("warehouse.db");
        let before = Database::open(&path, &MIGRATIONS[..1]).expect("opens");
        before
            .write(|transaction| {
                transaction.execute_batch(
                    "INSERT INTO copy_history(id, pipe, file, status, created_at, received_at, bytes)
                     VALUES (7, 'WEATHER_PIPE_PRED_DQ', 'hub/0/a', 'Loaded', '', '2016-06-08T00:00:00Z', 1),
                            (9, 'WEATHER_PIPE_DQ', 'hub/0/a', 'Pending', '', '2016-06-08T00:00:00Z', 1);
                     INSERT INTO pipe_state VALUES ('WEATHER_PIPE_HEALTH_DQ', 1)",
                )
            })
            .await
            .expect("filled");
        drop(before);
        let warehouse = Warehouse::open(&path).expect("migrated");
        let topology = Topology::built_in("demo", "hub", SignedDuration::from_secs(300), 1024);
        warehouse.take_over(&topology).await.expect("in step");
        let history = warehouse.copy_history(false, 10, None).await.expect("history").files;
        let seen: Vec<_> = history.iter().map(|file| (file.pipe.as_str(), file.table.as_str())).collect();
        assert_eq!(
            seen,
            [("WEATHER_PIPE_DQ_DEMO", "WEATHER_JSON_DEMO"), ("WEATHER_PIPE_PRED_DQ_DEMO", "WEATHER_PREDICTIONS_DEMO")]
        );
        assert_eq!(warehouse.pending("json-blob-messages").await.expect("pending")[0].id, 9);
        assert!(warehouse.knows("json-blob-predictions", "hub/0/a".into()).await.expect("known"));
        assert!(warehouse.is_paused("json-blob-health").await.expect("read"));
        assert!(!warehouse.is_paused("json-blob-messages").await.expect("read"));
    }
}
