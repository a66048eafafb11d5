//! What follows from a machine's figures.

use super::{Disk, Machine, Memory, Zone};

/// Where a zone is warned of that has no trip point of its own, °C.
const WARN_C: f64 = 84.0;
/// Where a zone is taken as critical that has no trip point of its own, °C.
const CRITICAL_C: f64 = 100.0;

/// How hot a zone is, by its trip points; where it has none, 84 °C and 100 °C stand in for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heat {
    /// Below where the board throttles.
    Normal,
    /// Where the board throttles, and above.
    Throttles,
    /// Where the board shuts down, and above.
    Critical,
}

impl Zone {
    /// Where it begins to throttle, °C: its own trip point, or 84.
    #[must_use]
    pub fn throttles_at(&self) -> f64 {
        self.throttle_c.unwrap_or_else(|| WARN_C.min(self.critical_at()))
    }

    /// Where it shuts down, °C: its own trip point, or 100.
    #[must_use]
    pub fn critical_at(&self) -> f64 {
        self.critical_c.unwrap_or(CRITICAL_C)
    }

    /// How hot it is; absent where it is switched off.
    #[must_use]
    pub fn heat(&self) -> Option<Heat> {
        self.celsius.map(|celsius| match celsius {
            c if c >= self.critical_at() => Heat::Critical,
            c if c >= self.throttles_at() => Heat::Throttles,
            _ => Heat::Normal,
        })
    }
}

impl Memory {
    /// In use, %, 0 to 100; absent where there is none at all.
    #[must_use]
    pub fn used_pct(&self) -> Option<f64> {
        (self.total_mib > 0.0).then(|| (100.0 * self.used_mib / self.total_mib).clamp(0.0, 100.0))
    }
}

impl Disk {
    /// In use, %, 0 to 100; absent where its size isn't known.
    #[must_use]
    pub fn used_pct(&self) -> Option<f64> {
        (self.total_mib > 0.0).then(|| (100.0 * (1.0 - self.free_mib / self.total_mib)).clamp(0.0, 100.0))
    }
}

impl Machine {
    /// The hottest zone of those that are switched on.
    #[must_use]
    pub fn hottest(&self) -> Option<&Zone> {
        let on = self.zones.iter().filter(|zone| zone.celsius.is_some());
        on.reduce(|hottest, zone| if zone.celsius > hottest.celsius { zone } else { hottest })
    }

    /// The mean load of the cores that are switched on, %, 0 to 100.
    #[must_use]
    pub fn cpu_load_pct(&self) -> Option<f64> {
        let loads: Vec<f64> = self.cores.iter().filter(|core| core.online).filter_map(|core| core.load_pct).collect();
        let count = u32::try_from(loads.len()).ok().filter(|count| *count > 0)?;
        Some(loads.iter().sum::<f64>() / f64::from(count))
    }

    /// The file system that the agent's data are on.
    #[must_use]
    pub fn data_disk(&self) -> Option<&Disk> {
        self.disks.iter().find(|disk| disk.has_data)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Core;
    use super::*;

    fn zone(celsius: Option<f64>, throttle_c: Option<f64>, critical_c: Option<f64>) -> Zone {
        Zone { name: "z".into(), celsius, throttle_c, critical_c }
    }

    #[test]
    fn a_zone_is_judged_by_its_own_trip_points_where_it_has_any() {
        assert_eq!(zone(Some(84.0), None, None).heat(), Some(Heat::Throttles));
        assert_eq!(zone(Some(83.9), None, None).heat(), Some(Heat::Normal));
        assert_eq!(zone(Some(90.0), Some(97.0), Some(101.0)).heat(), Some(Heat::Normal));
        assert_eq!(zone(Some(101.0), Some(97.0), Some(101.0)).heat(), Some(Heat::Critical));
        assert_eq!(zone(Some(71.0), None, Some(70.0)).heat(), Some(Heat::Critical), "its own critical is below 84");
        assert_eq!(zone(None, None, None).heat(), None, "it is off");
    }

    #[test]
    fn the_hottest_zone_is_one_that_is_on() {
        let zones = vec![zone(None, None, None), zone(Some(41.5), None, None), zone(Some(-3.0), None, None)];
        let machine = Machine { zones, ..Machine::default() };
        assert_eq!(machine.hottest().and_then(|zone| zone.celsius), Some(41.5));
        assert_eq!(Machine::default().hottest(), None);
    }

    #[test]
    fn a_core_that_is_off_has_no_part_in_the_mean() {
        let core = |online, load_pct| Core { online, load_pct, ..Core::default() };
        let cores = vec![core(true, Some(10.0)), core(true, Some(40.0)), core(false, Some(0.0)), core(true, None)];
        assert_eq!(Machine { cores, ..Machine::default() }.cpu_load_pct(), Some(25.0));
        assert_eq!(Machine::default().cpu_load_pct(), None);
    }

    #[test]
    fn a_share_of_nothing_is_unknown() {
        assert_eq!(Memory { total_mib: 8.0, used_mib: 2.0, ..Memory::default() }.used_pct(), Some(25.0));
        assert_eq!(Memory::default().used_pct(), None);
        assert_eq!(Disk { total_mib: 100.0, free_mib: 30.0, ..Disk::default() }.used_pct(), Some(70.0));
    }
}
