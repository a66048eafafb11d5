//! Putting into a machine what the kernel's files lack and a line of `tegrastats` has.

use super::Line;
use crate::edge_agent::health::{power, tree::tenth};
use crate::station::Machine;
use crate::station::machine::{Core, Engine, Memory, Rail, Zone};

/// Fills what `machine` lacks from `line`. What is there stays as it is.
pub(in crate::edge_agent::health) fn fill(machine: &mut Machine, line: &Line) {
    cores(machine, line);
    if let Some(ram) = &line.ram {
        let largest = ram.free_blocks.map(|(_, kib)| kib / 1024.0);
        let memory = machine.memory.get_or_insert(Memory {
            total_mib: ram.total_mib,
            used_mib: ram.used_mib,
            largest_free_mib: None,
        });
        memory.largest_free_mib = memory.largest_free_mib.or(largest);
    }
    if let Some(swap) = line.swap.filter(|swap| swap.total_mib > 0.0) {
        machine.swap.get_or_insert(Memory {
            total_mib: swap.total_mib,
            used_mib: swap.used_mib,
            largest_free_mib: None,
        });
    }
    // A second graphics processor is told the first one's load.
    for unit in line.units.iter().filter(|unit| unit.name != "GR3D2") {
        let list = if unit.name == "GR3D" { &mut machine.gpus } else { &mut machine.engines };
        engine(list, unit);
    }
    zones(machine, line);
    rails(machine, line);
}

fn cores(machine: &mut Machine, line: &Line) {
    if machine.cores.is_empty() {
        machine.cores = vec![Core::default(); line.cores.len()];
        machine.cores.iter_mut().zip(&line.cores).for_each(|(core, told)| core.online = told.online);
    }
    for (core, told) in machine.cores.iter_mut().zip(&line.cores).filter(|(core, _)| core.online) {
        core.load_pct = core.load_pct.or(told.load_pct);
        core.mhz = core.mhz.or(told.mhz);
    }
}

/// A graphics processor is GR3D here and has its chip's name there: where there is one, it is the same. The other names
/// differ in case, and where there are several, in a number.
fn engine(list: &mut Vec<Engine>, unit: &super::Unit) {
    let plain = unit.name.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_same = |known: &Engine| [&unit.name, plain].iter().any(|name| known.name.eq_ignore_ascii_case(name));
    let is_gpu = unit.name == "GR3D" && list.len() == 1;
    let known = if is_gpu { list.first_mut() } else { list.iter_mut().find(|known| is_same(known)) };
    match known {
        Some(known) => {
            known.load_pct = known.load_pct.or(unit.load_pct);
            if known.mhz.is_empty() {
                known.mhz.clone_from(&unit.mhz);
            }
        }
        None => list.push(Engine {
            name: unit.name.clone(),
            online: unit.online,
            load_pct: unit.load_pct,
            mhz: unit.mhz.clone(),
            ..Engine::default()
        }),
    }
}

fn zones(machine: &mut Machine, line: &Line) {
    // `cpu-thermal`, `CPU-therm` and `CPU` are one.
    let plain = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["-thermal", "_thermal", "-therm", "_therm"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .unwrap_or(&name)
            .to_owned()
    };
    for told in line.temperatures.iter().filter(|told| told.name != "PMIC") {
        let celsius = told.celsius.map(tenth);
        match machine.zones.iter_mut().find(|zone| plain(&zone.name) == plain(&told.name)) {
            Some(zone) => zone.celsius = zone.celsius.or(celsius),
            None => machine.zones.push(Zone { name: told.name.clone(), celsius, ..Zone::default() }),
        }
    }
}

fn rails(machine: &mut Machine, line: &Line) {
    for told in line.rails.iter().filter(|told| told.name != "NC") {
        match machine.rails.iter_mut().find(|rail| rail.name == told.name) {
            Some(rail) => {
                rail.mw = rail.mw.or(Some(told.mw));
                rail.mean_mw = rail.mean_mw.or(told.mean_mw);
            }
            None => machine.rails.push(Rail {
                name: told.name.clone(),
                mw: Some(told.mw),
                mean_mw: told.mean_mw,
                ..Rail::default()
            }),
        }
    }
    machine.total_mw = machine.total_mw.or_else(|| power::total_mw(&machine.rails));
}
