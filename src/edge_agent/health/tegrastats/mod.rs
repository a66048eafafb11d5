//! What NVIDIA's `tegrastats` prints, as another source of the machine's figures.
//!
//! `scan` reads a line, `fill` puts what the kernel's files lack into a machine, `run` keeps the program running.

mod fill;
mod run;
mod scan;

use jiff::civil::DateTime;

pub(super) use self::fill::fill;
pub(super) use self::run::{Newest, run};

/// A line, read. What it doesn't have, or what was cut off, is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Line {
    /// The local time at its beginning, on JetPack 5 and later.
    pub at: Option<DateTime>,
    /// Main memory.
    pub ram: Option<Ram>,
    /// Swap.
    pub swap: Option<Swap>,
    /// The video engines' own memory.
    pub iram: Option<Iram>,
    /// The processor's cores.
    pub cores: Vec<Core>,
    /// Memory controller, graphics processors and other engines.
    pub units: Vec<Unit>,
    /// The processor's code translation (Denver and Carmel cores).
    pub mts: Option<Mts>,
    /// Temperatures.
    pub temperatures: Vec<Temperature>,
    /// Power rails.
    pub rails: Vec<Rail>,
    /// Words that aren't known.
    pub unknown: Vec<String>,
}

/// `RAM 2020/7852MB (lfb 1164x4MB)`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Ram {
    pub used_mib: f64,
    pub total_mib: f64,
    /// How many there are of the largest free blocks, and how large these are, KiB.
    pub free_blocks: Option<(u32, f64)>,
}

/// `SWAP 0/1978MB (cached 0MB)`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Swap {
    pub used_mib: f64,
    pub total_mib: f64,
    pub cached_mib: Option<f64>,
}

/// `IRAM 0/252kB(lfb 252kB)`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Iram {
    pub used_kib: f64,
    pub total_kib: f64,
    pub largest_free_kib: Option<f64>,
}

/// `7%@1224`, `7%` or `off`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Core {
    pub online: bool,
    pub load_pct: Option<f64>,
    pub mhz: Option<f64>,
}

/// `GR3D_FREQ 12%@[1300,1300]`, `EMC_FREQ @2133`, `APE 174`, `VIC off`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Unit {
    /// Its name without `_FREQ`.
    pub name: String,
    pub online: bool,
    pub load_pct: Option<f64>,
    /// One clock for each cluster, MHz.
    pub mhz: Vec<f64>,
}

/// `MTS fg 0% bg 3%`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Mts {
    pub foreground_pct: f64,
    pub background_pct: f64,
}

/// `tj@44.343C`; on JetPack 7 `cpu@52.968C/52.968C`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Temperature {
    pub name: String,
    /// Absent where the zone is switched off (−256 °C).
    pub celsius: Option<f64>,
    /// The greatest since the start (JetPack 7).
    pub max_celsius: Option<f64>,
}

/// `VDD_IN 3140/3208`, with or without `mW`; on JetPack 7 a third value.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rail {
    pub name: String,
    pub mw: f64,
    /// The mean since the start.
    pub mean_mw: Option<f64>,
    /// The third value of JetPack 7.
    pub third_mw: Option<f64>,
}

impl Line {
    /// Reads a line. Where it doesn't end in a line break its last word may be cut off, and isn't taken.
    pub fn read(text: &str) -> Self {
        scan::scan(text)
    }
}

#[cfg(test)]
mod tests;
