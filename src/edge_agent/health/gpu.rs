//! Graphics processors and other engines: `/sys/class/devfreq`, and `/sys/class/drm` on a PC.

use super::tree::{Tree, tenth};
use crate::station::machine::Engine;

const DEVFREQ: &str = "/sys/class/devfreq";
const DRM: &str = "/sys/class/drm";

/// What a device's clock belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gpu,
    /// The memory's clock, which `emc` reads.
    Memory,
    Other,
}

/// Graphics processors, and the other engines with a clock of their own.
pub(super) fn read(tree: &Tree<'_>) -> (Vec<Engine>, Vec<Engine>) {
    let (mut gpus, mut engines) = (Vec::new(), Vec::new());
    for node in tree.names(DEVFREQ) {
        let folder = format!("{DEVFREQ}/{node}");
        let given = tree.text(&format!("{folder}/device/of_node/name"));
        let name = given.unwrap_or_else(|| node.clone());
        match kind(&name, &node) {
            Kind::Gpu => gpus.push(engine(tree, &folder, name)),
            Kind::Memory => {}
            Kind::Other => engines.push(engine(tree, &folder, name)),
        }
    }
    if gpus.is_empty() {
        gpus = cards(tree);
    }
    (gpus, engines)
}

/// By the device tree's name: a graphics processor is called `gpu`, or by its chip: gm20b (Nano, TX1), gp10b (TX2), gv11b
/// (Xavier), ga10b (Orin), gb10b (Thor). Thor's own nodes have no such name: `gpu-gpc-0`, `gpu-nvd-0` (video).
fn kind(name: &str, node: &str) -> Kind {
    let name = name.to_ascii_lowercase();
    let is_chip = matches!(name.as_bytes(), [b'g', b'a'..=b'z', b'0'..=b'9', b'0'..=b'9', b'b']);
    match (name.as_str(), node) {
        ("emc" | "external-memory-controller" | "bwmgr", _) | (_, "bwmgr") => Kind::Memory,
        (_, node) if node.starts_with("gpu-nvd") => Kind::Other,
        (name, node) if is_chip || name.contains("gpu") || node.contains("gpu") => Kind::Gpu,
        _ => Kind::Other,
    }
}

fn engine(tree: &Tree<'_>, folder: &str, name: String) -> Engine {
    let mhz = |file: &str| tree.number(&format!("{folder}/{file}")).map(|hertz| tenth(hertz / 1e6));
    let sleeps =
        tree.text(&format!("{folder}/device/power/runtime_status")).is_some_and(|status| status == "suspended");
    // In tenths of a percent.
    let load = || tree.number(&format!("{folder}/device/load")).map(|load| tenth((load / 10.0).clamp(0.0, 100.0)));
    Engine {
        name,
        online: !sleeps,
        load_pct: load(),
        mhz: mhz("cur_freq").into_iter().collect(),
        max_mhz: mhz("max_freq"),
        governor: tree.text(&format!("{folder}/governor")),
    }
}

/// A PC's: what amdgpu and i915 tell.
fn cards(tree: &Tree<'_>) -> Vec<Engine> {
    let card = |(number, folder): (u32, String)| {
        let load_pct = tree.number(&format!("{folder}/device/gpu_busy_percent")).map(|load| load.clamp(0.0, 100.0));
        let mhz = tree.number(&format!("{folder}/gt_act_freq_mhz"));
        let max_mhz = tree.number(&format!("{folder}/gt_max_freq_mhz"));
        let is_told = load_pct.or(mhz).is_some();
        is_told.then(|| Engine {
            name: format!("card{number}"),
            online: true,
            load_pct,
            mhz: mhz.into_iter().collect(),
            max_mhz,
            governor: None,
        })
    };
    tree.numbered(DRM, "card").into_iter().filter_map(card).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graphics_processor_is_known_by_its_name_or_its_chip() {
        for (name, node) in [
            ("gpu", "57000000.gpu"),
            ("gm20b", "57000000.gm20b"),
            ("gp10b", "17000000.gp10b"),
            ("gv11b", "17000000.gv11b"),
            ("ga10b", "17000000.ga10b"),
            ("gpu-gpc-0", "gpu-gpc-0"),
            ("mali", "fb000000.gpu"),
        ] {
            assert_eq!(kind(name, node), Kind::Gpu, "{name} {node}");
        }
        assert_eq!(kind("nvenc", "154c0000.nvenc"), Kind::Other);
        assert_eq!(kind("gpu-nvd-0", "gpu-nvd-0"), Kind::Other);
        assert_eq!(kind("bwmgr", "bwmgr"), Kind::Memory);
        assert_eq!(kind("external-memory-controller", "2c60000.external-memory-controller"), Kind::Memory);
    }
}
