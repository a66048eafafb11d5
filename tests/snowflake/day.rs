use jiff::{SignedDuration, Timestamp};
use skydeck::clock::Clock;
use skydeck::ingestion::warehouse::snowflake::{Account, Memory, Watcher};

use super::peer::{Model, Server, plain_key};
use super::place::{line, settings};

/// Ten pipes, a file in each every five minutes, a console that looks from 08:00 to 16:00: what wakes the warehouse is
/// counted by the server, and what it costs by the watcher.
#[tokio::test]
async fn ten_pipes_and_a_console_for_eight_hours_wake_the_warehouse_24_times_at_most() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().expect("temporary folder"));
    server.lock().model = Model::of_ten();
    let account = Account::of(&settings(&server, folder.path(), &plain_key())).expect("complete").expect("an account");
    let watcher = Watcher::open(account, folder.path(), Clock::wall()).expect("opened");
    let (mut memory, midnight): (_, Timestamp) = (Memory::default(), "2031-06-01T00:00:00Z".parse().expect("a time"));
    for step in 0..288 {
        let now = midnight + SignedDuration::from_mins(5 * step);
        {
            let mut inner = server.lock();
            inner.model.ahead = now.duration_since(Timestamp::now());
            let one = line(&format!("m{step}"), &now.to_string());
            for pipe in inner.model.pipes.values_mut() {
                pipe.comes_at(&format!("hub/0/{step}"), &[&one], now);
            }
        }
        if (96..192).contains(&step) {
            watcher.look(now);
        }
        watcher.round(&mut memory, now).await;
    }
    let status = watcher.status().borrow().clone();
    assert_eq!((status.trouble, status.wakes_today), (None, 24));
    assert_eq!(server.lock().seen.wakes, 24);
    // By hand: 24 wakes, each 60 s behind its statements, at a credit an hour; the statements' own time is on top.
    let credits = status.credits_today.expect("told");
    assert!((24.0 * 60.0 / 3600.0..1.0).contains(&credits), "{credits}");
    // Every file of the day that was there at the last wake is in the history, and none twice.
    let kept = watcher.history().files(false, 10_000).await.expect("read");
    let files: std::collections::BTreeSet<_> = kept.files.iter().map(|file| (&file.pipe, &file.copied.file)).collect();
    assert_eq!(files.len(), kept.files.len());
    assert!(kept.total > 10 * 260, "{}", kept.total);
    server.assert_all_known();
}
