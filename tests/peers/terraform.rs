//! Whether Terraform is here, for the tests that talk to the real one.

use std::process::Command;

/// Whether it is here. Where it isn't, says so; fails where it must be.
pub fn is_here() -> bool {
    let found = Command::new("terraform").arg("version").output().is_ok_and(|output| output.status.success());
    if !found {
        let words = "skipped: terraform not installed, see https://developer.hashicorp.com/terraform/install";
        assert!(std::env::var_os("SKYDECK_PEERS_REQUIRED").is_none(), "{words}");
        eprintln!("{words}");
    }
    found
}
