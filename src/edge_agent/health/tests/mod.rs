//! Readings of recorded trees, one a board family.

pub mod unpack;

use std::collections::BTreeSet;
use std::path::Path;

use self::unpack::Unpacked;
use super::gather::{Before, Gathered, gather};
use super::patience::Progress;
use super::tree::{Space, Tree};
use super::*;
use crate::station::machine::Heat;

const DATA: &str = "/var/lib/skydeck/agent";

/// Every file system has 32,000 MiB, of which 8,000 are free.
fn space(_: &Path) -> std::io::Result<Space> {
    Ok(Space { total: 32_000.0 * 1_048_576.0, free: 8_000.0 * 1_048_576.0 })
}

fn reading(unpacked: &Unpacked, before: &Before) -> Gathered {
    let progress = Progress::default();
    let mut tree = Tree::new(unpacked.folder.path(), &progress, BTreeSet::new()).with_space(space);
    tree.faults.clone_from(&unpacked.faults);
    gather(tree, Path::new(DATA), before)
}

/// What a tree's machine is at the second reading, as it would be sent.
fn machine(name: &str) -> Machine {
    let mut unpacked = Unpacked::new(name);
    let first = reading(&unpacked, &Before::default());
    assert!(first.machine.cores.iter().all(|core| core.load_pct.is_none()), "nothing lies before the first reading");
    unpacked.go_on();
    let machine = reading(&unpacked, &first.before).machine;
    let tidied = machine.clone().tidied();
    if name != "unknown" {
        assert_eq!(tidied, machine, "{name}: a board's figures are within the bounds");
    }
    tidied
}

fn written(machine: &Machine) -> String {
    serde_json::to_string_pretty(machine).expect("JSON")
}

#[test]
fn jetson_nano() {
    let machine = machine("nano");
    // Between the readings cpu0 was busy for 20 + 8 of 250 ticks, cpu1 for 0 of 200, cpu2 for 6 of 200, cpu3 for 14 of 200.
    let loads: Vec<_> = machine.cores.iter().filter_map(|core| core.load_pct).collect();
    assert_eq!(loads, [11.2, 0.0, 3.0, 7.0]);
    assert_eq!((machine.gpus[0].load_pct, machine.total_mw), (Some(12.3), Some(1997.0)));
    assert_eq!(machine.hottest().map(|zone| zone.name.as_str()), Some("AO-therm"), "not the PMIC's constant 100 °C");
    assert_eq!(machine.memory.and_then(|memory| memory.largest_free_mib), Some(4.0));
    insta::assert_snapshot!("nano", written(&machine));
}

#[test]
fn jetson_tx2() {
    let machine = machine("tx2");
    assert_eq!(
        machine.cores.iter().map(|core| core.online).collect::<Vec<_>>(),
        [true, false, false, true, true, true]
    );
    assert_eq!((machine.engines[0].name.as_str(), &machine.engines[0].mhz[..]), ("EMC", &[1600.0][..]));
    assert_eq!((machine.total_mw, machine.disks[0].wear_pct), (Some(3140.0), Some(30.0)));
    assert_eq!(machine.board.jetpack.as_deref(), Some("4"), "the package isn't installed");
    insta::assert_snapshot!("tx2", written(&machine));
}

#[test]
fn jetson_xavier_nx() {
    let machine = machine("xavier_nx");
    let heat: Vec<_> = machine.zones.iter().map(|zone| (zone.name.as_str(), zone.heat())).collect();
    let normal = Some(Heat::Normal);
    assert_eq!(heat, [("CPU-therm", Some(Heat::Throttles)), ("AUX-therm", normal), ("nvme Composite", normal)]);
    // 5072 mV · 1106 mA = 5609.6 mW
    assert_eq!((machine.total_mw, machine.fans[0].duty_pct), (Some(5609.6), Some(100.0)));
    assert_eq!(machine.interfaces.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["docker0", "eth0"]);
    insta::assert_snapshot!("xavier_nx", written(&machine));
}

#[test]
fn jetson_agx_orin() {
    let machine = machine("agx_orin");
    let off: Vec<_> = machine.zones.iter().filter(|zone| zone.celsius.is_none()).map(|zone| &zone.name).collect();
    assert_eq!(off, ["gpu-thermal", "cv0-thermal"]);
    // 19488 · 120, 19496 · 20, 5032 · 800 and 5016 · 60, over 1000: 2338.6 + 389.9 + 4025.6 + 301.0, each to a tenth.
    assert_eq!((machine.rails.len(), machine.total_mw), (4, Some(7055.1)));
    assert_eq!((machine.gpus.len(), machine.gpus[0].online), (1, false));
    assert_eq!((machine.fans.len(), machine.fans[0].rpm), (1, Some(1490.0)), "the tachometer is the fan's");
    assert_eq!(machine.board.power_mode.as_deref(), Some("MODE_30W"), "the default, as none was chosen yet");
    insta::assert_snapshot!("agx_orin", written(&machine));
}

