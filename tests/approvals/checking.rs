//! Who has to approve what, and everything that makes an approval worth nothing.

use jiff::SignedDuration;
use skydeck::provisioning::approval::approvers::Approvers;
use skydeck::provisioning::approval::check::{self, Refusal, Verdict};
use skydeck::provisioning::approval::record::{Approval, PlanRecord, Signed};
use skydeck::provisioning::error::ProvisioningError;

use crate::people::{
    Ground, Somebody, ada, approval, bob, both, environment, eve, given, ground, hours, id, load, now, record,
};

/// Everything as it was planned, with these approvals.
fn ask(
    record: &PlanRecord,
    ground: &Ground,
    approvals: &[Signed],
    approvers: Option<&Approvers>,
) -> Result<Verdict, Refusal> {
    check::check(&ground.facts(record), approvals, approvers, now())
}

fn denied_record(name: &str) -> PlanRecord {
    PlanRecord { denials: 2, ..record(name) }
}

fn overriding(record: &PlanRecord, number: u32) -> Approval {
    Approval {
        id: id(number),
        reason: Some("the container was emptied before".into()),
        overrides_denials: true,
        ..approval(record)
    }
}

fn not_approved(outcome: Result<Verdict, Refusal>) -> String {
    match outcome {
        Err(Refusal::NotApproved(words)) => words,
        other => panic!("{other:?}"),
    }
}

fn denied(outcome: Result<Verdict, Refusal>) -> String {
    match outcome {
        Err(Refusal::Denied(words)) => words,
        other => panic!("{other:?}"),
    }
}

#[test]
fn demo_and_local_apply_on_one_key_unless_denied() {
    for name in ["demo", "local"] {
        let planned = record(name);
        let verdict = ask(&planned, &ground(&planned, None), &[], None).expect("nothing is asked for");
        assert_eq!(verdict, Verdict::default());

        let planned = denied_record(name);
        let ground = ground(&planned, None);
        let words = denied(ask(&planned, &ground, &[], None));
        assert!(words.starts_with("run 7: the policies deny it (2 findings); correct"), "{words}");
        let words = denied(ask(&planned, &ground, &[given(&approval(&planned), None)], None));
        assert!(words.contains("doesn't override"), "{words}");
        // One's own will do, and no signature is asked for even where there is a file.
        let own = Approval { approved_by: planned.planned_by.clone(), ..overriding(&planned, 1) };
        let verdict = ask(&planned, &ground, &[given(&own, None)], Some(&both())).expect("overridden");
        assert_eq!((verdict.approvals[0].id.clone(), verdict.approvals[0].by.as_str()), (id(1), "ada@laptop"));
    }
}

#[test]
fn staging_asks_for_one_approval() {
    let planned = record("staging");
    let ground = ground(&planned, None);
    let words = not_approved(ask(&planned, &ground, &[], None));
    assert_eq!(words, "run 7: nobody has approved it, and staging asks for it; `skydeck approve 7 --env staging` does");
    let verdict = ask(&planned, &ground, &[given(&approval(&planned), None)], None).expect("approved");
    assert_eq!((verdict.approvals[0].by.as_str(), &verdict.approvals[0].key), ("bob@desk", &None));

    // With a file of approvers a signature is asked for, by a key in it; one's own plan may be approved.
    let approvers = both();
    let words = not_approved(ask(&planned, &ground, &[given(&approval(&planned), None)], Some(&approvers)));
    assert!(words.contains("isn't signed") && words.contains("provisioning.signing_key"), "{words}");
    let words = not_approved(ask(&planned, &ground, &[given(&approval(&planned), Some(&eve()))], Some(&approvers)));
    assert!(words.contains("the key SHA256:") && words.contains("isn't in "), "{words}");
    let own = crate::people::ground(&planned, Some(&ada()));
    let verdict = ask(&planned, &own, &[given(&approval(&planned), Some(&ada()))], Some(&approvers)).expect("approved");
    assert_eq!(verdict.approvals[0].by, "ada@example.com");
    assert!(verdict.approvals[0].key.as_ref().is_some_and(|key| key.starts_with("SHA256:")));
    assert_eq!(verdict.approvers_digest.as_deref(), Some(approvers.digest()));
    // A plan signed by a key that nobody knows is no worse than one that isn't signed.
    let foreign = crate::people::ground(&planned, Some(&eve()));
    ask(&planned, &foreign, &[given(&approval(&planned), Some(&ada()))], Some(&approvers)).expect("approved");
}

