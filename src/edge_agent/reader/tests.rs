use jiff::SignedDuration;

use super::super::history::History;
use super::super::outbox::samples::measurement;
use super::super::outbox::{Outbox, Stamp};
use super::super::report::AgentStatus;
use super::super::sensors::Stamped;
use super::super::shared::{Host, Parts};
use super::super::slot::{Loader, Store};
use super::super::timekeeping::MachineClock;
use super::super::twin::Effective;
use super::*;
use crate::clock::Clock;
use crate::settings::{AgentSettings, CameraSettings, LinkSettings, StationSettings};
use crate::station::{ClockFlag, ClockNote, MessageKind, QcFlag, Variable};

const S: i64 = 1_000_000_000;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn moment(wall: &str, boot_s: i64) -> Moment {
    Moment { wall: at(wall), boot_ns: boot_s * S }
}

fn item(measured_at: Timestamp, stamped: Stamped) -> Item {
    let reading = Reading { measured_at, values: vec![(Variable::Temperature, 14.5)], qc: Default::default() };
    Item { position: "here".into(), outcome: Ok(reading), stamped, id: None }
}

/// A reader without a source: what comes from one is handed to it, with the moment.
struct Desk {
    shared: Arc<Shared>,
    reader: Reader,
    _folder: tempfile::TempDir,
}

impl Desk {
    async fn open(before: impl AsyncFnOnce(&Outbox)) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let outbox = Outbox::open(&folder.path().join("outbox.db"), 10_000).expect("opens");
        before(&outbox).await;
        let machine = MachineClock::new();
        let (agent, camera, link) = (AgentSettings::default(), CameraSettings::default(), LinkSettings::default());
        let station = StationSettings::default();
        let parts = Parts {
            monitor: crate::edge_agent::health::Monitor::new(folder.path(), folder.path(), &agent),
            device_id: station.device_id.clone(),
            folder: folder.path().to_owned(),
            station: station.metadata(),
            quality: crate::settings::QualitySettings::default(),
            history: History::open(&folder.path().join("history.db")).expect("opens"),
            loader: Loader {
                store: Store::open(folder.path().join("models"), 3).expect("opens"),
                trusted_keys: None,
                station: station.metadata(),
            },
            max_run: Duration::from_secs(30),
            boot: outbox.enter_boot(machine.boot_id()).await.expect("enters"),
            machine,
            clock: Clock::wall(),
            is_wall: true,
            host: Host::default(),
            own: Effective::of(&agent, &camera, &link, "info"),
            status: AgentStatus::default(),
            has_camera: false,
            outbox,
        };
        let shared = Arc::new(Shared::new(parts).await.expect("reads"));
        let (_, asks) = mpsc::channel(1);
        let reader = Reader::open(Arc::clone(&shared), None, asks).await.expect("opens");
        Self { shared, reader, _folder: folder }
    }

    async fn store(&mut self, moment: Moment, items: Vec<Item>) {
        self.reader.follow_clock(moment).await;
        self.reader.store(items, moment, &Ledger::default()).await;
    }

    /// Times and notes of the measurements that may be sent, oldest first.
    async fn free(&self) -> Vec<(Timestamp, Option<ClockNote>)> {
        let rows = self.shared.outbox.peek(0, 10_000).await.expect("peeks");
        let measurements = rows.iter().filter(|row| row.kind == MessageKind::WeatherMeasurement);
        let mut found: Vec<_> = measurements
            .map(|row| {
                let message = Message::from_json(row.body.as_bytes()).expect("a message");
                assert_eq!(message.measured_at(), row.measured_at);
                (row.measured_at, message.clock().cloned())
            })
            .collect();
        found.sort_by_key(|(at, _)| *at);
        found
    }

    fn note(&self, boot_time_s: f64) -> Option<ClockNote> {
        Some(ClockNote { flag: ClockFlag::Restamped, boot_id: self.shared.boot.boot_id.clone(), boot_time_s })
    }
}

#[tokio::test]
async fn it_is_known_since_when_nothing_came_and_how_long_that_usually_takes() {
    let mut desk = Desk::open(async |_| ()).await;
    let mut boot_s = 60;
    // The longest wait, after a reading that was waited for so long.
    let mut longest_after = async |wait_s| {
        boot_s += wait_s;
        let now = moment("2026-06-01T08:00:00Z", boot_s);
        desk.store(now, vec![item(now.wall, Stamped::Here)]).await;
        let status = desk.shared.status.borrow();
        assert!(status.quiet_since.is_some());
        status.gap_s
    };
    assert_eq!(longest_after(0).await, None, "of one reading nothing is known");
    assert_eq!(longest_after(60).await, Some(60.0));
    for _ in 1..GAPS {
        assert_eq!(longest_after(5).await, Some(60.0));
    }
    assert_eq!(longest_after(5).await, Some(5.0), "what is long ago is forgotten");
}

