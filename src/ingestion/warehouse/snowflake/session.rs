//! One session with Snowflake: signed in when it is needed, signed in again once when it has expired, and every statement
//! with a time after which it is cancelled.

use std::sync::Arc;
use std::time::Duration;

use snowflake_connector_rs::decode::{PlanBuildResult, RowDecodeResult};
use snowflake_connector_rs::{FromRow, QueryOptions, ResultCursor, RowPlanContext, RowRef, Session};
use tokio::sync::Mutex;

use super::account::Account;
use super::clock;
use super::error::{SnowflakeError, of_sign_in, of_statement, off};
use super::statements::Statement;
use crate::settings::SnowflakeAuth;

/// A handle on the account; clones share one session.
#[derive(Clone)]
pub struct Snowflake {
    account: Arc<Account>,
    session: Arc<Mutex<Option<Arc<Session>>>>,
}

impl std::fmt::Debug for Snowflake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snowflake").field("account", &self.account.name).finish_non_exhaustive()
    }
}

/// One row of an answer: cells by their column's name, as Snowflake wrote them.
#[derive(Debug, Clone)]
pub struct Row {
    columns: Arc<[String]>,
    cells: Vec<Option<String>>,
}

impl Row {
    /// The cell of the column `name`, in any case; `None` where it is null or there is no such column.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let index = self.columns.iter().position(|column| column.eq_ignore_ascii_case(name))?;
        self.cells.get(index)?.as_deref()
    }

    /// The first cell.
    #[must_use]
    pub fn first(&self) -> Option<&str> {
        self.cells.first()?.as_deref()
    }

    /// As a whole number.
    #[must_use]
    pub fn whole(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// A timestamp as the wire has it: seconds since 1970 and their fraction, perhaps with an offset behind.
    #[must_use]
    pub fn time(&self, name: &str) -> Option<jiff::Timestamp> {
        wire_time(self.text(name)?)
    }

    #[cfg(test)]
    pub(super) fn of(cells: &[(&str, Option<&str>)]) -> Self {
        Self {
            columns: cells.iter().map(|(name, _)| (*name).to_owned()).collect(),
            cells: cells.iter().map(|(_, cell)| cell.map(str::to_owned)).collect(),
        }
    }
}

/// `1700000000.123000000` or `1700000000.123000000 1440`.
fn wire_time(text: &str) -> Option<jiff::Timestamp> {
    let (seconds, fraction) = text.split(' ').next()?.split_once('.').unwrap_or((text, "0"));
    let seconds: i64 = seconds.split(' ').next()?.parse().ok()?;
    let nanoseconds: i32 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    // Before 1970 the fraction counts away from zero, as the sign before the whole says.
    jiff::Timestamp::new(seconds, if seconds < 0 { -nanoseconds } else { nanoseconds }).ok()
}

impl FromRow for Row {
    type Plan = Arc<[String]>;

    fn build_plan(ctx: RowPlanContext<'_>) -> PlanBuildResult<Self::Plan> {
        Ok(ctx.schema().columns().iter().map(|column| column.name().to_owned()).collect())
    }

    fn from_row_with_plan(row: RowRef<'_>, plan: &Self::Plan) -> RowDecodeResult<Self> {
        let mut cells = Vec::with_capacity(plan.len());
        for index in 0..plan.len() {
            cells.push(row.cell_at(index)?.raw().map(str::to_owned));
        }
        Ok(Self { columns: Arc::clone(plan), cells })
    }
}