#[test]
fn what_is_denied_in_staging_needs_another_person() {
    let planned = denied_record("staging");
    let unsigned = ground(&planned, None);
    let own = Approval { approved_by: planned.planned_by.clone(), ..overriding(&planned, 1) };
    let words = not_approved(ask(&planned, &unsigned, &[given(&own, None)], None));
    assert!(words.contains("is by whoever planned, and staging asks for another person"), "{words}");
    ask(&planned, &unsigned, &[given(&overriding(&planned, 1), None)], None).expect("by another");

    // Where signatures tell, labels don't.
    let signed = ground(&planned, Some(&ada()));
    not_approved(ask(&planned, &signed, &[given(&overriding(&planned, 1), Some(&ada()))], Some(&both())));
    ask(&planned, &signed, &[given(&own, Some(&bob()))], Some(&both())).expect("by another");
}

#[test]
fn prod_asks_for_two_persons() {
    for name in ["prod", "prod-ch"] {
        let planned = record(name);
        let by_bob = given(&approval(&planned), Some(&bob()));
        let by_ada = given(&Approval { id: id(1), ..approval(&planned) }, Some(&ada()));
        let approvers = both();

        let signed = ground(&planned, Some(&ada()));
        let words = not_approved(ask(&planned, &signed, std::slice::from_ref(&by_bob), None));
        assert!(words.contains("no file says whose count"), "{words}");
        let verdict = ask(&planned, &signed, std::slice::from_ref(&by_bob), Some(&approvers)).expect("two persons");
        assert_eq!(verdict.planner.as_deref(), Some("ada@example.com"));
        assert_eq!(verdict.approvals.len(), 1);
        let words = not_approved(ask(&planned, &signed, std::slice::from_ref(&by_ada), Some(&approvers)));
        assert!(words.contains("ada@example.com: is by whoever planned"), "{words}");
        let words = not_approved(ask(&planned, &signed, &[given(&approval(&planned), None)], Some(&approvers)));
        assert!(words.contains("isn't signed"), "{words}");

        // A CI runner has no key: two approvers, and who asked it to plan may be one of them.
        let unsigned = ground(&planned, None);
        let words = not_approved(ask(&planned, &unsigned, std::slice::from_ref(&by_bob), Some(&approvers)));
        assert!(words.contains("approved by bob@example.com") && words.contains("asks for two persons"), "{words}");
        let twice = given(&Approval { id: id(2), ..approval(&planned) }, Some(&bob()));
        not_approved(ask(&planned, &unsigned, &[by_bob.clone(), twice.clone()], Some(&approvers)));
        not_approved(ask(&planned, &unsigned, &[by_bob.clone(), by_bob.clone()], Some(&approvers)));
        let verdict =
            ask(&planned, &unsigned, &[by_bob.clone(), twice, by_ada], Some(&approvers)).expect("two persons");
        let by: Vec<_> = verdict.approvals.iter().map(|counted| counted.by.as_str()).collect();
        assert_eq!(by, ["bob@example.com", "ada@example.com"]);

        // A key that nobody knows under the plan isn't passed over here.
        let foreign = ground(&planned, Some(&eve()));
        let words = not_approved(ask(&planned, &foreign, std::slice::from_ref(&by_bob), Some(&approvers)));
        assert!(words.starts_with("record of run 7: the key SHA256:"), "{words}");
    }
    assert!(!check::is_prod(&environment("production")) && !check::is_prod(&environment("preprod")));
}

