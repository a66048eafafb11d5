//! Where diagnoses are asked for: the agent that runs alone, else the owner of the environment, else this process looks
//! itself.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

#[cfg(feature = "diag")]
use super::bundle::{self, BundleError};
use super::diagnosis::Diagnosis;
use super::findings::{Beside, DeviceFinding, device_findings, machine_findings, test_findings};
use crate::edge_agent::report::AgentReport;
use crate::edge_agent::uplink::LinkTest;
use crate::edge_agent::uplink::settings::resolve;
use crate::edge_agent::{MachineReader, PreviewPicture, link_test};
use crate::owner::client::AskError;
use crate::owner::lamp::Lamp;
use crate::owner::log_buffer::LogLine;
use crate::owner::protocol::{Answer, Request};
use crate::owner::socket::{self, AttachError};
use crate::settings::{Folders, LinkSettings, Settings, StationSettings};
use crate::station::text::printable;

/// How long an agent may take to try its way to the hub.
const TEST: Duration = Duration::from_secs(100);
/// How long it may take to answer anything else.
const ANSWER: Duration = Duration::from_secs(8);
/// Wait between two looks at a device without an agent.
const LOOK: Duration = Duration::from_secs(3);
/// Lines of the log that a bundle has.
#[cfg(feature = "diag")]
const LOG_LINES: usize = 2000;

/// How the agent of a device is brought up, in words that can be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Starting {
    /// The command that starts it.
    pub start: String,
    /// The command, or the words, that start one that runs anew.
    pub restart: String,
    /// Whether its hub is the environment's own, which `start` brings up too.
    pub has_own_hub: bool,
}

/// What to do where the settings name no hub.
pub(super) const SET_HUB: &str = "set link.connection_string = \"file:/PATH\" (the device's connection string in a file of \
     mode 0600), or link.hub with link.key or with link.certificate and link.certificate_key";

/// Whom to ask about a device.
#[derive(Debug)]
pub struct DeviceDesk {
    environment: String,
    /// The agent's own socket, and the environment's.
    sockets: [PathBuf; 2],
    /// The hardware as this process sees it.
    machine: MachineReader,
    station: StationSettings,
    link: LinkSettings,
    /// The settings that hold, as a settings file with origins.
    #[cfg(feature = "diag")]
    settings_text: String,
    /// What named the environment, where nobody did by a flag or a variable, in words.
    named_by: Option<String>,
    starting: Starting,
    /// The way to the hub as this process tried it last, there being no agent.
    tested: Mutex<Option<LinkTest>>,
}

impl DeviceDesk {
    /// Of the device whose agent has these settings and folders.
    #[must_use]
    pub fn new(environment: &str, settings: &Settings, folders: &Folders) -> Self {
        Self {
            environment: environment.to_owned(),
            sockets: [folders.agent_socket(), folders.socket()],
            machine: MachineReader::new(&folders.data.join("agent")),
            station: settings.station.clone(),
            link: settings.link.clone(),
            #[cfg(feature = "diag")]
            settings_text: String::new(),
            named_by: None,
            starting: Starting {
                start: format!("skydeck --env {environment} agent run"),
                restart: "end it and start it again".to_owned(),
                has_own_hub: false,
            },
            tested: Mutex::default(),
        }
    }

    /// With how the agent is brought up, as whoever called can copy it.
    #[must_use]
    pub fn starting(self, starting: Starting) -> Self {
        Self { starting, ..self }
    }

    /// With the settings as text, for bundles.
    #[cfg(feature = "diag")]
    #[must_use]
    pub fn with_settings_text(self, settings_text: String) -> Self {
        Self { settings_text, ..self }
    }

    /// With what named the environment, in words: said where nobody answers.
    #[must_use]
    pub fn named_by(self, named_by: Option<String>) -> Self {
        Self { named_by, ..self }
    }

    /// The agent's report; `None` where nobody runs it.
    pub async fn report(&self) -> Result<Option<Arc<AgentReport>>, String> {
        match self.ask(Request::Agent, ANSWER).await? {
            Some(Ok(Answer::Agent { report })) => Ok(Some(report)),
            Some(Ok(_)) => Err(MISUNDERSTOOD.to_owned()),
            Some(Err(error)) => Err(error.to_string()),
            None => Ok(None),
        }
    }

