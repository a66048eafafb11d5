//! A machine's figures as people read them: gauges that a screen draws, and the same in a few facts.

use super::findings::{self, DeviceFinding};
use super::words::Fact;
use crate::owner::figures::{bytes_in_words, span};
use crate::owner::lamp::Lamp;
use crate::station::Machine;
use crate::station::machine::{Core, Disk, Engine, Fan, Heat, Interface, Memory, Rail, Zone};
use crate::station::text::{printable, thousands};

/// What a gauge is of. Gauges of one kind follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaugeKind {
    /// The board, and what runs on it: words alone.
    Board,
    /// A core.
    Processor,
    /// A graphics processor or another engine.
    Engine,
    /// Memory or swap.
    Memory,
    /// A file system.
    Disk,
    /// A temperature.
    Temperature,
    /// Power.
    Power,
    /// A fan.
    Fan,
    /// A network interface.
    Network,
    /// What couldn't be read.
    Unread,
}

/// One figure of a machine. Its texts are printable.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauge {
    /// What it is of.
    pub kind: GaugeKind,
    /// Its name.
    pub label: String,
    /// What is known.
    pub text: String,
    /// How it is doing; [`Lamp::Unknown`] where it can't do well or badly.
    pub lamp: Lamp,
    /// How much of a bound is used, 0 to 1; absent where there is none.
    pub share: Option<f64>,
    /// Where on that bound the board begins to throttle, 0 to 1.
    pub mark: Option<f64>,
}

impl Gauge {
    fn new(kind: GaugeKind, label: &str, text: impl AsRef<str>) -> Self {
        let (label, text) = (printable(label), printable(text.as_ref()));
        Self { kind, label, text, lamp: Lamp::Unknown, share: None, mark: None }
    }

    fn of_pct(self, pct: Option<f64>) -> Self {
        Self { share: pct.map(|pct| (pct / 100.0).clamp(0.0, 1.0)), ..self }
    }

    /// Lit as what is found to be the matter with it.
    fn lit(self, found: Option<DeviceFinding>) -> Self {
        Self { lamp: found.map_or(Lamp::Unknown, |found| found.lamp), ..self }
    }
}

/// Everything known of a machine, a gauge a figure.
#[must_use]
pub fn gauges(machine: &Machine) -> Vec<Gauge> {
    let mut gauges = board(machine);
    gauges.extend(machine.cores.iter().enumerate().map(|(number, one)| core(number, one)));
    gauges.extend(machine.gpus.iter().chain(&machine.engines).map(engine));
    gauges.extend(machine.memory.map(|one| memory("memory", &one)));
    gauges.extend(machine.swap.map(|one| memory("swap", &one)));
    gauges.extend(machine.disks.iter().map(disk));
    gauges.extend(machine.zones.iter().map(zone));
    let total = machine.total_mw.map(|mw| Gauge::new(GaugeKind::Power, "power in all", milliwatts(mw)));
    gauges.extend(total);
    gauges.extend(machine.rails.iter().map(|one| rail(one, machine.total_mw)));
    gauges.extend(machine.fans.iter().map(|one| fan(one, machine.fans.len() == 1)));
    gauges.extend(machine.interfaces.iter().map(interface));
    gauges.extend(machine.unread.iter().map(|words| Gauge::new(GaugeKind::Unread, "not read", words)));
    gauges
}

/// The same in a line a kind, as `status` writes it.
#[must_use]
pub fn machine_facts(machine: &Machine) -> Vec<Fact> {
    let gauges = gauges(machine);
    let of = |kind: GaugeKind| gauges.iter().filter(move |gauge| gauge.kind == kind);
    let mut facts: Vec<Fact> = of(GaugeKind::Board).map(|gauge| fact(board_label(&gauge.label), gauge)).collect();
    facts.extend(processor(machine));
    facts.extend(joined("engines", of(GaugeKind::Engine)));
    facts.extend(of(GaugeKind::Memory).map(|gauge| fact(if gauge.label == "swap" { "swap" } else { "memory" }, gauge)));
    for gauge in of(GaugeKind::Disk) {
        let text = format!("{}: {}", gauge.label, gauge.text);
        facts.push(Fact { text, ..fact("disk", gauge) });
    }
    facts.extend(joined("temperatures", of(GaugeKind::Temperature)));
    facts.extend(joined("power", of(GaugeKind::Power)));
    facts.extend(joined("fans", of(GaugeKind::Fan)));
    facts.extend(joined("network", of(GaugeKind::Network)));
    let unread: Vec<_> = of(GaugeKind::Unread).map(|gauge| gauge.text.as_str()).collect();
    if !unread.is_empty() {
        facts.push(Fact { label: "not read", text: unread.join("; "), lamp: Lamp::Unknown, share: None });
    }
    facts
}

