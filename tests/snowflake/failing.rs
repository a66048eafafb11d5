use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use skydeck::clock::Clock;
use skydeck::ingestion::warehouse::snowflake::{Account, Memory, SnowflakeError, Verdict, WarehouseStatus, Watcher};
use skydeck::settings::SnowflakeSettings;

use super::peer::{Fault, Server, plain_key};
use super::place::{PIPE, Place, has_rows, line, pipe, settings};

const PREDICTIONS: &str = "WEATHER_PIPE_PRED_DQ_STAGING";

fn measured(message: &str) -> String {
    line(message, "2026-06-01T12:00:00Z")
}

/// A watcher whose rounds a test makes itself.
fn watcher(server: &Server, folder: &Path, statement_timeout_s: u32) -> Watcher {
    let settings = SnowflakeSettings { statement_timeout_s, ..settings(server, folder, &plain_key()) };
    let account = Account::of(&settings).expect("complete").expect("an account");
    Watcher::open(account, folder, Clock::wall()).expect("opened")
}

fn findings(status: &WarehouseStatus, name: &str) -> Vec<String> {
    pipe(status, name).map(|pipe| pipe.findings(Timestamp::now())).unwrap_or_default()
}

#[tokio::test]
async fn a_session_that_expires_in_the_middle_of_a_round_is_not_even_seen() {
    let place = Place::of(|_| {}).await;
    place.wait_for("rows", has_rows).await;
    place.server.fail_with(&[Fault::Expired]);
    place.another_round().await;
    place.another_round().await;
    let status = place.watcher.status().borrow().clone();
    assert_eq!(status.trouble, None);
    assert!(status.pipes.iter().flatten().all(|(_, pipe)| pipe.status.is_some()), "{status:?}");
    assert_eq!(place.server.lock().seen.logins, 2);
}

#[tokio::test]
async fn a_clock_that_is_off_is_named_and_not_the_key() {
    for (ahead, words) in [(300, "behind its own"), (-7500, "2 h 5 min ahead of its own")] {
        let place = Place::of(|server| server.lock().model.skew = SignedDuration::from_secs(ahead)).await;
        let status = place.wait_for("trouble", |status| status.trouble.is_some()).await;
        let told = status.trouble.expect("told").to_string();
        assert!(told.contains("this machine's clock is") && told.contains(words), "{told}");
        // Set right, it signs in by itself.
        place.server.lock().model.skew = SignedDuration::ZERO;
        place.watcher.look_again();
        place.wait_for("rows", has_rows).await;
    }
}

#[tokio::test]
async fn a_key_that_is_not_the_users_is_not_taken_for_a_clock() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
    let mut settings = settings(&server, folder.path(), &plain_key());
    settings.user = Some("SOMEBODY_ELSE".to_owned());
    let account = Account::of(&settings).expect("complete").expect("an account");
    let watcher = Watcher::open(account, folder.path(), Clock::wall()).expect("opened");
    watcher.round(&mut Memory::default(), Timestamp::now()).await;
    let trouble = watcher.status().borrow().trouble.clone();
    assert!(matches!(trouble, Some(SnowflakeError::SignIn { .. })), "{trouble:?}");
}

#[tokio::test]
async fn a_pipe_made_anew_says_what_a_refresh_would_duplicate() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
    server.lock().model.pipe(PIPE).comes("hub/0/a", &[&measured("m1")]);
    server.lock().model.pipe(PIPE).comes("hub/0/b", &[&measured("m2")]);
    let (watcher, now) = (watcher(&server, folder.path(), 60), Timestamp::now());
    watcher.round(&mut Memory::default(), now).await;
    server.lock().model.pipe(PIPE).is_made_anew(Timestamp::now());
    // Nothing but the folder remembers, as after a restart.
    let mut memory = Memory::default();
    watcher.round(&mut memory, now).await;
    let rows = pipe(&watcher.status().borrow(), PIPE).and_then(|pipe| pipe.rows).map(|rows| rows.loaded);
    assert_eq!((rows, server.lock().seen.wakes), (Some(2), 1), "known without another wake");
    let told = findings(&watcher.status().borrow(), PIPE);
    assert!(told.iter().any(|words| words.contains("made anew") && words.contains("loads 2 files")), "{told:?}");
    assert_eq!(watcher.refresh(PIPE, None, None, now).await, Ok(2));
    watcher.want_rows();
    // What an operator asks for may wake it again a minute after the last wake.
    watcher.round(&mut memory, now + SignedDuration::from_secs(61)).await;
    let told = findings(&watcher.status().borrow(), PIPE);
    assert!(told.iter().any(|words| words.starts_with("2 of the 4 rows loaded within a day repeat")), "{told:?}");
    server.assert_all_known();
}

