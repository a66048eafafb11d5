mod judging;
#[cfg(test)]
mod made; // plans that Terraform made, read by another room

use super::*;
use crate::console::filter::Filter;
use crate::console::fixture::provisioning::{
    APPLYING, DENIED, FAILED, LOCKED, PLANNED, PROD, REPLACING, RICH, answer, empty, lock, missing, status,
};
use crate::console::fixture::{self, body, feed, text_of, with_context};
use crate::owner::{Operation, ProvisioningStatus, RunRequest, Snapshot, TerraformStatus};

fn snapshot(provisioning: ProvisioningStatus) -> Snapshot {
    Snapshot { provisioning, ..fixture::snapshot() }
}

/// The screen after `actions` on a snapshot, each followed by the fixture's answers, on 100×30; with the last outcome.
fn after(provisioning: ProvisioningStatus, actions: &[Action]) -> (Plans, Outcome) {
    let mut screen = Plans::default();
    let mut last = Outcome::Ignored;
    with_context(&snapshot(provisioning), 100, 30, |ctx| {
        feed(&mut screen, ctx);
        for action in actions {
            last = screen.update(*action, ctx);
            feed(&mut screen, ctx);
        }
    });
    (screen, last)
}

fn drawn_after(provisioning: ProvisioningStatus, actions: &[Action]) -> String {
    let mut screen = after(provisioning.clone(), actions).0;
    body(&mut screen, &snapshot(provisioning), 100, 30)
}

fn typed(screen: &mut Plans, provisioning: ProvisioningStatus, text: &str) -> Outcome {
    with_context(&snapshot(provisioning), 100, 30, |ctx| {
        for c in text.chars() {
            screen.update(Action::Type(c), ctx);
        }
        screen.update(Action::Open, ctx)
    })
}

fn demo() -> EnvironmentName {
    EnvironmentName::demo()
}

fn asks(request: Request) -> Outcome {
    Outcome::effect(Effect::Ask(request))
}

fn start(run: RunRequest) -> Outcome {
    asks(Request::StartRun { environment: demo(), run })
}

#[track_caller]
fn refused(outcome: &Outcome, words: &str) {
    let Outcome::Consumed(effects) = outcome else { panic!("consumed") };
    assert!(matches!(&effects[..], [Effect::Notify(text)] if text.contains(words)), "{effects:?}");
}

#[test]
fn a_plan_that_waits_at_three_sizes() {
    for (columns, rows) in [(80, 24), (100, 30), (250, 80)] {
        let text = body(&mut Plans::default(), &snapshot(status(PLANNED)), columns, rows);
        insta::assert_snapshot!(format!("planned_{columns}x{rows}"), text);
    }
}

#[test]
fn runs_that_are_not_listed_and_a_state_at_risk_are_told_of() {
    let mut long = status(FAILED);
    long.environments[0].older = 29;
    long.environments[0].state_fault = Some("state of demo: an apply couldn't write it".into());
    for (columns, rows) in [(80, 24), (100, 30)] {
        let text = body(&mut Plans::default(), &snapshot(long.clone()), columns, rows);
        assert!(text.contains("29 older: skydeck runs --all"), "{text}");
        assert!(!body(&mut Plans::default(), &snapshot(status(FAILED)), columns, rows).contains("older"));
    }
    long.environments[0].runs.retain(|run| run.phase.is_end());
    let text = body(&mut Plans::default(), &snapshot(long), 100, 30);
    assert!(text.contains("state at risk"), "{text}");
}

#[test]
fn an_apply_under_way_at_three_sizes() {
    for (columns, rows) in [(80, 24), (100, 30), (250, 80)] {
        let text = body(&mut Plans::default(), &snapshot(status(APPLYING)), columns, rows);
        insta::assert_snapshot!(format!("applying_{columns}x{rows}"), text);
    }
}

#[test]
fn a_failed_apply_says_what_was_made_what_not_and_what_to_do() {
    for (columns, rows) in [(80, 24), (100, 30), (250, 80)] {
        let text = body(&mut Plans::default(), &snapshot(status(FAILED)), columns, rows);
        insta::assert_snapshot!(format!("failed_{columns}x{rows}"), text);
    }
}

