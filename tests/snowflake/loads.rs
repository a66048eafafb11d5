//! What an operator sees of loads and does with them: the same on the local warehouse and on Snowflake.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use skydeck::owner::{
    self, Answer, Lamp, LoadedFile, LogBuffer, OwnerClient, Request, Running, Snapshot, StageName, WarehouseAsk,
};
use skydeck::settings::{EnvironmentName, Folders, Settings, SourceKind};

use super::peer::{Server, plain_key};
use super::place::{PATIENCE, PIPE, line, settings};

const BAD: &str = "skydeck-hub/0/bad";

async fn start(environment: &str, root: &Path, settings: Settings) -> Running {
    let folders = Folders { data: root.join("data"), runtime: root.join("run"), state: root.join("state") };
    let name: EnvironmentName = environment.parse().expect("a name");
    let mut running = owner::start(name, settings, folders, LogBuffer::new()).await.expect("starts");
    running.ready().await.expect("runs");
    running
}

async fn cloud(server: &Server, root: &Path) -> Running {
    let mut all = Settings { snowflake: settings(server, root, &plain_key()), ..Settings::default() };
    all.alarms.hold_s = 0;
    start("staging", root, all).await
}

async fn wait_for(client: &OwnerClient, what: &str, is_so: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let mut snapshots = client.snapshots();
    match tokio::time::timeout(PATIENCE, snapshots.wait_for(|snapshot| is_so(snapshot))).await {
        Ok(Ok(snapshot)) => (**snapshot).clone(),
        _ => panic!("not seen: {what}; {:#?}", client.snapshots().borrow().pipes),
    }
}

async fn history(client: &OwnerClient, failed_only: bool) -> Vec<LoadedFile> {
    match client.ask(Request::CopyHistory { failed_only, limit: 100, after: None }).await {
        Ok(Answer::CopyHistory { files, .. }) => files,
        other => panic!("no history: {other:?}"),
    }
}

async fn done(client: &OwnerClient, request: Request) -> String {
    match client.ask(request).await {
        Ok(Answer::Done { message }) => message,
        other => panic!("not done: {other:?}"),
    }
}

fn state(snapshot: &Snapshot, pipe: &str) -> Option<String> {
    snapshot.pipes.iter().find(|known| known.name == pipe).map(|pipe| pipe.state.clone())
}

/// A file whose second line is no JSON has failed in `pipe`; everything else is as an operator expects it.
async fn as_an_operator_sees_them(client: &OwnerClient, pipe: &str) {
    wait_for(client, "the failed file", |s| s.pipes.iter().any(|p| p.name == pipe && p.files_failed == 1)).await;
    let mut failed = history(client, true).await;
    failed.retain(|file| file.status == "Load failed");
    assert_eq!(failed.iter().map(|file| file.file.as_str()).collect::<Vec<_>>(), [BAD]);
    let file = &failed[0];
    assert_eq!((file.status.as_str(), file.first_error_line, file.rows_loaded), ("Load failed", Some(2), 0));
    assert_eq!((file.pipe.as_str(), file.first_error.is_some()), (pipe, true));
    let request = Request::FileLine { file: BAD.to_owned(), line: 2 };
    assert!(matches!(client.ask(request).await, Ok(Answer::FileLine { text }) if text == "{oops"));
    let nowhere = Request::FileLine { file: "../../etc/passwd".to_owned(), line: 1 };
    assert!(client.ask(nowhere).await.is_err_and(|error| error.to_string().contains("not in the copy history")));
    wait_for(client, "its alarm", |s| s.alarms.iter().any(|alarm| alarm.rule == "load-errors")).await;

    let validate = Request::Warehouse(WarehouseAsk::Validate { file: BAD.to_owned() });
    assert!(client.ask(validate).await.is_err_and(|error| error.to_string().contains("line 2")));
    let since = Some(Timestamp::now() - SignedDuration::from_hours(1));
    let refresh = WarehouseAsk::Refresh { pipe: pipe.to_owned(), prefix: Some("nowhere/".to_owned()), since };
    assert!(done(client, Request::Warehouse(refresh)).await.contains("0 files queued"));
    as_a_screen_holds_them(client).await;

    let message = done(client, Request::RefreshPipe { pipe: pipe.to_owned() }).await;
    assert!(message.contains("0 files queued"), "what failed isn't taken again: {message}");
    done(client, Request::PausePipe { pipe: pipe.to_owned(), paused: true }).await;
    wait_for(client, "a pause", |s| state(s, pipe).as_deref() == Some("PAUSED")).await;
    done(client, Request::PausePipe { pipe: pipe.to_owned(), paused: false }).await;
    wait_for(client, "a running pipe", |s| state(s, pipe).as_deref() == Some("RUNNING")).await;
    let unknown = client.ask(Request::PausePipe { pipe: "NOBODY".to_owned(), paused: true }).await;
    assert!(unknown.is_err_and(|error| error.to_string().contains(pipe)), "the known ones are named");
}

