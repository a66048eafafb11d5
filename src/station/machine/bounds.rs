//! How much there may be of a machine's figures, and between which bounds.
//!
//! The same walk tidies what a device reads of itself and finds what is wrong with what came from outside: what it would
//! have to change is wrong.

use super::{Board, Core, Disk, Engine, Fan, Interface, Machine, Memory, Rail, Zone};
use crate::station::checks::InvalidMessage;
use crate::station::text::printable;

/// Characters of a name.
const MAX_NAME: usize = 64;
/// Characters of a longer text: a model, a mount point, why something isn't read.
const MAX_TEXT: usize = 200;
/// Cores.
const MAX_CORES: usize = 512;
/// Entries of any other list.
const MAX_ENTRIES: usize = 64;

const PCT: (f64, f64) = (0.0, 100.0);
const CELSIUS: (f64, f64) = (-273.15, 1000.0);
const MHZ: (f64, f64) = (0.0, 1e5);
const MIB: (f64, f64) = (0.0, 1e12);
/// mW, mV, mA: a current may flow back.
const ELECTRIC: (f64, f64) = (-1e9, 1e9);

/// Walks through the figures, brings each within its bounds, and keeps the first that wasn't.
#[derive(Debug, Default)]
struct Walk {
    wrong: Option<InvalidMessage>,
}

impl Machine {
    /// Itself within the bounds of a message: what is no number or outside its range is left out, texts are made
    /// printable and shortened, lists cut.
    #[must_use]
    pub fn tidied(mut self) -> Self {
        Walk::default().machine(&mut self);
        self
    }
}

/// Whether `machine` is within the bounds. The error names the field.
pub(in crate::station) fn check_machine(machine: &Machine) -> Result<(), InvalidMessage> {
    let mut walk = Walk::default();
    walk.machine(&mut machine.clone());
    walk.wrong.map_or(Ok(()), Err)
}

impl Walk {
    fn machine(&mut self, machine: &mut Machine) {
        self.board(&mut machine.board);
        self.number("machine.uptimeS", &mut machine.uptime_s, (0.0, 1e12));
        if machine.load_average.is_some_and(|loads| !loads.iter().all(|load| (0.0..=1e6).contains(load))) {
            self.found(|| InvalidMessage::Shape("machine.loadAverage: not three numbers of 0 to 1000000".into()));
            machine.load_average = None;
        }
        self.list("machine.cores", &mut machine.cores, MAX_CORES, Self::core);
        self.list("machine.gpus", &mut machine.gpus, MAX_ENTRIES, |walk, gpu| walk.engine("machine.gpus", gpu));
        let engine = |walk: &mut Self, engine: &mut Engine| walk.engine("machine.engines", engine);
        self.list("machine.engines", &mut machine.engines, MAX_ENTRIES, engine);
        self.memory("machine.memory", &mut machine.memory);
        self.memory("machine.swap", &mut machine.swap);
        self.list("machine.disks", &mut machine.disks, MAX_ENTRIES, Self::disk);
        self.list("machine.zones", &mut machine.zones, MAX_ENTRIES, Self::zone);
        self.list("machine.rails", &mut machine.rails, MAX_ENTRIES, Self::rail);
        self.number("machine.totalMw", &mut machine.total_mw, ELECTRIC);
        self.list("machine.fans", &mut machine.fans, MAX_ENTRIES, Self::fan);
        self.list("machine.interfaces", &mut machine.interfaces, MAX_ENTRIES, Self::interface);
        let unread = |walk: &mut Self, text: &mut String| walk.text("machine.unread", text, MAX_TEXT);
        self.list("machine.unread", &mut machine.unread, MAX_ENTRIES, unread);
    }

    fn board(&mut self, board: &mut Board) {
        let texts = [
            ("machine.board.model", &mut board.model),
            ("machine.board.soc", &mut board.soc),
            ("machine.board.module", &mut board.module),
            ("machine.board.l4t", &mut board.l4t),
            ("machine.board.jetpack", &mut board.jetpack),
            ("machine.board.os", &mut board.os),
            ("machine.board.kernel", &mut board.kernel),
            ("machine.board.powerMode", &mut board.power_mode),
            ("machine.board.resetReason", &mut board.reset_reason),
            ("machine.board.bootId", &mut board.boot_id),
        ];
        for (field, text) in texts {
            self.maybe_text(field, text, MAX_TEXT);
        }
    }