#[test]
fn replacements_drift_and_imports_are_told_apart() {
    insta::assert_snapshot!(drawn_after(status(REPLACING), &[Action::FocusNext]));
}

#[test]
fn a_lock_that_somebody_holds_is_said() {
    insta::assert_snapshot!(drawn_after(status(LOCKED), &[]));
}

#[test]
fn before_the_first_run_and_without_terraform() {
    insta::assert_snapshot!("empty", body(&mut Plans::default(), &snapshot(empty()), 80, 24));
    insta::assert_snapshot!("missing", body(&mut Plans::default(), &snapshot(missing()), 80, 24));
    let text = body(&mut Plans::default(), &fixture::empty_snapshot(), 80, 24);
    assert!(text.contains("looking for Terraform"), "{text}");
}

#[test]
fn a_plan_is_one_key_and_a_plan_of_marks_is_asked_first() {
    assert_eq!(after(status(PLANNED), &[Action::PlanRun]).1, start(RunRequest::default()));
    let marks = [Action::FocusNext, Action::Mark, Action::Mark, Action::PlanRun];
    insta::assert_snapshot!(drawn_after(status(PLANNED), &marks));
    let mut actions = marks.to_vec();
    actions.push(Action::Open);
    let targets = vec!["azurerm_resource_group.main".into(), "azurerm_user_assigned_identity.hub".into()];
    assert_eq!(after(status(PLANNED), &actions).1, start(RunRequest { targets, ..RunRequest::default() }));
    let (screen, _) = after(status(PLANNED), &[Action::FocusNext, Action::Mark, Action::Up, Action::Mark]);
    assert_eq!(screen.marks, None, "a second mark takes the first away");
}

#[test]
fn what_was_asked_for_is_shown_once_it_is_told_of() {
    let (mut screen, _) = after(status(PLANNED), &[Action::FocusNext, Action::Mark]);
    let run = RunRequest { targets: vec!["a.b".into()], ..RunRequest::default() };
    let request = Request::StartRun { environment: demo(), run };
    with_context(&snapshot(status(PLANNED)), 100, 30, |ctx| {
        screen.receive(&request, Ok(&Answer::RunStarted { number: APPLYING }), ctx);
        assert_eq!(screen.summary(ctx).map(|(_, run)| run.number), Some(PLANNED), "not told of yet");
        assert!(screen.marked(ctx).is_empty());
    });
    assert!(body(&mut screen, &snapshot(status(APPLYING)), 100, 30).contains("plan 8 · demo · EMULATED"));
}

#[test]
fn applying_repeats_what_it_does() {
    insta::assert_snapshot!("apply", drawn_after(status(PLANNED), &[Action::ApplyRun]));
    let (screen, outcome) = after(status(PLANNED), &[Action::ApplyRun, Action::Open]);
    assert_eq!(outcome, asks(Request::ApplyRun { environment: demo(), number: PLANNED }));
    assert!(!screen.modal());
    let (screen, outcome) = after(status(PLANNED), &[Action::ApplyRun, Action::Back]);
    assert_eq!((outcome, screen.modal()), (Outcome::done(), false));
}

#[test]
fn what_destroys_or_replaces_needs_the_environments_name() {
    insta::assert_snapshot!("apply_replacing", drawn_after(status(REPLACING), &[Action::ApplyRun]));
    let (mut screen, _) = after(status(REPLACING), &[Action::ApplyRun]);
    assert!(screen.takes_text());
    assert_eq!(typed(&mut screen, status(REPLACING), "dem"), Outcome::done());
    let shown = body(&mut screen, &snapshot(status(REPLACING)), 100, 30);
    assert!(shown.contains("not the same") && shown.contains("> dem"), "{shown}");
    let outcome = typed(&mut screen, status(REPLACING), "o");
    assert_eq!(outcome, asks(Request::ApplyRun { environment: demo(), number: REPLACING }));
}

