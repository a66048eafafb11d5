//! Network interfaces: `/sys/class/net`, and the radio's signal from `/proc/net/wireless`.

use super::tree::Tree;
use crate::station::machine::Interface;

const INTERFACES: &str = "/sys/class/net";
/// The kind of the loopback (Linux's `ARPHRD_LOOPBACK`).
const LOOPBACK: f64 = 772.0;

/// Every interface but the loopback and those that only are ports of a bridge of this machine's, as containers have them.
pub(super) fn read(tree: &Tree<'_>) -> Vec<Interface> {
    let signals = tree.text("/proc/net/wireless").unwrap_or_default();
    let one = |name: String| {
        let folder = format!("{INTERFACES}/{name}");
        let has = |file: &str| tree.has(&format!("{folder}/{file}"));
        if tree.number(&format!("{folder}/type"))? == LOOPBACK || (has("brport") && !has("device")) {
            return None;
        }
        let count = |file: &str| tree.text(&format!("{folder}/statistics/{file}")).and_then(|text| text.parse().ok());
        let sum = |files: [&str; 4]| files.iter().filter_map(|file| count(file)).fold(0, u64::saturating_add);
        // Tunnels say `unknown` while they carry.
        let state = tree.text(&format!("{folder}/operstate"));
        let carrier = || tree.number_if(&format!("{folder}/carrier")) == Some(1.0);
        let is_up = match state.as_deref() {
            Some("up") => true,
            Some("unknown") => carrier(),
            _ => false,
        };
        // An interface that is down refuses to tell its speed; −1 is unknown.
        let speed = tree.number_if(&format!("{folder}/speed")).filter(|speed| *speed > 0.0);
        Some(Interface {
            is_up,
            mbit_per_s: speed.filter(|_| is_up),
            signal_dbm: signal_dbm(&signals, &name),
            received_bytes: count("rx_bytes").unwrap_or(0),
            sent_bytes: count("tx_bytes").unwrap_or(0),
            errors: sum(["rx_errors", "tx_errors", "rx_dropped", "tx_dropped"]),
            name,
        })
    };
    tree.names(INTERFACES).into_iter().filter_map(one).collect()
}

/// From `/proc/net/wireless`, `wlan0: 0000   58.  -52.  -256 …`: the second figure is the level, in dBm where negative.
fn signal_dbm(wireless: &str, name: &str) -> Option<f64> {
    let line = wireless.lines().find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(':'))?;
    let level: f64 = line.split_whitespace().nth(2)?.trim_end_matches('.').parse().ok()?;
    (level < 0.0).then_some(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_the_radios_level() {
        let wireless = "Inter-| sta-|   Quality        |   Discarded packets\n face | tus | link level noise |  nwid  crypt\n\
                        wlan0: 0000   58.  -52.  -256        0      0      0      0      0        0\n wl1: 0000 40. 70. 0 0\n";
        assert_eq!((signal_dbm(wireless, "wlan0"), signal_dbm(wireless, "wlan")), (Some(-52.0), None));
        assert_eq!(signal_dbm(wireless, "wl1"), None, "an old driver's own scale");
    }
}