fn board_label(label: &str) -> &'static str {
    ["board", "system", "power mode", "time service"].into_iter().find(|known| *known == label).unwrap_or("started")
}

fn fact(label: &'static str, gauge: &Gauge) -> Fact {
    Fact { label, text: gauge.text.clone(), lamp: gauge.lamp, share: gauge.share }
}

/// Several gauges in one line, lit as the worst of them.
fn joined<'a>(label: &'static str, gauges: impl Iterator<Item = &'a Gauge> + Clone) -> Option<Fact> {
    let words: Vec<String> = gauges.clone().map(|gauge| format!("{} {}", gauge.label, gauge.text)).collect();
    let lamp = gauges.map(|gauge| gauge.lamp).max()?;
    Some(Fact { label, text: words.join("; "), lamp, share: None })
}

fn processor(machine: &Machine) -> Option<Fact> {
    if machine.cores.is_empty() {
        return None;
    }
    let on = machine.cores.iter().filter(|core| core.online).count();
    let load = machine.cpu_load_pct();
    let mut text = format!("{on} cores on");
    let off = machine.cores.len() - on;
    if off > 0 {
        text.push_str(&format!(", {off} off"));
    }
    if let Some(load) = load {
        let loads: Vec<_> =
            machine.cores.iter().filter_map(|core| core.load_pct).map(|pct| format!("{pct:.0}")).collect();
        text.push_str(&format!("; busy {load:.0} % ({})", loads.join(" ")));
    }
    if let Some(fastest) = machine.cores.iter().filter_map(|core| core.mhz).reduce(f64::max) {
        text.push_str(&format!("; {fastest:.0} MHz"));
    }
    if let Some([one, five, fifteen]) = machine.load_average {
        text.push_str(&format!("; load {one:.2} {five:.2} {fifteen:.2}"));
    }
    Some(Fact { label: "processor", text, lamp: Lamp::Unknown, share: load.map(|load| load / 100.0) })
}

fn board(machine: &Machine) -> Vec<Gauge> {
    let board = &machine.board;
    let words = |words: [Option<String>; 3]| words.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let mut gauges = Vec::new();
    let mut push = |label: &str, text: String| {
        if !text.is_empty() {
            gauges.push(Gauge::new(GaugeKind::Board, label, text));
        }
    };
    push("board", words([board.model.clone(), board.soc.clone(), board.module.clone()]));
    let tegra = [
        board.l4t.as_ref().map(|l4t| format!("L4T {l4t}")),
        board.jetpack.as_ref().map(|jetpack| format!("JetPack {jetpack}")),
    ];
    let linux = board.kernel.as_ref().map(|kernel| format!("Linux {kernel}"));
    push(
        "system",
        words([
            board.os.clone(),
            linux,
            Some(words([tegra[0].clone(), tegra[1].clone(), None])).filter(|words| !words.is_empty()),
        ]),
    );
    push("power mode", board.power_mode.clone().unwrap_or_default());
    let up = machine.uptime_s.map(|seconds| format!("{} ago", span(seconds)));
    push("started", words([up, board.reset_reason.clone(), None]));
    if let Some(synchronised) = machine.clock.synchronised {
        push(
            "time service",
            if synchronised { "has set the clock" } else { "hasn't set the clock in this boot" }.to_owned(),
        );
    }
    gauges
}

fn core(number: usize, core: &Core) -> Gauge {
    let label = format!("cpu {number}");
    if !core.online {
        return Gauge::new(GaugeKind::Processor, &label, "off");
    }
    let load = core.load_pct.map(|load| format!("{load:.0} %"));
    let words: Vec<String> = [load, clock(core.mhz, core.max_mhz)].into_iter().flatten().collect();
    Gauge::new(GaugeKind::Processor, &label, words.join(", ")).of_pct(core.load_pct)
}