    fn core(&mut self, core: &mut Core) {
        self.number("machine.cores.loadPct", &mut core.load_pct, PCT);
        self.number("machine.cores.mhz", &mut core.mhz, MHZ);
        self.number("machine.cores.maxMhz", &mut core.max_mhz, MHZ);
        self.maybe_text("machine.cores.governor", &mut core.governor, MAX_NAME);
    }

    fn engine(&mut self, field: &'static str, engine: &mut Engine) {
        self.text(field, &mut engine.name, MAX_NAME);
        self.number(field, &mut engine.load_pct, PCT);
        self.list(field, &mut engine.mhz, MAX_ENTRIES, |walk, mhz| walk.needed(field, mhz, MHZ));
        self.number(field, &mut engine.max_mhz, MHZ);
        self.maybe_text(field, &mut engine.governor, MAX_NAME);
    }

    fn memory(&mut self, field: &'static str, memory: &mut Option<Memory>) {
        let Some(memory) = memory else { return };
        self.needed(field, &mut memory.total_mib, MIB);
        self.needed(field, &mut memory.used_mib, MIB);
        self.number(field, &mut memory.largest_free_mib, MIB);
    }

    fn disk(&mut self, disk: &mut Disk) {
        self.text("machine.disks.mount", &mut disk.mount, MAX_TEXT);
        self.text("machine.disks.device", &mut disk.device, MAX_NAME);
        self.needed("machine.disks.totalMib", &mut disk.total_mib, MIB);
        self.needed("machine.disks.freeMib", &mut disk.free_mib, MIB);
        self.number("machine.disks.wearPct", &mut disk.wear_pct, (0.0, 1000.0));
    }

    fn zone(&mut self, zone: &mut Zone) {
        self.text("machine.zones.name", &mut zone.name, MAX_NAME);
        self.number("machine.zones.celsius", &mut zone.celsius, CELSIUS);
        self.number("machine.zones.throttleC", &mut zone.throttle_c, CELSIUS);
        self.number("machine.zones.criticalC", &mut zone.critical_c, CELSIUS);
    }

    fn rail(&mut self, rail: &mut Rail) {
        self.text("machine.rails.name", &mut rail.name, MAX_NAME);
        self.number("machine.rails.mw", &mut rail.mw, ELECTRIC);
        self.number("machine.rails.mv", &mut rail.mv, ELECTRIC);
        self.number("machine.rails.ma", &mut rail.ma, ELECTRIC);
        self.number("machine.rails.meanMw", &mut rail.mean_mw, ELECTRIC);
    }

    fn fan(&mut self, fan: &mut Fan) {
        self.text("machine.fans.name", &mut fan.name, MAX_NAME);
        self.number("machine.fans.dutyPct", &mut fan.duty_pct, PCT);
        self.number("machine.fans.rpm", &mut fan.rpm, (0.0, 1e6));
    }

    fn interface(&mut self, interface: &mut Interface) {
        self.text("machine.interfaces.name", &mut interface.name, MAX_NAME);
        self.number("machine.interfaces.mbitPerS", &mut interface.mbit_per_s, (0.0, 1e8));
        self.number("machine.interfaces.signalDbm", &mut interface.signal_dbm, (-300.0, 300.0));
    }

    fn list<T>(
        &mut self,
        field: &'static str,
        list: &mut Vec<T>,
        most: usize,
        mut each: impl FnMut(&mut Self, &mut T),
    ) {
        if list.len() > most {
            let count = list.len();
            self.found(|| InvalidMessage::Shape(format!("{field}: {count} entries, more than {most}")));
            list.truncate(most);
        }
        list.iter_mut().for_each(|entry| each(self, entry));
    }

    fn number(&mut self, field: &'static str, number: &mut Option<f64>, range: (f64, f64)) {
        let Some(value) = *number else { return };
        if !self.is_within(field, value, range) {
            *number = None;
        }
    }

