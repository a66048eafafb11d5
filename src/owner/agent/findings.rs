//! What is wrong on a device, and what to do about each: for whoever stands beside it.
//!
//! Rules on what the agent and the hardware say of themselves. Worst first. The thresholds are the board's own trip points
//! where it tells any.

mod link;
#[cfg(test)]
mod tests;

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::words::{minute, quiet_s};
use crate::edge_agent::report::{AgentReport, SensorReport, SensorState, VerdictStatus};
use crate::edge_agent::uplink::LinkTest;
use crate::owner::figures::span;
use crate::owner::lamp::Lamp;
use crate::station::machine::{Disk, Fan, Machine, Zone};
use crate::station::text::{printable, thousands};
pub(super) use link::test_findings;

/// A zone so near to its shutdown is about to reach it, K.
const NEAR_K: f64 = 3.0;
/// Free space from which a disk is nearly full: less than both.
const FREE_SHARE: f64 = 0.1;
const FREE_MIB: f64 = 2048.0;
/// Free space with which nothing can be written for long, MiB.
const FULL_MIB: f64 = 64.0;
/// Share of a disk's life from which it should be replaced, %.
const WORN_PCT: f64 = 80.0;
/// Memory in use from which the kernel soon ends programs, %.
const MEMORY_PCT: f64 = 92.0;
/// Duty from which a fan should turn, %.
const FAN_DUTY_PCT: f64 = 40.0;
/// Seconds without a reading that say nothing yet: ten minutes are one mean.
const QUIET_S: f64 = 600.0;
/// How many of the usual waits may pass without a reading.
const QUIET_GAPS: f64 = 5.0;
/// Characters of a reason that are shown.
const REASON: usize = 160;
/// Seconds after the boot for which a strange reset is news.
const RESET_NEWS_S: f64 = 86_400.0;

/// Something that a person should know of, and what to do about it. Its texts are printable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceFinding {
    /// [`Lamp::Failed`]: something doesn't work; [`Lamp::Warning`]: it will, or partly; [`Lamp::Unknown`]: good to know.
    pub lamp: Lamp,
    /// What it is about: `link`, `sensor board`.
    pub thing: String,
    /// What is the matter.
    pub cause: String,
    /// What to do.
    pub step: String,
}

impl DeviceFinding {
    pub(super) fn new(lamp: Lamp, thing: impl AsRef<str>, cause: impl AsRef<str>, step: impl AsRef<str>) -> Self {
        let [thing, cause, step] = [thing.as_ref(), cause.as_ref(), step.as_ref()].map(printable);
        Self { lamp, thing, cause, step }
    }

    /// How bad it is: the higher, the worse.
    pub(super) const fn rank(&self) -> u8 {
        match self.lamp {
            Lamp::Failed => 3,
            Lamp::Warning => 2,
            Lamp::Unknown => 1,
            Lamp::Ok => 0,
        }
    }

    /// `thing: cause`.
    #[must_use]
    pub fn trouble(&self) -> String {
        format!("{}: {}", self.thing, self.cause)
    }
}

/// What is known of a device beside what its agent says of itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// The hardware.
    pub machine: Option<&'a Machine>,
    /// The way to the hub when it was last tried.
    pub test: Option<&'a LinkTest>,
    /// Why the newest messages were set aside, newest first, and when.
    pub aside: &'a [(Timestamp, String)],
    /// The file of the agent's log.
    pub log_file: Option<&'a Path>,
}

impl Beside<'_> {
    /// Where the whole log is.
    fn log(&self) -> String {
        self.log_file.map_or_else(|| "the agent's log".to_owned(), |file| file.display().to_string())
    }
}

/// Everything there is to say of a device at `now` (wall clock), worst first.
#[must_use]
pub fn device_findings(report: &AgentReport, beside: Beside<'_>, now: Timestamp) -> Vec<DeviceFinding> {
    let mut found = agent_findings(report, beside, now);
    found.extend(beside.machine.map(machine_findings).unwrap_or_default());
    found.extend(beside.test.map(|test| test_findings(test, !report.uplink.connected)).unwrap_or_default());
    found.sort_by_key(|finding| std::cmp::Reverse(finding.rank()));
    found
}

