//! A plan read, judged, approved: its tree, differences, findings, secrets, dialogs.

use super::*;
use crate::console::fixture::provisioning::{APPROVED, LARGE, STAGED, STALE};

/// The cursor on a run of an environment, the pane of changes having the focus.
fn on(environment: &str, run: u32) -> Plans {
    let environment = environment.parse().expect("a right name");
    let mut screen = Plans { cursor: Some(Cursor { environment, run: Some(run) }), ..Plans::default() };
    with_context(&snapshot(status(RICH)), 100, 30, |ctx| {
        feed(&mut screen, ctx);
        screen.update(Action::FocusNext, ctx);
        feed(&mut screen, ctx);
    });
    screen
}

fn drawn(screen: &mut Plans, columns: u16, rows: u16) -> String {
    body(screen, &snapshot(status(RICH)), columns, rows)
}

/// What an action on a screen that looks at the rich status comes to.
fn acted(screen: &mut Plans, action: Action) -> Outcome {
    with_context(&snapshot(status(RICH)), 100, 30, |ctx| {
        let outcome = screen.update(action, ctx);
        feed(screen, ctx);
        outcome
    })
}

#[test]
fn a_plan_with_everything_in_it_at_three_sizes() {
    for (columns, rows) in [(80, 24), (100, 30), (250, 80)] {
        let mut screen = after(status(RICH), &[Action::FocusNext]).0;
        insta::assert_snapshot!(format!("rich_{columns}x{rows}"), drawn(&mut screen, columns, rows));
    }
}

#[test]
fn on_a_small_terminal_what_is_below_the_plan_is_tabs() {
    let mut screen = after(status(RICH), &[Action::FocusNext]).0;
    for (name, action) in [("diff", Action::FocusNext), ("findings", Action::FocusNext), ("log", Action::ToggleLog)] {
        with_context(&snapshot(status(RICH)), 80, 24, |ctx| screen.update(action, ctx));
        insta::assert_snapshot!(format!("small_{name}"), drawn(&mut screen, 80, 24));
    }
}

#[test]
fn a_tree_is_folded_filtered_and_walked() {
    let mut screen = after(status(RICH), &[Action::FocusNext]).0;
    assert_eq!(acted(&mut screen, Action::Left), Outcome::done(), "at the top there is nothing to fold");
    assert_eq!(screen.focus, Focus::Tree);
    screen.focus = Focus::Changes;
    for action in [Action::Down, Action::Down, Action::Down, Action::Left] {
        acted(&mut screen, action);
    }
    let azure = RowKey::Branch(rows::Branch::Module(crate::owner::PlanList::Changes, "module.azure".into()));
    assert_eq!(screen.picked, Some(azure), "from a resource to its module");
    acted(&mut screen, Action::Left);
    let text = drawn(&mut screen, 100, 30);
    assert!(text.contains("▸ module.azure") && !text.contains("azurerm_iothub.hub"), "{text}");
    assert!(text.contains("1 to create") && text.contains("2 to replace"), "a module's counts stand below: {text}");
    acted(&mut screen, Action::Right);
    acted(&mut screen, Action::FoldAll);
    assert!(!drawn(&mut screen, 100, 30).contains("snowflake_pipe"));
    acted(&mut screen, Action::FoldAll);
    let filter = Filter::parse("!azurerm").expect("an expression");
    let text = with_context(&snapshot(status(RICH)), 100, 30, |ctx| {
        let ctx = Context { filter: &filter, ..*ctx };
        let mut buffer = Buffer::empty(ctx.area);
        screen.render(&mut buffer, ctx.area, &ctx);
        text_of(&buffer)
    });
    assert!(text.contains("6 of 12 changes") && !text.contains("azurerm_iothub"), "{text}");
}

