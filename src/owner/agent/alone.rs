//! The agent that runs alone: no hub, no pipeline, no console; its folder's lock, its socket, the link.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::clock::ledger::Ledger;
use crate::edge_agent::Pulse;
use crate::edge_agent::agent::{Agent, AgentEnd, AgentError, AgentSetup};
use crate::edge_agent::report::AgentReport;
use crate::edge_agent::uplink::LinkError;
use crate::edge_agent::uplink::settings::resolve;
use crate::owner::agent::desk::SET_HUB;
use crate::owner::agent::{Diagnoser, host};
use crate::owner::client::{Ask, AskError};
use crate::owner::lock::{FolderLock, LockError};
use crate::owner::log_buffer::LogBuffer;
use crate::owner::protocol::{Answer, Request};
use crate::owner::socket::{self, Access};
use crate::settings::{EnvironmentName, Folders, Settings, SourceKind};
use crate::station::text::printable;

/// How long the agent has to end.
const GRACE: Duration = Duration::from_secs(3);

/// Why the agent can't run.
#[derive(Debug, thiserror::Error)]
pub enum AloneError {
    /// Its folder is owned or unusable.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A folder can't be made, or the socket in it.
    #[error("{path}: {reason}; check that it can be written, or name another place with --data-dir")]
    Folder {
        /// The folder or socket.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The settings name no hub.
    #[error("link: no hub is set for environment {0}; {SET_HUB}")]
    NoHub(EnvironmentName),
    /// The source is a recording, and the hub an outside one.
    #[error(
        "source.kind is \"replay\": a recorded series would be sent to {0} as if it were measured here; set source.kind = \"lines\" with source.path, or \"none\""
    )]
    Replay(String),
    /// The source makes readings up, and the hub is an outside one.
    #[error(
        "source.kind is \"sim\": made-up readings would be sent to {0} as if they were measured here; set source.kind = \"sensors\", \"lines\" or \"none\""
    )]
    Sim(String),
    /// The settings of the link don't hold.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The agent can't start or go on.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The agent's task has failed.
    #[error("agent: it ended by a fault of its own ({0}); see its log")]
    Task(String),
}

/// How a run ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AloneEnd {
    /// It was told to.
    Done,
    /// The hub wants it started anew.
    Restart,
}

/// A running agent. Dropping it ends what runs without waiting; [`AgentAlone::shutdown`] waits.
#[derive(Debug)]
pub struct AgentAlone {
    report: watch::Receiver<AgentReport>,
    pulse: Arc<Pulse>,
    /// Absent once it has ended.
    running: Option<JoinHandle<Result<AgentEnd, AgentError>>>,
    serving: [AbortHandle; 2],
    shutdown: CancellationToken,
    socket: PathBuf,
    _lock: FolderLock,
}

impl Drop for AgentAlone {
    fn drop(&mut self) {
        self.shutdown.cancel();
        self.serving.iter().for_each(AbortHandle::abort);
        // Whoever looks for an agent shall not find the socket of one that has ended.
        drop(std::fs::remove_file(&self.socket));
    }
}

impl AgentAlone {
    /// What it says of itself, at every change.
    #[must_use]
    pub fn report(&self) -> watch::Receiver<AgentReport> {
        self.report.clone()
    }

    /// Whether its reader lives.
    #[must_use]
    pub fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }

    /// Waits until it ends by itself. May be dropped and called again.
    pub async fn ended(&mut self) -> Result<AloneEnd, AloneError> {
        let Some(running) = &mut self.running else { return Ok(AloneEnd::Done) };
        let ended = running.await;
        self.running = None;
        match ended {
            Ok(Ok(AgentEnd::Shutdown)) => Ok(AloneEnd::Done),
            Ok(Ok(AgentEnd::Restart)) => Ok(AloneEnd::Restart),
            Ok(Err(error)) => Err(error.into()),
            Err(error) => Err(AloneError::Task(error.to_string())),
        }
    }

    /// Ends it in order: what isn't sent stays in the outbox.
    pub async fn shutdown(mut self) -> Result<(), AloneError> {
        self.shutdown.cancel();
        match tokio::time::timeout(GRACE, self.ended()).await {
            Ok(ended) => ended.map(drop),
            Err(_) => {
                if let Some(running) = self.running.take() {
                    running.abort();
                }
                Ok(())
            }
        }
    }
}