#[test]
fn two_keys_of_one_person_are_one_person() {
    let planned = record("prod");
    let line = |name: &str, who: &Somebody| format!("{name} namespaces=\"skydeck-*\" {}\n", who.public());
    let laptop = ada();
    let token = eve();
    let approvers = load(&(line("ada@example.com", &laptop) + &line("Ada@example.com", &token))).expect("read");
    let words = not_approved(ask(
        &planned,
        &ground(&planned, Some(&laptop)),
        &[given(&approval(&planned), Some(&token))],
        Some(&approvers),
    ));
    assert!(words.contains("is by whoever planned"), "{words}");
    let one = given(&approval(&planned), Some(&laptop));
    let other = given(&Approval { id: id(2), ..approval(&planned) }, Some(&token));
    not_approved(ask(&planned, &ground(&planned, None), &[one, other], Some(&approvers)));
}

#[test]
fn in_prod_everybody_who_counts_has_to_override() {
    let planned = denied_record("prod");
    let unsigned = ground(&planned, None);
    let approvers = both();
    let by_ada = given(&overriding(&planned, 1), Some(&ada()));
    let plain = given(&approval(&planned), Some(&bob()));
    let words = not_approved(ask(&planned, &unsigned, &[by_ada.clone(), plain], Some(&approvers)));
    assert!(words.contains("asks for two persons"), "{words}");
    let by_bob = given(&overriding(&planned, 2), Some(&bob()));
    ask(&planned, &unsigned, &[by_ada, by_bob], Some(&approvers)).expect("overridden by two");
}

#[test]
fn what_nobody_saw_denied_is_overridden_by_nobody() {
    let planned = denied_record("staging");
    let mut ground = ground(&planned, None);
    ground.denials = 3;
    let words = denied(ask(&planned, &ground, &[given(&overriding(&planned, 1), None)], None));
    assert!(words.contains("(3 findings), and there were 2 when it was planned"), "{words}");
    // What has ceased to be denied asks for no override.
    ground.denials = 0;
    ask(&planned, &ground, &[given(&approval(&planned), None)], None).expect("approved");
}

/// An approval that doesn't count, made of a good one, and the words for it.
type Spoilt<'a> = (&'a str, Box<dyn Fn(&mut Approval)>, &'a str);

#[test]
fn each_way_of_being_worth_nothing_has_its_words() {
    let planned = record("prod");
    let ground = ground(&planned, Some(&ada()));
    let approvers = both();
    let spoil: Vec<Spoilt<'_>> = vec![
        (
            "environment",
            Box::new(|a| a.record.environment = environment("staging")),
            "is for the environment staging, not for prod",
        ),
        ("number", Box::new(|a| a.record.run = 8), "is for another run (8); approve run 7"),
        ("run", Box::new(|a| a.record.run_id = "x".into()), "is for another run"),
        (
            "plan",
            Box::new(|a| a.record.plan_sha256 = "9".repeat(64)),
            "another plan than the run has (planSha256 differ)",
        ),
        (
            "content",
            Box::new(|a| (a.record.content_digest, a.record.state_serial) = ("9".repeat(64), None)),
            "(contentDigest, stateSerial differ); approve it again",
        ),
        ("before", Box::new(|a| a.approved_at = now() - hours(2)), "was given before its plan was made"),
        (
            "future",
            Box::new(|a| a.approved_at = now() + SignedDuration::from_mins(5)),
            "which is yet to come; correct the clocks",
        ),
        ("backwards", Box::new(|a| a.expires_at = a.approved_at), "ends before it begins"),
        ("reason", Box::new(|a| a.overrides_denials = true), "overrides denials without a reason"),
        (
            "blank",
            Box::new(|a| (a.overrides_denials, a.reason) = (true, Some(" ".into()))),
            "overrides denials without a reason",
        ),
        ("id", Box::new(|a| a.id = "../../../etc/x".into()), "its id \"../../../etc/x\" isn't a UUID"),
        ("great id", Box::new(|a| a.id = a.id.to_uppercase()), "isn't a UUID"),
        ("schema", Box::new(|a| a.schema = 2), "approval: it is of form 2 and 1 is the one known here"),
        ("record's", Box::new(|a| a.record.schema = 3), "approval: it is of form 3"),
    ];
    for (name, spoil, expected) in spoil {
        let mut spoilt = approval(&planned);
        spoil(&mut spoilt);
        let signed = given(&spoilt, Some(&bob()));
        let words = not_approved(ask(&planned, &ground, std::slice::from_ref(&signed), Some(&approvers)));
        assert!(words.contains(expected), "{name}: {words}");
        // Beside a good one it does no harm.
        let good = given(&Approval { id: id(99), ..approval(&planned) }, Some(&bob()));
        let verdict = ask(&planned, &ground, &[signed, good], Some(&approvers)).expect(name);
        assert_eq!(verdict.approvals[0].id, id(99), "{name}");
    }
}

