//! Which board it is and what runs on it: the device tree, or a PC's firmware; `/etc/nv_tegra_release`.

use super::tree::{Tree, trimmed};
use super::{jetpack, reset};
use crate::station::machine::Board;

/// What makers leave in their firmware where a name should be.
const NO_NAMES: [&str; 6] =
    ["Default string", "To Be Filled By O.E.M.", "System Product Name", "System manufacturer", "Not Specified", "None"];

/// The board. `known` is what was found out of JetPack at a reading before, which takes long to find.
pub(super) fn read(tree: &Tree<'_>, known: &mut Option<jetpack::Known>) -> Board {
    let compatible = tree.text("/proc/device-tree/compatible").unwrap_or_default();
    let l4t = tree.text("/etc/nv_tegra_release").and_then(|text| l4t(&text));
    Board {
        model: tree.text("/proc/device-tree/model").or_else(|| firmware(tree)),
        soc: soc(&compatible),
        module: module(tree.text("/proc/device-tree/nvidia,dtsfilename").as_deref(), &compatible),
        jetpack: l4t.as_deref().and_then(|l4t| jetpack::read(tree, l4t, known)),
        l4t,
        os: tree.text("/etc/os-release").and_then(|text| os(&text)),
        kernel: tree.text("/proc/sys/kernel/osrelease"),
        power_mode: None,
        reset_reason: reset::read(tree),
        boot_id: tree.text("/proc/sys/kernel/random/boot_id"),
    }
}

/// From `/etc/nv_tegra_release`: `# R36 (release), REVISION: 4.0, GCID: …` is 36.4.0.
fn l4t(text: &str) -> Option<String> {
    let line = text.lines().next()?.strip_prefix('#')?;
    let release = line.trim_start().strip_prefix('R')?.split_whitespace().next()?;
    let revision = line.split_once("REVISION:")?.1.split(',').next()?.trim();
    let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    (is_number(release) && is_number(revision)).then(|| format!("{release}.{revision}"))
}

/// The last of the device tree's `compatible` is the most general: `nvidia,tegra234`.
fn soc(compatible: &str) -> Option<String> {
    let last = compatible.split('\0').map(trimmed).rfind(|entry| !entry.is_empty())?;
    Some(last.split_once(',').map_or(last, |(_, chip)| chip).to_owned())
}

/// The module, `p3767-0003`: the first of the source file's name, `tegra234-p3767-0003-p3768-0000-a0.dts`, or what stands
/// behind the carrier in `compatible`, `nvidia,p3768-0000+p3767-0003`.
fn module(source: Option<&str>, compatible: &str) -> Option<String> {
    let of_source = source.and_then(|path| part_number(path.rsplit('/').next()?));
    of_source.or_else(|| compatible.split('\0').find_map(|entry| part_number(entry.split_once('+')?.1)))
}

/// The first `pNNNN-NNNN` of a text.
fn part_number(text: &str) -> Option<String> {
    let is_digits = |text: &str| text.len() == 4 && text.chars().all(|c| c.is_ascii_digit());
    let words: Vec<&str> = text.split(['-', '.', '+']).collect();
    let pair = words.windows(2).find(|pair| pair[0].strip_prefix('p').is_some_and(is_digits) && is_digits(pair[1]))?;
    Some(format!("{}-{}", pair[0], pair[1]))
}

fn os(text: &str) -> Option<String> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let name = value("PRETTY_NAME").or_else(|| value("NAME"))?;
    Some(name.trim_matches(['"', '\'']).to_owned()).filter(|name| !name.is_empty())
}

/// A PC's maker and model.
fn firmware(tree: &Tree<'_>) -> Option<String> {
    let told = |file: &str| {
        let text = tree.text(&format!("/sys/class/dmi/id/{file}"));
        text.filter(|text| !NO_NAMES.contains(&text.as_str()))
    };
    let words: Vec<String> = [told("sys_vendor"), told("product_name")].into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l4t_is_release_and_revision() {
        let orin = "# R36 (release), REVISION: 4.0, GCID: 37537400, BOARD: generic, EABI: aarch64, DATE: Fri Sep 13";
        assert_eq!(l4t(orin).as_deref(), Some("36.4.0"));
        let nano = "# R32 (release), REVISION: 7.3, GCID: 31982016, BOARD: t210ref, EABI: aarch64\nabc */x\n";
        assert_eq!(l4t(nano).as_deref(), Some("32.7.3"));
        for odd in
            ["", "# R36 (release)", "R36, REVISION: 4.0", "# RC (release), REVISION: 4.0,", "# R36 x, REVISION: a,"]
        {
            assert_eq!(l4t(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn soc_and_module_come_of_the_device_tree() {
        let orin = "nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0";
        assert_eq!((soc(orin).as_deref(), module(None, orin).as_deref()), (Some("tegra234"), Some("p3767-0005")));
        let nano = "nvidia,p3449-0000-b00+p3448-0000-b00\0nvidia,jetson-nano\0nvidia,tegra210\0";
        assert_eq!((soc(nano).as_deref(), module(None, nano).as_deref()), (Some("tegra210"), Some("p3448-0000")));
        let xavier = "nvidia,p2972-0000\0nvidia,tegra194\0";
        let source = "/dvs/git/hardware/nvidia/platform/t19x/galen/kernel-dts/tegra194-p2888-0001-p2822-0000.dts";
        assert_eq!(module(None, xavier), None, "that is the kit");
        assert_eq!(module(Some(source), xavier).as_deref(), Some("p2888-0001"));
        let pi = "raspberrypi,4-model-b\0brcm,bcm2711\0";
        assert_eq!((soc(pi).as_deref(), module(None, pi)), (Some("bcm2711"), None));
        assert_eq!((soc(""), soc("board"), part_number("p12-3456-p1234-56")), (None, Some("board".into()), None));
    }

    #[test]
    fn the_system_has_its_pretty_name() {
        assert_eq!(os("NAME=\"Ubuntu\"\nPRETTY_NAME=\"Ubuntu 22.04.5 LTS\"\n").as_deref(), Some("Ubuntu 22.04.5 LTS"));
        assert_eq!((os("NAME=Alpine\n").as_deref(), os("")), (Some("Alpine"), None));
    }
}