/// What is wrong with an agent at `now` (wall clock), worst first, each as `thing: cause`; empty where all is well.
#[must_use]
pub fn agent_troubles(report: &AgentReport, now: Timestamp) -> Vec<String> {
    let mut found = agent_findings(report, Beside::default(), now);
    found.retain(|finding| matches!(finding.lamp, Lamp::Failed | Lamp::Warning));
    found.sort_by_key(|finding| std::cmp::Reverse(finding.rank()));
    found.iter().map(DeviceFinding::trouble).collect()
}

fn agent_findings(report: &AgentReport, beside: Beside<'_>, now: Timestamp) -> Vec<DeviceFinding> {
    let mut found = link::link(report, beside.test);
    if !report.clock.is_set {
        found.push(DeviceFinding::new(
            Lamp::Warning,
            "clock",
            format!("not set; {} messages are held until it is", thousands(report.outbox.held)),
            "let the device reach a time server (timedatectl status), or set it: date -u -s \"2026-01-31 12:00\"",
        ));
    }
    found.extend(source(report, beside).or_else(|| quiet(report, now)));
    found.extend(report.source.sensors.iter().filter_map(sensor));
    found.extend(store(report, beside));
    found.extend(camera(report));
    found.extend(twin(report));
    found.extend(model(report));
    found
}

fn model(report: &AgentReport) -> Vec<DeviceFinding> {
    let model = &report.model;
    let mut found = Vec::new();
    if let Some(fallback) = &model.fallback {
        let cause =
            format!("{} was given up: {}; {} makes the nowcasts", fallback.from, fallback.reason, model.current);
        let step = "deploy a better one, or the same again once its reason is gone (deploy_model)";
        found.push(DeviceFinding::new(Lamp::Warning, "model", cause, step));
    }
    if let Some((coming, error)) =
        model.deploying.as_ref().and_then(|coming| coming.error.as_ref().map(|e| (coming, e)))
    {
        let cause = format!("{} wasn't put to work: {error}", coming.model);
        let step = format!("deploy it again once that is mended; {} goes on", model.current);
        found.push(DeviceFinding::new(Lamp::Unknown, "model", cause, step));
    }
    found
}

fn source(report: &AgentReport, beside: Beside<'_>) -> Option<DeviceFinding> {
    let source = &report.source;
    if let Some(error) = &source.last_error {
        let step = format!("look what came before it in {}", beside.log());
        return Some(DeviceFinding::new(Lamp::Warning, "source", error, step));
    }
    if !source.has_source {
        let step = "set source.kind in the settings: sensors, lines or replay";
        return Some(DeviceFinding::new(Lamp::Unknown, "source", "nothing is measured: none is set up", step));
    }
    source.source_ended.then(|| {
        let step = "give it more to read, or start the agent anew";
        DeviceFinding::new(Lamp::Unknown, "source", format!("{} has ended", source.source), step)
    })
}

/// A source that says nothing of itself, and gives nothing: for much longer than it usually does.
fn quiet(report: &AgentReport, now: Timestamp) -> Option<DeviceFinding> {
    let source = &report.source;
    let all_absent =
        !source.sensors.is_empty() && source.sensors.iter().all(|sensor| sensor.state == SensorState::Absent);
    if source.source_ended || all_absent {
        return None;
    }
    let quiet_s = quiet_s(report, now)?;
    if quiet_s <= QUIET_S.max(QUIET_GAPS * source.gap_s.unwrap_or_default()) {
        return None;
    }
    let usual = source.gap_s.map(|gap| format!("; usually one comes within {}", span(gap))).unwrap_or_default();
    // How often one should come isn't known before the second.
    let lamp = if source.gap_s.is_some() { Lamp::Warning } else { Lamp::Unknown };
    let cause = format!("no reading for {}{usual}", span(quiet_s));
    let step = "check that what writes or sends the readings runs, and its cable";
    Some(DeviceFinding::new(lamp, "source", cause, step))
}