#[test]
fn a_waiting_run_is_discarded_and_a_working_one_interrupted() {
    let (_, outcome) = after(status(PLANNED), &[Action::DiscardRun, Action::Open]);
    assert_eq!(outcome, asks(Request::CancelRun { environment: demo(), number: PLANNED }));
    for action in [Action::DiscardRun, Action::InterruptRun] {
        let drawn = drawn_after(status(APPLYING), &[action]);
        assert!(drawn.contains("Interrupt run 8") && drawn.contains("one interrupt"), "{drawn}");
        let (_, outcome) = after(status(APPLYING), &[action, Action::Open]);
        assert_eq!(outcome, asks(Request::CancelRun { environment: demo(), number: APPLYING }));
    }
    let (screen, _) = after(status(APPLYING), &[Action::InterruptRun, Action::InterruptRun]);
    assert!(!screen.modal(), "a second one asks nothing");
    let (_, outcome) = after(status(PLANNED), &[Action::InterruptRun]);
    assert_eq!(outcome, Outcome::effect(Effect::Quit), "nothing is at work");
    refused(&after(status(FAILED), &[Action::DiscardRun]).1, "has ended (failed)");
}

#[test]
fn destroying_is_planned_first_and_drift_is_looked_for_at_once() {
    insta::assert_snapshot!("destroy", drawn_after(status(FAILED), &[Action::DestroyPlan]));
    let of = |operation| start(RunRequest { operation, ..RunRequest::default() });
    assert_eq!(after(status(FAILED), &[Action::DestroyPlan, Action::Open]).1, of(Operation::Destroy));
    assert_eq!(after(status(FAILED), &[Action::RefreshOnly]).1, of(Operation::RefreshOnly));
}

#[test]
fn a_lock_is_taken_by_its_id_or_the_environments_name() {
    insta::assert_snapshot!("unlock", drawn_after(status(LOCKED), &[Action::Unlock]));
    for word in ["9b2a1f04", "demo"] {
        let (mut screen, _) = after(status(LOCKED), &[Action::Unlock]);
        let outcome = typed(&mut screen, status(LOCKED), word);
        assert_eq!(outcome, asks(Request::Unlock { environment: demo(), id: lock().id }));
    }
    refused(&after(status(PLANNED), &[Action::Unlock]).1, "demo isn't locked");
    let mut held = status(APPLYING);
    held.environments[0].lock = Some(crate::owner::LockHolder { by_live_run: Some(APPLYING), ..lock() });
    refused(&after(held, &[Action::Unlock]).1, "run 8 is at work");
}

#[test]
fn commands_say_why_they_cant_be_done() {
    refused(&after(missing(), &[Action::PlanRun]).1, "not on the PATH");
    refused(&after(empty(), &[Action::ApplyRun]).1, "nothing is planned");
    refused(&after(status(FAILED), &[Action::ApplyRun]).1, "run 9 is failed");
    refused(&after(empty(), &[Action::ShowState]).1, "no state yet");
    let (mut screen, _) = after(status(PLANNED), &[]);
    with_context(&snapshot(status(PLANNED)), 100, 30, |ctx| {
        let read_only = Context { read_only: true, ..*ctx };
        for action in [Action::PlanRun, Action::ApplyRun, Action::DiscardRun, Action::DestroyPlan, Action::RefreshOnly]
        {
            refused(&screen.update(action, &read_only), "read-only");
        }
        assert_eq!(screen.update(Action::InterruptRun, &read_only), Outcome::effect(Effect::Quit));
        let gone = Context { stale: true, ..*ctx };
        refused(&screen.update(Action::PlanRun, &gone), "has ended");
    });
    assert!(!screen.modal());
}

#[test]
fn the_cursor_walks_environments_and_the_runs_of_the_open_one() {
    let shown = |actions: &[Action]| {
        let (screen, _) = after(status(PLANNED), actions);
        with_context(&snapshot(status(PLANNED)), 100, 30, |ctx| {
            let cursor = tree::cursor(screen.cursor.as_ref(), ctx);
            (cursor.environment.to_string(), cursor.run)
        })
    };
    assert_eq!(shown(&[]), ("demo".into(), None));
    assert_eq!(shown(&[Action::Down, Action::Down]), ("demo".into(), Some(6)));
    assert_eq!(shown(&[Action::PageDown, Action::PageDown]), ("prod".into(), Some(PROD)));
    assert_eq!(shown(&[Action::PageDown, Action::Up]), ("staging".into(), None));
}

