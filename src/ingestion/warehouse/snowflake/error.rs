//! What can go wrong between skydeck and Snowflake, in words that say what to do.

use super::account::Account;
use super::statements::Statement;
use crate::ingestion::unreachable::{Hints, unreachable};
use crate::settings::SecretError;
use crate::station::text::printable;

/// Why Snowflake didn't answer as it was asked. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnowflakeError {
    /// A setting is missing or doesn't fit.
    #[error("snowflake: {0}")]
    Settings(String),
    /// A secret can't be had.
    #[error("snowflake: {0}")]
    Secret(#[from] SecretError),
    /// The key can't be used.
    #[error("snowflake.private_key: {0}")]
    Key(String),
    /// The account refused to sign the user in.
    #[error("snowflake: account {account} refuses user {user}: {reason}; check user, key and account")]
    SignIn {
        /// The account's identifier.
        account: String,
        /// The user.
        user: String,
        /// Snowflake's words.
        reason: String,
    },
    /// The account refused the key's signature because the two clocks differ.
    #[error(
        "snowflake: account {account} refuses user {user}: this machine's clock is {off} its own; set the clock, then it signs in by itself"
    )]
    Skewed {
        /// The account's identifier.
        account: String,
        /// The user.
        user: String,
        /// How far it is off, in words: `5 min 3 s behind`.
        off: String,
    },
    /// The warehouse doesn't run: it is suspended, over its budget, or may not be used.
    #[error(
        "warehouse {warehouse}: {message}; pipes are watched as ever, files and rows are asked for again in {again_min} min; {next}"
    )]
    Warehouse {
        /// The warehouse.
        warehouse: String,
        /// Snowflake's words.
        message: String,
        /// Minutes until it is asked for again.
        again_min: i64,
        /// What mends it.
        next: String,
    },
    /// The account can't be reached, or answered with an HTTP error.
    #[error("snowflake: account {account}: {reason}; it is tried again")]
    Unreachable {
        /// The account's identifier.
        account: String,
        /// The system's or HTTP's words, and what to check.
        reason: String,
    },
    /// A right is missing, or the thing isn't there: Snowflake doesn't tell which.
    #[error("{what}: not authorised, or it doesn't exist; run: {grant}")]
    NotAuthorised {
        /// The thing.
        what: String,
        /// The statement that mends it.
        grant: String,
    },
    /// Snowflake refused a statement.
    #[error("{what}: {message} (Snowflake's code {code})")]
    Refused {
        /// What was asked.
        what: String,
        /// Snowflake's code; `?` where it gave none.
        code: String,
        /// Snowflake's words.
        message: String,
    },
    /// A statement took too long and was cancelled.
    #[error("{what}: no answer within {seconds} s, cancelled; see what the warehouse is busy with")]
    TimedOut {
        /// What was asked.
        what: String,
        /// Seconds waited.
        seconds: u64,
    },
    /// The answer isn't what was expected.
    #[error("{what}: the answer can't be read: {reason}")]
    Unreadable {
        /// What was asked.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Our own records of it can't be read or written.
    #[error(transparent)]
    Database(#[from] crate::database::DatabaseError),
}

impl SnowflakeError {
    /// Whether a right is missing.
    #[must_use]
    pub const fn is_not_authorised(&self) -> bool {
        matches!(self, Self::NotAuthorised { .. })
    }

    /// Whether nothing was answered at all: the account, not the thing asked about.
    #[must_use]
    pub const fn is_of_the_account(&self) -> bool {
        matches!(
            self,
            Self::Settings(_)
                | Self::Secret(_)
                | Self::Key(_)
                | Self::SignIn { .. }
                | Self::Skewed { .. }
                | Self::Unreachable { .. }
        )
    }

    /// Whether it is the warehouse that doesn't run.
    #[must_use]
    pub const fn is_of_the_warehouse(&self) -> bool {
        matches!(self, Self::Warehouse { .. })
    }
}

/// Codes with which Snowflake says that a right is missing: insufficient privileges; doesn't exist or not authorised.
const NOT_AUTHORISED: [&str; 2] = ["003001", "002003"];

/// No warehouse runs for the session.
const NO_WAREHOUSE: &str = "000606";

/// Whether it is the warehouse that doesn't run: it is suspended, or its resource monitor doesn't let it. Told by Snowflake's
/// words, as its documentation doesn't say with which codes they come.
fn is_of_a_warehouse(code: &str, message: &str) -> bool {
    code == NO_WAREHOUSE || message.starts_with("Warehouse '") || message.contains("resource monitor")
}

/// What a statement's failure comes to.
pub(super) fn of_statement(
    error: &snowflake_connector_rs::Error,
    account: &Account,
    statement: &Statement,
) -> SnowflakeError {
    use snowflake_connector_rs::ErrorKind;
    let Statement { what, grant, .. } = statement;
    let words = |error: &snowflake_connector_rs::Error| {
        let own = error.snowflake_message().map_or_else(|| error.to_string(), str::to_owned);
        printable(&own)
    };
    match error.kind() {
        ErrorKind::Network => SnowflakeError::Unreachable { account: account.name.clone(), reason: no_way(error) },
        ErrorKind::Timeout => {
            let seconds = u64::from(account.settings.statement_timeout_s);
            SnowflakeError::TimedOut { what: what.clone(), seconds }
        }
        ErrorKind::Server | ErrorKind::SessionExpired | ErrorKind::Cancelled => {
            let code = error.snowflake_code().map_or_else(|| "?".to_owned(), printable);
            let message = words(error);
            if NOT_AUTHORISED.contains(&code.as_str()) {
                SnowflakeError::NotAuthorised { what: what.clone(), grant: grant.clone() }
            } else if is_of_a_warehouse(&code, &message) {
                of_warehouse(message, account)
            } else {
                SnowflakeError::Refused { what: what.clone(), code, message }
            }
        }
        _ => SnowflakeError::Unreadable { what: what.clone(), reason: words(error) },
    }
}

fn of_warehouse(message: String, account: &Account) -> SnowflakeError {
    let warehouse = account.settings.warehouse.as_deref().map_or_else(|| "of the user".to_owned(), printable);
    let next = if message.contains("resource monitor") {
        "see SHOW RESOURCE MONITORS; it runs again when its quota is raised or its interval begins anew".to_owned()
    } else {
        let name = super::statements::identifier(&warehouse);
        format!(
            "run: ALTER WAREHOUSE {name} SET AUTO_RESUME = TRUE; GRANT USAGE ON WAREHOUSE {name} TO ROLE {}",
            account.role()
        )
    };
    SnowflakeError::Warehouse { warehouse, message, again_min: super::schedule::REFUSED.as_mins(), next }
}

/// `5 min 3 s behind` or `… ahead of`, for a clock that shows `off` more than the other.
pub(super) fn off(off: jiff::SignedDuration) -> String {
    let (seconds, side) = (off.as_secs().abs(), if off.is_negative() { "behind" } else { "ahead of" });
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes} min {seconds} s {side}"),
        (hours, minutes, _) => format!("{hours} h {minutes} min {side}"),
    }
}

