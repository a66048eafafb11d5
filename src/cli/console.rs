//! `skydeck` alone: the console, one frame of it, or lines where there is no terminal.

use std::io::IsTerminal as _;

#[cfg(feature = "console")]
use super::args::ConsoleFlags;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::signals::Signals;
use super::{headless, host};

/// Attaches or becomes the owner, and shows what it does.
#[cfg(feature = "console")]
pub async fn run(context: &Context, flags: &ConsoleFlags) -> Result<Exit, Failure> {
    if flags.once {
        return once(context, flags).await;
    }
    if context.output.json || !std::io::stdout().is_terminal() {
        return lines(context).await;
    }
    let mut session = host::attach_or_host(context, false).await?;
    let settings = &context.loaded.settings;
    let repository = settings.provisioning.repository_url.clone();
    let shown = host::show(&mut session, settings.console.clone(), repository).await;
    session.end(&mut Signals::catch()?).await?;
    shown.map(|()| Exit::Done)
}

#[cfg(feature = "console")]
async fn once(context: &Context, flags: &ConsoleFlags) -> Result<Exit, Failure> {
    if context.output.json {
        let words = "--once: draws text, not JSON; `skydeck status SECTION --json` has every screen's content";
        return Err(Failure::new(Exit::Usage, words));
    }
    let session = host::attach_or_host(context, true).await?;
    if session.hosts() {
        host::first_rows(&session.client).await;
    }
    let frame = host::frame(&session.client, flags, &context.loaded.settings.console).await;
    session.end(&mut Signals::catch()?).await?;
    context.output.line(frame.trim_end_matches('\n'))?;
    Ok(Exit::Done)
}

/// The same without the console's code: always lines.
#[cfg(not(feature = "console"))]
pub async fn run(context: &Context) -> Result<Exit, Failure> {
    use std::io::Write as _;
    if std::io::stdout().is_terminal() {
        let words = "skydeck: console: not built into this binary (feature `console`); running headless";
        drop(writeln!(std::io::stderr(), "{words}"));
    }
    lines(context).await
}

async fn lines(context: &Context) -> Result<Exit, Failure> {
    let mut signals = Signals::catch()?;
    let session = host::attach_or_host(context, true).await?;
    let outcome = headless::follow(&session, context.output, &mut signals).await;
    session.end(&mut signals).await?;
    outcome
}
