use super::super::Logs;
use super::*;
use crate::console::filter::Filter;
use crate::console::fixture::{answer, body, feed, snapshot, with_context};
use crate::console::screens::Screen as _;

fn shown(actions: &[Action]) -> Logs {
    let mut logs = Logs::default();
    with_context(&snapshot(), 100, 30, |ctx| {
        feed(&mut logs, ctx);
        logs.update(Action::AuditTrail, ctx);
        feed(&mut logs, ctx);
        for action in actions {
            logs.update(*action, ctx);
            feed(&mut logs, ctx);
        }
    });
    logs
}

#[test]
fn the_trail_at_three_sizes_and_an_entry_whole() {
    for (columns, rows) in [(80, 24), (100, 30), (250, 80)] {
        let text = body(&mut shown(&[]), &snapshot(), columns, rows);
        insta::assert_snapshot!(format!("audit_{columns}x{rows}"), text);
    }
    insta::assert_snapshot!("entry", body(&mut shown(&[Action::Up, Action::Open]), &snapshot(), 80, 24));
}

#[test]
fn it_is_asked_for_only_while_it_is_shown_and_only_what_is_new() {
    let shot = snapshot();
    with_context(&shot, 100, 30, |ctx| {
        let mut logs = Logs::default();
        let audits = |logs: &Logs| {
            let of = |request: &Request| matches!(request, Request::Audit { .. } | Request::VerifyAudit { .. });
            logs.wants(ctx).into_iter().filter(of).collect::<Vec<_>>()
        };
        assert!(audits(&logs).is_empty());
        logs.update(Action::FocusNext, ctx);
        let environment = EnvironmentName::demo();
        let first = Request::Audit { environment: environment.clone(), after: 0, limit: AT_ONCE };
        assert_eq!(audits(&logs), [first, Request::VerifyAudit { environment: environment.clone() }]);
        feed(&mut logs, ctx);
        assert!(audits(&logs).is_empty(), "nothing has changed");
        let mut newer = shot.clone();
        newer.provisioning.environments[0].runs[0].revision += 1;
        let ctx = Context { snapshot: &newer, ..*ctx };
        assert_eq!(logs.wants(&ctx)[0], Request::Audit { environment, after: 7, limit: AT_ONCE });
    });
}

#[test]
fn another_environments_trail_and_a_filter() {
    let mut logs = shown(&[Action::Right, Action::Right]);
    let text = body(&mut logs, &snapshot(), 100, 30);
    assert!(text.contains("Audit trail of staging") && !text.contains("EMULATED"), "{text}");
    with_context(&snapshot(), 100, 30, |ctx| {
        let filter = Filter::parse("refused|denied").expect("an expression");
        let ctx = Context { filter: &filter, ..*ctx };
        assert_eq!(logs.audit.passing(&ctx).len(), 2);
        assert!(logs.disabled(Action::Level, &ctx).is_some());
        assert_eq!(logs.exports(&ctx).len(), 1);
    });
}

#[test]
fn a_trail_that_was_changed_says_so_first() {
    let mut logs = shown(&[]);
    let faults = (3..9).map(|n| format!("entry {n}: its hash isn't that of what stands in it")).collect();
    logs.audit.verdict = Some(Ok((7, faults)));
    let text = body(&mut logs, &snapshot(), 100, 30);
    assert!(text.contains("✖ 7 entries, 6 faults") && text.contains("entry 5") && text.contains("3 more"), "{text}");
    assert!(!text.contains("unbroken"));
    logs.audit.verdict = Some(Err("no network".into()));
    assert!(body(&mut logs, &snapshot(), 100, 30).contains("no network"));
}

#[test]
fn control_characters_stay_out_and_no_size_is_too_small() {
    let mut logs = shown(&[]);
    let request = Request::Audit { environment: EnvironmentName::demo(), after: 0, limit: 9 };
    let Answer::Audit { mut entries } = answer(&request) else { panic!("entries") };
    entries[0].words = "a\u{1b}[2Jb".into();
    entries[0].who = "eve\u{7}".into();
    logs.audit.entries = entries;
    for opened in [false, true] {
        logs.audit.opened = opened.then(|| logs.audit.entries[0].clone());
        for (columns, rows) in [(0, 0), (3, 3), (20, 5), (60, 15), (100, 30)] {
            assert!(!body(&mut logs, &snapshot(), columns, rows).contains(['\u{1b}', '\u{7}']));
        }
    }
}
