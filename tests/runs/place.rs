//! A place for runs: a module, folders and a provisioner of its own.

pub use crate::terraform_peer::is_here as has_terraform;
use std::path::{Path, PathBuf};
use std::time::Duration;

use skydeck::owner::provisioning::{Provisioner, RunnerCommand};
use skydeck::owner::{Answer, AskError, Request};
use skydeck::provisioning::run::{Operation, Phase, ResourceChange, Run, RunLogLine, RunRequest};
use skydeck::provisioning::status::{EnvironmentStatus, StateView};
use skydeck::settings::{EnvironmentName, Layers, ProvisioningSettings, Roots};

pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Place {
    folder: tempfile::TempDir,
    pub provisioner: Provisioner,
}

impl Place {
    /// With a module of one file.
    pub fn new(module: &str) -> Self {
        Self::with_settings(module, "")
    }

    /// And more settings for `[provisioning]`.
    pub fn with_settings(module: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::create_dir(folder.path().join("module")).expect("made");
        let shared = folder.path().join("shared");
        std::fs::create_dir(&shared).expect("made");
        let config =
            format!("[provisioning]\nmodule = \"module\"\nrun_store = \"file://{}\"\n{settings}\n", shared.display());
        std::fs::write(folder.path().join("skydeck.toml"), config).expect("written");
        let provisioner = provisioner(folder.path(), ProvisioningSettings::default());
        let place = Self { folder, provisioner };
        place.write_module(module);
        place
    }

    /// With the module that skydeck carries.
    pub fn carried(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let provisioner = provisioner(folder.path(), ProvisioningSettings::default());
        let place = Self { folder, provisioner };
        place.write_settings(settings);
        place
    }

    pub fn write_settings(&self, settings: &str) {
        std::fs::write(self.path().join("skydeck.toml"), settings).expect("written");
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn data(&self) -> PathBuf {
        self.path().join("d/demo/data/provisioning")
    }

    pub fn write_module(&self, module: &str) {
        std::fs::write(self.path().join("module/main.tf"), module).expect("written");
    }

    /// A provisioner of its own, as another process would have it.
    pub fn another(&self) -> Provisioner {
        self.another_with(|_| {})
    }

    /// The same, with other settings.
    pub fn another_with(&self, change: impl FnOnce(&mut ProvisioningSettings)) -> Provisioner {
        let mut settings = ProvisioningSettings::default();
        change(&mut settings);
        provisioner(self.path(), settings)
    }

    pub async fn ask(&self, request: Request) -> Result<Answer, AskError> {
        self.provisioner.answer(request).await
    }

    pub async fn start(&self, request: RunRequest) -> u32 {
        match self.ask(Request::StartRun { environment: demo(), run: request }).await.expect("started") {
            Answer::RunStarted { number } => number,
            other => panic!("{other:?}"),
        }
    }

    pub async fn run(&self, number: u32) -> Run {
        match self.ask(Request::Run { environment: demo(), number }).await.expect("a run") {
            Answer::Run { run } => *run,
            other => panic!("{other:?}"),
        }
    }

    pub async fn log(&self, number: u32) -> Vec<RunLogLine> {
        let request = Request::RunLog { environment: demo(), number, after: 0, limit: 10_000 };
        match self.ask(request).await.expect("a log") {
            Answer::RunLog { lines } => lines,
            other => panic!("{other:?}"),
        }
    }

    pub async fn log_text(&self, number: u32) -> String {
        self.log(number).await.into_iter().map(|line| line.text + "\n").collect()
    }

    pub async fn status(&self) -> EnvironmentStatus {
        let status = self.provisioner.status().await;
        status.environments.into_iter().find(|one| one.environment == demo()).expect("demo is always there")
    }

    pub async fn state(&self) -> StateView {
        match self.ask(Request::State { environment: demo() }).await.expect("a state") {
            Answer::State { state } => state,
            other => panic!("{other:?}"),
        }
    }

    /// Waits, by the provisioner's bell, until the run is as wanted.
    pub async fn wait_for(&self, number: u32, what: &str, wanted: impl Fn(&Run) -> bool) -> Run {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let run = self.run(number).await;
                if wanted(&run) {
                    return run;
                }
                self.provisioner.changed().await;
            }
        });
        match waited.await {
            Ok(run) => run,
            Err(_) => panic!("not seen: {what}; {:#?}\n{}", self.run(number).await, self.log_text(number).await),
        }
    }

    pub async fn wait_for_phase(&self, number: u32, phase: Phase) -> Run {
        let wanted = |run: &Run| run.phase == phase || run.phase.is_end();
        let run = self.wait_for(number, phase.label(), wanted).await;
        assert_eq!(run.phase, phase, "{run:#?}\n{}", self.log_text(number).await);
        run
    }

    /// Plans, to the plan's end.
    pub async fn plan(&self, request: RunRequest) -> Run {
        let number = self.start(request).await;
        self.wait_for(number, "the plan", |run| !run.phase.is_active()).await
    }

    /// Applies, without waiting.
    pub async fn begin_apply(&self, number: u32) {
        self.ask(Request::ApplyRun { environment: demo(), number }).await.expect("applying");
    }

    /// Plans and applies, to the end.
    pub async fn apply(&self, request: RunRequest) -> Run {
        let planned = self.plan(request).await;
        assert_eq!(planned.phase, Phase::Planned, "{planned:#?}\n{}", self.log_text(planned.number).await);
        self.begin_apply(planned.number).await;
        self.wait_for(planned.number, "the end", |run| run.phase.is_end()).await
    }

    pub async fn refused(&self, request: Request) -> String {
        match self.ask(request).await {
            Err(error @ (AskError::Refused(_) | AskError::Barred { .. })) => error.to_string(),
            other => panic!("not refused: {other:?}"),
        }
    }
}

fn provisioner(root: &Path, settings: ProvisioningSettings) -> Provisioner {
    let arguments = ["--data-dir", "d", "--config", "skydeck.toml"];
    let arguments = arguments.iter().map(|argument| match *argument {
        "d" | "skydeck.toml" => root.join(argument).into_os_string(),
        flag => flag.into(),
    });
    let runner = RunnerCommand { program: env!("CARGO_BIN_EXE_skydeck").into(), arguments: arguments.collect() };
    let roots = Roots::one(&root.join("d")).expect("roots");
    let layers = Layers { file: Some(root.join("skydeck.toml")), ..Layers::default() };
    Provisioner::new(roots, runner, settings, Some(layers))
}

pub fn demo() -> EnvironmentName {
    EnvironmentName::demo()
}

pub fn plan() -> RunRequest {
    RunRequest::default()
}

pub fn of(operation: Operation) -> RunRequest {
    RunRequest { operation, ..RunRequest::default() }
}

pub fn change<'a>(run: &'a Run, address: &str) -> &'a ResourceChange {
    run.changes.iter().find(|change| change.address == address).unwrap_or_else(|| panic!("{address}: {run:#?}"))
}
