use jiff::{SignedDuration, Timestamp};

use super::place::{PIPE, Place, has_rows, line, pipe};

const FILE: &str = "hub/0/2026-06-01/12-00";

async fn state_is(place: &Place, state: &str) {
    place
        .wait_for(state, |status| {
            pipe(status, PIPE).and_then(|pipe| pipe.status.as_ref()).is_some_and(|status| status.state() == state)
        })
        .await;
}

#[tokio::test]
async fn a_pipe_is_paused_and_what_comes_meanwhile_waits() {
    let place = Place::of(|_| {}).await;
    state_is(&place, "RUNNING").await;
    assert_eq!(place.watcher.pause("weather_pipe_dq_staging", true).await, Ok(true));
    state_is(&place, "PAUSED").await;
    place.server.lock().model.pipe(PIPE).comes(FILE, &[&line("m", "2026-06-01T12:00:00Z")]);
    place.watcher.look_again();
    place
        .wait_for("a file that waits", |s| {
            pipe(s, PIPE).and_then(|p| p.status.as_ref()).and_then(|s| s.pending_file_count) == Some(1)
        })
        .await;
    place.watcher.pause(PIPE, false).await.expect("resumed");
    state_is(&place, "RUNNING").await;
    assert_eq!(place.server.lock().model.pipe(PIPE).rows.len(), 1);
    place.server.assert_all_known();
}

#[tokio::test]
async fn a_stale_pipe_is_resumed_by_force_only() {
    let place = Place::of(|server| {
        server.lock().model.pipe(PIPE).paused_since = Some(Timestamp::now() - SignedDuration::from_hours(15 * 24));
    })
    .await;
    state_is(&place, "PAUSED").await;
    let words = place.watcher.pause(PIPE, false).await.expect_err("refused").to_string();
    assert!(words.contains("stale"), "{words}");
    place.watcher.force_resume(PIPE).await.expect("resumed");
    state_is(&place, "RUNNING").await;
    place.server.assert_all_known();
}

#[tokio::test]
async fn a_refresh_queues_what_its_pipe_has_not_seen() {
    let place = Place::of(|server| {
        let mut inner = server.lock();
        let pipe = inner.model.pipe(PIPE);
        pipe.comes("a/1", &[&line("m1", "2026-06-01T12:00:00Z")]);
        pipe.comes("a/2", &[&line("m2", "2026-06-01T12:00:00Z")]);
        pipe.comes("b/1", &[&line("m3", "2026-06-01T12:00:00Z")]);
    })
    .await;
    state_is(&place, "RUNNING").await;
    let now = Timestamp::now();
    assert_eq!(place.watcher.refresh(PIPE, None, None, now).await, Ok(0), "all are known");
    // Recreated, a pipe has forgotten what it loaded.
    place.server.lock().model.pipe(PIPE).seen.clear();
    assert_eq!(place.watcher.refresh(PIPE, Some("a/"), Some(now - SignedDuration::from_hours(1)), now).await, Ok(2));
    assert_eq!(place.server.lock().model.pipe(PIPE).rows.len(), 5, "the two of a/ are there twice");
    let old = now - SignedDuration::from_hours(8 * 24);
    let words = place.watcher.refresh(PIPE, None, Some(old), now).await.expect_err("refused").to_string();
    assert!(words.contains("7 days"), "{words}");
    place.server.assert_all_known();
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_with_its_grant() {
    let place = Place::of(|server| server.lock().model.pipe(PIPE).can_operate = false).await;
    state_is(&place, "RUNNING").await;
    let words = place.watcher.pause(PIPE, true).await.expect_err("refused").to_string();
    assert!(words.contains("not authorised") && words.contains("GRANT OPERATE, MONITOR ON PIPE"), "{words}");
    let words = place.watcher.refresh(PIPE, None, None, Timestamp::now()).await.expect_err("refused").to_string();
    assert!(words.contains("ON STAGE") && words.contains("ON FILE FORMAT") && words.contains("ON TABLE"), "{words}");
    let words = place.watcher.pause("NOBODY", true).await.expect_err("refused").to_string();
    assert!(words.contains("not watched; pipes: WEATHER_PIPE_DQ_STAGING"), "{words}");
}

#[tokio::test]
async fn the_failing_line_and_a_mended_file() {
    let good = line("m", "2026-06-01T12:00:00Z");
    let place = Place::of(|server| server.lock().model.pipe(PIPE).comes(FILE, &[&good, "{\"Body\": oops}"])).await;
    place.wait_for("rows", has_rows).await;
    let now = Timestamp::now();
    assert_eq!(place.watcher.line(FILE, 2, now).await.expect("read").as_deref(), Some("{\"Body\": oops}"));
    assert_eq!(place.watcher.line(FILE, 3, now).await, Ok(None));
    let words = place.watcher.validate(FILE, now).await.expect_err("still bad").to_string();
    assert!(words.contains("line 2"), "{words}");
    place.server.lock().model.pipe(PIPE).files.get_mut(FILE).expect("there").lines[1] = good.clone();
    assert_eq!(place.watcher.validate(FILE, now).await, Ok(2));
    let words = place.watcher.line("../etc/passwd", 1, now).await.expect_err("refused").to_string();
    assert!(words.contains("not in the copy history"), "{words}");
    // Without the right to make a format for it the line stays where it is, and the grant is told.
    place.server.lock().model.can_make_formats = false;
    let words = place.watcher.line(FILE, 2, now).await.expect_err("refused").to_string();
    assert!(words.contains("GRANT CREATE FILE FORMAT"), "{words}");
    place.server.assert_all_known();
}

#[tokio::test]
async fn a_message_s_rows_are_found_by_the_tables_own_columns() {
    let place = Place::of(|server| {
        let lines = [line("m1", "2026-06-01T12:00:00Z"), line("m2", "2026-06-01T12:00:05Z")];
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        server.lock().model.pipe(PIPE).comes("hub/0/a", &lines);
        // The same file, renamed and sent again.
        server.lock().model.pipe(PIPE).comes("hub/0/a-again", &lines);
    })
    .await;
    place.wait_for("rows", has_rows).await;
    let now = Timestamp::now();
    let since = now - SignedDuration::from_mins(5);
    let table = "\"WEATHER_STAGING\".\"DATAWAREHOUSE_STAGING\".\"WEATHER_JSON_STAGING\"";
    let rows = |message: &'static str| place.watcher.rows_of(("roof-01", message), Some(table), since, now);
    let found = rows("m2").await.expect("asked");
    let places: Vec<_> = found.iter().map(|row| (row.table.as_str(), row.file.as_str(), row.line)).collect();
    assert_eq!(places, [("WEATHER_JSON_STAGING", "hub/0/a", 2), ("WEATHER_JSON_STAGING", "hub/0/a-again", 2)]);
    assert!(found.iter().all(|row| row.loaded_at.is_some_and(|at| at >= since)), "{found:?}");
    assert_eq!(place.server.count("FILE_ROW_NUMBER"), 1, "the table that has it was asked first");
    assert_eq!(rows("nowhere").await, Ok(Vec::new()));
    assert_eq!(place.server.count("FILE_ROW_NUMBER"), 4, "each table was asked");
    place.server.lock().model.warehouse_refuses = Some(("090073", "Warehouse cannot be resumed: resource monitor"));
    assert!(rows("m2").await.is_err_and(|error| error.to_string().contains("SHOW RESOURCE MONITORS")));
    place.server.assert_all_known();
}