    /// How the device is: at once, or with `wait` once something has changed, a few seconds at most. Where no agent
    /// runs, that is what it says; an error is an agent that doesn't answer.
    pub async fn diagnose(&self, wait: bool) -> Result<Diagnosis, String> {
        match self.ask(Request::Diagnose { wait }, ANSWER).await? {
            Some(Ok(Answer::Diagnosis { diagnosis })) => Ok(self.beside_settings((*diagnosis).clone())),
            Some(Ok(_)) => Err(MISUNDERSTOOD.to_owned()),
            Some(Err(AskError::Gone)) => Err("agent: it is ending".to_owned()),
            // It doesn't know what is asked: an older one.
            Some(Err(_)) => self.of_an_older_agent().await,
            None => {
                if wait {
                    tokio::time::sleep(LOOK).await;
                }
                Ok(self.without_an_agent().await)
            }
        }
    }

    async fn of_an_older_agent(&self) -> Result<Diagnosis, String> {
        let report = self.report().await?.ok_or("agent: it is ending")?;
        let machine = Some(self.machine.read().await);
        let empty = self.empty();
        let beside = Beside { machine: machine.as_ref(), ..Beside::default() };
        let mut findings = device_findings(&report, beside, empty.at);
        let cause = format!("it is version {}, this program {}", report.version, env!("CARGO_PKG_VERSION"));
        let step = format!("start it anew: {}", self.starting.restart);
        findings.push(DeviceFinding::new(Lamp::Unknown, "agent", cause, step));
        Ok(self.beside_settings(Diagnosis { agent: Some(report), machine, findings, ..empty }))
    }

    /// Says where the agent has other settings than those that are known here.
    fn beside_settings(&self, mut diagnosis: Diagnosis) -> Diagnosis {
        let (agent, own) = (diagnosis.agent.as_ref().map(|agent| agent.device_id.as_str()), &self.station.device_id);
        if let Some(agent) = agent.filter(|agent| agent != own) {
            let cause = format!("diag was started with those of {own}; the agent runs as {agent}, with others");
            let step = "give diag the agent's --config: a bundle's settings.toml is of diag's own";
            diagnosis.findings.push(DeviceFinding::new(Lamp::Unknown, "settings", cause, step));
        }
        diagnosis
    }

