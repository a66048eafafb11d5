//! Lines as Terraform 1.11.4 wrote them.

use super::*;

fn parsed(line: &str) -> Event {
    parse(line).event
}

#[test]
fn planned_changes_say_what_why_and_by_which_id() {
    let line = r#"{"@level":"info","@message":"terraform_data.replaced: Plan to replace","@module":"terraform.ui","@timestamp":"2026-11-24T00:19:16.771109Z","change":{"resource":{"addr":"terraform_data.replaced","module":"","resource":"terraform_data.replaced","implied_provider":"terraform","resource_type":"terraform_data","resource_name":"replaced","resource_key":null},"action":"replace","reason":"cannot_update"},"type":"planned_change"}"#;
    let read = parse(line);
    assert_eq!(read.text, "terraform_data.replaced: Plan to replace");
    assert_eq!(read.at, Some("2026-11-24T00:19:16.771109Z".parse().expect("a time")));
    let Event::Planned(change) = read.event else { panic!("{read:?}") };
    assert_eq!((change.address.as_str(), change.kind.as_str()), ("terraform_data.replaced", "terraform_data"));
    assert_eq!((change.action, change.reason.as_deref()), (ChangeAction::Replace, Some("cannot_update")));

    let line = r#"{"@level":"info","@message":"terraform_data.imported: Plan to import","@module":"terraform.ui","@timestamp":"2026-11-24T00:24:48.358210Z","change":{"resource":{"addr":"terraform_data.imported","module":"","resource":"terraform_data.imported","implied_provider":"terraform","resource_type":"terraform_data","resource_name":"imported","resource_key":null},"action":"import","importing":{"id":"some-id"}},"type":"planned_change"}"#;
    let Event::Planned(change) = parsed(line) else { panic!("no change") };
    assert_eq!((change.action, change.importing.as_deref()), (ChangeAction::Import, Some("some-id")));
}

#[test]
fn moves_and_removals_have_their_own_actions() {
    let line = |action: &str| {
        format!(
            r#"{{"@level":"info","@message":"m","@timestamp":"2026-11-24T00:24:48.358120Z","change":{{"resource":{{"addr":"terraform_data.new","resource_type":"terraform_data"}},"previous_resource":{{"addr":"terraform_data.old"}},"action":"{action}"}},"type":"planned_change"}}"#
        )
    };
    for (name, action) in [("move", ChangeAction::Move), ("remove", ChangeAction::Forget), ("read", ChangeAction::Read)]
    {
        let Event::Planned(change) = parsed(&line(name)) else { panic!("{name}") };
        assert_eq!(change.action, action);
    }
    assert_eq!(parsed(&line("dance")), Event::Unknown("planned_change".into()));
}

#[test]
fn an_apply_tells_of_each_resource() {
    let hook = |kind: &str, action: &str| {
        format!(
            r#"{{"@level":"info","@message":"terraform_data.many[\"b c\"]: words","@module":"terraform.ui","@timestamp":"2026-11-24T00:18:56.766970Z","hook":{{"resource":{{"addr":"terraform_data.many[\"b c\"]","module":"","resource":"terraform_data.many[\"b c\"]","implied_provider":"terraform","resource_type":"terraform_data","resource_name":"many","resource_key":"b c"}},"action":"{action}","elapsed_seconds":0}},"type":"{kind}"}}"#
        )
    };
    let address = "terraform_data.many[\"b c\"]".to_owned();
    assert_eq!(
        parsed(&hook("apply_start", "create")),
        Event::Started { address: address.clone(), action: Some(ChangeAction::Create) }
    );
    assert_eq!(
        parsed(&hook("apply_complete", "delete")),
        Event::Done { address: address.clone(), action: Some(ChangeAction::Delete) }
    );
    assert_eq!(parsed(&hook("apply_errored", "create")), Event::Failed { address });
    assert_eq!(parsed(&hook("apply_progress", "create")), Event::Words);
    assert_eq!(parsed(&hook("provision_progress", "create")), Event::Words);
}