fn engine(engine: &Engine) -> Gauge {
    if !engine.online {
        return Gauge::new(GaugeKind::Engine, &engine.name, "off");
    }
    let load = engine.load_pct.map(|load| format!("{load:.0} %"));
    let clock = clock(engine.mhz.iter().copied().reduce(f64::max), engine.max_mhz);
    let words: Vec<String> = [load, clock].into_iter().flatten().collect();
    Gauge::new(GaugeKind::Engine, &engine.name, words.join(", ")).of_pct(engine.load_pct)
}

fn clock(mhz: Option<f64>, max_mhz: Option<f64>) -> Option<String> {
    match (mhz, max_mhz) {
        (Some(mhz), Some(max)) => Some(format!("{mhz:.0} of {max:.0} MHz")),
        (Some(mhz), None) => Some(format!("{mhz:.0} MHz")),
        (None, _) => None,
    }
}

fn memory(label: &str, memory: &Memory) -> Gauge {
    let mut text = format!("{} of {}", mib(memory.used_mib), mib(memory.total_mib));
    if let Some(largest) = memory.largest_free_mib {
        text.push_str(&format!(", largest free piece {}", mib(largest)));
    }
    Gauge::new(GaugeKind::Memory, label, text).of_pct(memory.used_pct())
}

fn disk(disk: &Disk) -> Gauge {
    let mut text = format!("{} of {} free, {}", mib(disk.free_mib), mib(disk.total_mib), disk.device);
    if let Some(wear) = disk.wear_pct {
        text.push_str(&if wear > 100.0 { ", worn out".to_owned() } else { format!(", worn by up to {wear:.0} %") });
    }
    if disk.read_only {
        text.push_str(", read-only");
    }
    if disk.has_data {
        text.push_str(", has the agent's data");
    }
    let found = findings::disk(disk).into_iter().chain(findings::worn(disk)).max_by_key(|found| found.lamp);
    Gauge::new(GaugeKind::Disk, &disk.mount, text).of_pct(disk.used_pct()).lit(found)
}

fn zone(zone: &Zone) -> Gauge {
    let gauge = |text: String| Gauge::new(GaugeKind::Temperature, &zone.name, text);
    let (Some(celsius), Some(heat)) = (zone.celsius, zone.heat()) else { return gauge("off".to_owned()) };
    let text = match heat {
        Heat::Normal => format!("{celsius:.1} °C"),
        Heat::Throttles => format!("{celsius:.1} °C, throttles from {:.0} °C", zone.throttles_at()),
        Heat::Critical => format!("{celsius:.1} °C, critical from {:.0} °C", zone.critical_at()),
    };
    let share = |celsius: f64| (celsius / zone.critical_at()).clamp(0.0, 1.0);
    Gauge { share: Some(share(celsius)), mark: Some(share(zone.throttles_at())), ..gauge(text) }
        .lit(findings::zone(zone))
}

fn rail(rail: &Rail, total_mw: Option<f64>) -> Gauge {
    let volts = rail.mv.zip(rail.ma).map(|(mv, ma)| format!("{:.2} V, {ma:.0} mA", mv / 1000.0));
    let mean = rail.mean_mw.map(|mw| format!("mean {}", milliwatts(mw)));
    let words: Vec<String> = [rail.mw.map(milliwatts), mean, volts].into_iter().flatten().collect();
    let share = rail.mw.zip(total_mw).filter(|(_, total)| *total > 0.0).map(|(mw, total)| (mw / total).clamp(0.0, 1.0));
    Gauge { share, ..Gauge::new(GaugeKind::Power, &rail.name, words.join(", ")) }
}

fn fan(fan: &Fan, is_only: bool) -> Gauge {
    let duty = fan.duty_pct.map(|duty| format!("{duty:.0} %"));
    let turns = fan.rpm.map(|rpm| format!("{}/min", whole(rpm)));
    let words: Vec<String> = [duty, turns].into_iter().flatten().collect();
    // Of several, some may have nothing plugged in.
    let found = findings::fan(fan).filter(|_| is_only);
    Gauge::new(GaugeKind::Fan, &fan.name, words.join(", ")).of_pct(fan.duty_pct).lit(found)
}