#[tokio::test]
async fn a_file_sent_again_under_another_name_is_counted_twice_and_said() {
    let place = Place::of(|server| {
        server.lock().model.pipe(PIPE).comes("hub/0/a", &[&measured("m1")]);
        server.lock().model.pipe(PIPE).comes("hub/0/a-mended", &[&measured("m1")]);
    })
    .await;
    let status = place.wait_for("rows", has_rows).await;
    let told = findings(&status, PIPE);
    assert!(told.iter().any(|words| words.contains("1 of the 2 rows") && words.contains("another name")), "{told:?}");
    assert_eq!(findings(&status, PREDICTIONS), Vec::<String>::new());
}

#[tokio::test]
async fn a_stage_whose_credentials_have_expired_says_whose_and_how_they_are_renewed() {
    for (has_credentials, mend) in [(true, "AZURE_SAS_TOKEN"), (false, "Storage Blob Data Reader on the container")] {
        let place = Place::of(|server| {
            let mut inner = server.lock();
            let pipe = inner.model.pipe(PIPE);
            pipe.has_credentials = has_credentials;
            pipe.stalled = Some(("STALLED_STAGE_PERMISSION_ERROR", "Failure using stage area. Cause: [403]"));
            pipe.comes("hub/0/waits", &[&measured("m1")]);
        })
        .await;
        let status = place.wait_for("what mends it", |s| pipe(s, PIPE).is_some_and(|p| p.mend.is_some())).await;
        let told = findings(&status, PIPE);
        assert!(told[0].starts_with("STALLED_STAGE_PERMISSION_ERROR"), "{told:?}");
        assert!(told.iter().any(|words| words.contains(mend)), "{told:?}");
        // What came meanwhile waits, and is loaded once it is mended.
        let seen = pipe(&status, PIPE).and_then(|pipe| pipe.status.clone()).expect("seen");
        assert_eq!(seen.pending_file_count, Some(1));
        {
            let mut inner = place.server.lock();
            inner.model.pipe(PIPE).stalled = None;
            inner.model.pipe(PIPE).load(Timestamp::now());
        }
        place.watcher.look_again();
        let status = place
            .wait_for("a running pipe", |s| {
                pipe(s, PIPE).and_then(|p| p.status.as_ref()).is_some_and(|s| s.is_running())
            })
            .await;
        assert_eq!(pipe(&status, PIPE).and_then(|pipe| pipe.mend.clone()), None);
        place.server.assert_all_known();
    }
}

#[tokio::test]
async fn a_warehouse_over_its_budget_leaves_the_pipes_watched_and_is_not_asked_in_vain() {
    let refusals = [
        ("090073", "Warehouse 'W' cannot be resumed because resource monitor 'M' has exceeded its quota.", "MONITORS"),
        (
            "?",
            "Warehouse 'W' is suspended. Use 'alter warehouse W resume;' command if you need to use it again.",
            "ALTER WAREHOUSE",
        ),
        ("000606", "No active warehouse selected in the current session.", "ALTER WAREHOUSE"),
    ];
    for (code, message, next) in refusals {
        let place = Place::of(|server| server.lock().model.warehouse_refuses = Some((code, message))).await;
        let status = place.wait_for("trouble", |status| status.warehouse_trouble.is_some()).await;
        let words = status.warehouse_trouble.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(words.contains(message) && words.contains(next), "{words}");
        assert_eq!((status.trouble.clone(), status.wakes_today), (None, 0), "nothing was woken");
        assert!(pipe(&status, PIPE).is_some_and(|pipe| pipe.status.is_some()), "{status:?}");
        place.wait_for("its time", |status| matches!(status.next_wake, Some(Verdict::NotBefore(_)))).await;
        place.another_round().await;
        assert_eq!(place.server.count("COPY_HISTORY"), 1, "it is tried again in half an hour");
        // The file that failed meanwhile is there once it runs and somebody asks.
        place.server.lock().model.warehouse_refuses = None;
        place.watcher.want_rows();
        let status = place.wait_for("rows", has_rows).await;
        assert_eq!(status.warehouse_trouble, None);
    }
}

