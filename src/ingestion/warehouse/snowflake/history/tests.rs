use super::super::schedule::day;
use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn copied(file: &str, loaded: &str, status: &str) -> Copied {
    Copied {
        file: file.into(),
        loaded_at: at(loaded),
        received_at: None,
        status: status.into(),
        rows_loaded: 5,
        rows_parsed: 5,
        bytes: 1000,
        bytes_billed: None,
        error: (status == "Load failed").then(|| "bad".to_owned()),
        error_line: None,
        error_character: None,
        error_column: None,
        pipe: None,
    }
}

#[tokio::test]
async fn what_snowflake_forgets_is_kept_and_nothing_is_kept_twice() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let history = History::open(&folder.path().join("snowflake.db")).expect("opened");
    let names = || ("P".to_owned(), "T".to_owned());
    let old = copied("a", "2026-05-01T00:00:00Z", "Loaded");
    history.note(names(), vec![old.clone()], at("2026-05-01T00:10:00Z")).await.expect("noted");
    // A month later Snowflake has forgotten the first.
    let running = copied("b", "2026-06-01T11:59:00Z", "Load in progress");
    history.note(names(), vec![running], at("2026-06-01T12:00:00Z")).await.expect("noted");
    let failed = copied("b", "2026-06-01T12:01:00Z", "Load failed");
    for seen in ["2026-06-01T12:10:00Z", "2026-06-01T12:40:00Z"] {
        history.note(names(), vec![failed.clone()], at(seen)).await.expect("noted");
    }
    let files = history.files(false, 10).await.expect("read").files;
    assert_eq!(files.iter().map(|file| &file.copied).collect::<Vec<_>>(), [&failed, &old]);
    assert_eq!(history.files(true, 10).await.expect("read").files.len(), 1);
    let of = |since| history.of_pipe("P".into(), at(since), day(at("2026-06-01T13:00:00Z")));
    let pipe = of("2026-06-01T12:05:00Z").await.expect("read");
    assert_eq!((pipe.loaded, pipe.failed, pipe.newly_failed, pipe.bytes_of_day), (1, 1, 1, 1000));
    assert_eq!(pipe.last_failure, Some(("b".to_owned(), Some("bad".to_owned()))));
    // What failed days ago and is seen for the first time isn't news.
    let before = copied("c", "2026-05-30T12:00:00Z", "Load failed");
    history.note(names(), vec![before], at("2026-06-01T12:40:00Z")).await.expect("noted");
    let pipe = of("2026-06-01T12:05:00Z").await.expect("read");
    assert_eq!((pipe.failed, pipe.newly_failed), (2, 1));
    // It was seen at 12:10 and not again at 12:40.
    assert_eq!(of("2026-06-01T12:20:00Z").await.expect("read").newly_failed, 0);
    assert_eq!(history.asked_at("T".into()).await.expect("read"), Some(at("2026-06-01T12:40:00Z")));
}

#[tokio::test]
async fn wakes_are_counted_by_day_and_an_untold_cost_stays_untold() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let history = History::open(&folder.path().join("snowflake.db")).expect("opened");
    let cost = Some(WarehouseCost { credits_per_h: 1.0, auto_suspend_s: 60.0 });
    for time in ["2026-05-31T23:50:00Z", "2026-06-01T00:00:00Z", "2026-06-01T10:00:00Z"] {
        history.worked(at(time), 12.0, cost).await.expect("noted");
    }
    let today = day(at("2026-06-01T12:00:00Z"));
    let wakes = history.wakes(today).await.expect("read");
    assert_eq!((wakes.count, wakes.last), (2, Some(at("2026-06-01T10:00:00Z"))));
    // By hand: twice (12 s + 60 s) at a credit an hour.
    assert!((wakes.credits.expect("told") - 0.04).abs() < 1e-12);
    history.worked(at("2026-06-01T11:00:00Z"), 5.0, None).await.expect("noted");
    assert_eq!(history.wakes(today).await.expect("read").credits, None);
}

