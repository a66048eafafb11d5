//! The writer thread: commits what has come in as one transaction.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::DatabaseError;

/// Writes that may wait for the thread before the next caller is held back.
const QUEUE: usize = 1024;
/// Writes committed together at most.
const GROUP: usize = 512;

/// Runs in the transaction; answers what failed of it, and whom to tell the commit's fate afterwards. Where no
/// transaction can be begun, it is told why instead.
type Job = Box<dyn FnOnce(Result<&Transaction<'_>, DatabaseError>) -> (Option<DatabaseError>, Reply) + Send>;
type Reply = Box<dyn FnOnce(Result<(), DatabaseError>) + Send>;

#[derive(Clone)]
pub(super) struct Writer {
    jobs: SyncSender<Job>,
    path: Arc<Path>,
}

impl Writer {
    pub(super) fn start(connection: Connection, path: Arc<Path>) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::sync_channel(QUEUE);
        let name = path.file_stem().map_or_else(|| "database".into(), |stem| stem.to_string_lossy().into_owned());
        let thread_path = Arc::clone(&path);
        std::thread::Builder::new()
            .name(format!("write-{name}"))
            .spawn(move || run(connection, &queue, &thread_path))?;
        Ok(Self { jobs, path })
    }

    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, DatabaseError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let path = Arc::clone(&self.path);
        let job: Job = Box::new(move |transaction| {
            let outcome = transaction.and_then(|transaction| {
                in_savepoint(transaction, work).map_err(|error| DatabaseError::statement(&path, &error))
            });
            let failure = outcome.as_ref().err().cloned();
            let reply: Reply = Box::new(move |committed| {
                // A caller that went away doesn't want the answer any more.
                drop(answer.send(committed.and(outcome)));
            });
            (failure, reply)
        });
        let closed = || DatabaseError::Closed { path: self.path.to_path_buf() };
        // The queue is a std channel so that the thread can sleep on it; a full one is waited for off the
        // async threads.
        if let Err(mpsc::TrySendError::Full(back)) = self.jobs.try_send(job) {
            let jobs = self.jobs.clone();
            tokio::task::spawn_blocking(move || jobs.send(back)).await.map_err(|_| closed())?.map_err(|_| closed())?;
        }
        answered.await.map_err(|_| closed())?
    }
}

fn in_savepoint<T>(
    transaction: &Transaction<'_>,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    transaction.execute_batch("SAVEPOINT job")?;
    let outcome = work(transaction);
    match outcome {
        Ok(_) => transaction.execute_batch("RELEASE job")?,
        // A full disk makes SQLite roll back the whole transaction: then there is nothing left to roll back to.
        Err(_) if transaction.is_autocommit() => {}
        Err(_) => transaction.execute_batch("ROLLBACK TO job; RELEASE job")?,
    }
    outcome
}

fn run(mut connection: Connection, queue: &Receiver<Job>, path: &Path) {
    let failed = |error: rusqlite::Error| DatabaseError::statement(path, &error);
    while let Ok(first) = queue.recv() {
        match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
            Ok(transaction) => {
                let (mut failure, reply) = first(Ok(&transaction));
                let mut replies = vec![reply];
                // Without its transaction a further write would stand alone, and be told that it had failed.
                while replies.len() < GROUP
                    && !transaction.is_autocommit()
                    && let Ok(job) = queue.try_recv()
                {
                    let (failed, reply) = job(Ok(&transaction));
                    failure = failed.or(failure);
                    replies.push(reply);
                }
                let committed = match failure {
                    Some(error) if transaction.is_autocommit() => Err(error),
                    _ => transaction.commit().map_err(failed),
                };
                for reply in replies {
                    reply(committed.clone());
                }
            }
            Err(error) => first(Err(failed(error))).1(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::database::{Database, DatabaseError};

    #[tokio::test]
    async fn a_failed_write_leaves_its_neighbours_alone() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let database =
            Database::open(&folder.path().join("a.db"), &["CREATE TABLE t(a INTEGER UNIQUE) STRICT"]).expect("opens");
        let insert = |value: i64| database.write(move |t| t.execute("INSERT INTO t VALUES (?1)", [value]).map(|_| ()));
        let (one, again, two) = tokio::join!(insert(1), insert(1), insert(2));
        one.expect("first");
        assert!(matches!(again, Err(DatabaseError::Statement { .. })));
        two.expect("second");
        let count: i64 =
            database.read(|c| c.query_row("SELECT count(*) FROM t", [], |r| r.get(0))).await.expect("reads");
        assert_eq!(count, 2);
    }

    #[tokio::test]
    async fn a_full_disk_fails_the_whole_group_and_the_next_one_goes_on() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let database =
            Database::open(&folder.path().join("a.db"), &["CREATE TABLE t(a INTEGER UNIQUE, b BLOB) STRICT"])
                .expect("opens");
        // A file of at most ten pages stands for a disk of that size.
        let pages = |pages: u32| {
            let sql = format!("PRAGMA max_page_count = {pages}");
            database.write(move |t| t.query_row(&sql, [], |row| row.get::<_, i64>(0)))
        };
        pages(10).await.expect("bounded");
        let insert = |key: i64, bytes: i64| {
            database.write(move |t| {
                t.execute("INSERT INTO t VALUES (?1, zeroblob(?2))", rusqlite::params![key, bytes]).map(|_| ())
            })
        };
        // Holds the thread until all that shall be committed together waits.
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let held = database.write(move |_| {
            let _ = gate.recv();
            Ok(())
        });
        let release = async { drop(open) };
        let (held, small, large, after, ()) =
            tokio::join!(biased; held, insert(1, 10), insert(2, 1_000_000), insert(3, 10), release);
        for (name, outcome) in [("held", held), ("small", small), ("large", large)] {
            assert!(matches!(outcome, Err(DatabaseError::Full { .. })), "{name}: {outcome:?}");
        }
        after.expect("the next group goes on");
        pages(10_000).await.expect("room");
        insert(1, 10).await.expect("what was told to have failed isn't there");
        insert(2, 1_000_000).await.expect("fits now");
        let count: i64 =
            database.read(|c| c.query_row("SELECT count(*) FROM t", [], |r| r.get(0))).await.expect("reads");
        assert_eq!(count, 3);
    }

    #[tokio::test]
    async fn a_newer_schema_is_refused_and_a_folder_is_no_database() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a.db");
        drop(Database::open(&path, &["CREATE TABLE a(x)", "CREATE TABLE b(x)"]).expect("opens"));
        assert!(matches!(
            Database::open(&path, &["CREATE TABLE a(x)"]),
            Err(DatabaseError::Newer { found: 2, known: 1, .. })
        ));
        assert!(matches!(Database::open(folder.path(), &[]), Err(DatabaseError::Open { .. })));
    }
}
