//! The plans in `tests/fixtures/plans`, made again by Terraform and read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use skydeck::local_cloud::cloud::Fault;
use skydeck::owner::rehearsal::Rehearsal;
use skydeck::provisioning::plan::model::{PlanList, PlanOutline};
use skydeck::provisioning::plan::read::PlanReading;

use crate::shown;

pub const CASES: [&str; 5] = ["shapes", "nested", "deposed", "errored", "azure"];

/// How long one call of Terraform may take, on a machine with other things to do.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn folder(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/plans").join(case)
}

pub fn bytes(case: &str) -> Vec<u8> {
    let path = folder(case).join("plan.json");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn plan(case: &str) -> PlanReading {
    PlanReading::read(&bytes(case)).unwrap_or_else(|error| panic!("{case}: {error}"))
}

struct Place {
    folder: tempfile::TempDir,
    rehearsal: Rehearsal,
}

impl Place {
    async fn terraform(&self, args: &[&str]) -> (bool, String) {
        let module = self.folder.path().join("module");
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let command = self.rehearsal.command(None, &module, &self.folder.path().join("shelter"), &args).await;
        let mut command = tokio::process::Command::from(command.unwrap_or_else(|error| panic!("{error}")));
        command.current_dir(&module).env("TF_IN_AUTOMATION", "1").stdin(std::process::Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("in time").expect("starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = if output.status.success() { text } else { text + &String::from_utf8_lossy(&output.stderr) };
        (output.status.success(), said)
    }

    async fn ends_well(&self, args: &[&str]) -> String {
        let (is_well, said) = self.terraform(args).await;
        assert!(is_well, "terraform {}:\n{said}", args.join(" "));
        said
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a name").to_owned();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else if name == "main.tf" {
            std::fs::copy(&path, to.join(name)).expect("copied");
        }
    }
}

/// What `terraform show -json` says of the case's plan.
async fn made(case: &str) -> String {
    let folder = tempfile::tempdir().expect("temporary folder");
    std::fs::create_dir(folder.path().join("shelter")).expect("made");
    copy(&self::folder(case), &folder.path().join("module"));
    let rehearsal = Rehearsal::start(&folder.path().join("cloud")).await.unwrap_or_else(|error| panic!("{error}"));
    let place = Place { folder, rehearsal };
    let mut stages: Vec<PathBuf> = std::fs::read_dir(self::folder(case))
        .expect("a folder")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "tf"))
        .collect();
    stages.sort();
    let last = stages.last().expect("a stage").clone();
    for stage in &stages {
        let text = std::fs::read_to_string(stage).expect("readable");
        std::fs::write(place.folder.path().join("module/main.tf"), &text).expect("written");
        place.ends_well(&["init", "-input=false"]).await;
        let mut arguments = vec!["plan", "-out=plan", "-input=false"];
        for line in text.lines().map_while(|line| line.strip_prefix("# ")) {
            let (what, rest) = line.split_once(' ').expect("a word and the rest");
            let words: Vec<&str> = rest.splitn(3, ' ').collect();
            match (what, &words[..]) {
                ("taint:", [address]) => drop(place.ends_well(&["taint", address]).await),
                ("fault:", [kind, name]) => {
                    let fault = Fault { message: Some("it isn't ready to go".to_owned()), ..Fault::default() };
                    place.rehearsal.cloud().set_fault(kind, name, Some(fault)).await.expect("set");
                }
                ("drift:", [kind, attribute, value]) => {
                    let all = place.rehearsal.cloud().resources().await.expect("readable");
                    let mut found = all.into_iter().find(|resource| resource.kind == *kind).expect("there");
                    found.attributes[*attribute] = serde_json::from_str(value).expect("JSON");
                    place.rehearsal.cloud().put(found).await.expect("put");
                }
                ("plan:", words) => arguments.extend_from_slice(words),
                ("plan", ["fails"]) => {}
                other => panic!("{other:?}: not known"),
            }
        }
        if *stage == last {
            let (is_well, said) = place.terraform(&arguments).await;
            assert_eq!(is_well, !text.contains("# plan fails"), "{said}");
        } else {
            let (is_well, said) = place.terraform(&["apply", "-auto-approve", "-input=false"]).await;
            assert_eq!(is_well, !stage.to_string_lossy().ends_with(".fails.tf"), "{said}");
        }
    }
    place.ends_well(&["show", "-json", "plan"]).await
}

/// An outline without what differs each time.
fn lasting(outline: PlanOutline) -> PlanOutline {
    let mut outline = outline;
    outline.made_at = None;
    outline.terraform_version.clear();
    outline.changes.iter_mut().chain(&mut outline.drift).for_each(|change| {
        change.deposed = change.deposed.take().map(|_| "key".to_owned());
    });
    outline
}

/// Every difference within its resources, without what Terraform makes up each time.
fn lasting_details(plan: &PlanReading) -> String {
    let details = plan.details(PlanList::Changes).chain(plan.details(PlanList::Drift));
    let text: Vec<String> = details.map(|detail| shown::detail(&detail)).collect();
    let made_up = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|deposed [0-9a-f]{8}";
    let text = regex::Regex::new(made_up).expect("an expression").replace_all(&text.join("\n"), "…").into_owned();
    assert!(text.len() > 40 || plan.count(PlanList::Changes) == 0, "nothing is compared: {text}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn fixtures_are_what_terraform_makes() {
    if !crate::terraform_peer::is_here() {
        return;
    }
    for case in CASES {
        let text = made(case).await;
        if std::env::var_os("SKYDECK_WRITE_PLANS").is_some() {
            let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let text = serde_json::to_string_pretty(&value).expect("JSON") + "\n";
            std::fs::write(folder(case).join("plan.json"), text).expect("written");
            continue;
        }
        let fresh = PlanReading::read(text.as_bytes()).unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(lasting(fresh.outline()), lasting(plan(case).outline()), "{case}");
        assert_eq!(lasting_details(&fresh), lasting_details(&plan(case)), "{case}");
    }
}

#[test]
fn every_case_is_read() {
    for case in CASES {
        let plan = plan(case);
        insta::assert_snapshot!(format!("{case}_outline"), shown::outline(&plan.outline()));
        let details = plan.details(PlanList::Changes).chain(plan.details(PlanList::Drift));
        let details: Vec<String> = details.map(|detail| shown::detail(&detail)).collect();
        insta::assert_snapshot!(format!("{case}_details"), details.join("\n"));
    }
}
