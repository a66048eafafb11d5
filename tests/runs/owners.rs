//! Runs and the process that asked for them: what it shows of them, and that they outlive it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use skydeck::owner::{self, Answer, OwnerClient, Request, Snapshot};
use skydeck::provisioning::run::{Phase, RunRequest};
use skydeck::provisioning::status::{RunSummary, TerraformStatus};
use skydeck::settings::Roots;

use super::place::{PATIENCE, Place, demo, has_terraform, plan};

/// Twenty resources, ten at a time, of which one is done every three tenths of a second.
const STEADY: &str = r#"resource "terraform_data" "steady" {
  count = 20

  provisioner "local-exec" {
    command = "sleep ${count.index % 10 * 0.3}"
  }
}
"#;

/// A headless owner as its own process.
struct Owner(Child);

impl Owner {
    fn start(place: &Place) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skydeck"));
        command.args(["--config", "skydeck.toml", "--data-dir", "d", "run", "demo"]);
        command.current_dir(place.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // A credential that a rehearsal must never see.
        command.env("ARM_CLIENT_SECRET", "a-real-secret").env("HOME", place.path());
        Self(command.spawn().expect("the owner starts"))
    }

    async fn attach(&self, place: &Place) -> OwnerClient {
        let folders = Roots::one(&place.path().join("d")).expect("roots").of(&demo()).expect("folders");
        let attached = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Ok(Some(client)) = owner::attach(&folders).await {
                    return client;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        attached.await.expect("the owner listens")
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn newest(snapshot: &Snapshot) -> Option<&RunSummary> {
    snapshot.provisioning.environments.first().and_then(|demo| demo.runs.first())
}

async fn wait_for(client: &OwnerClient, what: &str, wanted: impl Fn(&Snapshot) -> bool) {
    let mut snapshots = client.snapshots();
    let waited = tokio::time::timeout(PATIENCE, snapshots.wait_for(|snapshot| wanted(snapshot))).await;
    assert!(matches!(waited, Ok(Ok(_))), "not seen: {what}; {:#?}", client.snapshots().borrow().provisioning);
}

async fn start(client: &OwnerClient, request: RunRequest) -> u32 {
    match client.ask(Request::StartRun { environment: demo(), run: request }).await.expect("started") {
        Answer::RunStarted { number } => number,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_shows_a_run_as_it_goes_and_the_run_outlives_it() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(STEADY);
    let mut process = Owner::start(&place);
    let client = process.attach(&place).await;
    wait_for(&client, "Terraform", |s| matches!(s.provisioning.terraform, TerraformStatus::Found { .. })).await;
    let number = start(&client, plan()).await;
    wait_for(&client, "the plan", |s| newest(s).is_some_and(|run| run.phase == Phase::Planned)).await;
    client.ask(Request::ApplyRun { environment: demo(), number }).await.expect("applying");

    // Each step of the progress is shown, and not more often than it should be.
    let mut snapshots = client.snapshots();
    let (mut seen, mut shown, begun) = (Vec::new(), 0, Instant::now());
    while seen.last().is_none_or(|done| *done < 8) {
        tokio::time::timeout(PATIENCE, snapshots.changed()).await.expect("in time").expect("the owner lives");
        shown += 1;
        let done = newest(&snapshots.borrow_and_update()).map_or(0, |run| run.done);
        if seen.last() != Some(&done) {
            seen.push(done);
        }
    }
    assert!(seen.len() >= 3, "progress came in {seen:?}");
    let most = 15.0 * begun.elapsed().as_secs_f64() + 15.0;
    assert!(f64::from(shown) < most, "{shown} snapshots in {:?}", begun.elapsed());
    let Ok(Answer::Logs { lines }) = client.ask(Request::Logs { after: 0, limit: 1000 }).await else {
        panic!("no log")
    };
    let audit: Vec<_> = lines.iter().filter(|line| line.target == "audit").map(|line| line.message.as_str()).collect();
    assert!(audit.len() == 3 && audit.iter().all(|line| line.contains("demo (EMULATED)")), "{audit:?}");

    assert!(audit[1].ends_with("planned, +20 ~0 -/+0 -0"), "{audit:?}");

    process.0.kill().expect("killed");
    process.0.wait().expect("dead");
    let applied = place.wait_for_phase(number, Phase::Applied).await;
    assert_eq!(applied.changes.len(), 20);
    assert!(!place.log_text(number).await.contains("a-real-secret"));

    // The next owner finds it again, with its log.
    let again = Owner::start(&place);
    let client = again.attach(&place).await;
    wait_for(&client, "the run again", |s| newest(s).is_some_and(|run| run.phase == Phase::Applied && run.done == 20))
        .await;
    let log = client.ask(Request::RunLog { environment: demo(), number, after: 0, limit: 5 }).await;
    assert!(matches!(log, Ok(Answer::RunLog { lines }) if lines.len() == 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_terminal_and_its_keys_reach_no_run() {
    if !has_terraform() {
        return;
    }
    let place = Place::new(STEADY);
    let number = place.plan(plan()).await.number;
    place.begin_apply(number).await;
    let run = place.wait_for_phase(number, Phase::Applying).await;
    let runner = run.runner_pid.expect("its process");
    let stat = std::fs::read_to_string(format!("/proc/{runner}/stat")).expect("it lives");
    let fields: Vec<_> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    assert_eq!(fields[3], runner.to_string(), "a session of its own: {stat}");
    assert_eq!(fields[4], "0", "no terminal: {stat}");
    let pid = i32::try_from(runner).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).expect("hung up");
    place.wait_for_phase(number, Phase::Applied).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_sees_no_credential() {
    if !has_terraform() {
        return;
    }
    let module = r#"resource "terraform_data" "environment" {
  provisioner "local-exec" {
    command = "env"
  }
}
"#;
    let place = Place::new(module);
    let process = Owner::start(&place);
    let client = process.attach(&place).await;
    wait_for(&client, "Terraform", |s| matches!(s.provisioning.terraform, TerraformStatus::Found { .. })).await;
    let number = start(&client, plan()).await;
    wait_for(&client, "the plan", |s| newest(s).is_some_and(|run| run.phase == Phase::Planned)).await;
    client.ask(Request::ApplyRun { environment: demo(), number }).await.expect("applying");
    place.wait_for_phase(number, Phase::Applied).await;
    let log = place.log_text(number).await;
    assert!(log.contains("TF_IN_AUTOMATION=1") && log.contains("/provisioning/home"), "{log}");
    assert!(!log.contains("ARM_CLIENT_SECRET") && !log.contains("a-real-secret"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_terraform_a_run_is_refused_with_where_to_get_it() {
    let place = Place::new("");
    let words = place
        .another_with(|settings| settings.terraform = Some("/no/such/terraform".into()))
        .answer(Request::StartRun { environment: demo(), run: plan() })
        .await
        .expect_err("refused")
        .to_string();
    assert!(words.contains("/no/such/terraform") && words.contains("install version 1.6 or newer"), "{words}");
}
