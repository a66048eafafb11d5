//! Modules that leak what is sensitive: in an error, a check, an address. Nothing that is told or kept has it.

use std::path::Path;

use crate::place::{Place, SECRET};
use crate::terraform;

/// The secret is a variable's, and so known before Terraform says a word.
const OF_A_VARIABLE: &str = r#"variable "key" {
  type      = string
  sensitive = true
  default   = "hunter2"
}

variable "words" {
  type    = string
  default = "one"
}

locals {
  key = var.key
}
"#;

/// The secret is marked in the configuration's midst: only the plan tells it.
const OF_THE_PLAN: &str = r#"variable "words" {
  type    = string
  default = "one"
}

locals {
  key = sensitive(join("", ["hun", "ter2"]))
}

resource "terraform_data" "keeper" {
  input = local.key
}
"#;

const PRECONDITION: &str = r#"
resource "terraform_data" "leak" {
  input = terraform_data.keeper_or_not
  lifecycle {
    precondition {
      condition     = var.words == "two"
      error_message = "it was ${nonsensitive(local.key)}"
    }
  }
}
"#;

const POSTCONDITION: &str = r#"
resource "terraform_data" "leak" {
  input = var.words
  lifecycle {
    postcondition {
      condition     = self.input == "two"
      error_message = "it was ${nonsensitive(local.key)}"
    }
  }
}
"#;

const CHECK: &str = r#"
check "leak" {
  assert {
    condition     = var.words == "two"
    error_message = "it was ${nonsensitive(local.key)}"
  }
}
"#;

const ADDRESS: &str = r#"
resource "terraform_data" "leak" {
  for_each = toset([nonsensitive(local.key), "${nonsensitive(local.key)}-more", "open"])
  input    = "${var.words} ${each.key}"
}
"#;

/// Fails where the secret stands in a file that isn't Terraform's own or the saved plan.
#[track_caller]
fn is_kept_nowhere(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if matches!(name.as_str(), "module" | "plan" | "plan.json" | "cloud") || name.starts_with("terraform.tfstate") {
            continue;
        }
        if path.is_dir() {
            is_kept_nowhere(&path);
        } else if let Ok(bytes) = std::fs::read(&path) {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(SECRET), "{}:\n{text}", path.display());
        }
    }
}

#[test]
fn what_a_failed_plan_says_has_no_secret_in_it() {
    if !terraform::is_here() {
        return;
    }
    let precondition = PRECONDITION.replace("terraform_data.keeper_or_not", "var.words");
    for head in [OF_A_VARIABLE, OF_THE_PLAN] {
        for leak in [precondition.as_str(), POSTCONDITION] {
            let place = Place::new(&(head.to_owned() + leak));
            place.run(&["plan"]).fails(1, "planning failed");
            let run = place.json(&["runs", "1", "--json"]);
            let told = &run["failure"]["diagnostics"][0];
            assert!(told.to_string().contains("it was (sensitive)"), "{run:#}");
            place.run(&["runs", "1", "--log"]).says(0, &["it was (sensitive)"]);
            is_kept_nowhere(&place.path().join("d"));
        }
    }
}

#[test]
fn a_value_that_is_refused_is_not_told() {
    if !terraform::is_here() {
        return;
    }
    let validated = OF_A_VARIABLE.replacen(
        "  default   = \"hunter2\"\n",
        "  validation {\n    condition     = length(var.key) < 3\n    error_message = \"too long: ${nonsensitive(var.key)}\"\n  }\n",
        1,
    );
    let place = Place::new(&validated);
    place.run(&["plan", "--var", "key=hunter2"]).fails(1, "planning failed");
    let run = place.json(&["runs", "1", "--json"]);
    assert!(run["failure"]["diagnostics"][0].to_string().contains("too long: (sensitive)"), "{run:#}");
    is_kept_nowhere(&place.path().join("d"));
    // From the environment's own file.
    std::fs::create_dir(place.path().join("module/environments")).expect("made");
    std::fs::write(place.path().join("module/environments/demo.tfvars"), "key = \"hunter2\"\n").expect("written");
    place.run(&["plan"]).fails(1, "planning failed");
    is_kept_nowhere(&place.path().join("d"));
}

#[test]
fn what_a_failing_check_says_is_masked_before_it_is_told() {
    if !terraform::is_here() {
        return;
    }
    for head in [OF_A_VARIABLE, OF_THE_PLAN] {
        let place = Place::new(&(head.to_owned() + CHECK + "resource \"terraform_data\" \"x\" {}\n"));
        let ran = place.run(&["plan"]);
        ran.says(3, &["terraform_data.x"]);
        assert!(ran.err().contains("it was (sensitive)"), "{}", ran.err());
        place.run(&["show"]).says(0, &["it was (sensitive)"]);
        place.run(&["apply", "--yes"]).says(0, &["applied"]);
        is_kept_nowhere(&place.path().join("d"));
    }
}

#[test]
fn addresses_that_hold_a_secret_are_masked_and_still_told_apart() {
    if !terraform::is_here() {
        return;
    }
    for head in [OF_A_VARIABLE, OF_THE_PLAN] {
        let place = Place::new(&(head.to_owned() + ADDRESS));
        place.run(&["plan"]).says(3, &["terraform_data.leak[\"(sensitive)\"]", "leak[\"(sensitive)-more\"]"]);
        place.run(&["apply", "--yes"]).says(0, &["applied"]);
        let run = place.json(&["runs", "1", "--json"]);
        let took = |change: &serde_json::Value| change["progress"]["state"] == "done";
        assert!(run["changes"].as_array().is_some_and(|changes| changes.iter().all(took)), "{run:#}");
        place.run(&["plan", "--var", "words=two"]).says(3, &["terraform_data.leak[\"(sensitive)\"]"]);
        place.run(&["plan", "--target", "terraform_data.leak[\"hunter2\"]"]).fails(1, "without its key");
        place.run(&["state"]).says(0, &["terraform_data"]);
        place.run(&["audit"]).says(0, &["only terraform_data.leak[…]"]);
        is_kept_nowhere(&place.path().join("d"));
    }
}

#[test]
fn what_a_failed_apply_says_has_no_secret_that_it_made() {
    if !terraform::is_here() {
        return;
    }
    let failing = r#"
resource "terraform_data" "made" {
  input = local.key
  lifecycle {
    postcondition {
      condition     = self.id == "nothing"
      error_message = "it was ${nonsensitive(self.output)}"
    }
  }
}
"#;
    for head in [OF_A_VARIABLE, OF_THE_PLAN] {
        let place = Place::new(&(head.to_owned() + failing));
        place.run(&["plan"]).says(3, &["terraform_data.made"]);
        place.run(&["apply", "--yes"]).fails(1, "applying failed");
        let run = place.json(&["runs", "1", "--json"]);
        assert!(run["failure"]["diagnostics"][0].to_string().contains("it was (sensitive)"), "{run:#}");
        is_kept_nowhere(&place.path().join("d"));
    }
}
