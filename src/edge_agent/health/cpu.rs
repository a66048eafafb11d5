//! The processor: `/proc/stat`, and each core's `online` and `cpufreq`.

use super::tree::{Tree, tenth};
use crate::station::machine::Core;

const CORES: &str = "/sys/devices/system/cpu";
/// Cores that are looked at.
const MAX_CORES: u32 = 512;

/// What a core has done since the boot, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticks {
    core: u32,
    busy: u64,
    all: u64,
}

/// The cores by number, and their ticks for the next reading.
pub(super) fn read(tree: &Tree<'_>, before: &[Ticks]) -> (Vec<Core>, Vec<Ticks>) {
    let now = tree.text("/proc/stat").map(|stat| ticks(&stat)).unwrap_or_default();
    let mut numbers: Vec<u32> = tree.numbered(CORES, "cpu").into_iter().map(|(number, _)| number).collect();
    if numbers.is_empty() {
        numbers = now.iter().map(|ticks| ticks.core).collect();
    }
    let count = numbers.iter().max().map_or(0, |most| most + 1).min(MAX_CORES);
    let megahertz = if tree.has(&format!("{CORES}/cpu0/cpufreq")) { Vec::new() } else { told_megahertz(tree) };
    let one = |number: u32| {
        if !numbers.contains(&number) {
            return Core::default();
        }
        let folder = format!("{CORES}/cpu{number}");
        // Core 0 can't be switched off on most boards and has no such file.
        let online = tree.number(&format!("{folder}/online")).is_none_or(|online| online != 0.0);
        if !online {
            return Core::default();
        }
        let of = |ticks: &[Ticks]| ticks.iter().find(|ticks| ticks.core == number).copied();
        let khz = |file: &str| tree.number(&format!("{folder}/cpufreq/{file}")).map(|khz| tenth(khz / 1000.0));
        let told = || megahertz.iter().find(|(core, _)| *core == number).map(|(_, mhz)| tenth(*mhz));
        Core {
            online,
            load_pct: of(before).zip(of(&now)).and_then(|(before, now)| load(before, now)),
            mhz: khz("scaling_cur_freq").or_else(told),
            max_mhz: khz("scaling_max_freq"),
            governor: tree.text(&format!("{folder}/cpufreq/scaling_governor")),
        }
    };
    ((0..count).map(one).collect(), now)
}

/// From `/proc/stat`: a core's ticks. Busy is whatever isn't idle or waiting for a disk; guests are in `user` already.
fn ticks(stat: &str) -> Vec<Ticks> {
    let line = |line: &str| {
        let mut words = line.strip_prefix("cpu")?.split_whitespace();
        let core = words.next().filter(|_| !line.starts_with("cpu "))?.parse().ok()?;
        let counts: Vec<u64> = words.take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
        let idle = counts.get(3)?.saturating_add(*counts.get(4).unwrap_or(&0));
        let all = counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
        Some(Ticks { core, busy: all.saturating_sub(idle), all })
    };
    stat.lines().filter_map(line).collect()
}

/// The share of the time between that a core was busy, %. Absent where no time went by, or a count went back, as it does
/// when a core was switched off and on.
#[expect(clippy::cast_precision_loss, reason = "a share is shown with one decimal")]
fn load(before: Ticks, now: Ticks) -> Option<f64> {
    let all = now.all.checked_sub(before.all).filter(|all| *all > 0)?;
    let busy = now.busy.checked_sub(before.busy)?;
    Some(tenth((100.0 * busy as f64 / all as f64).min(100.0)))
}

/// From `/proc/cpuinfo`, where no driver scales the clock: each processor's `cpu MHz`.
fn told_megahertz(tree: &Tree<'_>) -> Vec<(u32, f64)> {
    let Some(info) = tree.text("/proc/cpuinfo") else { return Vec::new() };
    let mut found = Vec::new();
    let mut core = None;
    for (key, value) in info.lines().filter_map(|line| line.split_once(':')) {
        match key.trim() {
            "processor" => core = value.trim().parse().ok(),
            "cpu MHz" => found.extend(core.zip(value.trim().parse().ok())),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "cpu  300 0 100 1600 0 0 0 0 0 0\ncpu0 100 0 50 800 50 0 0 0 0 0\ncpu3 200 0 50 750 0 0 0 0 9 9\n\
                          intr 5 1\nctxt 7\n";
    const NOW: &str = "cpu0 130 10 60 840 60 5 5 0 0 0\ncpu3 200 0 50 850 0 0 0 0 9 9\n";

    #[test]
    fn a_load_is_what_was_busy_between_two_readings() {
        let (before, now) = (ticks(BEFORE), ticks(NOW));
        assert_eq!(before, [Ticks { core: 0, busy: 150, all: 1000 }, Ticks { core: 3, busy: 250, all: 1000 }]);
        // cpu0: 30 + 10 + 10 + 5 + 5 = 60 busy of 110.
        assert_eq!(load(before[0], now[0]), Some(54.5));
        assert_eq!(load(before[1], now[1]), Some(0.0));
        assert_eq!(load(now[0], before[0]), None, "its counts went back");
        assert_eq!(load(now[0], now[0]), None, "no time went by");
        assert!(ticks("cpu0 1 2\ncpux 1 2 3 4\ncpu1 a b c d\n\n").is_empty(), "half a line is none");
    }
}
