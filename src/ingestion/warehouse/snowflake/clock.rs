//! How far this machine's clock is from the account's: a key's signature holds for a minute either side of the account's
//! time, and one beyond it is refused without saying why.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A clock that is off by more isn't the reason.
pub(super) const TOLERATED: SignedDuration = SignedDuration::from_secs(30);
/// How long the answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much more this machine's clock shows than the one behind `url`, by the `Date` of its answer (whole seconds, and as
/// far off as the answer took); `None` where there is no answer with one.
pub(super) async fn ahead(url: &str) -> Option<SignedDuration> {
    let client = reqwest::Client::builder().timeout(PATIENCE).build().ok()?;
    let answer = client.head(url).send().await.ok()?;
    let theirs = answer.headers().get(reqwest::header::DATE)?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(theirs).ok()?;
    Some(Timestamp::now().duration_since(theirs))
}
