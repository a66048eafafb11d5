//! Whether the system's clock was set by its time service, where that says so in a file: systemd-timesyncd does, and is
//! what L4T and Raspberry Pi OS have. The kernel's own word (`adjtimex`) has no safe call here.

use super::tree::Tree;
use crate::station::machine::SystemClock;

const SERVICE: &str = "/run/systemd/timesync";

/// How the clock is kept.
pub(super) fn read(tree: &Tree<'_>) -> SystemClock {
    let synchronised = tree.has(SERVICE).then(|| tree.has(&format!("{SERVICE}/synchronized")));
    SystemClock { synchronised }
}