fn sensor(sensor: &SensorReport) -> Option<DeviceFinding> {
    if sensor.state != SensorState::Absent {
        return None;
    }
    let since = sensor.since.map(|at| format!("absent since {}", minute(at))).unwrap_or_else(|| "absent".into());
    let error = sensor.last_error.as_ref().map(|words| format!(": {words}")).unwrap_or_default();
    let step = match sensor.kind.as_str() {
        "bme280" | "bh1750" | "tsl2591" => "check its wires and address: i2cdetect -y BUS; it comes back by itself",
        "serial" => "check its cable and that nothing else has the port open; it comes back by itself",
        "mqtt" => "check that the broker runs and sends the topics; it comes back by itself",
        "sound" => "check the microphone: arecord -l; it comes back by itself",
        "rain" | "wind" | "vane" => "check its wires and the GPIO line: gpioinfo; it comes back by itself",
        _ => "run its program by hand to see what it says; it comes back by itself",
    };
    Some(DeviceFinding::new(Lamp::Warning, format!("sensor {}", sensor.name), since + &error, step))
}

fn store(report: &AgentReport, beside: Beside<'_>) -> Vec<DeviceFinding> {
    let outbox = &report.outbox;
    let mut found = Vec::new();
    if outbox.given_up > 0 {
        let cause = format!("{} messages were given up over the bound since it was made", thousands(outbox.given_up));
        let step = "mend the link; with more disk, raise agent.outbox_max_rows";
        found.push(DeviceFinding::new(Lamp::Unknown, "outbox", cause, step));
    }
    if outbox.set_aside > 0 {
        let (messages, were) = if outbox.set_aside == 1 { ("message", "was") } else { ("messages", "were") };
        let mut cause =
            format!("{} {messages} couldn't be processed and {were} set aside", thousands(outbox.set_aside));
        for (at, reason) in beside.aside {
            let reason: String = printable(reason).chars().take(REASON).collect();
            cause.push_str(&format!("; {}: {reason}", minute(*at)));
        }
        let step =
            format!("mend what made them; the method diagnose shows the newest ten, {} the others", beside.log());
        found.push(DeviceFinding::new(Lamp::Unknown, "outbox", cause, step));
    }
    if let Some(salvage) = &report.last_salvage {
        let step = "look at the disk: dmesg; an SD card that breaks files should be replaced";
        found.push(DeviceFinding::new(Lamp::Unknown, "outbox", format!("its file was broken: {salvage}"), step));
    }
    found
}

fn camera(report: &AgentReport) -> Vec<DeviceFinding> {
    let Some(camera) = &report.camera else { return Vec::new() };
    let mut found = Vec::new();
    if let Some(error) = &camera.last_error {
        let step = "check its cable; run camera.command by hand to see what it says";
        found.push(DeviceFinding::new(Lamp::Warning, "camera", error, step));
    }
    if camera.given_up > 0 {
        let cause = format!("{} pictures were thinned out over the spool's bound", thousands(camera.given_up));
        let step = "mend the link; with more disk, raise camera.spool_mib";
        found.push(DeviceFinding::new(Lamp::Unknown, "camera", cause, step));
    }
    found
}

fn twin(report: &AgentReport) -> Vec<DeviceFinding> {
    let refused = report.twin.verdicts.iter().filter(|(_, verdict)| verdict.status == VerdictStatus::Refused);
    let finding = |(key, verdict): (&String, &crate::edge_agent::report::Verdict)| {
        let cause = verdict.error.as_deref().unwrap_or("it isn't taken");
        DeviceFinding::new(Lamp::Unknown, format!("twin {key}"), format!("refused: {cause}"), "mend it at the hub")
    };
    refused.map(finding).collect()
}