#[tokio::test]
async fn work_while_it_is_awake_prolongs_the_wake() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let history = History::open(&folder.path().join("snowflake.db")).expect("opened");
    let cost = Some(WarehouseCost { credits_per_h: 1.0, auto_suspend_s: 60.0 });
    history.worked(at("2026-06-01T10:00:00Z"), 5.0, cost).await.expect("noted");
    history.worked(at("2026-06-01T10:01:00Z"), 2.0, cost).await.expect("noted");
    let today = day(at("2026-06-01T12:00:00Z"));
    let wakes = history.wakes(today).await.expect("read");
    // By hand: busy from 10:00:00 to 10:01:02, awake for a minute behind it.
    assert_eq!(wakes.count, 1);
    assert!((wakes.credits.expect("told") - 122.0 / 3600.0).abs() < 1e-12, "{wakes:?}");
    history.worked(at("2026-06-01T10:02:03Z"), 2.0, cost).await.expect("noted");
    assert_eq!(history.wakes(today).await.expect("read").count, 2, "it slept since 10:02:02");
}

#[tokio::test]
async fn changes_come_in_pages_and_each_once() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let history = History::open(&folder.path().join("snowflake.db")).expect("opened");
    let names = || ("P".to_owned(), "T".to_owned());
    let files: Vec<_> = (0..5).map(|n| copied(&n.to_string(), "2026-06-01T12:00:00Z", "Loaded")).collect();
    history.note(names(), files.clone(), at("2026-06-01T12:10:00Z")).await.expect("noted");
    let first = history.changed(0, 3).await.expect("read");
    let second = history.changed(first.upto, 3).await.expect("read");
    assert_eq!((first.files.len(), second.files.len(), second.total), (3, 2, 5));
    // The same told again is no change; a load that is done is, and stays the same entry.
    history.note(names(), files, at("2026-06-01T12:20:00Z")).await.expect("noted");
    assert_eq!(history.changed(second.upto, 3).await.expect("read").files, []);
    let running = copied("5", "2026-06-01T12:21:00Z", "Load in progress");
    history.note(names(), vec![running], at("2026-06-01T12:21:00Z")).await.expect("noted");
    let begun = history.changed(second.upto, 3).await.expect("read");
    history
        .note(names(), vec![copied("5", "2026-06-01T12:22:00Z", "Loaded")], at("2026-06-01T12:30:00Z"))
        .await
        .expect("noted");
    let done = history.changed(begun.upto, 3).await.expect("read");
    assert_eq!((done.files.len(), done.files[0].id, done.total), (1, begun.files[0].id, 6));
    assert_eq!(done.files[0].copied.status, "Loaded");
    assert_eq!(history.files(false, 9).await.expect("read").upto, done.upto);
}

#[tokio::test]
async fn a_pipe_made_anew_says_what_a_refresh_would_repeat() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let history = History::open(&folder.path().join("snowflake.db")).expect("opened");
    let names = || ("P".to_owned(), "T".to_owned());
    let files = vec![
        copied("too old", "2026-05-01T00:00:00Z", "Loaded"),
        copied("a", "2026-06-01T10:00:00Z", "Loaded"),
        copied("b", "2026-06-01T10:00:00Z", "Loaded"),
        copied("bad", "2026-06-01T10:00:00Z", "Load failed"),
    ];
    history.note(names(), files, at("2026-06-01T10:10:00Z")).await.expect("noted");
    let saw = |created: &str| history.saw_pipe("P".into(), at(created), at("2026-05-26T00:00:00Z"));
    assert_eq!(saw("2026-01-01T00:00:00Z").await.expect("noted"), None);
    assert_eq!(saw("2026-01-01T00:00:00Z").await.expect("noted"), None);
    let made = at("2026-06-01T11:00:00Z");
    let remade = |repeats| Some(Remade { at: made, repeats });
    assert_eq!(saw("2026-06-01T11:00:00Z").await.expect("noted"), remade(2));
    history.note(names(), vec![copied("a", "2026-06-01T11:30:00Z", "Loaded")], made).await.expect("noted");
    assert_eq!(saw("2026-06-01T11:00:00Z").await.expect("noted"), remade(1));
}
