//! Who is asked about runs: the environment's owner where one runs, the folders of runs where none does.

use std::io::Write as _;
use std::sync::Arc;

use tokio::sync::watch;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, unexpected};
use crate::owner::provisioning::Provisioner;
use crate::owner::{
    Answer, AskError, ChangeDetail, EnvironmentStatus, OwnerClient, PlanList, PlanOutline, ProvisioningStatus, Request,
    Run, RunLogLine, Snapshot, StateView, attach,
};
use crate::settings::{EnvironmentKind, EnvironmentName};
use crate::station::text::printable;

/// Lines of a log asked for at once.
const LINES: usize = 1000;
/// Differences asked for at once.
const DETAILS: usize = 200;

/// Who is asked, for one environment.
pub struct Ground {
    /// The environment.
    pub environment: EnvironmentName,
    from: From,
    /// Runs are made with the caller's own settings, whoever owns the environment.
    makes: Option<Provisioner>,
    repository: Option<String>,
}

enum From {
    Owner(OwnerClient, watch::Receiver<Arc<Snapshot>>),
    Folders(Box<Provisioner>),
}

impl Ground {
    /// The owner of the context's environment, or else its folders; a cloud environment has no owner here.
    pub async fn of(context: &Context) -> Result<Self, Failure> {
        let environment = context.environment.clone();
        let owner = match environment.kind() {
            EnvironmentKind::Cloud => None,
            EnvironmentKind::Demo | EnvironmentKind::Local => attach(&context.folders).await?,
        };
        let from = match owner {
            Some(client) => {
                let snapshots = client.snapshots();
                From::Owner(client, snapshots)
            }
            None => From::Folders(Box::new(context.provisioner.clone())),
        };
        let repository = context.loaded.settings.provisioning.repository_url.clone();
        Ok(Self { environment, from, makes: Some(context.provisioner.clone()), repository })
    }

    /// One that asks this owner.
    #[cfg(test)]
    pub fn with(environment: EnvironmentName, client: OwnerClient) -> Self {
        let snapshots = client.snapshots();
        Self { environment, from: From::Owner(client, snapshots), makes: None, repository: None }
    }

    /// Where the repository's files are read in a browser, where the settings say so.
    pub fn repository(&self) -> Option<&str> {
        self.repository.as_deref()
    }

    /// Asks.
    pub async fn ask(&self, request: Request) -> Result<Answer, AskError> {
        match (&self.from, &self.makes) {
            (_, Some(provisioner)) if matches!(request, Request::StartRun { .. }) => provisioner.answer(request).await,
            (From::Owner(client, _), _) => client.ask(request).await,
            (From::Folders(provisioner), _) => provisioner.answer(request).await,
        }
    }

    /// How provisioning stands now.
    async fn provisioning(&self) -> ProvisioningStatus {
        match &self.from {
            From::Owner(_, snapshots) => snapshots.borrow().provisioning.clone(),
            From::Folders(provisioner) => provisioner.status().await,
        }
    }

    /// How the environment stands now; absent where nothing is known of it.
    pub async fn status(&self) -> Option<EnvironmentStatus> {
        self.provisioning().await.environment(&self.environment).cloned()
    }

    /// How the environment stands; not found where nothing is known of it.
    pub async fn known(&self) -> Result<EnvironmentStatus, Failure> {
        self.status().await.ok_or_else(|| {
            let name = &self.environment;
            let words = format!(
                "environment {name}: it has no runs and no state here; `skydeck plan --env {name}` makes a plan"
            );
            Failure::new(Exit::NotFound, words)
        })
    }

