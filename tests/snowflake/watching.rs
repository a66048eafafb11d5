use jiff::{SignedDuration, Timestamp};
use skydeck::ingestion::warehouse::snowflake::SnowflakeError;

use super::peer::Fault;
use super::place::{PIPE, Place, has_rows, line, pipe};

const PREDICTIONS: &str = "WEATHER_PIPE_PRED_DQ_STAGING";

#[tokio::test]
async fn files_rows_and_their_age_are_seen_and_one_round_is_one_wake() {
    let place = Place::of(|server| {
        let lines = [line("m1", "2026-06-01T12:00:00Z"), line("m2", "2026-06-01T12:00:05Z")];
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        server.lock().model.pipe(PIPE).comes("hub/0/2026-06-01/12-00", &lines);
        // The same messages in a file that was named anew.
        server.lock().model.pipe(PIPE).comes("hub/0/2026-06-01/12-00-again", &lines);
    })
    .await;
    let status = place.wait_for("rows", has_rows).await;
    let seen = pipe(&status, PIPE).expect("watched");
    let rows = seen.rows.expect("asked for");
    assert_eq!((rows.loaded, rows.duplicates, rows.last_hour), (4, 2, 4));
    assert_eq!(rows.newest_at.map(|at| at.to_string()).as_deref(), Some("2026-06-01T12:00:05Z"));
    assert_eq!((seen.table_rows, seen.files.as_ref().map(|files| files.loaded)), (Some(4), Some(2)));
    assert_eq!(status.pipes.as_ref().map(|pipes| pipes.len()), Some(3));
    assert_eq!((status.wakes_today, place.server.lock().seen.wakes), (1, 1));
    // A minute awake at least, at one credit an hour; measured time on top.
    assert!(status.credits_today.is_some_and(|credits| (1.0 / 60.0..0.05).contains(&credits)), "{status:?}");
    place.server.assert_all_known();
}

#[tokio::test]
async fn nothing_wakes_it_again_until_the_schedule_says_so() {
    let place = Place::of(|_| {}).await;
    place.wait_for("rows", has_rows).await;
    let asked = place.server.count("PIPE_STATUS");
    place.server.lock().model.pipe(PIPE).comes("hub/0/a", &[&line("m", "2026-06-01T12:00:00Z")]);
    for round in 1..4 {
        place.watcher.look_again();
        place.wait_for_count("PIPE_STATUS", asked + 3 * round).await;
    }
    assert_eq!(place.server.count("COPY_HISTORY"), 3, "one for each pipe, in one wake");
    // It is there without a wake: the table's rows are counted by Snowflake, the last load is in the pipe's status.
    let status = place
        .wait_for("the load", |s| {
            pipe(s, PIPE).is_some_and(|p| p.status.as_ref().is_some_and(|s| s.last_ingested_timestamp.is_some()))
        })
        .await;
    assert_eq!(status.wakes_today, 1);
}

#[tokio::test]
async fn two_pipes_into_one_table_keep_their_own_files_and_the_table_is_asked_once() {
    let place = Place::of(|server| {
        let mut inner = server.lock();
        let table = inner.model.pipe(PIPE).table;
        inner.model.pipe(PREDICTIONS).table = table;
        inner.model.pipe(PIPE).comes("hub/0/a", &[&line("m1", "2026-06-01T12:00:00Z")]);
        inner.model.pipe(PREDICTIONS).comes("hub/0/b", &[&line("m2", "2026-06-01T12:00:05Z"), "{oops"]);
    })
    .await;
    let status = place.wait_for("rows", has_rows).await;
    let files =
        |name| pipe(&status, name).and_then(|pipe| pipe.files.as_ref()).map(|files| (files.loaded, files.failed));
    assert_eq!((files(PIPE), files(PREDICTIONS)), (Some((1, 0)), Some((0, 1))));
    assert_eq!(pipe(&status, PREDICTIONS).and_then(|pipe| pipe.rows).map(|rows| rows.loaded), Some(1), "of the table");
    assert_eq!((place.server.count("COPY_HISTORY"), place.server.count("AS LOADED")), (2, 2), "one for each table");
}

#[tokio::test]
async fn a_missing_right_is_not_zero_and_says_what_mends_it() {
    let place = Place::of(|server| server.lock().model.pipe(PIPE).can_monitor = false).await;
    let status = place.wait_for("trouble", |s| pipe(s, PIPE).is_some_and(|p| p.trouble.is_some())).await;
    let refused = pipe(&status, PIPE).expect("watched");
    assert_eq!(refused.status, None);
    let Some(SnowflakeError::NotAuthorised { what, grant }) = &refused.trouble else { panic!("{refused:?}") };
    assert_eq!(what, "pipe WEATHER_PIPE_DQ_STAGING");
    assert_eq!(
        grant,
        "GRANT MONITOR ON PIPE \"WEATHER_STAGING\".\"DATAWAREHOUSE_STAGING\".\"WEATHER_PIPE_DQ_STAGING\" TO ROLE \
         \"WEATHER_OPERATOR_STAGING\""
    );
    // The others are watched as ever.
    assert!(pipe(&status, PREDICTIONS).is_some_and(|pipe| pipe.status.as_ref().is_some_and(|s| s.is_running())));
}