/// What signing in comes to.
pub(super) fn of_sign_in(error: &snowflake_connector_rs::Error, account: &str, user: &str) -> SnowflakeError {
    use snowflake_connector_rs::ErrorKind;
    match error.kind() {
        ErrorKind::Network | ErrorKind::Timeout => {
            SnowflakeError::Unreachable { account: account.to_owned(), reason: no_way(error) }
        }
        ErrorKind::Config => SnowflakeError::Settings(printable(&error.to_string())),
        ErrorKind::Auth => match error.snowflake_message() {
            Some(reason) => {
                SnowflakeError::SignIn { account: account.to_owned(), user: user.to_owned(), reason: printable(reason) }
            }
            None => SnowflakeError::Key(format!("{}; is the passphrase right?", chain(error))),
        },
        _ => SnowflakeError::SignIn {
            account: account.to_owned(),
            user: user.to_owned(),
            reason: printable(&error.to_string()),
        },
    }
}

fn no_way(error: &snowflake_connector_rs::Error) -> String {
    let hints = Hints {
        trusted_in: "the system's",
        named_by: "snowflake.account",
        way: "snowflake.proxy and snowflake.base_url",
    };
    unreachable(&chain(error), &hints)
}

/// An error with what is behind it: a refused connection is in the third layer.
fn chain(error: &snowflake_connector_rs::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    printable(&text)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn how_far_a_clock_is_off_is_told_in_words() {
        assert_eq!(off(SignedDuration::from_secs(-303)), "5 min 3 s behind");
        assert_eq!(off(SignedDuration::from_secs(7500)), "2 h 5 min ahead of");
    }
}