    /// How the environment stands now, with at most `most` of its runs.
    pub async fn history(&self, most: u32) -> Result<EnvironmentStatus, Failure> {
        let mut status = self.known().await?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let total = status.runs.len() + usize::try_from(status.older).unwrap_or(usize::MAX);
        while status.runs.len() < most.min(total) {
            let (environment, before) = (self.environment.clone(), status.runs.last().map(|oldest| oldest.number));
            let limit = most - status.runs.len();
            match self.ask(Request::Runs { environment, before, limit }).await? {
                Answer::Runs { runs } if runs.is_empty() => break,
                Answer::Runs { runs } => status.runs.extend(runs),
                _ => return Err(unexpected()),
            }
        }
        status.runs.truncate(most);
        status.older = u32::try_from(total.saturating_sub(status.runs.len())).unwrap_or(u32::MAX);
        Ok(status)
    }

    /// Refuses where Terraform can't be used.
    pub async fn terraform(&self) -> Result<(), Failure> {
        use crate::owner::TerraformStatus::Unknown;
        // An owner that is just starting looks for it soon; the run would say why there is none.
        match self.provisioning().await.terraform {
            Unknown => Ok(()),
            status => status.fault().map_or(Ok(()), |fault| Err(Failure::new(Exit::Failed, fault))),
        }
    }

    /// Waits until something has changed.
    pub async fn changed(&mut self) -> Result<(), Failure> {
        match &mut self.from {
            From::Owner(_, snapshots) => snapshots.changed().await.map_err(|_| AskError::Gone.into()),
            From::Folders(provisioner) => {
                provisioner.changed().await;
                Ok(())
            }
        }
    }

    /// One run, whole.
    pub async fn run(&self, number: u32) -> Result<Run, Failure> {
        match self.ask(Request::Run { environment: self.environment.clone(), number }).await {
            Ok(Answer::Run { run }) => Ok(*run),
            Ok(_) => Err(unexpected()),
            Err(error) => Err(error.into()),
        }
    }

    /// The first lines of a run's log after a number; none where there are no more.
    pub async fn log(&self, number: u32, after: u64) -> Result<Vec<RunLogLine>, Failure> {
        let environment = self.environment.clone();
        match self.ask(Request::RunLogPage { environment, number, after, limit: LINES }).await? {
            Answer::RunLog { lines } => Ok(lines),
            _ => Err(unexpected()),
        }
    }

    /// A run's plan.
    pub async fn plan(&self, number: u32) -> Result<Arc<PlanOutline>, Failure> {
        match self.ask(Request::Plan { environment: self.environment.clone(), number }).await? {
            Answer::Plan { plan } => Ok(plan),
            _ => Err(unexpected()),
        }
    }

    /// The differences within all `total` resources of a list of a run's plan.
    pub async fn details(&self, number: u32, list: PlanList, total: usize) -> Result<Vec<ChangeDetail>, Failure> {
        let mut found = Vec::with_capacity(total);
        while found.len() < total {
            let (environment, from) = (self.environment.clone(), found.len());
            match self.ask(Request::PlanDetails { environment, number, list, from, count: DETAILS }).await? {
                Answer::PlanDetails { details } if details.is_empty() => break,
                Answer::PlanDetails { details } => found.extend(details),
                _ => return Err(unexpected()),
            }
        }
        Ok(found)
    }

    /// Looks into the run store of an environment in the cloud. Where that can't be reached, says so and goes on with
    /// what is known here.
    pub async fn refresh(&self) {
        if self.environment.kind() != EnvironmentKind::Cloud {
            return;
        }
        if let Err(error) = self.ask(Request::RefreshRuns { environment: self.environment.clone() }).await {
            // A standard error that is closed is no reason to stop.
            drop(writeln!(std::io::stderr(), "runs of {}: {}", self.environment, printable(&error.to_string())));
        }
    }

    /// Its name and, where nothing real is touched, EMULATED.
    pub fn title(&self) -> String {
        match self.environment.kind() {
            EnvironmentKind::Cloud => self.environment.to_string(),
            EnvironmentKind::Demo | EnvironmentKind::Local => format!("{}, EMULATED", self.environment),
        }
    }

    /// What the state holds.
    pub async fn state(&self) -> Result<StateView, Failure> {
        match self.ask(Request::State { environment: self.environment.clone() }).await? {
            Answer::State { state } => Ok(state),
            _ => Err(unexpected()),
        }
    }
}