#[test]
fn a_changed_text_or_signature_is_told_as_such() {
    let planned = record("prod");
    let signed_by_ada = ground(&planned, Some(&ada()));
    let approvers = both();
    let good = given(&approval(&planned), Some(&bob()));
    let longer = good.payload.replace("2026-03-03T11:00:00Z", "2026-03-09T11:00:00Z");
    assert_ne!(longer, good.payload);
    for (signed, expected) in [
        (Signed { payload: longer, ..good.clone() }, "its signature doesn't fit what it stands under"),
        (Signed { payload: good.payload.clone() + " ", ..good.clone() }, "its signature doesn't fit"),
        (Signed { payload: "{}".into(), ..good.clone() }, "approval: can't be understood"),
        (Signed { payload: good.payload.replacen('{', "{\"more\":1,", 1), ..good.clone() }, "unknown field `more`"),
        (Signed { signature: Some("x".into()), ..good.clone() }, "isn't one as ssh-keygen -Y sign makes it"),
        (
            Signed { signature: Some(bob().sign("skydeck-plan", &good.payload)), ..good.clone() },
            "was made in the namespace \"skydeck-plan\", not in \"skydeck-approval\"",
        ),
    ] {
        let words = not_approved(ask(&planned, &signed_by_ada, &[signed], Some(&approvers)));
        assert!(words.contains(expected), "{words}");
    }

    // The record is held to its signature as well, in every environment.
    for name in ["demo", "staging", "prod"] {
        let planned = record(name);
        let mut changed = ground(&planned, Some(&ada()));
        changed.record.payload = changed.record.payload.replace("1.11.4", "1.11.5");
        let words = not_approved(ask(&planned, &changed, std::slice::from_ref(&good), Some(&approvers)));
        assert!(words.starts_with("record of run 7: its signature doesn't fit"), "{words}");
    }
}

#[test]
fn a_record_of_something_else_is_refused() {
    let planned = record("staging");
    let approved = [given(&approval(&planned), None)];
    for (other, expected) in [
        (
            PlanRecord { environment: environment("prod"), ..record("staging") },
            "is of the environment prod, not of staging",
        ),
        (PlanRecord { run: 6, ..record("staging") }, "is of another run (6)"),
        (PlanRecord { run_id: "x".into(), ..record("staging") }, "is of another run"),
        (PlanRecord { schema: 2, ..record("staging") }, "record: it is of form 2"),
        (PlanRecord { planned_at: now() + hours(1), ..record("staging") }, "which is yet to come; correct the clock"),
    ] {
        let mut changed = ground(&planned, None);
        changed.record = crate::people::kept(&other, None);
        let words = not_approved(ask(&planned, &changed, &approved, None));
        assert!(words.contains(expected), "{words}");
    }
    let mut damaged = ground(&planned, None);
    damaged.record.payload.truncate(20);
    let words = not_approved(ask(&planned, &damaged, &approved, None));
    assert!(words.starts_with("record: can't be understood") && words.ends_with("plan again"), "{words}");
}