#[test]
fn a_difference_is_read_line_by_line_and_whole() {
    let mut screen = on("staging", STAGED);
    acted(&mut screen, Action::Jump);
    screen.focus = Focus::Diff;
    insta::assert_snapshot!("difference", drawn(&mut screen, 100, 44));
    acted(&mut screen, Action::Unchanged);
    assert!(drawn(&mut screen, 100, 44).contains("switzerlandnorth"));
    acted(&mut screen, Action::Unchanged);
    acted(&mut screen, Action::Down);
    assert_eq!(
        with_context(&snapshot(status(RICH)), 100, 30, |ctx| screen.copy(ctx)).as_deref(),
        Some("~ description                \"first line\\nsecond line\" → \"first line\\nanother  line\"")
    );
    acted(&mut screen, Action::Open);
    let text = drawn(&mut screen, 100, 30);
    assert!(text.contains("· description") && text.contains("  another  line"), "{text}");
    acted(&mut screen, Action::Back);
    screen.focus = Focus::Changes;
    acted(&mut screen, Action::Open);
    insta::assert_snapshot!("difference_whole", drawn(&mut screen, 100, 44));
}

#[test]
fn a_finding_is_read_and_gone_to() {
    let mut screen = on("staging", STAGED);
    screen.focus = Focus::Findings;
    acted(&mut screen, Action::Open);
    insta::assert_snapshot!("finding", drawn(&mut screen, 100, 30));
    let address = |screen: &Plans| {
        with_context(&snapshot(status(RICH)), 100, 30, |ctx| screen.picked_address(ctx)).expect("one is selected")
    };
    refused(&acted(&mut screen, Action::Jump), "1 of 2 resources");
    assert_eq!(address(&screen), "module.azure.azurerm_storage_account.iot");
    acted(&mut screen, Action::FoldAll);
    refused(&acted(&mut screen, Action::Jump), "2 of 2 resources");
    assert_eq!(address(&screen), "module.snowflake.snowflake_table.old");
    assert!(drawn(&mut screen, 100, 30).contains("snowflake_table.old"), "what it lies in is unfolded");
    let (mut planned, _) = after(status(PLANNED), &[]);
    with_context(&snapshot(status(PLANNED)), 100, 30, |ctx| {
        assert!(planned.disabled(Action::Jump, ctx).is_some_and(|reason| reason.contains("no finding")));
        planned.update(Action::Jump, ctx);
    });
}

#[test]
fn secrets_are_revealed_once_asked_and_until_something_else_is_selected() {
    let mut screen = on("staging", STAGED);
    refused(&acted(&mut screen, Action::Reveal), "nothing in it is secret");
    // The one that is about the storage account alone.
    screen.pick_finding(1);
    acted(&mut screen, Action::Jump);
    acted(&mut screen, Action::Reveal);
    let text = drawn(&mut screen, 100, 30);
    assert!(text.contains("written to the audit trail"), "{text}");
    let staging: EnvironmentName = "staging".parse().expect("a right name");
    let list = crate::owner::PlanList::Changes;
    let request = Request::RevealChange { environment: staging, number: STAGED, list, index: 2 };
    assert_eq!(acted(&mut screen, Action::Open), asks(request.clone()));
    let reveals = |screen: &mut Plans| {
        with_context(&snapshot(status(RICH)), 100, 30, |ctx| screen.receive(&request, Ok(&answer(&request)), ctx));
    };
    reveals(&mut screen);
    let text = drawn(&mut screen, 250, 80);
    assert!(text.contains("REVEALED") && text.contains("old-key-in-clear"), "{text}");
    for hides in [Action::Down, Action::Reveal, Action::Back, Action::GotoLogs] {
        acted(&mut screen, Action::Jump);
        reveals(&mut screen);
        assert!(screen.details.is_revealed(), "{hides:?}");
        acted(&mut screen, hides);
        let text = drawn(&mut screen, 100, 44);
        assert!(!text.contains("in-clear") && !text.contains("REVEALED"), "{hides:?}: {text}");
    }
    // Who has moved on before the answer came sees nothing of it.
    acted(&mut screen, Action::Top);
    reveals(&mut screen);
    assert!(!screen.details.is_revealed());
}