impl Snowflake {
    /// A handle on `account`; nothing is asked of it yet.
    #[must_use]
    pub fn new(account: Account) -> Self {
        Self { account: Arc::new(account), session: Arc::default() }
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Asks, and answers with the rows.
    pub async fn ask(&self, statement: &Statement) -> Result<Vec<Row>, SnowflakeError> {
        let mut rows = Vec::new();
        self.ask_each(statement, |row| rows.push(row)).await?;
        Ok(rows)
    }

    /// Asks, and hands over row after row: a long answer comes in parts and is never held whole.
    pub async fn ask_each(
        &self,
        statement: &Statement,
        mut each: impl FnMut(Row) + Send,
    ) -> Result<(), SnowflakeError> {
        let seconds = u64::from(self.account.settings.statement_timeout_s);
        let failed = |error: &snowflake_connector_rs::Error| of_statement(error, &self.account, statement);
        let whole = async {
            let mut cursor = self.execute(statement).await?;
            while let Some(table) = cursor.next_table().await.map_err(|error| failed(&error))? {
                for row in table.rows::<Row>().map_err(|error| failed(&error))? {
                    each(row.map_err(|error| failed(&error))?);
                }
            }
            Ok(())
        };
        // Parts are downloaded after the statement's own time: they have as much again.
        let patience = Duration::from_secs(2 * seconds);
        let late = || SnowflakeError::TimedOut { what: statement.what.clone(), seconds: patience.as_secs() };
        tokio::time::timeout(patience, whole).await.map_err(|_| late())?
    }

    async fn execute(&self, statement: &Statement) -> Result<ResultCursor, SnowflakeError> {
        let session = self.session().await?;
        match self.execute_in(&session, statement).await {
            Err(error) if error.is_session_expired() => {
                self.forget(&session).await;
                tracing::debug!(target: "snowflake", "session expired, signing in again");
                let session = self.session().await?;
                self.execute_in(&session, statement).await
            }
            other => other,
        }
        .map_err(|error| of_statement(&error, &self.account, statement))
    }

    async fn execute_in(
        &self,
        session: &Session,
        statement: &Statement,
    ) -> Result<ResultCursor, snowflake_connector_rs::Error> {
        let patience = Duration::from_secs(u64::from(self.account.settings.statement_timeout_s));
        let options = QueryOptions::new()
            .with_query_response_timeout(patience)
            .with_query_cancel_request_timeout(Duration::from_secs(10));
        let handle = session.query_handle_with_options(statement.sql.clone(), options)?;
        let canceller = handle.canceller();
        let outcome = handle.execute().await;
        if outcome.as_ref().is_err_and(snowflake_connector_rs::Error::is_timeout)
            && let Err(error) = canceller.cancel().await
        {
            // The session's own timeout ends the statement then.
            tracing::warn!(target: "snowflake", "{}: not cancelled: {error}", statement.what);
        }
        outcome
    }

    async fn session(&self) -> Result<Arc<Session>, SnowflakeError> {
        let mut held = self.session.lock().await;
        if let Some(session) = &*held {
            return Ok(Arc::clone(session));
        }
        let client = self.account.client()?;
        let session = match client.create_session().await {
            Ok(session) => Arc::new(session),
            Err(error) => {
                return Err(self.why_refused(of_sign_in(&error, &self.account.name, &self.account.user)).await);
            }
        };
        *held = Some(Arc::clone(&session));
        Ok(session)
    }

    /// A key's signature is refused without a reason; one of them is a clock that is off, and that can be found out.
    async fn why_refused(&self, error: SnowflakeError) -> SnowflakeError {
        let is_by_key = self.account.settings.auth == SnowflakeAuth::KeyPair;
        let SnowflakeError::SignIn { account, user, .. } = &error else { return error };
        match clock::ahead(&self.account.address()).await.filter(|_| is_by_key) {
            Some(ahead) if ahead.abs() > clock::TOLERATED => {
                SnowflakeError::Skewed { account: account.clone(), user: user.clone(), off: off(ahead) }
            }
            _ => error,
        }
    }

    /// Another statement may have signed in again meanwhile; that session stays.
    async fn forget(&self, expired: &Arc<Session>) {
        let mut held = self.session.lock().await;
        if held.as_ref().is_some_and(|session| Arc::ptr_eq(session, expired)) {
            *held = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wires_times_are_read() {
        let time = |text: &str| wire_time(text).map(|time| time.to_string());
        assert_eq!(time("1700000000.123000000").as_deref(), Some("2023-11-14T22:13:20.123Z"));
        assert_eq!(time("1700000000.500000000 1500").as_deref(), Some("2023-11-14T22:13:20.5Z"));
        assert_eq!(time("1700000000").as_deref(), Some("2023-11-14T22:13:20Z"));
        assert_eq!(time("1700000000 1440").as_deref(), Some("2023-11-14T22:13:20Z"));
        assert_eq!(time("2023-11-14"), None);
        assert_eq!(time(""), None);
    }

    #[test]
    fn cells_are_found_by_their_columns_name_in_any_case() {
        let row = Row::of(&[("FILE_NAME", Some("a")), ("ROW_COUNT", Some("7")), ("NOTHING", None)]);
        assert_eq!((row.text("file_name"), row.whole("ROW_COUNT")), (Some("a"), Some(7)));
        assert_eq!((row.text("nothing"), row.text("missing"), row.first()), (None, None, Some("a")));
    }
}
