//! Plan, apply, and what is applied runs; an apply goes on without the console that asked for it.

use rustix::process::Signal;
use skydeck::local_cloud::cloud::{Cloud, Fault};

use crate::place::Place;
use crate::terminal::Terminal;
use crate::walk::ONE_DAY;

/// Lets the hub take so long to be made.
fn the_hub_takes(place: &Place, delay_ms: u32) {
    let cloud = Cloud::open(&place.data("demo").join("cloud")).expect("the cloud that the owner has made");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let fault = Some(Fault { delay_ms, message: None });
    runtime.block_on(cloud.set_fault("azurerm_iothub", "*", fault)).expect("set");
}

fn console(place: &Place) -> Terminal {
    let mut console = Terminal::start_with(place, &[], (120, 40), &[ONE_DAY]);
    console.wait_for("▸1 Overview");
    console.press("2", "Environments & runs");
    console
}

/// A console with an apply half-way: the hub is being made.
fn in_the_middle_of_an_apply(place: &Place) -> Terminal {
    let mut console = console(place);
    console.wait_for("no run yet");
    the_hub_takes(place, 6000);
    console.press("p", "planned");
    console.wait_for("A apply");
    console.press("A", "EMULATED: no account is touched");
    console.press("\r", "APPLYING");
    console
}

#[test]
fn a_plan_is_applied_while_the_console_is_away_and_what_is_applied_runs() {
    if !crate::terraform_peer::is_here() {
        return;
    }
    let place = Place::new();
    let mut one = in_the_middle_of_an_apply(&place);
    one.keys("Q");
    assert_eq!(one.ended(), 0);

    let mut console = console(&place);
    console.wait_for("APPLYING");
    console.wait_for("120 resources");
    console.wait_for("120/120");
    console.press("1", "300 s batch");

    // A shorter window, from the settings that the next plan reads.
    place.write_settings("demo.toml", "[ingestion]\nbatch_window_s = 60\n");
    console.press("2", "Environments & runs");
    console.press("p", "+0 ~3");
    console.wait_for("A apply");
    console.press("A", "Apply the plan");
    console.press("\r", "3/3");
    console.press("1", "60 s batch");
    console.keys("Q");
    assert_eq!(console.ended(), 0);
    console.is_restored();
}

#[test]
fn an_apply_survives_the_end_of_its_console_by_force() {
    if !crate::terraform_peer::is_here() {
        return;
    }
    let place = Place::new();
    let console = in_the_middle_of_an_apply(&place);
    console.signal(Signal::KILL);
    let run = place.wait_for_json(&["runs", "1", "--json"], "the end of the run", |run| run["phase"] == "applied");
    assert_eq!(run["changes"].as_array().map(Vec::len), Some(120));
    assert_eq!(run["emulated"], true);
}
