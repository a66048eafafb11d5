use crate::console::Action;
use crate::console::filter::Filter;
use crate::console::fixture::storage::{own, watched};
use crate::console::fixture::{body, feed, snapshot, with_context};
use crate::console::screens::loads::Loads;
use crate::console::screens::{Context, Effect, Outcome, Screen as _};
use crate::owner::{AskError, Request, Snapshot, StorageAsk, StorageView};

fn shot(storage: Option<StorageView>) -> Snapshot {
    Snapshot { storage, ..snapshot() }
}

/// The page after `actions`, each followed by the fixture's answers; with the last outcome.
fn after(shot: &Snapshot, actions: &[Action], columns: u16, rows: u16) -> (Loads, Outcome) {
    let mut screen = Loads::new();
    let mut last = Outcome::Ignored;
    with_context(shot, columns, rows, |ctx| {
        for action in std::iter::once(&Action::Batches).chain(actions) {
            last = screen.update(*action, ctx);
            feed(&mut screen, ctx);
        }
    });
    (screen, last)
}

fn drawn(shot: &Snapshot, actions: &[Action], columns: u16, rows: u16) -> String {
    body(&mut after(shot, actions, columns, rows).0, shot, columns, rows)
}

#[test]
fn an_account_small() {
    insta::assert_snapshot!(drawn(&shot(Some(watched())), &[Action::Down], 80, 24));
}

#[test]
fn an_account_medium() {
    insta::assert_snapshot!(drawn(&shot(Some(watched())), &[Action::FocusNext, Action::FocusNext], 100, 30));
}

#[test]
fn an_account_large() {
    insta::assert_snapshot!(drawn(&shot(Some(watched())), &[], 250, 80));
}

#[test]
fn the_environment_s_own_small() {
    insta::assert_snapshot!(drawn(&shot(Some(own())), &[Action::FocusNext], 80, 24));
}

#[test]
fn a_container_that_is_shut_says_why_and_what_to_do() {
    let text = drawn(&shot(Some(watched())), &[Action::Bottom], 100, 30);
    assert!(text.contains("✖ container json-blob-health of skyjsonstaging: AuthorizationFailure"), "{text}");
    assert!(text.contains("let this address in under Networking"), "{text}");
}

#[test]
fn a_batch_is_opened_and_its_lines_are_read_page_by_page() {
    let shot = shot(Some(own()));
    let open = [Action::Open, Action::Open];
    insta::assert_snapshot!(drawn(&shot, &open, 80, 24));
    insta::assert_snapshot!(drawn(&shot, &[&open[..], &[Action::Down, Action::Down, Action::Open]].concat(), 100, 30));
    let mut screen = after(&shot, &open, 100, 30).0;
    with_context(&shot, 100, 30, |ctx| {
        assert!(screen.storage.as_ref().is_some_and(|storage| storage.is_opened()));
        // The last of the page, and from there the next page's first.
        screen.update(Action::Bottom, ctx);
        assert!(screen.copy(ctx).is_some_and(|text| text.contains("\"m-200\"")), "{:?}", screen.copy(ctx));
        screen.update(Action::Down, ctx);
        let wanted = screen.wants(ctx);
        assert!(
            matches!(&wanted[..], [Request::Storage(StorageAsk::Lines { from: 201, count: 200, .. })]),
            "{wanted:?}"
        );
        feed(&mut screen, ctx);
        assert!(screen.copy(ctx).is_some_and(|text| text.contains("\"m-201\"")));
        // And back to the last of the one before.
        screen.update(Action::Up, ctx);
        feed(&mut screen, ctx);
        assert!(screen.copy(ctx).is_some_and(|text| text.contains("\"m-200\"")));
        // Back goes to the batches, and once more to the pipes.
        assert_eq!(screen.update(Action::Back, ctx), Outcome::done());
        assert!(screen.storage.as_ref().is_some_and(|storage| !storage.is_opened()));
        assert_eq!(screen.update(Action::Back, ctx), Outcome::done());
        assert!(screen.storage.is_none());
    });
}

#[test]
fn the_filter_holds_for_batches_and_for_lines() {
    let shot = shot(Some(own()));
    with_context(&shot, 100, 30, |ctx| {
        let filter = Filter::parse("m-17\\D").expect("an expression");
        let filtered = Context { filter: &filter, ..*ctx };
        let mut screen = after(&shot, &[Action::Open, Action::Open], 100, 30).0;
        assert!(screen.copy(&filtered).is_some_and(|text| text.contains("\"m-17\"")));
        screen.update(Action::Back, ctx);
        assert_eq!(screen.copy(&filtered), None);
        let filter = Filter::parse("/13-56").expect("an expression");
        let filtered = Context { filter: &filter, ..*ctx };
        assert_eq!(screen.copy(&filtered).as_deref(), Some("skydeck-hub/0/2016-06-09/13-56"));
    });
}

