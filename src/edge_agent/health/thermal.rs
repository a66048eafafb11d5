//! Temperatures: `/sys/class/thermal`, with the trip points, and the sensors of `/sys/class/hwmon` that are no zone's.

use super::tree::{Tree, tenth, trimmed};
use crate::station::machine::Zone;

const ZONES: &str = "/sys/class/thermal";
const SENSORS: &str = "/sys/class/hwmon";
/// A zone that is switched off reads −256 °C, on a Tegra.
const OFF_C: f64 = -255.0;
/// What a chip reads less than has no sensor connected, °C.
const OPEN_C: f64 = -60.0;
/// The system's *try again*: what a zone answers whose unit is switched off.
const EAGAIN: i32 = 11;
/// Trip points beyond these aren't set, °C.
const TRIP_C: std::ops::RangeInclusive<f64> = 1.0..=200.0;

/// Every temperature, in the order of the zones, then the sensors.
pub(super) fn read(tree: &Tree<'_>) -> Vec<Zone> {
    let zones = tree.numbered(ZONES, "thermal_zone").into_iter().filter_map(|(_, folder)| zone(tree, &folder));
    let mut found: Vec<Zone> = zones.collect();
    for (_, folder) in tree.numbered(SENSORS, "hwmon") {
        // A zone has a sensor that mirrors it.
        if !tree.has(&format!("{folder}/device/type")) || !tree.has(&format!("{folder}/device/policy")) {
            sensors(tree, &folder, &mut found);
        }
    }
    found
}

fn zone(tree: &Tree<'_>, folder: &str) -> Option<Zone> {
    let name = tree.text(&format!("{folder}/type"))?;
    // The power chip's zone is a constant of the driver, 100 or 50 °C: no temperature.
    if name.starts_with("PMIC") {
        return None;
    }
    let path = format!("{folder}/temp");
    let celsius = match tree.read(&path) {
        Ok(text) => {
            let Ok(milli) = trimmed(&text?).parse() else {
                tree.say(&path, "it holds no number");
                return None;
            };
            celsius(milli)
        }
        Err(error) if error.raw_os_error() == Some(EAGAIN) => None,
        Err(error) => {
            tree.note(&path, &error);
            return None;
        }
    };
    let (throttle_c, critical_c) = trips(tree, folder);
    Some(Zone { name, celsius, throttle_c, critical_c })
}

/// From m°C; absent where it is switched off.
fn celsius(milli: f64) -> Option<f64> {
    Some(tenth(milli / 1000.0)).filter(|celsius| *celsius > OFF_C)
}

/// Where it throttles and where it shuts down: the lowest trip point of the kind `passive` (or else `hot`), and of
/// `critical`.
fn trips(tree: &Tree<'_>, folder: &str) -> (Option<f64>, Option<f64>) {
    let mut lowest = [None::<f64>; 3];
    for name in tree.names(folder) {
        let Some(trip) = name.strip_suffix("_type").filter(|name| name.starts_with("trip_point_")) else { continue };
        let at = match tree.text(&format!("{folder}/{name}")).as_deref() {
            Some("passive") => 0,
            Some("hot") => 1,
            Some("critical") => 2,
            _ => continue,
        };
        let celsius = tree.number(&format!("{folder}/{trip}_temp")).map(|milli| tenth(milli / 1000.0));
        if let Some(celsius) = celsius.filter(|celsius| TRIP_C.contains(celsius)) {
            lowest[at] = Some(lowest[at].map_or(celsius, |known| known.min(celsius)));
        }
    }
    let [passive, hot, critical] = lowest;
    (passive.or(hot), critical)
}

/// A chip's sensors: `tempN_input`, with `tempN_label` and `tempN_crit` where it has them.
fn sensors(tree: &Tree<'_>, folder: &str, found: &mut Vec<Zone>) {
    let Some(chip) = tree.text(&format!("{folder}/name")) else { return };
    for name in tree.names(folder) {
        let Some(sensor) = name.strip_suffix("_input").filter(|name| name.starts_with("temp")) else { continue };
        // A card that is asleep refuses to be asked.
        let Some(milli) = tree.number_if(&format!("{folder}/{name}")) else { continue };
        let label = tree.text(&format!("{folder}/{sensor}_label"));
        let critical = tree.number_if(&format!("{folder}/{sensor}_crit")).map(|milli| tenth(milli / 1000.0));
        let short = sensor.trim_start_matches("temp");
        let name = match label {
            Some(label) => format!("{chip} {label}"),
            None if short == "1" => chip.clone(),
            None => format!("{chip} {short}"),
        };
        let celsius = tenth(milli / 1000.0);
        if celsius < OPEN_C {
            continue;
        }
        found.push(Zone {
            name,
            celsius: Some(celsius),
            throttle_c: None,
            critical_c: critical.filter(|c| TRIP_C.contains(c)),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_at_minus_256_is_off() {
        assert_eq!((celsius(-256_000.0), celsius(44_562.0), celsius(-3_500.0)), (None, Some(44.6), Some(-3.5)));
    }
}