#[tokio::test]
async fn what_is_read_before_the_clock_is_set_is_held_and_dated_then() {
    let mut desk = Desk::open(async |_| ()).await;
    let unset = moment("1970-01-01T00:01:00Z", 60);
    let items = vec![
        item(unset.wall, Stamped::Here),
        item(at("1970-01-01T00:00:50Z"), Stamped::ByWriter),
        item(at("2026-06-01T08:00:00Z"), Stamped::ByWriter),
    ];
    desk.store(unset, items).await;
    assert_eq!(desk.shared.outbox.status().borrow().held, 2);
    assert_eq!(desk.free().await, [(at("2026-06-01T08:00:00Z"), None)], "a writer whose clock is set is believed");

    let set = moment("2026-06-01T12:00:00Z", 300);
    desk.reader.follow_clock(set).await;
    assert_eq!(desk.shared.outbox.status().borrow().held, 0);
    let expected = [
        (at("2026-06-01T08:00:00Z"), None),
        (at("2026-06-01T11:55:50Z"), desk.note(50.0)),
        (at("2026-06-01T11:56:00Z"), desk.note(60.0)),
    ];
    assert_eq!(desk.free().await, expected);
    {
        let report = desk.shared.report.borrow();
        assert_eq!((report.clock.is_set, report.clock.restamped, report.clock.last_set_at), (true, 2, Some(set.wall)));
    }
    let known = desk.shared.outbox.boot_offset(&desk.shared.boot.boot_id).await.expect("reads");
    assert_eq!(known, Some(set.offset_ns()), "it holds over a restart in this boot");

    // A writer's lines of before that are read only now; a time which this boot's unset clock can't have shown.
    let later = moment("2026-06-01T12:00:10Z", 310);
    let items = vec![
        item(at("1970-01-01T00:04:00Z"), Stamped::ByWriter),
        item(at("1970-01-01T01:00:00Z"), Stamped::ByWriter),
        item(later.wall, Stamped::Here),
    ];
    desk.store(later, items).await;
    let all = desk.free().await;
    assert_eq!(all.len(), 6);
    assert_eq!(all[0], (at("1970-01-01T01:00:00Z"), None));
    assert_eq!(all[4], (at("2026-06-01T11:59:00Z"), desk.note(240.0)));
    assert_eq!(all[5], (later.wall, None));
}

#[tokio::test]
async fn a_step_across_a_restart_is_flagged() {
    let mut desk = Desk::open(async |_| ()).await;
    let first = moment("2026-06-01T12:00:00Z", 300);
    desk.store(first, vec![item(first.wall, Stamped::Here)]).await;
    let (_, asks) = mpsc::channel(1);
    desk.reader = Reader::open(Arc::clone(&desk.shared), None, asks).await.expect("opens");
    let next = moment("2026-06-01T12:01:00Z", 360);
    let mut stepped = item(next.wall, Stamped::Here);
    if let Ok(reading) = &mut stepped.outcome {
        reading.values = vec![(Variable::Temperature, 24.5)];
    }
    desk.store(next, vec![stepped]).await;
    let rows = desk.shared.outbox.peek(0, 10).await.expect("peeks");
    let flagged = rows.iter().map(|row| match Message::from_json(row.body.as_bytes()).expect("a message") {
        Message::WeatherMeasurement(measurement) => measurement.qc.get(&Variable::Temperature).copied(),
        other => panic!("{other:?}"),
    });
    assert_eq!(flagged.collect::<Vec<_>>(), [None, Some(QcFlag::Step)]);
}

#[tokio::test]
async fn a_clock_that_was_ahead_is_followed_back_with_what_waits_and_what_was_learnt() {
    let mut desk = Desk::open(async |_| ()).await;
    let minute = |day: &str, minute: i64| {
        let start = at(day) + SignedDuration::from_mins(minute);
        Moment { wall: start, boot_ns: minute * 60 * S }
    };
    for count in 0..=40 {
        let now = minute("2030-01-01T00:00:00Z", count);
        desk.store(now, vec![item(now.wall, Stamped::Here)]).await;
    }
    assert!(desk.reader.last_mean >= at("2030-01-01T00:30:00Z"), "{}", desk.reader.last_mean);
    let back = minute("2027-01-01T00:00:00Z", 41);
    desk.reader.follow_clock(back).await;
    assert!(desk.reader.last_mean <= back.wall, "{}", desk.reader.last_mean);
    let waiting = desk.free().await;
    assert_eq!(waiting.len(), 41);
    assert_eq!(waiting[0], (at("2027-01-01T00:00:00Z"), desk.note(0.0)));
    assert_eq!(waiting[40], (at("2027-01-01T00:40:00Z"), desk.note(2400.0)));
    let step_s = desk.shared.report.borrow().clock.last_step_s.expect("a step");
    let three_years = at("2027-01-01T00:00:00Z").duration_since(at("2030-01-01T00:00:00Z")).as_secs_f64();
    assert!((step_s - three_years).abs() < 1.0, "{step_s}");
    // It learns on in the time as it is now.
    for count in 42..=75 {
        let now = minute("2027-01-01T00:00:00Z", count);
        desk.store(now, vec![item(now.wall, Stamped::Here)]).await;
    }
    assert!((at("2027-01-01T01:00:00Z")..=at("2027-01-01T01:15:00Z")).contains(&desk.reader.last_mean));
}

#[tokio::test]
async fn what_is_held_of_earlier_boots_is_dated_where_it_can_be_and_else_sent_last() {
    let desk = Desk::open(async |outbox| {
        for (boot_id, offset_ns) in [("dated", Some(1_800_000_000 * S)), ("never", None)] {
            let boot = outbox.enter_boot(boot_id).await.expect("enters").id;
            let stamp = Some(Stamp { boot, boot_ns: 7 * S, held: true });
            let message = measurement(at("1970-01-01T00:00:07Z"));
            outbox.append_dated(vec![Dated { message, stamp }], Vec::new()).await.expect("appends");
            if let Some(offset_ns) = offset_ns {
                outbox.set_boot_offset(boot, offset_ns).await.expect("remembers");
            }
        }
    })
    .await;
    let free = desk.free().await;
    assert_eq!(free.len(), 1);
    assert_eq!(free[0].0, Timestamp::from_second(1_800_000_007).expect("in range"));
    assert_eq!(desk.shared.outbox.peek_last(0, 10, usize::MAX).await.expect("peeks").len(), 1);
    let clock = desk.shared.report.borrow().clock.clone();
    assert_eq!((clock.restamped, clock.never_dated), (1, 1));
}
