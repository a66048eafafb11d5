//! Fans: `/sys/class/hwmon`, where how hard one is driven and how fast it turns may be two nodes, and the older
//! `/sys/devices/pwm-fan`.

use std::path::PathBuf;

use super::tree::{Tree, tenth};
use crate::station::machine::Fan;

const NODES: &str = "/sys/class/hwmon";
const OLD: &str = "/sys/devices/pwm-fan";
/// A duty's whole.
const WHOLE_DUTY: f64 = 255.0;

/// What one node tells of a fan.
#[derive(Debug, Clone, Default)]
struct Half {
    name: String,
    /// The device in the device tree that it belongs to.
    of_node: Option<PathBuf>,
    duty_pct: Option<f64>,
    rpm: Option<f64>,
}

/// The fans that are driven or turn.
pub(super) fn read(tree: &Tree<'_>) -> Vec<Fan> {
    let mut halves: Vec<Half> =
        tree.numbered(NODES, "hwmon").iter().flat_map(|(_, node)| of_node(tree, node)).collect();
    if halves.iter().all(|half| half.duty_pct.is_none()) {
        halves.extend(old(tree));
    }
    matched(halves)
}

/// Puts what turns to what drives it: by the same number in the same node, the same device, or because there is one of
/// each and nothing else.
fn matched(halves: Vec<Half>) -> Vec<Fan> {
    let (mut driven, mut turning): (Vec<_>, Vec<_>) = halves.into_iter().partition(|half| half.duty_pct.is_some());
    let is_same = |fan: &Half, other: &Half| fan.of_node.is_some() && fan.of_node == other.of_node;
    for fan in driven.iter_mut().filter(|fan| fan.rpm.is_none()) {
        let Some(at) = turning.iter().position(|other| is_same(fan, other)) else { continue };
        fan.rpm = turning.remove(at).rpm;
    }
    let lacking = driven.iter().filter(|fan| fan.rpm.is_none()).count();
    if lacking == 1
        && turning.len() == 1
        && let Some(fan) = driven.iter_mut().find(|fan| fan.rpm.is_none())
    {
        fan.rpm = turning.remove(0).rpm;
    }
    driven.append(&mut turning);
    driven.into_iter().map(|half| Fan { name: half.name, duty_pct: half.duty_pct, rpm: half.rpm }).collect()
}

/// The fans of a node: `pwmN` with `fanN_input`, or one with `rpm`.
fn of_node(tree: &Tree<'_>, node: &str) -> Vec<Half> {
    let names = tree.names(node);
    let number = |name: &str, before: &str, after: &str| -> Option<u32> {
        name.strip_prefix(before)?.strip_suffix(after)?.parse().ok()
    };
    let mut numbers: Vec<u32> = names
        .iter()
        .filter_map(|name| number(name, "pwm", "").or_else(|| number(name, "fan", "_input")))
        .chain(names.iter().any(|name| name == "rpm" || name == "rpm_measured").then_some(1))
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.is_empty() {
        return Vec::new();
    }
    let chip = tree.text(&format!("{node}/name")).unwrap_or_else(|| "fan".to_owned());
    let only = numbers.len() == 1;
    let half = |number: u32| {
        let rpm = |file: &str| tree.number_if(&format!("{node}/{file}"));
        let first = || rpm("rpm").or_else(|| rpm("rpm_measured"));
        Half {
            name: if only { chip.clone() } else { format!("{chip} {number}") },
            of_node: tree.target(&format!("{node}/of_node")),
            duty_pct: tree.number_if(&format!("{node}/pwm{number}")).map(duty),
            rpm: rpm(&format!("fan{number}_input")).or_else(|| if number == 1 { first() } else { None }),
        }
    };
    let told = |half: &Half| half.duty_pct.or(half.rpm).is_some();
    numbers.into_iter().map(half).filter(told).collect()
}

/// The fan of JetPack 4 and before.
fn old(tree: &Tree<'_>) -> Option<Half> {
    let cur = tree.number_if(&format!("{OLD}/cur_pwm"));
    let duty_pct = cur.or_else(|| tree.number_if(&format!("{OLD}/target_pwm"))).map(duty)?;
    let rpm = tree.number_if(&format!("{OLD}/rpm_measured"));
    Some(Half { name: "pwm-fan".into(), duty_pct: Some(duty_pct), rpm, ..Half::default() })
}

fn duty(pwm: f64) -> f64 {
    tenth((100.0 * pwm / WHOLE_DUTY).clamp(0.0, 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(name: &str, duty_pct: Option<f64>, rpm: Option<f64>, of_node: Option<&str>) -> Half {
        Half { name: name.into(), duty_pct, rpm, of_node: of_node.map(PathBuf::from) }
    }

    fn fan(name: &str, duty_pct: Option<f64>, rpm: Option<f64>) -> Fan {
        Fan { name: name.into(), duty_pct, rpm }
    }

    #[test]
    fn two_nodes_of_one_fan_become_one() {
        let orin = vec![half("tach", None, Some(1490.0), None), half("pwmfan", Some(20.0), None, None)];
        assert_eq!(matched(orin), [fan("pwmfan", Some(20.0), Some(1490.0))]);
        let two = vec![
            half("a", Some(20.0), None, Some("/x")),
            half("b", Some(30.0), None, Some("/y")),
            half("t", None, Some(2.0), Some("/y")),
            half("u", None, Some(1.0), Some("/x")),
        ];
        assert_eq!(matched(two), [fan("a", Some(20.0), Some(1.0)), fan("b", Some(30.0), Some(2.0))]);
        let unclear =
            vec![half("a", Some(20.0), None, None), half("t", None, Some(2.0), None), half("u", None, Some(1.0), None)];
        let apart = [fan("a", Some(20.0), None), fan("t", None, Some(2.0)), fan("u", None, Some(1.0))];
        assert_eq!(matched(unclear), apart, "nothing says which turns");
    }
}
