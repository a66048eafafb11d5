//! What goes first, and how much may go.

use skydeck::local_cloud::hub::Faults;

use super::*;

/// The ids in the order in which they came.
fn order(folder: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(folder.join("hub.db")).expect("opens");
    let mut statement = connection.prepare("SELECT message_id FROM enqueued ORDER BY seq").expect("prepares");
    statement.query_map([], |row| row.get(0)).and_then(Iterator::collect).expect("reads")
}

#[tokio::test]
async fn what_is_measured_now_overtakes_the_backlog() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ledger = Ledger::default();
    let hub = RunningHub::start(folder.path(), 0, &ledger).await;
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 10_000).expect("opens");
    let backlog = measurements(600);
    outbox.append(backlog.clone(), Vec::new()).await.expect("appends");
    let settings = UplinkSettings { max_per_s: Some(100), in_flight: 16, ..hub.settings().await };
    let mut link = RunningLink::start(&outbox, settings, &ledger);
    let status = link.until(|status| status.acknowledged >= 60).await;
    assert!(status.backlog > 300 && status.remaining_s.is_some_and(|s| s > 1.0 && s < 60.0), "{status:?}");
    assert_eq!(status.quota.expect("a quota").max_per_s, Some(100));
    let live = measurements(5);
    outbox.append(live.clone(), Vec::new()).await.expect("appends");
    let status = link.until(|status| status.live > 0).await;
    assert!(status.live <= 5 && status.backlog > 0, "{status:?}");
    empty(&outbox).await;
    let order = order(folder.path());
    let place = |id: &String| order.iter().position(|there| there == id).expect("there");
    let (live, backlog) = (ids(&live), ids(&backlog));
    let last_live = live.iter().map(place).max().expect("some");
    assert!(last_live < 400, "live ones came as number {last_live} of 605");
    assert!(live.iter().map(place).is_sorted() && backlog.iter().map(place).is_sorted(), "each oldest first");
    assert_eq!(order.len(), 605);
    link.stop().await;
    hub.stop().await;
}

#[tokio::test]
async fn over_the_days_quota_everything_waits_over_a_restart_too() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ledger = Ledger::default();
    let hub = RunningHub::start(folder.path(), 0, &ledger).await;
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 1000).expect("opens");
    outbox.append(measurements(30), Vec::new()).await.expect("appends");
    let settings = UplinkSettings { max_per_day: Some(20), ..hub.settings().await };
    for _ in 0..2 {
        let mut link = RunningLink::start(&outbox, settings.clone(), &ledger);
        let status = link.until(|status| status.waits_until.is_some() && status.connected).await;
        let quota = link.until(|status| status.backlog == 10).await.quota.expect("a quota");
        assert_eq!((quota.max_per_day, quota.sent_today, quota.resets_at), (Some(20), 20, status.waits_until));
        assert_eq!(logged(folder.path()).len(), 20);
        link.stop().await;
    }
    // A larger one holds at once, without a new connection.
    let mut link = RunningLink::start(&outbox, settings, &ledger);
    link.until(|status| status.waits_until.is_some()).await;
    link.settings.send_modify(|settings| settings.max_per_day = Some(1000));
    empty(&outbox).await;
    let status = link.until(|status| status.acknowledged == 10).await;
    assert_eq!((status.connects, status.waits_until), (1, None));
    assert_eq!(logged(folder.path()).len(), 30);
    link.stop().await;
    hub.stop().await;
}

pub(super) fn health() -> Message {
    Message::DeviceHealth(DeviceHealth {
        device_id: DEVICE.into(),
        message_id: MessageId::new(now()),
        measured_at: now(),
        schema: SCHEMA_VERSION,
        clock: None,
        agent_version: "1".into(),
        agent_uptime_s: 1.0,
        outbox_rows: 0,
        outbox_bytes: 0,
        outbox_given_up: 0,
        memory_used_pct: None,
        process_memory_mib: None,
        load_average: None,
        disk_free_mib: None,
        temperature_c: None,
        machine: None,
    })
}

#[tokio::test]
async fn a_metered_line_spends_its_budget_and_sends_only_the_newest_health() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ledger = Ledger::default();
    let hub = RunningHub::start(folder.path(), 0, &ledger).await;
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 1000).expect("opens");
    outbox.append(vec![health(), health(), health()], Vec::new()).await.expect("appends");
    outbox.append(measurements(300), Vec::new()).await.expect("appends");
    let settings = UplinkSettings { budget_bytes_per_day: Some(60_000), in_flight: 8, ..hub.settings().await };
    let mut link = RunningLink::start(&outbox, settings, &ledger);
    let status = link.until(|status| status.waits_until.is_some()).await;
    let metered = status.metered.expect("metered");
    assert_eq!(metered.holding, ["pictures", "messages"]);
    assert!(metered.saved_bytes > 400, "{metered:?}");
    let there = logged(folder.path()).len();
    assert!(there > 20 && there < 290, "{there} messages in 60,000 bytes");
    // What is on its way is acknowledged still.
    let status = link.until(|status| status.acknowledged >= there as u64).await;
    let metered = status.metered.expect("metered");
    assert!(metered.spent_bytes > 30_000 && metered.spent_bytes <= 61_000, "{metered:?}");
    assert_eq!(hub.hub.status().borrow().refused, 0);
    link.stop().await;
    hub.stop().await;
}

#[tokio::test]
async fn a_hub_that_throttles_isnt_asked_for_more_than_it_gives() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let ledger = Ledger::default();
    let hub = RunningHub::start(folder.path(), 0, &ledger).await;
    hub.hub.set_faults(Faults { throttle_per_s: Some(200), ..Faults::default() });
    let outbox = Outbox::open(&folder.path().join("outbox.db"), 1000).expect("opens");
    outbox.append(measurements(500), Vec::new()).await.expect("appends");
    let polite = UplinkSettings { max_per_s: Some(180), ..hub.settings().await };
    let mut link = RunningLink::start(&outbox, polite.clone(), &ledger);
    empty(&outbox).await;
    assert_eq!(link.until(|status| status.acknowledged == 500).await.connects, 1);
    link.stop().await;

    // Without a bound of its own it is cut off, comes back more and more slowly, and loses nothing.
    outbox.append(measurements(600), Vec::new()).await.expect("appends");
    let rude = UplinkSettings { max_per_s: None, ..polite };
    let mut link = RunningLink::start(&outbox, rude, &ledger);
    let status = link.until(|status| status.connects >= 2).await;
    assert!(status.acknowledged < 600);
    hub.hub.set_faults(Faults::default());
    empty(&outbox).await;
    let there = logged(folder.path());
    assert_eq!(there.len(), 1100);
    link.stop().await;
    hub.stop().await;
}
