//! Why the board last started: a Tegra's power controller, or the watchdog's boot status elsewhere.

use super::tree::Tree;

/// Folders in which a Tegra's power controller lies, from the newest kernels to the oldest.
const BUSES: [&str; 3] = ["/sys/devices/platform/bus@0", "/sys/devices/platform", "/sys/devices"];
const WATCHDOG: &str = "/sys/class/watchdog/watchdog0/bootstatus";
/// The watchdog started the board (Linux's `WDIOF_CARDRESET`).
const CARD_RESET: u32 = 0x20;
/// It was too hot (`WDIOF_OVERHEAT`).
const OVERHEAT: u32 = 0x01;

/// Why, with the board's own word behind it; absent where it doesn't tell.
pub(super) fn read(tree: &Tree<'_>) -> Option<String> {
    let of_tegra = BUSES.iter().find_map(|bus| {
        let controller = tree.names(bus).into_iter().find(|name| name.ends_with(".pmc"))?;
        tree.text(&format!("{bus}/{controller}/reset_reason"))
    });
    let of_watchdog = || tree.text(WATCHDOG).and_then(|text| watchdog(&text)).map(Into::into);
    of_tegra.map(|source| format!("{} ({source})", words(&source))).or_else(of_watchdog)
}

/// The sources of the kernel's `drivers/soc/tegra/pmc.c`, in words.
fn words(source: &str) -> &'static str {
    match source {
        source if source.ends_with("WDT") || source == "WATCHDOG" => "watchdog",
        "POWER_ON_RESET" | "SYS_RESET" | "SYS_RESET_N" | "SYSRESETN" | "PORESETN" => "power on",
        "SW_MAIN" | "SWREST" | "MAINSWRST" | "SW_RST" => "software",
        "SENSOR" | "AOTAG" | "SOC_SENSOR" => "too hot",
        "VFSENSOR" | "VREFRO_POWER_BAD" => "bad voltage",
        "LP0" | "SC7" => "woken from sleep",
        _ => "other",
    }
}

/// Nothing where the watchdog had no part in it: that may have been anything.
fn watchdog(status: &str) -> Option<&'static str> {
    let digits = status.trim_start_matches("0x");
    let bits = if digits.len() < status.len() { u32::from_str_radix(digits, 16) } else { digits.parse() }.ok()?;
    match bits {
        bits if bits & CARD_RESET != 0 => Some("watchdog"),
        bits if bits & OVERHEAT != 0 => Some("too hot"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_in_words() {
        for (source, told) in [
            ("BCCPLEXWDT", "watchdog"),
            ("WATCHDOG", "watchdog"),
            ("SYS_RESET_N", "power on"),
            ("MAINSWRST", "software"),
            ("SENSOR", "too hot"),
            ("SC7", "woken from sleep"),
            ("HSM", "other"),
        ] {
            assert_eq!(words(source), told, "{source}");
        }
        assert_eq!(
            (watchdog("32"), watchdog("0x20"), watchdog("1")),
            (Some("watchdog"), Some("watchdog"), Some("too hot"))
        );
        assert_eq!((watchdog("0"), watchdog("x")), (None, None));
    }
}
