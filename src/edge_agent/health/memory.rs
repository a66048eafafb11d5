//! Memory and swap: `/proc/meminfo`, and the largest free piece from `/proc/buddyinfo`.

use super::tree::{Tree, tenth};
use crate::station::machine::Memory;

/// Main memory and swap; no swap where there is none.
pub(super) fn read(tree: &Tree<'_>, page_bytes: usize) -> (Option<Memory>, Option<Memory>) {
    let Some(info) = tree.text("/proc/meminfo") else { return (None, None) };
    let (mut memory, swap) = (main(&info), swap(&info));
    if let Some(memory) = &mut memory {
        memory.largest_free_mib = tree.text("/proc/buddyinfo").and_then(|text| largest_free_mib(&text, page_bytes));
    }
    (memory, swap)
}

/// In use is what isn't available: caches that give way at once don't count. A kernel older than 3.14 doesn't tell that;
/// there it is what is free, buffers and caches.
fn main(info: &str) -> Option<Memory> {
    let total = kib(info, "MemTotal")?;
    let available = kib(info, "MemAvailable")
        .or_else(|| Some(kib(info, "MemFree")? + kib(info, "Buffers")? + kib(info, "Cached")?))?;
    Some(used(total, available))
}

fn swap(info: &str) -> Option<Memory> {
    let total = kib(info, "SwapTotal").filter(|total| *total > 0.0)?;
    Some(used(total, kib(info, "SwapFree")?))
}

fn used(total_kib: f64, free_kib: f64) -> Memory {
    let mib = |kib: f64| tenth(kib / 1024.0);
    Memory { total_mib: mib(total_kib), used_mib: mib((total_kib - free_kib).max(0.0)), largest_free_mib: None }
}

fn kib(info: &str, key: &str) -> Option<f64> {
    let rest = info.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The largest order of which any zone has a free block: 2^order pages.
#[expect(clippy::cast_precision_loss, reason = "a size in MiB")]
fn largest_free_mib(buddies: &str, page_bytes: usize) -> Option<f64> {
    let order = |line: &str| {
        let counts = line.split_once("zone")?.1.split_whitespace().skip(1);
        counts
            .enumerate()
            .filter(|(_, count)| count.parse::<u64>().is_ok_and(|count| count > 0))
            .map(|(at, _)| at)
            .last()
    };
    let order = buddies.lines().filter_map(order).max()?;
    let pages = 1u64.checked_shl(u32::try_from(order).ok()?)?;
    Some(pages as f64 * page_bytes as f64 / 1_048_576.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_available_is_in_use() {
        let info = "MemTotal:  4051048 kB\nMemFree: 100000 kB\nMemAvailable:  2026496 kB\nSwapTotal: 2025520 kB\nSwapFree: 2000944 kB\n";
        assert_eq!(main(info), Some(Memory { total_mib: 3956.1, used_mib: 1977.1, largest_free_mib: None }));
        assert_eq!(swap(info), Some(Memory { total_mib: 1978.0, used_mib: 24.0, largest_free_mib: None }));
        let old =
            "MemTotal: 2048 kB\nMemFree: 512 kB\nBuffers: 256 kB\nCached: 256 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n";
        assert_eq!(main(old), Some(Memory { total_mib: 2.0, used_mib: 1.0, largest_free_mib: None }));
        assert_eq!(swap(old), None, "there is none");
        assert_eq!(main("MemTotal: x\n"), None);
    }

    #[test]
    fn the_largest_free_piece_is_the_largest_order_with_a_block() {
        let buddies = "Node 0, zone      DMA     12      3      1      0      0      0      0      0      0      0      0 \n\
                       Node 0, zone   Normal    834     12     42      9      3      2      1      1      0      1      0 \n";
        assert_eq!(largest_free_mib(buddies, 4096), Some(2.0), "2^9 pages of 4 KiB");
        assert_eq!(largest_free_mib("Node 0, zone DMA 0 0\n", 4096), None);
        assert_eq!(largest_free_mib("what\n", 4096), None);
    }
}