#[test]
fn a_diagnostic_bears_its_place_and_reads_as_lines() {
    let line = r#"{"@level":"error","@message":"Error: local-exec provisioner error","@module":"terraform.ui","@timestamp":"2026-11-24T00:19:16.867891Z","diagnostic":{"severity":"error","summary":"local-exec provisioner error","detail":"Error running command 'echo hello a; exit 3': exit status 3. Output: hello a\n","address":"terraform_data.many[\"a\"]","range":{"filename":"main.tf","start":{"line":23,"column":28,"byte":439},"end":{"line":23,"column":29,"byte":440}},"snippet":{"context":"resource \"terraform_data\" \"many\"","code":"  provisioner \"local-exec\" {","start_line":23,"highlight_start_offset":27,"highlight_end_offset":28,"values":[]}},"type":"diagnostic"}"#;
    let read = parse(line);
    assert_eq!(read.level, LogLevel::Error);
    assert_eq!(
        read.text,
        "Error: local-exec provisioner error\n  terraform_data.many[\"a\"], main.tf:23\n  Error running command 'echo hello a; exit 3': exit status 3. Output: hello a"
    );
    let Event::Diagnostic(diagnostic) = read.event else { panic!("{read:?}") };
    assert!(diagnostic.error);
    assert_eq!(diagnostic.place.as_deref(), Some("main.tf:23"));
}

#[test]
fn validation_answers_with_one_document() {
    let text = r#"{"format_version":"1.0","valid":false,"error_count":1,"warning_count":0,"diagnostics":[{"severity":"error","summary":"Unsupported argument","detail":"An argument named \"inpt\" is not expected here. Did you mean \"input\"?","range":{"filename":"main.tf","start":{"line":2,"column":3,"byte":34},"end":{"line":2,"column":7,"byte":38}}}]}"#;
    let diagnostics = validation(text).expect("an answer");
    assert_eq!((diagnostics.len(), diagnostics[0].place.as_deref()), (1, Some("main.tf:2")));
    assert_eq!(validation("Error: no"), None);
}

#[test]
fn outputs_that_change_are_named() {
    let line = r#"{"@level":"info","@message":"Outputs: 2","@module":"terraform.ui","@timestamp":"2026-11-24T00:18:56.703175Z","outputs":{"plain":{"sensitive":false,"action":"create"},"same":{"sensitive":false,"action":"noop"},"secret":{"sensitive":true,"action":"update"}},"type":"outputs"}"#;
    assert_eq!(parsed(line), Event::Outputs(vec!["plain".into(), "secret".into()]));
    // After an apply they come with their values instead, which are nobody's business here.
    let line = r#"{"@level":"info","@message":"Outputs: 1","outputs":{"plain":{"sensitive":false,"type":"string","value":"a"}},"type":"outputs"}"#;
    assert_eq!(parsed(line), Event::Outputs(Vec::new()));
}

#[test]
fn what_is_not_known_is_kept_as_words_and_made_printable() {
    let read = parse("Successfully configured the backend \u{1b}[32m\"local\"\u{1b}[0m! Terraform will automatically");
    assert_eq!(read.text, "Successfully configured the backend \"local\"! Terraform will automatically");
    assert_eq!((read.event, read.at), (Event::Words, None));
    let read = parse(r#"{"@level":"warn","@message":"news\u001b[2J","type":"news_of_later"}"#);
    assert_eq!((read.event, read.text.as_str()), (Event::Unknown("news_of_later".into()), "news"));
    assert_eq!(read.level, LogLevel::Warning);
    assert_eq!(parsed(r#"{"type":"planned_change"}"#), Event::Unknown("planned_change".into()));
    assert_eq!(parsed("{\"type\": 7}"), Event::Words);
}

proptest::proptest! {
    #[test]
    fn no_line_is_too_strange(line in "\\PC*", kind in "(planned_change|apply_start|diagnostic|outputs|x)") {
        proptest::prop_assert!(!parse(&line).text.chars().any(|c| c.is_control() && c != '\n'));
        let wrapped = serde_json::json!({"type": kind, "@message": line, "change": {"action": line}, "hook": {}}).to_string();
        let read = parse(&wrapped);
        proptest::prop_assert!(!read.text.chars().any(|c| c.is_control() && c != '\n'));
    }
}
