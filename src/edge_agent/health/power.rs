//! Power: the monitors on the I²C buses that say they are an INA3221 (the module's rails) or an INA238 (Thor's input).

use super::tree::{Tree, tenth};
use crate::station::machine::Rail;

const DEVICES: &str = "/sys/bus/i2c/devices";
/// The chip's channel with the sum of what it measures across its resistors: no rail.
const SUM_CHANNEL: u32 = 7;
/// The rails that measure all that comes in, by their names.
const INPUTS: [&str; 3] = ["VIN", "VDD_IN", "POM_5V_IN"];

/// The rails, in the order of their chips and channels.
pub(super) fn read(tree: &Tree<'_>) -> Vec<Rail> {
    let mut rails = Vec::new();
    for device in tree.names(DEVICES) {
        let folder = format!("{DEVICES}/{device}");
        let Some(chip) = tree.text(&format!("{folder}/name")).map(|name| name.to_ascii_lowercase()) else { continue };
        if !chip.contains("ina3221") && !chip.contains("ina238") {
            continue;
        }
        for (_, node) in tree.numbered(&format!("{folder}/hwmon"), "hwmon") {
            if chip.contains("ina238") {
                rails.extend(input(tree, &node));
            } else {
                channels(tree, &node, &mut rails);
            }
        }
        // The driver before JetPack 5.
        for (_, node) in tree.numbered(&folder, "iio:device") {
            old_channels(tree, &node, &mut rails);
        }
    }
    rails
}

/// The power in all, mW: the rail that measures what comes in, or else the sum.
pub(super) fn total_mw(rails: &[Rail]) -> Option<f64> {
    let input = INPUTS.iter().find_map(|name| rails.iter().find(|rail| rail.name == *name)?.mw);
    let known: Vec<f64> = rails.iter().filter_map(|rail| rail.mw).collect();
    input.or_else(|| (!known.is_empty()).then(|| tenth(known.iter().sum())))
}

/// Channels that nothing is on are named NC, *not connected*.
fn is_rail(name: &str) -> bool {
    name != "NC"
}

fn channels(tree: &Tree<'_>, node: &str, rails: &mut Vec<Rail>) {
    for file in tree.names(node) {
        let number = |file: &str| -> Option<u32> { file.strip_prefix("in")?.strip_suffix("_label")?.parse().ok() };
        let Some(channel) = number(&file) else { continue };
        let Some(name) = tree.text(&format!("{node}/{file}")).filter(|name| channel != SUM_CHANNEL && is_rail(name))
        else {
            continue;
        };
        // mV and mA, by the kernel's rules for hwmon.
        let mv = tree.number(&format!("{node}/in{channel}_input"));
        let ma = tree.number(&format!("{node}/curr{channel}_input"));
        let mw = mv.zip(ma).map(|(mv, ma)| tenth(mv * ma / 1000.0));
        rails.push(Rail { name, mw, mv, ma, mean_mw: None });
    }
}

fn input(tree: &Tree<'_>, node: &str) -> Option<Rail> {
    let mv = tree.number(&format!("{node}/in1_input"));
    let ma = tree.number(&format!("{node}/curr1_input"));
    let told = tree.number(&format!("{node}/power1_input")).map(|microwatt| tenth(microwatt / 1000.0));
    let mw = told.or_else(|| mv.zip(ma).map(|(mv, ma)| tenth(mv * ma / 1000.0)))?;
    Some(Rail { name: "VIN".into(), mw: Some(mw), mv, ma, mean_mw: None })
}

fn old_channels(tree: &Tree<'_>, node: &str, rails: &mut Vec<Rail>) {
    for (channel, file) in tree.numbered(node, "rail_name_") {
        let Some(name) = tree.text(&file).filter(|name| is_rail(name)) else { continue };
        let number = |quantity: &str| tree.number(&format!("{node}/in_{quantity}{channel}_input"));
        let (mv, ma, told) = (number("voltage"), number("current"), number("power"));
        let mw = told.or_else(|| mv.zip(ma).map(|(mv, ma)| tenth(mv * ma / 1000.0)));
        rails.push(Rail { name, mw, mv, ma, mean_mw: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rails(given: &[(&str, Option<f64>)]) -> Vec<Rail> {
        given.iter().map(|(name, mw)| Rail { name: (*name).into(), mw: *mw, ..Rail::default() }).collect()
    }

    #[test]
    fn the_total_is_the_input_or_else_the_sum() {
        let nano = rails(&[("POM_5V_GPU", Some(40.0)), ("POM_5V_IN", Some(1997.0)), ("POM_5V_CPU", Some(203.0))]);
        assert_eq!(total_mw(&nano), Some(1997.0));
        let orin = rails(&[("VDD_GPU_SOC", Some(2340.0)), ("VDD_CPU_CV", Some(390.0)), ("VIN_SYS_5V0", Some(4025.0))]);
        assert_eq!(total_mw(&orin), Some(6755.0));
        assert_eq!(total_mw(&rails(&[("VIN", Some(9.0)), ("VDD_IN", Some(5.0))])), Some(9.0));
        assert_eq!(
            total_mw(&rails(&[("VDD_IN", None), ("VDD_SOC", Some(5.0))])),
            Some(5.0),
            "the input couldn't be read"
        );
        assert_eq!(total_mw(&[]), None);
    }
}