#[test]
fn an_approval_counts_once_and_for_its_time() {
    let planned = record("staging");
    let mut used = ground(&planned, None);
    let good = approval(&planned);
    used.used.insert(good.id.clone());
    let words = not_approved(ask(&planned, &used, &[given(&good, None)], None));
    assert!(words.contains("was used already, an approval counts once"), "{words}");

    let ground = ground(&planned, None);
    let expired = |approval: &Approval, approval_max_age| {
        let mut facts = ground.facts(&planned);
        facts.case.approval_max_age = approval_max_age;
        match check::check(&facts, &[given(approval, None)], None, now()) {
            Err(Refusal::Expired(words)) => words,
            other => panic!("{other:?}"),
        }
    };
    let words = expired(&Approval { expires_at: now(), ..good.clone() }, hours(24));
    assert!(words.contains("has expired at 2026-03-02T12:00:00Z; approve again"), "{words}");
    // Whoever applies sets the bound, whatever an approval says of itself.
    let words = expired(&Approval { expires_at: now() + hours(500), ..good.clone() }, SignedDuration::from_mins(20));
    assert!(words.contains("has expired at 2026-03-02T11:50:00Z"), "{words}");
    check::check(
        &ground.facts(&planned),
        &[given(&Approval { expires_at: now() + SignedDuration::from_secs(1), ..good }, None)],
        None,
        now(),
    )
    .expect("a second before its end");
}

