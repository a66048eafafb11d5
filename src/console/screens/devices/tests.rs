use serde_json::json;

use super::*;
use crate::console::fixture::{answer, body, empty_snapshot, snapshot, with_context};
use crate::owner::{HubFaults, Snapshot};
use crate::station::Machine;

/// The screen with what it wants answered.
fn screen(snapshot: &Snapshot) -> Devices {
    let mut screen = Devices::default();
    with_context(snapshot, 100, 30, |ctx| {
        for _ in 0..2 {
            for request in screen.wants(ctx) {
                screen.receive(&request, Ok(&answer(&request)), ctx);
            }
        }
    });
    screen
}

#[test]
fn the_fleet_and_a_device_at_three_sizes() {
    for (columns, rows) in [(80, 24), (100, 30), (250, 80)] {
        let snapshot = snapshot();
        let text = body(&mut screen(&snapshot), &snapshot, columns, rows);
        insta::assert_snapshot!(format!("devices_{columns}x{rows}"), text);
    }
}

#[test]
fn the_machine_is_further_down_where_it_is_narrow() {
    for (columns, rows, pages) in [(80, 24, 2), (100, 30, 1)] {
        let snapshot = snapshot();
        let mut screen = screen(&snapshot);
        with_context(&snapshot, columns, rows, |ctx| {
            screen.update(Action::FocusNext, ctx);
            for _ in 0..pages {
                screen.update(Action::PageDown, ctx);
            }
        });
        let text = body(&mut screen, &snapshot, columns, rows);
        insta::assert_snapshot!(format!("machine_{columns}x{rows}"), text);
    }
}

#[test]
fn another_device_shows_the_machine_of_its_newest_message() {
    let mut snapshot = snapshot();
    let machine = Machine { read_at: None, ..crate::owner::agent::fixture::machine() };
    let health = json!({
        "deviceId": "roof-02", "messageId": "1", "measuredAt": "2016-06-09T14:05:04Z", "schema": 1, "agentVersion": "0.1.0",
        "agentUptimeS": 80.0, "outboxRows": 0, "outboxBytes": 0, "outboxGivenUp": 0, "machine": machine,
    });
    snapshot.devices[0].id = "roof-02".into();
    snapshot.devices[0].health = Some(serde_json::from_value(health).expect("health"));
    let text = body(&mut Devices::default(), &snapshot, 160, 60);
    assert!(text.contains("▲ 98 °C") && text.contains("0.1.0, L4T 32.7.3"), "{text}");
    assert!(text.contains("cpu 2") && text.contains("POM_5V_IN") && text.contains("read 8.0 s ago"), "{text}");
    snapshot.devices[0].health = None;
    let text = body(&mut Devices::default(), &snapshot, 160, 60);
    assert!(!text.contains("cpu 2"), "nothing was heard of it: {text}");
}

#[test]
fn without_a_device_it_says_so() {
    let text = with_context(&empty_snapshot(), 80, 24, |ctx| {
        let mut buffer = Buffer::empty(ctx.area);
        Devices::default().render(&mut buffer, ctx.area, ctx);
        crate::console::fixture::text_of(&buffer)
    });
    assert!(text.contains("no device is registered yet"), "{text}");
}

#[test]
fn a_share_is_of_something() {
    assert_eq!(fleet::share(259_200, 518_400), "50.0 %");
    assert_eq!(fleet::share(1, 0), "–");
}

#[test]
fn a_fault_and_a_second_device_of_one_name_are_seen() {
    let mut snapshot = snapshot();
    snapshot.hub_faults = HubFaults { throttle_per_s: Some(10), ..HubFaults::default() };
    snapshot.rivals = vec!["roof-01".into()];
    let text = body(&mut screen(&snapshot), &snapshot, 120, 40);
    assert!(text.contains("on purpose, the hub takes 10 messages a second"), "{text}");
    assert!(text.contains("✖ two devices") && text.contains("identity"), "{text}");
}

#[test]
fn diagnose_asks_over_the_hub_and_shows_the_answer_in_a_dialog() {
    let snapshot = snapshot();
    let mut screen = screen(&snapshot);
    let asked = with_context(&snapshot, 100, 30, |ctx| screen.update(Action::Diagnose, ctx));
    let Outcome::Consumed(effects) = asked else { panic!("dealt with") };
    let [Effect::Ask(request)] = &effects[..] else { panic!("{effects:?}") };
    assert!(request.is_command() && screen.modal());
    let reply = Answer::Hub(HubAnswer::Method { status: 200, payload: json!({"uptimeS": 80, "outbox": {"rows": 3}}) });
    with_context(&snapshot, 100, 30, |ctx| screen.receive(request, Ok(&reply), ctx));
    insta::assert_snapshot!("diagnosed", body(&mut screen, &snapshot, 100, 30));
    with_context(&snapshot, 100, 30, |ctx| screen.update(Action::Back, ctx));
    assert!(!screen.modal());
}

#[test]
fn an_answer_that_nobody_waits_for_any_more_opens_nothing() {
    let snapshot = snapshot();
    let mut screen = screen(&snapshot);
    let request = dialog::call("roof-01", "diagnose", json!(null));
    let reply = Answer::Hub(HubAnswer::Method { status: 200, payload: json!("late") });
    with_context(&snapshot, 100, 30, |ctx| {
        screen.update(Action::Diagnose, ctx);
        screen.update(Action::Back, ctx);
        screen.receive(&request, Ok(&reply), ctx);
    });
    assert!(!screen.modal());
}

#[test]
fn the_interval_is_typed_into_a_dialog() {
    let snapshot = snapshot();
    let mut screen = screen(&snapshot);
    with_context(&snapshot, 100, 30, |ctx| {
        screen.update(Action::SetInterval, ctx);
        assert!(screen.takes_text());
        "60".chars().for_each(|digit| drop(screen.update(Action::Type(digit), ctx)));
    });
    insta::assert_snapshot!("interval", body(&mut screen, &snapshot, 80, 24));
}

#[test]
fn what_can_t_be_done_says_why() {
    let mut snapshot = snapshot();
    let why =
        |snapshot: &Snapshot, action| with_context(snapshot, 100, 30, |ctx| screen(snapshot).disabled(action, ctx));
    assert_eq!(why(&snapshot, Action::Diagnose), None);
    if let Some(agent) = &mut snapshot.agent {
        std::sync::Arc::make_mut(agent).camera = None;
    }
    assert!(why(&snapshot, Action::CapturePicture).expect("disabled").contains("has no camera"));
    snapshot.devices[0].connected = false;
    assert!(why(&snapshot, Action::Diagnose).expect("disabled").contains("isn't connected"));
    assert!(why(&empty_snapshot(), Action::RestartAgent).is_none_or(|words| words.contains("connected")));
}
