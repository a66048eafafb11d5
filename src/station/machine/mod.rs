//! What a device says of its own hardware: as it rides in `DeviceHealth`, and as it is shown on the device itself.
//!
//! Whatever a board doesn't tell is absent, never zero. Unknown fields are passed over, so that a console reads a newer
//! agent and an older one. `bounds` says how much of it there may be, `derived` what follows from it.

mod bounds;
mod derived;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use self::bounds::check_machine;
pub use self::derived::Heat;
use super::shape::given;

/// The hardware's figures at one instant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Machine {
    /// When they were read.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "Timestamp")]
    pub read_at: Option<Timestamp>,
    /// Which board it is.
    pub board: Board,
    /// Seconds since the boot.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub uptime_s: Option<f64>,
    /// Load averages over 1, 5 and 15 minutes.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "[f64; 3]")]
    pub load_average: Option<[f64; 3]>,
    /// The processor's cores, by number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cores: Vec<Core>,
    /// The graphics processors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<Engine>,
    /// Memory controller (EMC) and other engines: NVENC, NVDEC, VIC, APE, DLA, PVA.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<Engine>,
    /// Main memory.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "Memory")]
    pub memory: Option<Memory>,
    /// Swap space; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "Memory")]
    pub swap: Option<Memory>,
    /// File systems on real devices, and the one the agent's data are on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<Disk>,
    /// Thermal zones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<Zone>,
    /// Power rails.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rails: Vec<Rail>,
    /// Power drawn in all, mW: the input's rail, or else the sum.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub total_mw: Option<f64>,
    /// Fans.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fans: Vec<Fan>,
    /// Network interfaces but the loopback.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<Interface>,
    /// The system clock.
    pub clock: SystemClock,
    /// What is there and could not be read, each as `thing: cause`; printable.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
}

/// Which board it is, and what runs on it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Board {
    /// The device tree's model, or what the firmware (DMI) says.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "String")]
    pub model: Option<String>,
    /// System on a chip, from the device tree's `compatible`: `tegra234`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "String")]
    pub soc: Option<String>,
    /// The module on its carrier, from the device tree: `p3767-0003`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "String")]
    pub module: Option<String>,
    /// Linux for Tegra, as `36.4.0`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "String")]
    pub l4t: Option<String>,
    /// JetPack, as `6.1` where it is installed as a package, or else the generation that this L4T belongs to, as `6`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "String")]
    pub jetpack: Option<String>,
    /// Distribution and version, from `/etc/os-release`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "String")]
    pub os: Option<String>,
    /// Kernel's release.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "String")]
    pub kernel: Option<String>,
    /// Power mode by its name, as `MAXN` or `15W`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "String")]
    pub power_mode: Option<String>,
    /// Why it last started, where the board tells, with the board's own word: `watchdog (BCCPLEXWDT)`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "String")]
    pub reset_reason: Option<String>,
    /// The boot's random id.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "String")]
    pub boot_id: Option<String>,
}

/// One core.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Core {
    /// Whether it is switched on.
    pub online: bool,
    /// Share of the time it was busy since the reading before, %, 0 to 100; absent at the first reading.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0, max = 100))]
    pub load_pct: Option<f64>,
    /// Its clock, MHz.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub mhz: Option<f64>,
    /// Its greatest clock in this power mode, MHz.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub max_mhz: Option<f64>,
    /// Its frequency governor.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "String")]
    pub governor: Option<String>,
}

/// A unit with a clock and a load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Engine {
    /// Its name, as the board has it.
    pub name: String,
    /// Whether it is switched on.
    pub online: bool,
    /// How busy it is, %, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0, max = 100))]
    pub load_pct: Option<f64>,
    /// Its clock, MHz; one for each cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mhz: Vec<f64>,
    /// Its greatest clock in this power mode, MHz.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub max_mhz: Option<f64>,
    /// Its frequency governor.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "String")]
    pub governor: Option<String>,
}

/// Memory or swap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// In all, MiB.
    pub total_mib: f64,
    /// In use and not to be had at once, MiB.
    pub used_mib: f64,
    /// The largest free piece, MiB: what can be had at one go, as a graphics processor wants it. Not of swap.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub largest_free_mib: Option<f64>,
}

/// A file system.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Disk {
    /// Where it is mounted.
    pub mount: String,
    /// Its device, as `mmcblk0p1`.
    pub device: String,
    /// In all, MiB.
    pub total_mib: f64,
    /// Free for the agent, MiB.
    pub free_mib: f64,
    /// Whether it can't be written to.
    pub read_only: bool,
    /// Share of its life used up at most, %, 0 to 110: an eMMC tells it in steps of ten, and 110 is beyond its life.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub wear_pct: Option<f64>,
    /// Whether the agent's data are on it.
    pub has_data: bool,
}

/// A thermal zone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Zone {
    /// Its name, as the board has it.
    pub name: String,
    /// Its temperature, °C; absent where the zone is switched off.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub celsius: Option<f64>,
    /// Where the board begins to throttle, °C, by its own trip points.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub throttle_c: Option<f64>,
    /// Where the board shuts down, °C, by its own trip points.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub critical_c: Option<f64>,
}

/// A power rail.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Rail {
    /// Its name, as the board has it.
    pub name: String,
    /// Power, mW.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub mw: Option<f64>,
    /// Voltage, mV.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub mv: Option<f64>,
    /// Current, mA.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub ma: Option<f64>,
    /// Mean power as the board tells it, mW.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub mean_mw: Option<f64>,
}

/// A fan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Fan {
    /// Its name, as the board has it.
    pub name: String,
    /// How hard it is driven, %, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64", range(min = 0, max = 100))]
    pub duty_pct: Option<f64>,
    /// How fast it turns, 1/min.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub rpm: Option<f64>,
}

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Whether a cable or a network is on it.
    pub is_up: bool,
    /// Its speed, Mbit/s.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub mbit_per_s: Option<f64>,
    /// Radio signal, dBm.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "f64")]
    pub signal_dbm: Option<f64>,
    /// Bytes received since it was there.
    pub received_bytes: u64,
    /// Bytes sent since it was there.
    pub sent_bytes: u64,
    /// Packets broken or dropped, both ways, since it was there.
    pub errors: u64,
}

/// How the system clock is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SystemClock {
    /// Whether the system's time service has set it in this boot; absent where none tells.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schemars(with = "bool")]
    pub synchronised: Option<bool>,
}