#[test]
fn jetson_thor() {
    let machine = machine("thor");
    assert_eq!((machine.gpus.len(), machine.gpus[0].load_pct), (1, None), "nothing tells its load, and so it isn't 0");
    assert_eq!(machine.engines.iter().map(|engine| engine.name.as_str()).collect::<Vec<_>>(), ["EMC", "gpu-nvd-0"]);
    assert_eq!((machine.total_mw, machine.board.jetpack.as_deref()), (Some(30_048.0), Some("7")));
    insta::assert_snapshot!("thor", written(&machine));
}

#[test]
fn a_plain_pc() {
    let machine = machine("pc");
    assert_eq!(machine.disks.iter().map(|disk| disk.mount.as_str()).collect::<Vec<_>>(), ["/", "/boot/efi"]);
    assert_eq!((machine.rails.len(), machine.board.l4t.as_ref(), machine.clock.synchronised), (0, None, None));
    assert_eq!(machine.fans.len(), 2);
    assert!(machine.interfaces.iter().all(|interface| interface.is_up), "a tunnel that carries is up");
    insta::assert_snapshot!("pc", written(&machine));
}

#[test]
fn a_raspberry_pi() {
    let machine = machine("raspberry_pi");
    assert_eq!(machine.board.reset_reason.as_deref(), Some("watchdog"));
    assert_eq!(machine.zones.len(), 1, "the sensor that mirrors the zone isn't told twice");
    insta::assert_snapshot!("raspberry_pi", written(&machine));
}

#[test]
fn a_board_nobody_knows_is_shown_as_far_as_it_tells() {
    let machine = machine("unknown");
    assert_eq!(machine.board.model.as_deref(), Some("Acme[2J Weather Box"));
    insta::assert_snapshot!("unknown", written(&machine));
}

#[test]
fn of_an_empty_tree_nothing_is_known_and_nothing_is_wrong() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let progress = Progress::default();
    let tree = Tree::new(folder.path(), &progress, BTreeSet::new());
    assert_eq!(gather(tree, Path::new(DATA), &Before::default()).machine, Machine::default());
}

/// How many kinds of figures a machine tells.
fn kinds(machine: &Machine) -> usize {
    let told = [
        machine.board.model.is_some(),
        machine.board.l4t.is_some(),
        machine.board.power_mode.is_some(),
        machine.uptime_s.is_some(),
        machine.load_average.is_some(),
        !machine.cores.is_empty(),
        !machine.gpus.is_empty(),
        machine.memory.is_some(),
        machine.swap.is_some(),
        !machine.disks.is_empty(),
        !machine.zones.is_empty(),
        !machine.rails.is_empty(),
        !machine.fans.is_empty(),
        !machine.interfaces.is_empty(),
        machine.clock.synchronised.is_some(),
    ];
    told.into_iter().filter(|told| *told).count()
}

#[test]
fn any_one_node_may_be_broken_and_the_rest_is_still_told() {
    for name in ["nano", "agx_orin"] {
        let mut tree = Unpacked::new(name);
        let nodes = nodes(tree.folder.path());
        let whole = kinds(&reading(&tree, &Before::default()).machine);
        assert!(nodes.len() > 90 && whole >= 14, "{} {whole}", nodes.len());
        let known = tree.faults.clone();
        for node in nodes {
            tree.faults = known.clone();
            tree.faults.insert(node.clone(), 5);
            let told = reading(&tree, &Before::default()).machine;
            // Memory and swap are of one file.
            let lost = whole - kinds(&told);
            assert!(lost <= if node == "/proc/meminfo" { 2 } else { 1 }, "{node}: {lost}");
        }
    }
}

/// The paths of a tree's files.
fn nodes(root: &Path) -> Vec<String> {
    let (mut folders, mut found) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable").map(|entry| entry.expect("an entry")) {
            let kind = entry.file_type().expect("its kind");
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(format!("/{}", entry.path().strip_prefix(root).expect("below").display()));
            }
        }
    }
    found
}

#[test]
fn the_agents_own_memory_is_its_resident_set() {
    assert_eq!(resident_mib("Name:\tskydeck\nVmRSS:\t   53248 kB\n"), Some(52.0));
    assert_eq!(resident_mib("Name:\tskydeck\n"), None);
}