#[test]
fn a_plan_grows_old() {
    for name in ["demo", "staging"] {
        let planned = PlanRecord { planned_at: now() - hours(25), ..record(name) };
        let outcome = ask(&planned, &ground(&planned, None), &[given(&approval(&planned), None)], None);
        let Err(Refusal::Expired(words)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(words, "run 7: its plan is older than 24 hours (provisioning.plan_max_age_h); plan again");
    }
}

#[test]
fn a_key_counts_in_its_time_and_namespace_only() {
    let planned = record("prod");
    let ground = ground(&planned, Some(&ada()));
    let ada_line = format!("ada@example.com {}\n", ada().public());
    for (options, expected) in [
        ("namespaces=\"git\"", "isn't in"),
        ("namespaces=\"skydeck-plan\"", "not for the namespace skydeck-approval"),
        ("valid-after=\"20260303Z\"", "counts only after 2026-03-03T00:00:00Z"),
        ("valid-before=\"20260301Z\"", "counts only until 2026-03-01T00:00:00Z"),
        // Good when it was given and not any more, and the other way round.
        ("valid-before=\"202603021145Z\"", "counts only until"),
        ("valid-after=\"202603021145Z\"", "counts only after"),
    ] {
        let approvers = load(&format!("{ada_line}bob@example.com {options} {}\n", bob().public())).expect("read");
        let words = not_approved(ask(&planned, &ground, &[given(&approval(&planned), Some(&bob()))], Some(&approvers)));
        assert!(words.contains(expected), "{options}: {words}");
    }
}

#[test]
fn what_has_moved_is_told_line_by_line() {
    let planned = record("staging");
    let ground = ground(&planned, None);
    let good = [given(&approval(&planned), None)];
    let mut facts = ground.facts(&planned);
    facts.plan_sha256 = "a".repeat(64);
    facts.configuration_digest = "b".repeat(64);
    facts.lock_file_digest = None;
    facts.policies_digest = "c".repeat(64);
    facts.state_lineage = Some("lineage-b".into());
    facts.state_serial = None;
    facts.terraform_version = "1.12.0".into();
    facts.content_digest = "d".repeat(64);
    let outcome = check::check(&facts, &good, None, now());
    let Err(Refusal::Stale(moved)) = &outcome else { panic!("{outcome:?}") };
    assert_eq!(
        moved[..],
        [
            "plan file: isn't the one that was planned (was 111111111111, is aaaaaaaaaaaa)",
            "configuration: was edited (was 333333333333, is bbbbbbbbbbbb)",
            "lock file of providers: has changed (was 444444444444, is none)",
            "policies: have changed (was 555555555555, is cccccccccccc)",
            "state: is another one (lineage was lineage-a, is lineage-b)",
            "state: has moved on (serial was 41, is none)",
            "terraform: is another version (was 1.11.4, is 1.12.0)",
            "content: a plan made now would change other things (was 222222222222, is dddddddddddd)",
        ]
    );
    // The words of the two plans stand in place of digests where there are any; and only where the digests differ.
    let mut facts = ground.facts(&planned);
    facts.moved = vec!["azurerm_iothub.hub: would now be replaced, was updated".into()];
    check::check(&facts, &good, None, now()).expect("the same digest");
    facts.content_digest = "d".repeat(64);
    let refusal = check::check(&facts, &good, None, now()).expect_err("moved");
    assert_eq!(refusal.to_string(), "stale: azurerm_iothub.hub: would now be replaced, was updated; plan again");
}

#[test]
fn a_stale_plan_is_stale_in_demo_too() {
    let planned = record("demo");
    let ground = ground(&planned, None);
    let mut facts = ground.facts(&planned);
    facts.state_serial = Some(42);
    assert!(matches!(check::check(&facts, &[], None, now()), Err(Refusal::Stale(_))));
}

#[test]
fn each_refusal_is_its_own_error() {
    let error = |refusal: Refusal| ProvisioningError::from(refusal);
    assert!(matches!(error(Refusal::NotApproved("a".into())), ProvisioningError::NotApproved(words) if words == "a"));
    assert!(matches!(error(Refusal::Expired("a".into())), ProvisioningError::Expired(_)));
    assert!(matches!(error(Refusal::Denied("a".into())), ProvisioningError::Denied(_)));
    assert!(
        matches!(error(Refusal::Stale(vec!["a".into(), "b".into()])), ProvisioningError::Stale(words) if words == "stale: a, b; plan again")
    );
}

#[test]
fn one_of_two_approvals_counts_by_itself() {
    let planned = record("prod");
    let unsigned = ground(&planned, None);
    let approvers = both();
    let one = given(&approval(&planned), Some(&bob()));
    let counted = check::counts(&unsigned.case(), &one, Some(&approvers), now()).expect("one of two");
    assert_eq!((counted.id, counted.by.as_str()), (id(10), "bob@example.com"));
    not_approved(check::authorise(&unsigned.case(), std::slice::from_ref(&one), Some(&approvers), now()));
    // By whoever planned it never does; nor does one that leaves denials as they are.
    let signed = ground(&planned, Some(&bob()));
    let refusal = check::counts(&signed.case(), &one, Some(&approvers), now()).expect_err("her own plan");
    assert!(refusal.to_string().contains("is by whoever planned"), "{refusal}");
    let planned = denied_record("prod");
    let plain = given(&approval(&planned), Some(&bob()));
    let refusal = check::counts(&ground(&planned, None).case(), &plain, Some(&approvers), now()).expect_err("denied");
    assert!(matches!(refusal, Refusal::Denied(_)), "{refusal}");
}

#[test]
fn what_is_denied_anew_was_overridden_by_nobody() {
    let planned = denied_record("staging");
    let (planner, approver) = (ada(), bob());
    let approvers = both();
    let ground = ground(&planned, Some(&planner));
    let approval = given(&overriding(&planned, 1), Some(&approver));
    let mut facts = ground.facts(&planned);
    let ask = |facts: &check::Facts<'_>| check::check(facts, std::slice::from_ref(&approval), Some(&approvers), now());
    ask(&facts).expect("what was denied is overridden");
    // As many as before, and others.
    facts.denied_anew = vec!["public-access of azurerm_storage_account.sky".to_owned()];
    let words = denied(ask(&facts));
    assert!(words.contains("didn't when it was planned: public-access of azurerm_storage_account.sky"), "{words}");
}