/// Page after page, until nothing new comes: then every file is there.
async fn as_a_screen_holds_them(client: &OwnerClient) {
    let (mut after, mut seen) = (0, std::collections::BTreeSet::new());
    loop {
        let request = Request::CopyHistory { failed_only: false, limit: 1, after: Some(after) };
        let Ok(Answer::CopyHistory { files, upto, total }) = client.ask(request).await else { panic!("no page") };
        let Some(file) = files.first() else {
            assert_eq!((upto, seen.len() as u64), (after, total));
            return;
        };
        assert!(upto > after, "{file:?} came twice");
        seen.insert(file.id);
        after = upto;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_snowflake() {
    let (server, root) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
    server.lock().model.pipe(PIPE).comes(BAD, &[&line("m", "2026-06-01T12:00:00Z"), "{oops"]);
    let running = cloud(&server, root.path()).await;
    as_an_operator_sees_them(&running.client(), PIPE).await;
    running.shutdown().await;
    server.assert_all_known();
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_local_warehouse() {
    let root = tempfile::tempdir().expect("temporary folder");
    let mut settings = Settings::default();
    settings.source.kind = SourceKind::None;
    settings.alarms.hold_s = 0;
    let running = start("demo", root.path(), settings).await;
    let path = root.path().join("data/containers/json-blob-messages").join(BAD);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(&path, format!("{}\n{{oops\n", line("m", "2016-05-31T12:00:00Z"))).expect("written");
    let (client, pipe) = (running.client(), "WEATHER_PIPE_DQ_DEMO");
    wait_for(&client, "a running pipe", |s| state(s, pipe).as_deref() == Some("RUNNING")).await;
    done(&client, Request::RefreshPipe { pipe: pipe.to_owned() }).await;
    as_an_operator_sees_them(&client, pipe).await;
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_watches_is_unknown_and_what_may_not_be_seen_is_no_zero() {
    let (server, root) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
    server.lock().model.pipe(PIPE).can_monitor = false;
    let running = cloud(&server, root.path()).await;
    let client = running.client();
    let seen = wait_for(&client, "a right that is missing", |s| state(s, PIPE).as_deref() == Some("NO RIGHT")).await;
    for stage in &seen.stages {
        let is_watched = matches!(stage.name, StageName::Pipe | StageName::Table);
        assert_eq!(stage.headline == "not watched", !is_watched, "{stage:?}");
        assert!(is_watched || stage.lamp == Lamp::Unknown, "{stage:?}");
    }
    let pipe = seen.pipes.iter().find(|pipe| pipe.name == PIPE).expect("listed");
    let watch = pipe.watch.as_ref().expect("watched");
    assert!(watch.status_trouble.as_ref().is_some_and(|words| words.contains("GRANT MONITOR ON PIPE")), "{watch:?}");
    let alarmed = wait_for(&client, "its alarm", |s| s.alarms.iter().any(|a| a.rule == "rights-missing")).await;
    assert!(alarmed.alarms.iter().all(|alarm| alarm.rule != "no-telemetry"), "{:?}", alarmed.alarms);
    let words = client.ask(Request::Messages { limit: 1 }).await.expect_err("refused").to_string();
    assert!(words.contains("the feed isn't read; set azure.feed"), "{words}");
    running.shutdown().await;
    server.assert_all_known();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_pipe_raises_an_alarm_until_it_is_resumed_by_force() {
    let (server, root) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
    server.lock().model.pipe(PIPE).paused_since = Some(Timestamp::now() - SignedDuration::from_hours(15 * 24));
    let running = cloud(&server, root.path()).await;
    let client = running.client();
    let standing = |s: &Snapshot| s.alarms.iter().find(|alarm| alarm.rule == "pipe-standing").cloned();
    let seen = wait_for(&client, "the alarm", |s| standing(s).is_some()).await;
    assert!(standing(&seen).is_some_and(|alarm| alarm.message.contains("force-resume")), "{:?}", seen.alarms);
    let plain = client.ask(Request::PausePipe { pipe: PIPE.to_owned(), paused: false }).await;
    assert!(plain.is_err_and(|error| error.to_string().contains("stale")));
    let message = done(&client, Request::Warehouse(WarehouseAsk::ForceResume { pipe: PIPE.to_owned() })).await;
    assert!(message.contains("resumed by force"), "{message}");
    wait_for(&client, "no alarm", |s| standing(s).is_none()).await;
    running.shutdown().await;
    server.assert_all_known();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_owner_is_refused_and_an_account_that_is_gone_is_told() {
    let (server, root) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
    let mut nowhere = settings(&server, root.path(), &plain_key());
    nowhere.base_url = Some("http://127.0.0.1:1".to_owned());
    let mut all = Settings { snowflake: nowhere, ..Settings::default() };
    all.alarms.hold_s = 0;
    let running = start("staging", root.path(), all.clone()).await;
    let seen =
        wait_for(&running.client(), "the alarm", |s| s.alarms.iter().any(|a| a.rule == "warehouse-unreachable")).await;
    assert!(seen.warehouse.is_some_and(|view| view.trouble.is_some_and(|words| words.contains("org-account"))));
    let folders =
        Folders { data: root.path().join("data"), runtime: root.path().join("run"), state: root.path().join("state") };
    let name: EnvironmentName = "staging".parse().expect("a name");
    assert!(owner::start(name, all, folders, LogBuffer::new()).await.is_err());
    running.shutdown().await;
}