pub(super) fn machine_findings(machine: &Machine) -> Vec<DeviceFinding> {
    let mut found: Vec<_> = machine.zones.iter().filter_map(zone).collect();
    found.extend(machine.disks.iter().filter_map(disk));
    found.extend(machine.disks.iter().filter_map(worn));
    // Of several, some may have nothing plugged in.
    found.extend(machine.fans.iter().filter(|_| machine.fans.len() == 1).filter_map(fan));
    if let Some(memory) = machine.memory.filter(|memory| memory.total_mib > 0.0) {
        let used_pct = 100.0 * memory.used_mib / memory.total_mib;
        if used_pct >= MEMORY_PCT {
            let cause = format!("{used_pct:.0} % of {:.0} MiB in use", memory.total_mib);
            let step = "see what takes it (ps aux --sort -rss | head) and end it; the kernel ends programs otherwise";
            found.push(DeviceFinding::new(Lamp::Warning, "memory", cause, step));
        }
    }
    if machine.clock.synchronised == Some(false) {
        let step = "let the device reach a time server: timedatectl status";
        found.push(DeviceFinding::new(Lamp::Unknown, "clock", "no time server keeps it right", step));
    }
    if !machine.interfaces.is_empty() && !machine.interfaces.iter().any(|interface| interface.is_up) {
        let step = "check the cable, or the wireless network: ip link, nmcli device";
        found.push(DeviceFinding::new(Lamp::Failed, "network", "no interface is up", step));
    }
    let is_news = machine.uptime_s.is_some_and(|uptime| uptime < RESET_NEWS_S);
    if let Some(reason) = machine.board.reset_reason.as_deref().filter(|reason| is_news && is_strange(reason)) {
        let step = "look for what came before it: journalctl -b -1 -e; a weak power supply does that too";
        found.push(DeviceFinding::new(Lamp::Unknown, "boot", format!("the last start came from: {reason}"), step));
    }
    // What isn't for this user to read is nothing to mend.
    let unread = machine.unread.iter().filter(|words| !words.ends_with(": Permission denied"));
    found.extend(unread.map(|words| {
        let (thing, cause) = words.split_once(": ").unwrap_or(("hardware", words));
        DeviceFinding::new(Lamp::Unknown, thing, format!("can't be read: {cause}"), "see the kernel's log: dmesg")
    }));
    found
}

/// Whether a start for this reason wasn't asked for by anybody.
fn is_strange(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    ["watchdog", "wdt", "sensor", "thermal", "brown", "lp0", "panic"].iter().any(|word| reason.contains(word))
}

pub(super) fn zone(zone: &Zone) -> Option<DeviceFinding> {
    let celsius = zone.celsius?;
    let (critical_c, throttle_c) = (zone.critical_at(), zone.throttles_at());
    let thing = format!("temperature {}", zone.name);
    let step = "check the fan, the vents and the sun on the box; nvpmodel with less power makes less heat";
    if celsius >= critical_c - NEAR_K {
        let cause = format!("{celsius:.1} °C; the board shuts down at {critical_c:.0} °C");
        return Some(DeviceFinding::new(Lamp::Failed, thing, cause, step));
    }
    (celsius >= throttle_c).then(|| {
        let cause = format!("{celsius:.1} °C; the board slows down from {throttle_c:.0} °C on");
        DeviceFinding::new(Lamp::Warning, thing, cause, step)
    })
}

pub(super) fn disk(disk: &Disk) -> Option<DeviceFinding> {
    let thing = format!("disk {}", disk.mount);
    if disk.read_only {
        let step = "an SD card that breaks becomes read-only: back up what is on it and replace it; dmesg says why";
        return disk.has_data.then(|| DeviceFinding::new(Lamp::Failed, thing, "can't be written to", step));
    }
    let step = "free some: journalctl --vacuum-size=100M, apt-get clean; du -xh --max-depth=2 / shows what is large";
    let cause = format!("{:.0} MiB free of {:.0}", disk.free_mib, disk.total_mib);
    if disk.has_data && disk.free_mib < FULL_MIB {
        return Some(DeviceFinding::new(Lamp::Failed, thing, cause, step));
    }
    let is_low = disk.free_mib < FREE_MIB && disk.free_mib < FREE_SHARE * disk.total_mib;
    is_low.then(|| DeviceFinding::new(Lamp::Warning, thing, cause, step))
}

pub(super) fn worn(disk: &Disk) -> Option<DeviceFinding> {
    let wear_pct = disk.wear_pct.filter(|wear| *wear >= WORN_PCT)?;
    let lamp = if wear_pct >= 100.0 { Lamp::Failed } else { Lamp::Warning };
    let cause = format!("{wear_pct:.0} % of its life is used up");
    let step = "plan its replacement; what is measured is in the warehouse once it is sent";
    Some(DeviceFinding::new(lamp, format!("disk {}", disk.device), cause, step))
}

pub(super) fn fan(fan: &Fan) -> Option<DeviceFinding> {
    let stands = fan.rpm.is_some_and(|rpm| rpm < 1.0) && fan.duty_pct.is_some_and(|duty| duty >= FAN_DUTY_PCT);
    stands.then(|| {
        let cause = format!("it is driven at {:.0} % and stands still", fan.duty_pct.unwrap_or_default());
        DeviceFinding::new(Lamp::Warning, format!("fan {}", fan.name), cause, "check its cable and its blades")
    })
}