    fn needed(&mut self, field: &'static str, number: &mut f64, range: (f64, f64)) {
        if !self.is_within(field, *number, range) {
            *number = 0.0;
        }
    }

    fn is_within(&mut self, field: &'static str, value: f64, (low, high): (f64, f64)) -> bool {
        let is_within = (low..=high).contains(&value);
        if !value.is_finite() {
            self.found(|| InvalidMessage::NotFinite { field });
        } else if !is_within {
            self.found(|| InvalidMessage::OutOfRange { field, value, low, high });
        }
        is_within
    }

    fn maybe_text(&mut self, field: &'static str, text: &mut Option<String>, most: usize) {
        let Some(given) = text else { return };
        self.text(field, given, most);
        if given.is_empty() {
            *text = None;
        }
    }

    fn text(&mut self, field: &'static str, text: &mut String, most: usize) {
        let kept: String = printable(text).chars().take(most).collect();
        if kept != *text {
            self.found(|| InvalidMessage::Shape(format!("{field}: not printable, or longer than {most} characters")));
            *text = kept;
        }
    }

    fn found(&mut self, wrong: impl FnOnce() -> InvalidMessage) {
        self.wrong.get_or_insert_with(wrong);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(machine: &Machine) -> String {
        check_machine(machine).expect_err("refused").to_string()
    }

    #[test]
    fn what_is_out_of_its_bounds_is_named() {
        let zone = Zone { name: "cpu\u{1b}[2J".into(), celsius: Some(41.0), ..Zone::default() };
        let machine = Machine { zones: vec![zone], ..Machine::default() };
        let zones = "machine.zones.name: not printable, or longer than 64 characters";
        assert!(wrong(&machine).ends_with(zones), "{}", wrong(&machine));
        let core = Core { load_pct: Some(104.0), ..Core::default() };
        let machine = Machine { cores: vec![core], ..Machine::default() };
        assert_eq!(wrong(&machine), "machine.cores.loadPct 104 is outside 0 to 100");
        let machine = Machine { unread: vec![String::new(); 65], ..Machine::default() };
        assert!(wrong(&machine).ends_with("machine.unread: 65 entries, more than 64"));
        let machine = Machine { load_average: Some([0.1, f64::NAN, 0.0]), ..Machine::default() };
        assert!(wrong(&machine).contains("machine.loadAverage"));
        let swap = Some(Memory { total_mib: f64::INFINITY, ..Memory::default() });
        assert_eq!(wrong(&Machine { swap, ..Machine::default() }), "machine.swap is not a finite number");
        let board = Board { model: Some("x".repeat(201)), ..Board::default() };
        assert!(wrong(&Machine { board, ..Machine::default() }).contains("machine.board.model"));
    }

    #[test]
    fn what_was_tidied_is_right_and_keeps_the_rest() {
        let gpu =
            Engine { name: "gpu\n0".into(), mhz: vec![f64::NAN, 306.0], load_pct: Some(-1.0), ..Engine::default() };
        let zone =
            Zone { name: "z".repeat(100), celsius: Some(f64::INFINITY), critical_c: Some(99.5), ..Zone::default() };
        let board = Board { model: Some("\u{7}".into()), soc: Some("tegra234".into()), ..Board::default() };
        let machine = Machine { gpus: vec![gpu], zones: vec![zone; 70], board, ..Machine::default() }.tidied();
        assert_eq!(check_machine(&machine), Ok(()));
        assert_eq!((machine.gpus[0].name.as_str(), machine.gpus[0].load_pct), ("gpu 0", None));
        assert_eq!(machine.gpus[0].mhz, [0.0, 306.0]);
        assert_eq!((machine.zones.len(), machine.zones[0].critical_c), (64, Some(99.5)));
        assert_eq!((machine.board.model, machine.board.soc.as_deref()), (None, Some("tegra234")));
        let whole = Machine { zones: machine.zones, ..Machine::default() };
        assert_eq!(whole.clone().tidied(), whole, "what is right stays as it is");
    }
}
