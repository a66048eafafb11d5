//! The one place of the command line that starts an owner or attaches to one.

#[cfg(feature = "console")]
use std::time::Duration;

#[cfg(feature = "console")]
use super::args::ConsoleFlags;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::signals::Signals;
#[cfg(feature = "console")]
use crate::console;
use crate::owner::{self, LockError, OwnerClient, Request, Running, StartError};
#[cfg(feature = "console")]
use crate::settings::{ConsoleSettings, user_folder};

/// A viewer's handle, and the owner behind it where it lives in this process.
pub struct Session {
    /// The viewer's handle.
    pub client: OwnerClient,
    running: Option<Running>,
}

impl Session {
    /// Whether the owner lives in this process.
    #[cfg(feature = "console")]
    pub const fn hosts(&self) -> bool {
        self.running.is_some()
    }

    /// Ends the owner, where it lives in this process. A second signal cuts that short. Fails where the owner had ended
    /// because a part of it failed.
    pub async fn end(self, signals: &mut Signals) -> Result<(), Failure> {
        let Some(running) = self.running else { return Ok(()) };
        let fault = running.fault();
        tokio::select! {
            () = running.shutdown() => {}
            _ = signals.next() => {}
        }
        fault.map_or(Ok(()), |words| Err(Failure::new(Exit::Failed, words)))
    }
}

/// Attaches to the environment's owner; without one, becomes it. `headless` says that standard error is free
/// for the log.
pub async fn attach_or_host(context: &Context, headless: bool) -> Result<Session, Failure> {
    match attach(context).await? {
        Some(client) => {
            if let Some(speed) = context.speed {
                if context.loaded.settings.console.read_only {
                    let words =
                        "--speed: changes the replay for everybody, and a read-only console only looks; leave one out";
                    return Err(Failure::new(Exit::Usage, words));
                }
                client.ask(Request::SetSpeed { speed }).await?;
            }
            Ok(Session { client, running: None })
        }
        None => host(context, headless).await,
    }
}

/// Becomes the environment's owner. Headless it waits until everything runs; the console shows that happening.
pub async fn host(context: &Context, headless: bool) -> Result<Session, Failure> {
    context.folders.make()?;
    let log = super::logging::start(context, "owner.log", headless && context.verbose > 0)?;
    let settings = context.loaded.settings.clone();
    let (environment, folders) = (context.environment.clone(), context.folders.clone());
    let provisioner = Some(context.provisioner.clone());
    let mut running = owner::start_with(environment, settings, folders, log, provisioner).await?;
    if headless && let Err(error) = running.ready().await {
        running.shutdown().await;
        return Err(error.into());
    }
    Ok(Session { client: running.client(), running: Some(running) })
}

/// Attaches to the environment's owner; `None` where nobody runs it.
pub async fn attach(context: &Context) -> Result<Option<OwnerClient>, Failure> {
    Ok(owner::attach(&context.folders).await?)
}

/// Attaches to the environment's owner, which must run.
pub async fn attached(context: &Context) -> Result<OwnerClient, Failure> {
    attach(context).await?.ok_or_else(|| {
        let (name, copied) = (&context.environment, &context.copied);
        let words = format!(
            "environment {name}: nobody runs it; start it with `skydeck{copied} run {name}`, or `skydeck --env {name}{copied}` for the console"
        );
        Failure::new(Exit::NotFound, words)
    })
}

/// Waits until the pipeline has something to show: a row, or ten seconds.
#[cfg(feature = "console")]
pub async fn first_rows(client: &OwnerClient) {
    let mut snapshots = client.snapshots();
    let has_rows = snapshots.wait_for(|snapshot| snapshot.pipes.iter().any(|pipe| pipe.rows > 0));
    // Without a row in that time, what there is is shown.
    drop(tokio::time::timeout(Duration::from_secs(10), has_rows).await);
}

/// Shows the console until it is quit, or until the owner in this process fails to come up.
#[cfg(feature = "console")]
pub async fn show(session: &mut Session, settings: ConsoleSettings, repository: Option<String>) -> Result<(), Failure> {
    let pid = session.client.snapshots().borrow().owner.pid;
    let greeting =
        (!session.hosts()).then(|| format!("attached to process {pid}, which goes on when this console ends"));
    let options = console::RunOptions {
        config_dir: user_folder(),
        greeting,
        hosts: session.hosts(),
        repository,
        ..console::RunOptions::default()
    };
    let shown = console::run(session.client.clone(), settings, options);
    let failed = async {
        if let Some(running) = &mut session.running
            && let Err(error) = running.ready().await
        {
            return error;
        }
        std::future::pending().await
    };
    tokio::select! {
        shown = shown => shown.map_err(|error| Failure::new(Exit::Failed, error)),
        error = failed => Err(error.into()),
    }
}

/// One frame of the console as text.
#[cfg(feature = "console")]
pub async fn frame(client: &OwnerClient, flags: &ConsoleFlags, settings: &ConsoleSettings) -> String {
    let screen = console::ScreenName::ALL[flags.screen as usize];
    console::frame_as_text(client, screen, flags.size.width, flags.size.height, settings).await
}

/// Names of the themes that can be chosen.
#[cfg(feature = "console")]
pub fn themes() -> Vec<String> {
    console::theme::Theme::names(user_folder().map(|folder| folder.join("themes")).as_deref())
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let exit = match error {
            StartError::Lock(LockError::Owned { .. }) => Exit::Locked,
            StartError::Cloud(_) => Exit::Usage,
            _ => Exit::Failed,
        };
        Self::new(exit, error)
    }
}
