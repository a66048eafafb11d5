//! Interrupts and closed terminals: what becomes of a run at work.

use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::place::Place;
use crate::terraform;

const SLOW: &str = r#"resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command = "sleep 30"
  }
}
"#;

/// A process that is killed when the test is over.
struct Kept(Child);

impl Kept {
    fn send(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.0.id().cast_signed()).expect("a process"), signal).expect("sent");
    }
}

impl Place {
    /// `skydeck apply`, once the first resource of that run is being made.
    fn applying(&self, run: &str) -> Kept {
        let child = self.command(&["apply", run, "--yes"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = Kept(child.expect("starts"));
        self.wait_for(run, |run| run["changes"][0]["progress"]["state"] == "running");
        child
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn an_interrupt_goes_to_the_run_and_a_closed_terminal_leaves_it_alone() {
    if !terraform::is_here() {
        return;
    }
    let place = Place::new(SLOW);
    place.run(&["plan", "--detach"]).says(0, &["run 1 · demo · EMULATED: goes on by itself"]);
    place.wait_for("1", |run| run["phase"] == "planned");
    let mut hung_up = place.applying("1");
    hung_up.send(Signal::HUP);
    assert_eq!(hung_up.0.wait().expect("ended").code(), None, "the signal ended it");
    assert_eq!(place.json(&["runs", "1", "--json"])["phase"], "applying", "it goes on");

    // Whoever comes later takes it up again: discard interrupts it.
    place.run(&["discard"]).says(0, &["run 1 · demo · EMULATED: ", "interrupted once"]);
    let ended = place.wait_for("1", |run| run["phase"] == "failed");
    assert_eq!(ended["failure"]["interrupted"], true);

    place.run(&["plan"]).says(3, &[]);
    let mut child = place.applying("2");
    child.send(Signal::INT);
    let status = child.0.wait().expect("ended");
    assert_eq!(status.code(), Some(130));
    let mut words = String::new();
    std::io::Read::read_to_string(&mut child.0.stderr.take().expect("piped"), &mut words).expect("UTF-8");
    assert!(words.contains("the run gets one interrupt and is waited for"), "{words}");
    assert!(words.lines().last().is_some_and(|line| line.starts_with("skydeck: run 2 · demo · EMULATED: ")), "{words}");
    assert_eq!(place.json(&["runs", "2", "--json"])["phase"], "failed");
}
