//! The memory controller's clock. Its load isn't read: what the kernel gives has no unit that is documented, and
//! `tegrastats` tells it in percent.

use super::tree::{Tree, tenth};
use crate::station::machine::Engine;

/// Files with the clock and its greatest value, Hz: Thor's devfreq, which everybody may read; BPMP's debug files (TX2 and
/// later); the clock's own (Nano, TX1). The latter two are root's.
const CLOCKS: [(&str, &str); 5] = [
    ("/sys/class/devfreq/bwmgr/cur_freq", "/sys/class/devfreq/bwmgr/max_freq"),
    ("/sys/kernel/debug/bpmp/debug/clk/emc/rate", "/sys/kernel/debug/bpmp/debug/clk/emc/max_rate"),
    ("/sys/kernel/debug/clk/override.emc/clk_rate", "/sys/kernel/debug/tegra_bwmgr/emc_max_rate"),
    ("/sys/kernel/debug/clk/emc/clk_rate", "/sys/kernel/debug/clk/emc/clk_max_rate"),
    ("/sys/kernel/debug/clock/emc/rate", "/sys/kernel/debug/clock/emc/max"),
];

/// The memory controller of a Tegra, where its clock can be read.
pub(super) fn read(tree: &Tree<'_>) -> Option<Engine> {
    for (rate, max) in CLOCKS {
        match tree.read(rate) {
            Ok(None) => {}
            Ok(Some(text)) => {
                let hertz: f64 = text.trim().parse().ok()?;
                return Some(Engine {
                    name: "EMC".into(),
                    online: hertz > 0.0,
                    mhz: vec![tenth(hertz / 1e6)],
                    max_mhz: tree.number_if(max).map(|hertz| tenth(hertz / 1e6)),
                    ..Engine::default()
                });
            }
            Err(error) => {
                tree.note(rate, &error);
                return None;
            }
        }
    }
    None
}