#[test]
fn a_failed_change_is_read_whole() {
    // What failed is selected until the operator selects something else.
    insta::assert_snapshot!("diagnostic", drawn_after(status(FAILED), &[Action::FocusNext, Action::Open]));
    let (screen, _) = after(status(FAILED), &[Action::Open]);
    let copied = screen.reading.as_ref().map(Reading::copy).unwrap_or_default();
    assert!(copied.contains("storage.tf:41") && copied.contains("→ what was made"), "{copied}");
}

#[test]
fn state_and_outputs_are_listed_and_read() {
    let state = drawn_after(status(FAILED), &[Action::ShowState, Action::Down, Action::Mark]);
    insta::assert_snapshot!("state", state);
    let resource = drawn_after(status(FAILED), &[Action::ShowState, Action::Open]);
    assert!(
        resource.contains("key  = (sensitive value)") || resource.contains("key = (sensitive value)"),
        "{resource}"
    );
    insta::assert_snapshot!("outputs", drawn_after(status(FAILED), &[Action::ShowOutputs]));
    let (screen, _) = after(status(FAILED), &[Action::ShowState, Action::ShowState]);
    assert!(screen.listing.is_none(), "its key closes it too");
    let (screen, _) = after(status(FAILED), &[Action::ShowState, Action::Mark, Action::Back]);
    with_context(&snapshot(status(FAILED)), 100, 30, |ctx| {
        assert_eq!(screen.marked(ctx), ["azurerm_resource_group.main"]);
    });
}

#[test]
fn the_log_is_followed_filtered_and_read() {
    let (mut screen, _) = after(status(FAILED), &[Action::FocusPrevious, Action::FocusPrevious, Action::Up]);
    with_context(&snapshot(status(FAILED)), 100, 30, |ctx| {
        assert_eq!(screen.copy(ctx).as_deref(), Some("azurerm_storage_queue.notices: Creating..."));
        screen.update(Action::Bottom, ctx);
        assert!(screen.copy(ctx).is_some_and(|line| line.starts_with("Error:")));
        let filter = Filter::parse("warning").expect("an expression");
        let ctx = Context { filter: &filter, ..*ctx };
        assert_eq!(screen.log.shown(&ctx).len(), 1);
        screen.update(Action::Open, &ctx);
        assert!(screen.reading.as_ref().is_some_and(|reading| reading.copy().contains("to its end")));
    });
}

#[test]
fn only_what_is_new_is_asked_for() {
    let mut screen = Plans::default();
    let shot = snapshot(status(APPLYING));
    with_context(&shot, 100, 30, |ctx| {
        let wants = screen.wants(ctx);
        assert_eq!(wants[0], Request::Run { environment: demo(), number: APPLYING });
        assert_eq!(wants[1], Request::Plan { environment: demo(), number: APPLYING });
        assert!(matches!(wants[2], Request::RunLog { number: APPLYING, after: 0, .. }));
        feed(&mut screen, ctx);
        assert!(screen.wants(ctx).is_empty(), "nothing has changed");
    });
    let mut newer = shot;
    newer.provisioning.environments[0].runs[0].revision += 1;
    newer.provisioning.environments[0].runs[0].last_line += 1;
    with_context(&newer, 100, 30, |ctx| {
        let wants = screen.wants(ctx);
        assert!(matches!(wants[1], Request::RunLog { after: 7, .. }), "{wants:?}");
        // What is refused isn't asked for again and again.
        screen.receive(&wants[0], Err(&AskError::Refused("run 8: gone".into())), ctx);
        assert_eq!(screen.wants(ctx).len(), 1);
    });
}