/// Starts the agent of `environment` with its link to the hub that `settings` name; those with `access` may ask it.
pub async fn start(
    environment: &EnvironmentName,
    settings: &Settings,
    folders: &Folders,
    log: &LogBuffer,
    access: Access,
) -> Result<AgentAlone, AloneError> {
    let link = resolve(&settings.link, &settings.station)?.ok_or_else(|| AloneError::NoHub(environment.clone()))?;
    let link = link.with_agent(&settings.agent);
    let hub = printable(&link.hub_host_name);
    match settings.source.kind {
        SourceKind::Replay if !is_this_machine(&link.host) => return Err(AloneError::Replay(hub)),
        SourceKind::Sim if !is_this_machine(&link.host) => return Err(AloneError::Sim(hub)),
        _ => {}
    }
    let lock = FolderLock::take(&folders.data.join("agent"))?;
    access
        .make_folder(&folders.runtime)
        .map_err(|error| AloneError::Folder { path: folders.runtime.clone(), reason: error.to_string() })?;
    let setup = AgentSetup {
        data: &folders.data,
        station: &settings.station,
        quality: &settings.quality,
        sensors: &settings.sensors,
        source: &settings.source,
        agent: &settings.agent,
        camera: &settings.camera,
        sky: &settings.sky,
        model: &settings.model,
        link: &settings.link,
        log_filter: &settings.log.filter,
        not_before: None,
        host: host(log),
    };
    let (agent, _clock) = Agent::open(setup).await?;
    let handles = agent.handles();
    let diagnoser = Diagnoser::new(environment.as_str(), &handles, log);
    let (report, pulse) = (handles.report, handles.pulse);
    let socket = folders.agent_socket();
    let listener = socket::listen(&socket, access)
        .map_err(|error| AloneError::Folder { path: socket.clone(), reason: error.to_string() })?;
    let (asks, asked) = mpsc::channel(8);
    let serving = [
        tokio::spawn(socket::serve_asks(listener, asks)).abort_handle(),
        tokio::spawn(answer_asks(report.clone(), diagnoser, log.clone(), asked)).abort_handle(),
    ];
    let shutdown = CancellationToken::new();
    let running = Some(tokio::spawn(agent.run(Some(link), Ledger::default(), shutdown.clone())));
    tracing::info!(target: "owner", device = settings.station.device_id, "the agent runs alone");
    Ok(AgentAlone { report, pulse, running, serving, shutdown, socket, _lock: lock })
}

/// Whether a hub there is one of this machine's own, which may have a recording.
fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Requests are answered side by side: one may wait for news, or try the way to the hub.
async fn answer_asks(
    report: watch::Receiver<AgentReport>,
    diagnoser: Diagnoser,
    log: LogBuffer,
    mut asked: mpsc::Receiver<Ask>,
) {
    while let Some(Ask { request, answer }) = asked.recv().await {
        let (report, diagnoser, log) = (report.clone(), diagnoser.clone(), log.clone());
        tokio::spawn(async move {
            // Whoever asked and left doesn't want the answer.
            drop(answer.send(answer_one(&report, &diagnoser, &log, request).await));
        });
    }
}

