//! `skydeck run`: the headless owner.

use super::context::Context;
use super::exit::{Exit, Failure};
use super::signals::Signals;
use super::{headless, host};

/// Owns the environment until a signal ends it.
pub async fn run(context: &Context) -> Result<Exit, Failure> {
    let mut signals = Signals::catch()?;
    let session = host::host(context, true).await?;
    let outcome = headless::follow(&session, context.output, &mut signals).await;
    session.end(&mut signals).await?;
    outcome
}