fn interface(interface: &Interface) -> Gauge {
    if !interface.is_up {
        return Gauge::new(GaugeKind::Network, &interface.name, "down");
    }
    let speed = interface.mbit_per_s.map(|mbit| format!("{mbit:.0} Mbit/s"));
    let signal = interface.signal_dbm.map(|dbm| format!("{dbm:.0} dBm"));
    let bytes =
        format!("in {}, out {}", bytes_in_words(interface.received_bytes), bytes_in_words(interface.sent_bytes));
    let errors = (interface.errors > 0).then(|| format!("{} errors", thousands(interface.errors)));
    let words: Vec<String> =
        [Some("up".to_owned()), speed, signal, Some(bytes), errors].into_iter().flatten().collect();
    Gauge::new(GaugeKind::Network, &interface.name, words.join(", "))
}

fn mib(mib: f64) -> String {
    if mib < 1024.0 { format!("{mib:.0} MiB") } else { format!("{:.1} GiB", mib / 1024.0) }
}

fn milliwatts(mw: f64) -> String {
    if mw.abs() < 1000.0 { format!("{mw:.0} mW") } else { format!("{:.2} W", mw / 1000.0) }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest whole number there is"
)]
fn whole(number: f64) -> String {
    thousands(number.round().max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::machine;
    use super::*;

    fn shown(gauges: &[Gauge]) -> String {
        let bar = |gauge: &Gauge| match (gauge.share, gauge.mark) {
            (Some(share), Some(mark)) => format!(" [{:.0} % of {:.0} %]", share * 100.0, mark * 100.0),
            (Some(share), None) => format!(" [{:.0} %]", share * 100.0),
            (None, _) => String::new(),
        };
        let line = |gauge: &Gauge| {
            format!(
                "{:<12}{:<16}{:<8}{}{}\n",
                format!("{:?}", gauge.kind),
                gauge.label,
                format!("{:?}", gauge.lamp),
                gauge.text,
                bar(gauge)
            )
        };
        gauges.iter().map(line).collect()
    }

    #[test]
    fn every_figure_of_a_jetson_has_its_gauge() {
        insta::assert_snapshot!("gauges", shown(&gauges(&machine())));
    }

    #[test]
    fn the_facts_say_the_same_in_fewer_lines() {
        let facts = machine_facts(&machine());
        let line = |fact: &Fact| format!("{:<14}{:<8}{}\n", fact.label, format!("{:?}", fact.lamp), fact.text);
        insta::assert_snapshot!("machine_facts", facts.iter().map(line).collect::<String>());
    }

    #[test]
    fn of_a_machine_nothing_is_known_of_nothing_is_said() {
        assert!(gauges(&Machine::default()).is_empty() && machine_facts(&Machine::default()).is_empty());
    }

    #[test]
    fn what_goes_badly_is_lit() {
        let zone = |celsius| Zone {
            name: "cpu".into(),
            celsius: Some(celsius),
            throttle_c: Some(97.0),
            critical_c: Some(102.0),
        };
        let disk = |free_mib, read_only, wear_pct| Disk {
            total_mib: 1000.0,
            free_mib,
            read_only,
            wear_pct,
            has_data: true,
            ..Disk::default()
        };
        let fan = Fan { name: "fan".into(), duty_pct: Some(80.0), rpm: Some(0.0) };
        let machine = Machine {
            disks: vec![
                disk(500.0, false, None),
                disk(90.0, false, None),
                disk(500.0, false, Some(90.0)),
                disk(0.0, true, None),
            ],
            zones: vec![zone(96.9), zone(97.0), zone(102.0)],
            fans: vec![fan],
            ..Machine::default()
        };
        let lamps: Vec<_> = gauges(&machine).iter().map(|gauge| gauge.lamp).collect();
        use Lamp::{Failed, Unknown, Warning};
        assert_eq!(lamps, [Unknown, Warning, Warning, Failed, Unknown, Warning, Failed, Warning]);
        let facts = machine_facts(&machine);
        assert_eq!(facts.iter().find(|fact| fact.label == "temperatures").map(|fact| fact.lamp), Some(Failed));
    }

    #[test]
    fn a_name_from_outside_moves_no_cursor() {
        let zones = vec![Zone { name: "x\u{1b}[2J".into(), celsius: Some(1.0), ..Zone::default() }];
        assert_eq!(gauges(&Machine { zones, ..Machine::default() })[0].label, "x[2J");
    }
}
