//! A plan of 10,000 changes, made by Terraform itself.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use skydeck::provisioning::plan::kept;
use skydeck::provisioning::plan::model::PlanList;
use skydeck::provisioning::plan::read::PlanReading;
use skydeck::provisioning::plan::tree::{ChangeFilter, PlanTree};
use skydeck::provisioning::run::ChangeAction;

const CHANGES: usize = 10_000;

const MODULE: &str = r#"module "many" {
  source   = "./many"
  for_each = toset(["a", "b", "c", "d"])
  name     = each.key
}
"#;

const MANY: &str = r#"variable "name" {
  type = string
}

resource "terraform_data" "one" {
  count = 2500
  input = { name = "${var.name}-${count.index}", list = ["x", count.index], secret = sensitive("secret-of-${var.name}-and-more") }
}
"#;

fn terraform(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("terraform")
        .args(arguments)
        .current_dir(folder)
        .env("TF_IN_AUTOMATION", "1")
        .env("CHECKPOINT_DISABLE", "1")
        .stdin(Stdio::null())
        .output()
        .expect("terraform runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn ten_thousand_changes_of_terraforms_own_are_opened() {
    if !crate::terraform_peer::is_here() {
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    std::fs::create_dir(folder.path().join("many")).expect("made");
    std::fs::write(folder.path().join("main.tf"), MODULE).expect("written");
    std::fs::write(folder.path().join("many/main.tf"), MANY).expect("written");
    terraform(folder.path(), &["init", "-input=false"]);
    terraform(folder.path(), &["plan", "-input=false", "-out=plan"]);
    let plan = PlanReading::read(&terraform(folder.path(), &["show", "-json", "plan"])).expect("a plan");
    let outline = plan.outline();
    assert_eq!((outline.changes.len(), outline.counts.create, outline.unchanged), (CHANGES, 10_000, 0));
    assert!(outline.changes.iter().all(|change| change.action == ChangeAction::Create));
    let addresses: BTreeSet<&str> = outline.changes.iter().map(|change| change.address.as_str()).collect();
    assert_eq!(addresses.len(), CHANGES);
    assert!(addresses.contains("module.many[\"d\"].terraform_data.one[2499]"));
    let tree = PlanTree::of(&outline.changes);
    assert!(tree.rows(&BTreeSet::new(), &ChangeFilter::default()).len() > CHANGES, "modules and their changes");

    kept::write(folder.path(), &plan).expect("kept");
    assert_eq!(kept::outline(folder.path()).expect("kept"), outline);
    for from in [0, 4_999, CHANGES - 1] {
        let details = kept::details(folder.path(), PlanList::Changes, from, 1).expect("kept");
        assert_eq!(details[0].change, outline.changes[from], "{from}");
        assert_eq!(details, plan.details(PlanList::Changes).skip(from).take(1).collect::<Vec<_>>());
    }
    let whole = std::fs::read_to_string(folder.path().join(kept::DETAILS)).expect("kept");
    assert!(whole.contains("a-1234") && !whole.contains("secret-of-"), "a secret is kept");
}