#[tokio::test]
async fn a_table_that_may_not_be_read_is_told_and_the_rest_is_asked() {
    let place = Place::of(|server| server.lock().model.pipe(PIPE).can_select = false).await;
    let status = place.wait_for("trouble", |s| pipe(s, PIPE).is_some_and(|p| p.rows_trouble.is_some())).await;
    let refused = pipe(&status, PIPE).and_then(|pipe| pipe.rows_trouble.clone()).expect("trouble");
    assert!(refused.to_string().contains("GRANT SELECT ON TABLE"), "{refused}");
    place.wait_for("the others' rows", |s| pipe(s, PREDICTIONS).is_some_and(|p| p.rows.is_some())).await;
}

#[tokio::test]
async fn a_channel_that_cannot_be_read_says_who_has_to_consent() {
    let place =
        Place::of(|server| server.lock().model.pipe(PIPE).channel_error = Some("not authorized on the queue")).await;
    let status = place.wait_for("consent", |s| pipe(s, PIPE).is_some_and(|p| p.mend.is_some())).await;
    let words = pipe(&status, PIPE).and_then(|pipe| pipe.mend.clone()).expect("told");
    assert!(words.contains("SnowflakePACInt1234 the role") && words.contains("login.microsoftonline.com"), "{words}");
    assert_eq!(place.server.count("DESC NOTIFICATION"), 1);
    assert!(pipe(&status, PREDICTIONS).is_some_and(|pipe| pipe.mend.is_none()));
    place.server.assert_all_known();
}

#[tokio::test]
async fn a_failed_file_stays_in_our_history_after_snowflake_forgot_it() {
    let place = Place::of(|server| {
        server.lock().model.pipe(PIPE).comes("hub/0/bad", &[&line("m", "2026-06-01T12:00:00Z"), "{\"Body\": oops}"]);
    })
    .await;
    let status = place.wait_for("rows", has_rows).await;
    let files = pipe(&status, PIPE).and_then(|pipe| pipe.files.clone()).expect("asked for");
    assert_eq!((files.loaded, files.failed, files.newly_failed), (0, 1, 1));
    place.server.lock().model.pipe(PIPE).history.clear();
    let kept = place.watcher.history().files(true, 10).await.expect("read").files;
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].copied.error_line, kept[0].copied.status.as_str()), (Some(2), "Load failed"));
}

#[tokio::test]
async fn a_stale_pipe_is_told_from_a_paused_one() {
    let long_ago = Timestamp::now() - SignedDuration::from_hours(15 * 24);
    let place = Place::of(|server| {
        server.lock().model.pipe(PIPE).paused_since = Some(long_ago);
        server.lock().model.pipe(PREDICTIONS).paused_since = Some(Timestamp::now());
    })
    .await;
    let status = place.wait_for("states", |s| pipe(s, PREDICTIONS).is_some_and(|p| p.status.is_some())).await;
    let is_stale =
        |name| pipe(&status, name).and_then(|pipe| pipe.status.as_ref()).map(|s| s.is_stale(Timestamp::now()));
    assert_eq!((is_stale(PIPE), is_stale(PREDICTIONS)), (Some(true), Some(false)));
}

#[tokio::test]
async fn a_hundred_thousand_files_come_in_chunks_and_none_is_missing() {
    let place = Place::of(|server| {
        let mut inner = server.lock();
        let now = Timestamp::now();
        let pipe = inner.model.pipe(PIPE);
        pipe.history = (0..100_000_i64)
            .map(|n| super::peer::Loaded {
                file: format!("hub/{n}"),
                received: now,
                at: now - SignedDuration::from_secs(n),
                status: "Loaded",
                rows: 1,
                parsed: 1,
                bytes: 100,
                error: None,
            })
            .collect();
    })
    .await;
    let status = place.wait_for("all files", has_rows).await;
    assert_eq!(pipe(&status, PIPE).and_then(|pipe| pipe.files.as_ref()).map(|files| files.loaded), Some(100_000));
}

#[tokio::test]
async fn an_account_that_goes_away_is_told_and_comes_back() {
    let place = Place::of(|_| {}).await;
    place.wait_for("rows", has_rows).await;
    place.server.fail_with(&[Fault::Unavailable]);
    place.watcher.look_again();
    let status = place.wait_for("trouble", |status| status.trouble.is_some()).await;
    assert!(status.trouble.as_ref().is_some_and(|error| error.to_string().contains("503")), "{status:?}");
    assert!(status.pipes.is_some(), "what was known stays");
    place.watcher.look_again();
    place.wait_for("no trouble", |status| status.trouble.is_none()).await;
}