#[test]
fn a_difference_that_is_read_whole_shows_what_stays_on_the_same_key() {
    let mut screen = on("staging", STAGED);
    screen.pick_finding(1);
    acted(&mut screen, Action::Jump);
    acted(&mut screen, Action::Open);
    let folded = drawn(&mut screen, 100, 60);
    assert!(folded.contains("esc returns") && folded.contains("hidden (u shows)"), "{folded}");
    acted(&mut screen, Action::Unchanged);
    let whole = drawn(&mut screen, 100, 60);
    assert!(whole.contains("esc returns") && !whole.contains("hidden (u shows)"), "{whole}");
    acted(&mut screen, Action::Unchanged);
    assert_eq!(drawn(&mut screen, 100, 60), folded);
}

#[test]
fn approving_repeats_what_is_destroyed_and_what_the_policies_say() {
    let mut screen = on("staging", STAGED);
    acted(&mut screen, Action::ApproveRun);
    insta::assert_snapshot!("approve_denied", drawn(&mut screen, 100, 40));
    insta::assert_snapshot!("approve_denied_small", drawn(&mut screen, 80, 24));
    assert_eq!(typed(&mut screen, status(RICH), ""), Outcome::done());
    assert!(drawn(&mut screen, 100, 30).contains("a reason must be there"));
    assert_eq!(typed(&mut screen, status(RICH), "moved yesterday"), Outcome::done(), "the name comes next");
    let outcome = typed(&mut screen, status(RICH), "staging");
    let request = Request::Approve {
        environment: "staging".parse().expect("a right name"),
        number: STAGED,
        reason: Some("moved yesterday".into()),
        override_denials: true,
    };
    assert_eq!(outcome, asks(request));
}

#[test]
fn what_makes_only_is_approved_by_a_key_but_in_production() {
    let (screen, _) = after(status(PLANNED), &[Action::ApproveRun, Action::Open]);
    assert!(!screen.modal());
    let outcome = after(status(PLANNED), &[Action::ApproveRun, Action::Open]).1;
    let request = Request::Approve { environment: demo(), number: PLANNED, reason: None, override_denials: false };
    assert_eq!(outcome, asks(request));
    let mut prod = on("prod", PROD);
    acted(&mut prod, Action::ApproveRun);
    let text = drawn(&mut prod, 100, 44);
    assert!(text.contains("two different persons") && text.contains("`prod`"), "{text}");
    refused(&acted(&mut on("staging", STALE), Action::ApproveRun), "run 20 is stale");
}

#[test]
fn only_what_is_approved_is_applied_in_the_cloud_and_nothing_that_is_denied() {
    refused(&acted(&mut on("staging", STAGED), Action::ApplyRun), "staging: run 21 isn't approved; approve it first");
    refused(&acted(&mut on("prod", PROD), Action::ApplyRun), "prod: run 31 needs another approval");
    refused(
        &after(status(DENIED), &[Action::ApplyRun]).1,
        "run 13 is denied by policy: data-holders; correct it, or approve it with a reason (a)",
    );
    let mut approved = on("staging", APPROVED);
    insta::assert_snapshot!("approved", drawn(&mut approved, 100, 30));
    acted(&mut approved, Action::ApplyRun);
    assert!(approved.takes_text(), "it destroys");
    assert!(drawn(&mut approved, 100, 44).contains("Approved by ada."));
    with_context(&snapshot(status(RICH)), 100, 30, |ctx| {
        approved.update(Action::Back, ctx);
        let later = ctx.now + jiff::SignedDuration::from_hours(2);
        let ctx = Context { now: later, ..*ctx };
        refused(&approved.update(Action::ApplyRun, &ctx), "its approval has expired");
    });
}

#[test]
fn a_plan_that_holds_no_more_says_what_has_moved() {
    let mut stale = on("staging", STALE);
    insta::assert_snapshot!("stale", drawn(&mut stale, 100, 30));
    stale.focus = Focus::Tree;
    acted(&mut stale, Action::Open);
    let text = drawn(&mut stale, 100, 30);
    assert!(text.contains("would now be replaced") && text.contains("→ make a new plan"), "{text}");
}