#[test]
fn what_is_shown_is_exported() {
    let names = |actions: &[Action]| {
        let (screen, _) = after(status(FAILED), actions);
        with_context(&snapshot(status(FAILED)), 100, 30, |ctx| {
            screen.exports(ctx).iter().map(|item| item.name().to_owned()).collect::<Vec<_>>()
        })
    };
    assert_eq!(names(&[]), ["plan-demo-9", "changes", "runs", "run-log"]);
    assert_eq!(names(&[Action::ShowState]), ["state"]);
    assert_eq!(names(&[Action::ShowOutputs]), ["outputs"]);
}

#[test]
fn a_click_selects_in_every_pane() {
    let (mut screen, _) = after(status(FAILED), &[]);
    with_context(&snapshot(status(FAILED)), 100, 30, |ctx| {
        let mut buffer = ratatui::buffer::Buffer::empty(ctx.area);
        screen.render(&mut buffer, ctx.area, ctx);
        let drawn = text_of(&buffer);
        let mut click = |words: &str| {
            let (y, line) = drawn.lines().enumerate().find(|(_, line)| line.contains(words)).expect(words);
            let x = line[..line.find(words).expect("there")].chars().count();
            let at = |n: usize| u16::try_from(n).expect("small");
            screen.update(Action::Click { column: at(x), row: at(y) + ctx.area.y }, ctx);
            (screen.focus, screen.copy(ctx).unwrap_or_default())
        };
        let (focus, copied) = click("destroy discarded");
        assert!(focus == Focus::Tree && copied.contains("run 6 of demo EMULATED"), "{copied}");
    });
    let (mut screen, _) = after(status(PLANNED), &[]);
    with_context(&snapshot(status(PLANNED)), 100, 30, |ctx| {
        let panes = screen.panes(ctx.area, ctx);
        let run = screen.shown_run(ctx).expect("the run");
        let first = run::rows_area(&screen, run, panes.run, ctx);
        screen.update(Action::Click { column: first.x + 6, row: first.y + 1 }, ctx);
        assert_eq!(screen.copy(ctx).as_deref(), Some("azurerm_user_assigned_identity.hub"));
        screen.update(Action::Click { column: panes.diff.x + 4, row: panes.diff.y + 2 }, ctx);
        assert_eq!((screen.focus, screen.diff.selection.row), (Focus::Diff, 1));
    });
}

#[test]
fn what_terraform_says_cannot_move_the_cursor() {
    let mut shot = status(FAILED);
    shot.environments[0].lock = Some(crate::owner::LockHolder { who: "a\u{1b}[2Jb".into(), ..lock() });
    shot.terraform = TerraformStatus::Unusable { path: "/x\u{1b}c".into(), reason: "odd".into() };
    let mut screen = Plans::default();
    let request = Request::Run { environment: demo(), number: FAILED };
    let Answer::Run { mut run } = answer(&request) else { panic!("a run") };
    run.changes[0].address = "a\u{1b}[31m.b".into();
    let text = with_context(&snapshot(shot), 100, 30, |ctx| {
        feed(&mut screen, ctx);
        screen.held.take(&run);
        let mut buffer = ratatui::buffer::Buffer::empty(ctx.area);
        screen.render(&mut buffer, ctx.area, ctx);
        text_of(&buffer)
    });
    assert!(!text.contains('\u{1b}') && text.contains("a[31m.b"), "{text}");
}

#[test]
fn no_size_is_too_small() {
    let opened: [(u32, &[Action]); 11] = [
        (PLANNED, &[]),
        (FAILED, &[Action::FocusNext, Action::Down, Action::Open]),
        (FAILED, &[Action::ShowState]),
        (FAILED, &[Action::ShowOutputs]),
        (REPLACING, &[Action::ApplyRun]),
        (APPLYING, &[Action::FocusPrevious]),
        (LOCKED, &[Action::Unlock]),
        (RICH, &[Action::FocusNext, Action::Bottom]),
        (RICH, &[Action::FocusPrevious, Action::Open]),
        (DENIED, &[Action::ApproveRun]),
        (DENIED, &[Action::Jump, Action::Reveal]),
    ];
    for (number, actions) in opened {
        let shot = snapshot(status(number));
        let mut screen = after(status(number), actions).0;
        for columns in (0..110).step_by(13) {
            for rows in 0..18 {
                body(&mut screen, &shot, columns, rows);
            }
        }
    }
}