#[test]
fn a_notice_is_taken_off_once_that_is_confirmed() {
    let shot = shot(Some(watched()));
    let queue = [Action::FocusPrevious, Action::TakeNotice];
    insta::assert_snapshot!(drawn(&shot, &queue, 80, 24));
    let (_, outcome) = after(&shot, &[&queue[..], &[Action::Open]].concat(), 80, 24);
    let id = "5974b586-0df3-4e2d-ad0c-18e3892bfca2".to_owned();
    assert_eq!(outcome, Outcome::effect(Effect::Ask(Request::Storage(StorageAsk::TakePoison { id }))));
    let (screen, outcome) = after(&shot, &[&queue[..], &[Action::Back]].concat(), 80, 24);
    assert_eq!((outcome, screen.modal()), (Outcome::done(), false));
    // One that is aside is off already, and a console that only looks takes none.
    let (screen, _) = after(&shot, &[Action::FocusPrevious, Action::Down], 80, 24);
    with_context(&shot, 80, 24, |ctx| {
        assert!(screen.disabled(Action::TakeNotice, ctx).is_some_and(|why| why.contains("off the queue already")));
        let ctx = Context { read_only: true, ..*ctx };
        assert!(screen.disabled(Action::TakeNotice, &ctx).is_some_and(|why| why.contains("read-only")));
    });
    assert!(drawn(&shot, &[Action::FocusPrevious, Action::Open], 80, 24).contains("neither JSON nor"));
}

#[test]
fn what_is_listed_is_asked_for_once_until_there_is_a_newer_batch() {
    let mut shot = shot(Some(watched()));
    let mut screen = after(&shot, &[], 100, 30).0;
    with_context(&shot, 100, 30, |ctx| assert_eq!(screen.wants(ctx), []));
    // A look that found nothing new lists nothing.
    let storage = shot.storage.as_mut().expect("some");
    storage.looked_at = storage.looked_at.map(|at| at + jiff::SignedDuration::from_secs(60));
    with_context(&shot, 100, 30, |ctx| assert_eq!(screen.wants(ctx), []));
    shot.storage.as_mut().expect("some").containers[0].newest.as_mut().expect("one").name.push('x');
    with_context(&shot, 100, 30, |ctx| {
        let wanted = screen.wants(ctx);
        assert!(matches!(&wanted[..], [Request::Storage(StorageAsk::Batches { .. })]), "{wanted:?}");
        // One that failed is asked for again after the next look, and not before.
        screen.receive(&wanted[0], Err(&AskError::Refused("container c: shut".into())), ctx);
        assert_eq!(screen.wants(ctx), []);
    });
    let storage = shot.storage.as_mut().expect("some");
    storage.looked_at = storage.looked_at.map(|at| at + jiff::SignedDuration::from_secs(60));
    with_context(&shot, 100, 30, |ctx| assert_eq!(screen.wants(ctx).len(), 1));
    assert!(body(&mut screen, &shot, 100, 30).contains("json-blob-messages"));
}

#[test]
fn looking_now_is_for_an_account() {
    let (screen, outcome) = after(&shot(Some(watched())), &[Action::LookNow], 100, 30);
    assert_eq!(outcome, Outcome::effect(Effect::Ask(Request::Storage(StorageAsk::LookNow))));
    let own = shot(Some(own()));
    with_context(&own, 100, 30, |ctx| {
        assert!(screen.disabled(Action::LookNow, ctx).is_some_and(|why| why.contains("the environment's own")));
    });
    let text = drawn(&shot(None), &[], 80, 24);
    assert!(text.contains("set azure.storage_account"), "{text}");
}

#[test]
fn no_size_is_too_small() {
    let shot = shot(Some(watched()));
    let opened: [&[Action]; 4] = [
        &[],
        &[Action::Open, Action::Open],
        &[Action::FocusPrevious, Action::TakeNotice],
        &[Action::FocusPrevious, Action::Open],
    ];
    for actions in opened {
        let mut screen = after(&shot, actions, 100, 30).0;
        for columns in (0..90).step_by(13) {
            for rows in 0..16 {
                body(&mut screen, &shot, columns, rows);
            }
        }
    }
}
