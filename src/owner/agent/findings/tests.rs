//! One device after the other, and what is said of each.

use jiff::Timestamp;

use super::super::fixture::report;
use super::*;
use crate::edge_agent::report::{DeployReport, FallbackReport};
use crate::edge_agent::uplink::{LinkStep, StepName, StepOutcome};
use crate::station::machine::{Interface, Memory, SystemClock};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// A device of which nothing is wrong.
fn well() -> AgentReport {
    let mut report = report();
    (report.uplink.waits_until, report.uplink.warning) = (None, None);
    (report.uplink.connected, report.clock.is_set) = (true, true);
    (report.source.last_error, report.camera) = (None, None);
    report.outbox.set_aside = 0;
    report.twin.verdicts.clear();
    report
}

fn of_machine(machine: &Machine) -> Vec<(Lamp, String)> {
    device_findings(&well(), Beside { machine: Some(machine), ..Beside::default() }, NOW)
        .into_iter()
        .map(|found| (found.lamp, found.trouble()))
        .collect()
}

#[test]
fn an_agent_that_is_well_has_no_trouble_and_one_that_is_not_says_each() {
    let mut report = well();
    assert!(agent_troubles(&report, NOW).is_empty(), "{:?}", agent_troubles(&report, NOW));
    assert!(
        device_findings(&report, Beside { machine: Some(&Machine::default()), ..Beside::default() }, NOW).is_empty()
    );
    report.uplink.connected = false;
    report.uplink.last_error = Some("refused\u{1b}[2J: not authorized".into());
    report.clock.is_set = false;
    report.outbox.held = 12;
    assert_eq!(
        agent_troubles(&report, NOW),
        ["link: refused[2J: not authorized", "clock: not set; 12 messages are held until it is"]
    );
}

#[test]
fn what_is_only_good_to_know_is_no_trouble() {
    let mut report = well();
    (report.outbox.given_up, report.outbox.set_aside) = (3, 1);
    report.last_salvage = Some("12 of 13 saved".into());
    assert!(agent_troubles(&report, NOW).is_empty());
    let found = device_findings(&report, Beside::default(), NOW);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().all(|finding| finding.lamp == Lamp::Unknown && !finding.step.is_empty()));
}

#[test]
fn every_sensor_that_is_away_has_its_own_advice() {
    let mut report = well();
    for kind in ["bme280", "serial", "mqtt", "sound", "rain", "command"] {
        report.source.sensors = vec![SensorReport {
            name: "s\u{7}".into(),
            kind: kind.into(),
            state: SensorState::Absent,
            last_error: Some("gone".into()),
            ..SensorReport::default()
        }];
        let found = device_findings(&report, Beside::default(), NOW);
        assert_eq!((found.len(), found[0].lamp, found[0].thing.as_str()), (1, Lamp::Warning, "sensor s"), "{kind}");
        assert!(found[0].cause.contains("gone") && found[0].step.contains("comes back by itself"), "{found:?}");
    }
}

#[test]
fn heat_is_measured_by_the_boards_own_trip_points() {
    let zone = |celsius, throttle_c, critical_c| Machine {
        zones: vec![Zone { name: "CPU".into(), celsius, throttle_c, critical_c }],
        ..Machine::default()
    };
    for (celsius, throttle_c, critical_c, expected) in [
        (None, None, None, None),
        (Some(83.9), None, None, None),
        (Some(84.0), None, None, Some(Lamp::Warning)),
        (Some(84.0), Some(99.0), Some(104.5), None),
        (Some(101.4), Some(99.0), Some(104.5), Some(Lamp::Warning)),
        (Some(101.5), Some(99.0), Some(104.5), Some(Lamp::Failed)),
        (Some(97.0), None, None, Some(Lamp::Failed)),
    ] {
        let found = of_machine(&zone(celsius, throttle_c, critical_c));
        assert_eq!(found.first().map(|(lamp, _)| *lamp), expected, "{celsius:?} {throttle_c:?}: {found:?}");
    }
}

