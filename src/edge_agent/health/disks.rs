//! File systems: `/proc/self/mountinfo`, their sizes, and an eMMC's wear.

use std::path::Path;

use super::tree::{Tree, tenth};
use crate::station::machine::Disk;

/// Bytes in a MiB.
const MIB: f64 = 1_048_576.0;

/// A mounted file system.
#[derive(Debug, Clone, PartialEq)]
struct Mount {
    /// The device's numbers, `179:1`.
    numbers: String,
    point: String,
    source: String,
    read_only: bool,
}

/// The file systems on real devices, each once, and the one that `data` is on.
pub(super) fn read(tree: &Tree<'_>, data: &Path) -> Vec<Disk> {
    let Some(info) = tree.text("/proc/self/mountinfo") else { return Vec::new() };
    let mounts: Vec<Mount> = info.lines().filter_map(mount).collect();
    // Of several on the same place the last is what is seen.
    let on_data = |mount: &&Mount| data.starts_with(&mount.point);
    let of_data = mounts.iter().filter(on_data).max_by_key(|mount| mount.point.len());
    let mut shown: Vec<&Mount> = Vec::new();
    for mount in &mounts {
        let is_datas = of_data.is_some_and(|of_data| of_data.numbers == mount.numbers);
        if !is_datas && !is_real(&mount.source) {
            continue;
        }
        match shown.iter_mut().find(|known| known.numbers == mount.numbers) {
            // A device is mounted at several places: the shortest is where it belongs.
            Some(known) if mount.point.len() < known.point.len() => *known = mount,
            Some(_) => {}
            None => shown.push(mount),
        }
    }
    let disk = |mount: &Mount| {
        let space = tree.space(&mount.point)?;
        let block = block(tree, &mount.numbers);
        let wear_pct =
            block.as_ref().and_then(|(_, disk)| wear(&tree.text(&format!("/sys/block/{disk}/device/life_time"))?));
        let source = || mount.source.strip_prefix("/dev/").unwrap_or(&mount.source).to_owned();
        Some(Disk {
            mount: mount.point.clone(),
            device: block.map_or_else(source, |(partition, _)| partition),
            total_mib: tenth(space.total / MIB),
            free_mib: tenth(space.free / MIB),
            read_only: mount.read_only,
            wear_pct,
            has_data: of_data.is_some_and(|of_data| of_data.numbers == mount.numbers),
        })
    };
    shown.into_iter().filter_map(disk).collect()
}

/// A line of `/proc/self/mountinfo`: `36 35 98:0 /root /point options … - type source options`.
fn mount(line: &str) -> Option<Mount> {
    let (own, of_source) = line.split_once(" - ")?;
    let own: Vec<&str> = own.split(' ').collect();
    let mut of_source = of_source.split(' ').skip(1);
    let (source, options) = (of_source.next()?, of_source.next().unwrap_or(""));
    let is_read_only = |options: &str| options.split(',').any(|option| option == "ro");
    Some(Mount {
        numbers: (*own.get(2)?).to_owned(),
        point: unescaped(own.get(4)?),
        source: unescaped(source),
        read_only: is_read_only(own.get(5)?) || is_read_only(options),
    })
}

/// Whether a source is a device that holds files of the machine's own, and no image mounted from one of them.
fn is_real(source: &str) -> bool {
    let device = source.strip_prefix("/dev/");
    device.is_some_and(|device| !["loop", "ram", "zram", "sr", "fuse"].iter().any(|kind| device.starts_with(kind)))
}

/// A space, tab, line break and backslash are written as three octal digits.
fn unescaped(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// The partition's name and its disk's, by its numbers: `mmcblk0p1` of `mmcblk0`.
fn block(tree: &Tree<'_>, numbers: &str) -> Option<(String, String)> {
    let target = tree.target(&format!("/sys/dev/block/{numbers}"))?;
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let partition = name(&target)?;
    let parent = name(target.parent()?)?;
    // A disk's parent is the folder `block`, or the controller's.
    let disk = if parent == "block" || !partition.starts_with(&parent) { partition.clone() } else { parent };
    Some((partition, disk))
}

/// An eMMC's `life_time` (JEDEC's EXT_CSD 268 and 269): two figures, each the upper end of ten percent; 11 is beyond.
fn wear(text: &str) -> Option<f64> {
    let figure =
        |word: &str| u32::from_str_radix(word.trim_start_matches("0x"), 16).ok().filter(|n| (1..=11).contains(n));
    text.split_whitespace().filter_map(figure).max().map(|figure| f64::from(figure * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_read_with_its_escapes() {
        let line = "36 35 8:1 / /mnt/a\\040disk rw,noatime master:1 - ext4 /dev/sda1 rw,errors=remount-ro";
        let read = mount(line).expect("a mount");
        assert_eq!(
            (read.numbers.as_str(), read.point.as_str(), read.source.as_str()),
            ("8:1", "/mnt/a disk", "/dev/sda1")
        );
        assert!(!read.read_only, "errors=remount-ro is no ro");
        assert!(mount("36 35 8:1 / /x ro - ext4 /dev/sda1 rw").expect("a mount").read_only);
        assert!(mount("36 35 8:1 / /x rw - ext4 /dev/sda1 ro,data=ordered").expect("a mount").read_only);
        for half in ["", "36 35", "36 35 8:1 / /x rw", "36 35 8:1 / /x rw - ext4", "- - -"] {
            assert_eq!(mount(half), None, "{half:?}");
        }
    }

    #[test]
    fn images_and_memory_are_no_disks() {
        assert!(["/dev/mmcblk0p1", "/dev/root", "/dev/nvme0n1p1", "/dev/mapper/vg-root"].into_iter().all(is_real));
        assert!(!["tmpfs", "/dev/loop3", "/dev/zram1", "overlay", "nas:/share", "/dev/fuse"].into_iter().any(is_real));
    }

    #[test]
    fn wear_is_the_worse_of_two_figures() {
        assert_eq!((wear("0x01 0x02"), wear("0x0b 0x01"), wear("0x00 0x00")), (Some(20.0), Some(110.0), None));
        assert_eq!((wear(""), wear("0xff 0x03"), wear("what")), (None, Some(30.0), None));
    }
}