#[test]
fn a_shared_store_is_looked_into_when_it_comes_under_the_cursor_and_when_asked_to() {
    let looks = |screen: &Plans| {
        with_context(&snapshot(status(RICH)), 100, 30, |ctx| {
            screen.wants(ctx).into_iter().any(|request| matches!(request, Request::RefreshRuns { .. }))
        })
    };
    let staging: EnvironmentName = "staging".parse().expect("a right name");
    let mut screen = after(status(RICH), &[]).0;
    assert!(!looks(&screen), "demo has none");
    refused(&acted(&mut screen, Action::RefreshRuns), "demo: its runs are all on this machine");
    screen.go(Cursor { environment: staging.clone(), run: None });
    assert!(looks(&screen));
    with_context(&snapshot(status(RICH)), 100, 30, |ctx| feed(&mut screen, ctx));
    assert!(!looks(&screen), "once");
    assert!(drawn(&mut screen, 100, 30).contains("as of 14:04"));
    let request = Request::RefreshRuns { environment: staging.clone() };
    assert_eq!(acted(&mut screen, Action::RefreshRuns), asks(request.clone()));
    assert!(drawn(&mut screen, 100, 30).contains("looking …"));
    with_context(&snapshot(status(RICH)), 100, 30, |ctx| {
        screen.receive(&request, Err(&AskError::Refused("staging: no network; try again".into())), ctx);
    });
    let text = drawn(&mut screen, 100, 30);
    assert!(text.contains("not reached") && text.contains("no network"), "{text}");
    screen.go(Cursor { environment: demo(), run: None });
    assert!(!looks(&screen));
    screen.go(Cursor { environment: staging, run: None });
    assert!(looks(&screen), "come back to, it is looked at again");
}

#[test]
fn ten_thousand_changes_scroll_without_making_the_rows_anew() {
    let mut screen = after(status(LARGE), &[Action::FocusNext]).0;
    let shot = snapshot(status(LARGE));
    with_context(&shot, 100, 30, |ctx| {
        let before = screen.held.rows(ctx.filter);
        let mut buffer = Buffer::empty(ctx.area);
        let start = std::time::Instant::now();
        for _ in 0..200 {
            screen.update(Action::Down, ctx);
            screen.render(&mut buffer, ctx.area, ctx);
        }
        let each = start.elapsed() / 200;
        assert!(std::sync::Arc::ptr_eq(&before, &screen.held.rows(ctx.filter)));
        // A frame is due every 33 ms; a debug build on a busy machine is many times slower than what ships.
        assert!(each.as_millis() < 100, "{each:?} a key and its frame");
        println!("{each:?} a key and its frame");
    });
}

#[test]
fn an_older_runs_plan_that_is_not_kept_is_still_listed() {
    let mut screen = after(status(REPLACING), &[]).0;
    let request = Request::Plan { environment: demo(), number: PLANNED };
    with_context(&snapshot(status(PLANNED)), 100, 30, |ctx| {
        screen.receive(&Request::Run { environment: demo(), number: PLANNED }, Err(&AskError::Gone), ctx);
        screen = Plans::default();
        for wanted in screen.wants(ctx) {
            match wanted {
                Request::Plan { .. } => {
                    let error = AskError::Refused("run 7 was planned by an older skydeck".into());
                    screen.receive(&request, Err(&error), ctx);
                }
                other => screen.receive(&other, Ok(&answer(&other)), ctx),
            }
        }
        assert!(!screen.wants(ctx).iter().any(|wanted| matches!(wanted, Request::Plan { .. })), "asked once");
        let mut buffer = Buffer::empty(ctx.area);
        screen.render(&mut buffer, ctx.area, ctx);
        let text = text_of(&buffer);
        assert!(text.contains("azurerm_iothub.hub") && text.contains("planned by an older skydeck"), "{text}");
    });
}