#[test]
fn disks_memory_fans_network_and_clock_are_judged() {
    let disk = |free_mib, read_only, has_data, wear_pct| Disk {
        mount: "/data".into(),
        device: "mmcblk0p1".into(),
        total_mib: 30_000.0,
        free_mib,
        read_only,
        wear_pct,
        has_data,
    };
    let lamps = |disk: Disk| -> Vec<_> {
        of_machine(&Machine { disks: vec![disk], ..Machine::default() }).into_iter().map(|(lamp, _)| lamp).collect()
    };
    assert_eq!(lamps(disk(2500.0, false, true, Some(70.0))), []);
    assert_eq!(lamps(disk(2000.0, false, true, None)), [Lamp::Warning]);
    assert_eq!(lamps(disk(63.0, false, true, None)), [Lamp::Failed]);
    assert_eq!(lamps(disk(63.0, false, false, None)), [Lamp::Warning], "nothing of the agent's is on it");
    assert_eq!(lamps(disk(9000.0, true, true, None)), [Lamp::Failed]);
    assert_eq!(lamps(disk(0.0, true, false, None)), [], "a read-only image is always full");
    assert_eq!(lamps(disk(9000.0, false, true, Some(80.0))), [Lamp::Warning]);
    assert_eq!(lamps(disk(9000.0, false, true, Some(110.0))), [Lamp::Failed]);

    let machine = Machine {
        uptime_s: Some(60.0),
        memory: Some(Memory { total_mib: 1000.0, used_mib: 930.0, largest_free_mib: None }),
        fans: vec![Fan { name: "pwm-fan".into(), duty_pct: Some(60.0), rpm: Some(0.0) }],
        interfaces: vec![Interface { name: "eth0".into(), ..Interface::default() }],
        clock: SystemClock { synchronised: Some(false) },
        unread: vec!["rail VDD_IN: Input/output error".into(), "emc: Permission denied".into()],
        board: crate::station::machine::Board { reset_reason: Some("WATCHDOG".into()), ..Default::default() },
        ..Machine::default()
    };
    assert_eq!(
        of_machine(&machine),
        [
            (Lamp::Failed, "network: no interface is up".into()),
            (Lamp::Warning, "fan pwm-fan: it is driven at 60 % and stands still".into()),
            (Lamp::Warning, "memory: 93 % of 1000 MiB in use".into()),
            (Lamp::Unknown, "clock: no time server keeps it right".into()),
            (Lamp::Unknown, "boot: the last start came from: WATCHDOG".into()),
            (Lamp::Unknown, "rail VDD_IN: can't be read: Input/output error".into()),
        ]
    );
    let later = Machine { uptime_s: Some(90_000.0), ..machine };
    assert!(!of_machine(&later).iter().any(|(_, words)| words.starts_with("boot")), "old news");
}

fn step(step: StepName, outcome: StepOutcome, words: &str) -> LinkStep {
    LinkStep { step, outcome, words: words.into(), took_ms: None }
}

/// Nobody listens.
fn failed_test() -> LinkTest {
    LinkTest {
        at: NOW,
        hub: "hub".into(),
        host: "hub:8883".into(),
        steps: vec![
            step(StepName::Dns, StepOutcome::Ok, "fine"),
            step(StepName::Tcp, StepOutcome::Failed, "hub: nothing listens there; check that the hub runs"),
            step(StepName::Tls, StepOutcome::Skipped, "no connection"),
            step(StepName::Clock, StepOutcome::Warning, "2 min behind the hub's; set it"),
            step(StepName::SignIn, StepOutcome::Failed, "hub: nothing listens there; check that the hub runs"),
            step(StepName::Publish, StepOutcome::Skipped, "the device isn't signed in"),
        ],
    }
}

fn said(found: &[DeviceFinding]) -> Vec<(Lamp, String, &str)> {
    found.iter().map(|found| (found.lamp, found.trouble(), found.step.as_str())).collect()
}

