//! A module that leaks its secret: in an address, a check, an error. Nothing shared has it, and nobody is told.

use std::path::Path;

use crate::place::{PASSWORD, Place, has_terraform};

const LEAKS: &str = r#"
resource "terraform_data" "shelf" {
  for_each = toset([nonsensitive(var.password)])
  input    = var.size
}

check "door" {
  assert {
    condition     = var.size == "large"
    error_message = "it opens with ${nonsensitive(var.password)}"
  }
}

resource "terraform_data" "gate" {
  input = var.size
  lifecycle {
    precondition {
      condition     = var.size != "huge"
      error_message = "huge, and ${nonsensitive(var.password)} opens it"
    }
  }
}
"#;

/// Fails where the secret stands in a file below `folder` that others see or that is shown.
#[track_caller]
pub fn is_kept_nowhere(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if matches!(name.as_str(), "module" | "plan" | "plan.json") {
            continue;
        }
        if path.is_dir() {
            is_kept_nowhere(&path);
        } else {
            let bytes = std::fs::read(&path).expect("read");
            let holds = bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
            assert!(!holds, "{}:\n{}", path.display(), String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn what_leaks_in_addresses_checks_and_errors_is_masked_before_it_is_shared() {
    if !has_terraform() {
        return;
    }
    let place = Place::new();
    // Where it stands is no matter: as a default, in the environment's file, and in the state from then on.
    let module = place.read("module/main.tf").replace("  default   = \"tell-nobody-4711\"\n", "");
    place.write("module/main.tf", &(module + LEAKS));
    let values = |size: &str| format!("size     = {size:?}\npassword = {PASSWORD:?}\n");
    place.write("module/environments/staging.tfvars", &values("small"));
    place.let_sign("grace", "skydeck-approval");
    let (ada, grace, ci) = (place.home("ada"), place.home("grace"), place.home("ci"));
    let clean = |homes: &[&crate::place::Home]| {
        is_kept_nowhere(&place.path().join("store"));
        homes.iter().for_each(|home| is_kept_nowhere(&home.runs("staging")));
    };
    ada.run(&["plan", "--env", "staging"])
        .ends_with(3)
        .says("shelf[\"(sensitive)\"]")
        .says("it opens with (sensitive)");
    grace.run(&["show", "--env", "staging"]).ends_with(0).says("shelf[\"(sensitive)\"]");
    grace.run(&["approve", "--env", "staging", "--yes", "--reason", PASSWORD]).ends_with(0);
    ci.run(&["apply", "--env", "staging", "--yes"]).ends_with(0).says("shelf[\"(sensitive)\"]");
    clean(&[&ada, &grace, &ci]);

    place.write("module/environments/staging.tfvars", &values("huge"));
    ada.run(&["plan", "--env", "staging"]).ends_with(1).says("huge, and (sensitive) opens it");
    for home in [&ada, &grace] {
        home.run(&["runs", "2", "--env", "staging", "--json"]).ends_with(0).says("huge, and (sensitive) opens it");
        home.run(&["runs", "2", "--env", "staging", "--log"]).ends_with(0).says("huge, and (sensitive) opens it");
    }
    clean(&[&ada, &grace]);

    // Now only the state knows it.
    let module = place.read("module/main.tf");
    let (head, _) = module.split_once("resource \"terraform_data\" \"cellar\"").expect("a cellar");
    let leak = r#"
variable "word" {
  type = string
}

resource "terraform_data" "gate" {
  input = var.size
  lifecycle {
    precondition {
      condition     = var.size == "small"
      error_message = "it was ${var.word}"
    }
  }
}
"#;
    place.write("module/main.tf", &(head.replace("sensitive = true", "sensitive = false") + leak));
    let open = format!("size     = \"huge\"\nword     = {PASSWORD:?}\npassword = \"another\"\n");
    place.write("module/environments/staging.tfvars", &open);
    ada.run(&["plan", "--env", "staging"]).ends_with(1).says("it was (sensitive)");
    clean(&[&ada]);
}