async fn answer_one(
    report: &watch::Receiver<AgentReport>,
    diagnoser: &Diagnoser,
    log: &LogBuffer,
    request: Request,
) -> Result<Answer, AskError> {
    match request {
        Request::Agent => Ok(Answer::Agent { report: Arc::new(report.borrow().clone()) }),
        Request::Logs { after, limit } => Ok(Answer::Logs { lines: log.after(after, limit) }),
        Request::Diagnose { wait } => Ok(Answer::Diagnosis { diagnosis: Arc::new(diagnoser.diagnose(wait).await) }),
        Request::TestLink => Ok(Answer::LinkTest { test: diagnoser.test_link().await }),
        Request::Preview { max_px } => Ok(Answer::Preview { picture: diagnoser.preview(max_px).await }),
        _ => Err(AskError::Refused(
            "agent: it runs alone and tells only how it stands and what it logged; ask the owner of the environment \
             for anything else"
                .into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::socket::AttachError;
    use crate::settings::{EnvironmentName, Layers, Roots, load};

    struct Place {
        folder: tempfile::TempDir,
        name: EnvironmentName,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("temporary folder");
            Self { folder, name: "roof".parse().expect("a name") }
        }

        fn folders(&self) -> Folders {
            Roots::one(self.folder.path()).and_then(|roots| roots.of(&self.name)).expect("folders")
        }

        /// Settings of an agent whose hub is behind a port where nobody listens.
        fn settings(&self) -> Settings {
            let mut settings = load(&self.name, &Layers::default()).expect("loads").settings;
            let key = self.folder.path().join("key");
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::write(&key, "a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5").expect("written");
            std::fs::set_permissions(&key, private).expect("set");
            settings.source.kind = SourceKind::None;
            settings.link.hub = Some("hub.invalid".into());
            settings.link.gateway = Some("127.0.0.1".into());
            settings.link.port = 1;
            settings.link.key = Some(format!("file:{}", key.display()));
            settings
        }
    }

    async fn ask(path: &std::path::Path, request: Request) -> Result<Option<Result<Answer, AskError>>, AttachError> {
        socket::ask_within(path, request, Duration::from_secs(30)).await
    }

    #[tokio::test]
    async fn it_answers_how_it_stands_and_refuses_everything_else() {
        let place = Place::new();
        let folders = place.folders();
        let log = LogBuffer::new();
        let logging = tracing_subscriber::layer::SubscriberExt::with(tracing_subscriber::registry(), log.layer());
        tracing::subscriber::with_default(logging, || tracing::info!(target: "agent", "a line"));
        let agent = start(&place.name, &place.settings(), &folders, &log, Access::User).await.expect("starts");
        let path = folders.agent_socket();
        let answer = ask(&path, Request::Agent).await.expect("usable").expect("runs").expect("answers");
        let Answer::Agent { report } = answer else { panic!("{answer:?}") };
        assert_eq!((report.device_id.as_str(), report.uplink.connected), ("roof-01", false));
        let refused = ask(&path, Request::Messages { limit: 1 }).await.expect("usable").expect("runs");
        assert!(refused.expect_err("refused").to_string().contains("it runs alone"));
        let logs = ask(&path, Request::Logs { after: 0, limit: 5 }).await.expect("usable").expect("runs");
        let Ok(Answer::Logs { lines }) = logs else { panic!("{logs:?}") };
        assert_eq!(lines.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), ["a line"]);
        let subscribed = ask(&path, Request::Subscribe).await.expect("usable").expect("runs");
        assert!(subscribed.is_err());
        agent.shutdown().await.expect("ends");
        assert!(ask(&path, Request::Agent).await.expect("usable").is_none(), "nobody is there any more");
    }

    #[tokio::test]
    async fn a_recording_goes_to_a_hub_on_this_machine_only() {
        let place = Place::new();
        let mut settings = place.settings();
        settings.source.kind = SourceKind::Replay;
        settings.link.gateway = None;
        let refused = start(&place.name, &settings, &place.folders(), &LogBuffer::new(), Access::User)
            .await
            .expect_err("refused");
        assert_eq!(
            refused.to_string(),
            "source.kind is \"replay\": a recorded series would be sent to hub.invalid as if it were measured here; set \
             source.kind = \"lines\" with source.path, or \"none\""
        );
        settings.source.kind = SourceKind::Sim;
        let refused = start(&place.name, &settings, &place.folders(), &LogBuffer::new(), Access::User)
            .await
            .expect_err("refused");
        assert!(
            refused.to_string().starts_with("source.kind is \"sim\": made-up readings would be sent to hub.invalid")
        );
        settings.source.kind = SourceKind::Replay;
        assert!(!place.folders().data.join("agent").exists(), "nothing was begun");
        settings.link.gateway = Some("localhost".into());
        let agent =
            start(&place.name, &settings, &place.folders(), &LogBuffer::new(), Access::User).await.expect("starts");
        agent.shutdown().await.expect("ends");
        assert!(["127.0.0.83", "::1"].into_iter().all(is_this_machine));
        assert!(!["10.0.0.1", "localhost.example", ""].into_iter().any(is_this_machine));
    }

    #[tokio::test]
    async fn two_never_share_an_outbox() {
        let place = Place::new();
        let folders = place.folders();
        let first =
            start(&place.name, &place.settings(), &folders, &LogBuffer::new(), Access::User).await.expect("starts");
        let second = start(&place.name, &place.settings(), &folders, &LogBuffer::new(), Access::User).await;
        assert!(matches!(second, Err(AloneError::Lock(LockError::Owned { .. }))), "{second:?}");
        first.shutdown().await.expect("ends");
        start(&place.name, &place.settings(), &folders, &LogBuffer::new(), Access::User).await.expect("free again");
    }

    #[tokio::test]
    async fn without_a_hub_it_says_what_to_set() {
        let place = Place::new();
        let settings = Settings { link: crate::settings::LinkSettings::default(), ..place.settings() };
        let error =
            start(&place.name, &settings, &place.folders(), &LogBuffer::new(), Access::User).await.expect_err("no hub");
        let words = error.to_string();
        assert!(words.contains("environment roof") && words.contains("link.connection_string"), "{words}");
        assert!(!place.folders().data.exists(), "nothing is made for it");
    }
}