#[test]
fn one_outage_is_one_finding_with_the_step_at_which_it_fails() {
    let test = failed_test();
    let clock = (Lamp::Warning, "link test, clock: 2 min behind the hub's".to_owned(), "set it");
    let mut report = well();
    let beside = Beside { test: Some(&test), ..Beside::default() };
    let tcp = (Lamp::Failed, "link test, TCP: hub: nothing listens there".to_owned(), "check that the hub runs");
    assert_eq!(said(&device_findings(&report, beside, NOW)), [tcp.clone(), clock.clone()], "signing in fails by it");
    report.uplink.connected = false;
    report.uplink.last_error = Some("hub: nothing listens there; tried again".into());
    let down = (Lamp::Failed, "link: fails at TCP: hub: nothing listens there".to_owned(), "check that the hub runs");
    assert_eq!(said(&device_findings(&report, beside, NOW)), [down, clock.clone()]);
    let untried = device_findings(&report, Beside::default(), NOW);
    assert!(untried[0].step.contains("skydeck diag --test-link"), "{untried:?}");
    // Without an agent the test is all there is.
    assert_eq!(said(&test_findings(&test, false)), [tcp, clock]);
}

#[test]
fn what_was_set_aside_says_why_and_where_the_rest_is() {
    let mut report = well();
    report.outbox.set_aside = 1;
    report.source.last_error = Some("no such file".into());
    let aside = [(NOW, "line 7: not\u{1b} JSON".to_owned())];
    let beside = Beside { aside: &aside, log_file: Some(Path::new("/var/log/skydeck/agent.log")), ..Beside::default() };
    assert_eq!(
        said(&device_findings(&report, beside, NOW)),
        [
            (
                Lamp::Warning,
                "source: no such file".to_owned(),
                "look what came before it in /var/log/skydeck/agent.log"
            ),
            (
                Lamp::Unknown,
                "outbox: 1 message couldn't be processed and was set aside; 1970-01-01 00:00Z: line 7: not JSON"
                    .to_owned(),
                "mend what made them; the method diagnose shows the newest ten, /var/log/skydeck/agent.log the others"
            ),
        ]
    );
}

#[test]
fn a_source_that_gives_nothing_for_much_longer_than_usual_is_found() {
    let at = |seconds| Timestamp::from_second(seconds).expect("an instant");
    let mut report = well();
    report.source.quiet_since = Some(at(0));
    let lamp = |report: &AgentReport, seconds| {
        device_findings(report, Beside::default(), at(seconds)).first().map(|found| (found.lamp, found.trouble()))
    };
    assert_eq!(lamp(&report, 600), None);
    let none_yet = (Lamp::Unknown, "source: no reading for 10 min".to_owned());
    assert_eq!(lamp(&report, 601), Some(none_yet), "how often one comes isn't known");
    report.source.gap_s = Some(60.0);
    let quiet = (Lamp::Warning, "source: no reading for 10 min; usually one comes within 60 s".to_owned());
    assert_eq!(lamp(&report, 601), Some(quiet));
    report.source.gap_s = Some(3600.0);
    assert_eq!(lamp(&report, 18_000), None);
    assert!(lamp(&report, 18_001).is_some());
    // Whoever says more of it is enough, and a clock that was set since tells no time.
    report.clock.last_set_at = Some(at(10));
    assert_eq!(lamp(&report, 18_001), None);
    report.clock.last_set_at = None;
    report.source.source_ended = true;
    let ended = lamp(&report, 18_001).expect("it has ended");
    assert!(ended.1.ends_with("has ended"), "{ended:?}");
}

#[test]
fn a_model_that_was_given_up_is_a_trouble_and_one_that_was_not_taken_good_to_know() {
    let mut report = well();
    report.model.current = "anomaly-persistence-1".into();
    report.model.fallback =
        Some(FallbackReport { from: "roof@1".into(), reason: "it\u{1b} was slow".into(), ..Default::default() });
    let troubles = agent_troubles(&report, NOW);
    assert_eq!(troubles, ["model: roof@1 was given up: it was slow; anomaly-persistence-1 makes the nowcasts"]);
    report.model.fallback = None;
    report.model.deploying =
        Some(DeployReport { model: "roof@2".into(), error: Some("self-test: x".into()), ..Default::default() });
    assert!(agent_troubles(&report, NOW).is_empty());
    let found = device_findings(&report, Beside::default(), NOW);
    assert_eq!(found[0].cause, "roof@2 wasn't put to work: self-test: x");
}