#[tokio::test]
async fn a_right_that_is_revoked_takes_the_status_away_and_leaves_what_was_known_of_files() {
    let place = Place::of(|server| server.lock().model.pipe(PIPE).comes("hub/0/a", &[&measured("m1")])).await;
    place.wait_for("rows", has_rows).await;
    place.server.lock().model.pipe(PIPE).can_monitor = false;
    place.watcher.look_again();
    let status = place.wait_for("trouble", |s| pipe(s, PIPE).is_some_and(|p| p.trouble.is_some())).await;
    let seen = pipe(&status, PIPE).expect("watched");
    assert!(seen.is_forbidden() && seen.status.is_none(), "{seen:?}");
    assert!(findings(&status, PIPE)[0].contains("run: GRANT MONITOR ON PIPE"), "{:?}", findings(&status, PIPE));
    assert_eq!(seen.files.as_ref().map(|files| files.loaded), Some(1));
    place.server.lock().model.pipe(PIPE).can_monitor = true;
    place.watcher.look_again();
    place.wait_for("no trouble", |s| pipe(s, PIPE).is_some_and(|p| p.status.is_some())).await;
}

#[tokio::test]
async fn an_account_that_is_unavailable_keeps_what_was_known_with_its_age() {
    let place = Place::of(|_| {}).await;
    place.wait_for("rows", has_rows).await;
    place.server.fail_with(&[Fault::Unavailable; 3]);
    place.watcher.look_again();
    let status = place.wait_for("trouble", |status| status.trouble.is_some()).await;
    assert!(matches!(status.trouble, Some(SnowflakeError::Unreachable { .. })), "{status:?}");
    assert_eq!(status.pipes.as_ref().map(|pipes| pipes.len()), Some(3));
    assert!(status.asked_at.is_some_and(|at| at < Timestamp::now()), "its age is known");
    place.watcher.look_again();
    place.wait_for("no trouble", |status| status.trouble.is_none()).await;
}

#[tokio::test]
async fn a_pipe_that_answers_slowly_is_said_and_the_others_are_not_held_up() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
    let watcher = watcher(&server, folder.path(), 3);
    let (mut memory, now) = (Memory::default(), Timestamp::now());
    watcher.round(&mut memory, now).await;
    server.fail_with(&[Fault::Hangs]);
    watcher.round(&mut memory, now + SignedDuration::from_secs(30)).await;
    let status = watcher.status().borrow().clone();
    let slow: Vec<_> = status.pipes.iter().flatten().filter(|(_, pipe)| pipe.status.is_none()).collect();
    assert_eq!((slow.len(), status.trouble.clone()), (1, None), "{status:?}");
    assert!(matches!(slow[0].1.trouble, Some(SnowflakeError::TimedOut { .. })), "{slow:?}");
    assert_eq!(server.lock().seen.aborted.len(), 1);
}

#[tokio::test]
async fn two_consoles_act_one_after_the_other_and_the_second_is_told_that_it_was_done() {
    let place = Place::of(|_| {}).await;
    place.wait_for("rows", has_rows).await;
    place.server.fail_with(&[Fault::Waits]);
    let (one, other) = (place.watcher.clone(), place.watcher.clone());
    let first = tokio::spawn(async move { one.pause(PIPE, true).await });
    place.wait_for_count("SET PIPE_EXECUTION_PAUSED", 1).await;
    let second = tokio::spawn(async move { other.pause(PIPE, true).await });
    // As long as it takes to come, were it let through.
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    place.server.go_on();
    assert_eq!(first.await.expect("joined"), Ok(true));
    assert_eq!(second.await.expect("joined"), Ok(false), "it was paused already");
    assert_eq!((place.server.count("SET PIPE_EXECUTION_PAUSED"), place.server.lock().seen.at_once), (1, 1));
}

#[tokio::test]
async fn a_laptop_that_slept_for_an_hour_misses_no_file_and_wakes_the_warehouse_once() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
    let watcher = watcher(&server, folder.path(), 60);
    let (mut memory, before) = (Memory::default(), Timestamp::now());
    server.lock().model.pipe(PIPE).comes_at("hub/0/before", &[&measured("m0")], before);
    watcher.look(before);
    watcher.round(&mut memory, before).await;
    for minute in 1..60 {
        let at = before + SignedDuration::from_mins(minute);
        server.lock().model.pipe(PIPE).comes_at(&format!("hub/0/{minute}"), &[&measured(&format!("m{minute}"))], at);
    }
    // The session ended meanwhile, too.
    server.fail_with(&[Fault::Expired]);
    let after = before + SignedDuration::from_mins(60);
    server.lock().model.ahead = SignedDuration::from_mins(60);
    watcher.look(after);
    watcher.round(&mut memory, after).await;
    let status = watcher.status().borrow().clone();
    assert_eq!(status.trouble, None);
    assert_eq!(pipe(&status, PIPE).and_then(|pipe| pipe.files.as_ref()).map(|files| files.loaded), Some(60));
    let wakes = server.lock().seen.wakes;
    let logins = server.lock().seen.logins;
    assert_eq!((wakes, logins), (2, 2));
}
