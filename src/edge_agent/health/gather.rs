//! One reading of everything a machine tells of itself.

use std::path::Path;

use super::tree::Tree;
use super::{board, clock_sync, cpu, disks, emc, fan, gpu, jetpack, memory, network, power, power_mode, thermal};
use crate::station::Machine;

/// What a reading keeps for the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Before {
    ticks: Vec<cpu::Ticks>,
    jetpack: Option<jetpack::Known>,
}

/// A reading.
#[derive(Debug, Clone)]
pub(super) struct Gathered {
    pub machine: Machine,
    pub before: Before,
    /// Whether the power mode isn't in a file, and its program may be asked.
    pub ask_power_mode: bool,
}

/// Reads everything there is under `tree`. `data` is the folder of the agent's data.
pub(super) fn gather(tree: Tree<'_>, data: &Path, before: &Before) -> Gathered {
    let mut jetpack = before.jetpack.clone();
    let mut board = board::read(&tree, &mut jetpack);
    board.power_mode = power_mode::read(&tree);
    let ask_power_mode = board.power_mode.is_none() && power_mode::can_ask(&tree);
    let (cores, ticks) = cpu::read(&tree, &before.ticks);
    let (gpus, mut engines) = gpu::read(&tree);
    if board.soc.as_deref().is_some_and(|soc| soc.starts_with("tegra")) {
        engines.splice(0..0, emc::read(&tree));
    }
    let (memory, swap) = memory::read(&tree, page_bytes());
    let rails = power::read(&tree);
    let machine = Machine {
        read_at: None,
        board,
        uptime_s: tree.text("/proc/uptime").and_then(|text| text.split(' ').next()?.parse().ok()),
        load_average: tree.text("/proc/loadavg").and_then(|text| load_average(&text)),
        cores,
        gpus,
        engines,
        memory,
        swap,
        disks: disks::read(&tree, data),
        zones: thermal::read(&tree),
        total_mw: power::total_mw(&rails),
        rails,
        fans: fan::read(&tree),
        interfaces: network::read(&tree),
        clock: clock_sync::read(&tree),
        unread: tree.into_notes(),
    };
    Gathered { machine, before: Before { ticks, jetpack }, ask_power_mode }
}

fn load_average(text: &str) -> Option<[f64; 3]> {
    let loads: Vec<f64> = text.split(' ').take(3).map(str::parse).collect::<Result<_, _>>().ok()?;
    loads.try_into().ok()
}

#[cfg(unix)]
fn page_bytes() -> usize {
    rustix::param::page_size()
}

#[cfg(not(unix))]
fn page_bytes() -> usize {
    4096
}