    async fn without_an_agent(&self) -> Diagnosis {
        let machine = Some(self.machine.read().await);
        let step = format!("start it: {}", self.starting.start);
        let cause =
            self.named_by.as_ref().map_or_else(|| "nobody runs it".to_owned(), |by| format!("nobody runs it ({by})"));
        let mut findings = vec![DeviceFinding::new(Lamp::Failed, "agent", cause, step)];
        let no_hub = self.no_hub();
        if let Some(words) = no_hub.as_ref().filter(|_| !self.starting.has_own_hub) {
            let (cause, step) = words.split_once("; ").unwrap_or((words, SET_HUB));
            findings.push(DeviceFinding::new(Lamp::Failed, "link", cause, step));
        }
        let link_test = self.tested().clone();
        findings.extend(link_test.as_ref().map(|test| test_findings(test, false)).unwrap_or_default());
        findings.extend(machine.as_ref().map(machine_findings).unwrap_or_default());
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.rank()));
        Diagnosis { machine, findings, link_test, no_hub, ..self.empty() }
    }

    /// Why there is no hub to try the way to without an agent, and what to do.
    fn no_hub(&self) -> Option<String> {
        if self.link.hub.is_some() || self.link.connection_string.is_some() {
            return None;
        }
        Some(if self.starting.has_own_hub {
            format!("the hub of {} is its own and comes up with it; {}", self.environment, self.starting.start)
        } else {
            format!("no hub is set; {SET_HUB}")
        })
    }

    fn tested(&self) -> std::sync::MutexGuard<'_, Option<LinkTest>> {
        self.tested.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn empty(&self) -> Diagnosis {
        Diagnosis {
            at: Timestamp::now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            environment: self.environment.clone(),
            agent: None,
            machine: None,
            findings: Vec::new(),
            link_test: None,
            no_hub: None,
            errors: Vec::new(),
            log_file: None,
        }
    }

    /// Tries the way to the hub, by the agent where one runs; `None` where no hub is set. Two minutes at most.
    pub async fn test_link(&self) -> Result<Option<LinkTest>, String> {
        match self.ask(Request::TestLink, TEST).await? {
            Some(Ok(Answer::LinkTest { test })) => Ok(test),
            Some(Ok(_)) => Err(MISUNDERSTOOD.to_owned()),
            Some(Err(error)) => Err(format!("the way to the hub wasn't tried: {error}")),
            None => {
                let link = resolve(&self.link, &self.station).map_err(|error| error.to_string())?;
                let Some(settings) = link else { return Ok(None) };
                let test = link_test::without_agent(&settings).await;
                // It is in the next diagnosis, as an agent's own would be.
                *self.tested() = Some(test.clone());
                Ok(Some(test))
            }
        }
    }

    /// The newest picture with a longer side of at most `max_px`; `None` where there is none, or nobody who has it.
    pub async fn preview(&self, max_px: u32) -> Option<PreviewPicture> {
        match self.ask(Request::Preview { max_px }, ANSWER).await.ok()?? {
            Ok(Answer::Preview { picture }) => picture,
            _ => None,
        }
    }

    /// Writes what support needs to `out`, or to a file in the working folder named by the device and `at`: diagnosis,
    /// log and settings, without secrets. Answers where it is.
    #[cfg(feature = "diag")]
    pub async fn write_bundle(&self, out: Option<PathBuf>, at: Timestamp) -> Result<PathBuf, BundleError> {
        let diagnosis = self.diagnose(false).await.map_err(BundleError::Asked)?;
        let log = self.log(LOG_LINES).await.map_err(BundleError::Asked)?;
        let secrets = bundle::secrets_of(&self.link);
        let own = self.station.device_id.as_str();
        let agent = diagnosis.agent.as_ref().map(|agent| agent.device_id.as_str());
        let parts = bundle::Parts {
            diagnosis: &diagnosis,
            log: &log,
            settings: &self.settings_text,
            settings_are: &bundle::settings_are(agent, own),
            secrets: &secrets,
        };
        let out = out.unwrap_or_else(|| bundle::file_name(agent.unwrap_or(own), at));
        bundle::write(&parts, &out, at)?;
        Ok(out)
    }

    /// The newest lines of the agent's log, at most so many; none where nobody runs it.
    pub async fn log(&self, lines: usize) -> Result<Vec<LogLine>, String> {
        match self.ask(Request::Logs { after: 0, limit: lines }, ANSWER).await? {
            Some(Ok(Answer::Logs { lines })) => Ok(lines),
            Some(Ok(_)) => Err(MISUNDERSTOOD.to_owned()),
            Some(Err(error)) => Err(error.to_string()),
            None => Ok(Vec::new()),
        }
    }

    /// Asks the agent that runs alone, or else the owner; `None` where neither is there.
    async fn ask(&self, request: Request, wait: Duration) -> Result<Option<Result<Answer, AskError>>, String> {
        for socket in &self.sockets {
            if let Some(answer) = socket::ask_within(socket, request.clone(), wait).await.map_err(words)? {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }
}

/// Why nobody could be asked. A socket that a group may use names the group.
fn words(error: AttachError) -> String {
    let AttachError::Refused { path } = &error else { return error.to_string() };
    let group = path.ancestors().skip(1).take(2).find_map(open_group);
    group.map_or_else(
        || error.to_string(),
        |group| {
            format!(
                "{}: access is refused: the agent answers its group {group}; join it: sudo usermod -aG {group} $USER, then \
                 log in anew",
                path.display()
            )
        },
    )
}

/// The name of the group that may enter `folder`, where that is a group and not everybody.
fn open_group(folder: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let about = std::fs::metadata(folder).ok()?;
    if about.mode() & 0o015 != 0o010 {
        return None;
    }
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    group_name(&groups, about.gid()).map(|name| printable(&name))
}

/// The name of a group, from a group file (group(5)).
fn group_name(groups: &str, gid: u32) -> Option<String> {
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let found = groups.lines().map(fields).find(|fields| fields.get(2).is_some_and(|id| id.parse() == Ok(gid)))?;
    found.into_iter().next()
}

const MISUNDERSTOOD: &str = "agent: it answered something else than what was asked; use the same skydeck for both";

#[cfg(test)]
mod tests;
