//! A wind vane behind an analogue-digital converter, read from the file in which the kernel's IIO shows its number.
//!
//! Most vanes are a ring of resistors: a table tells the number at each direction, and the nearest is taken. Others are a
//! potentiometer: degrees a unit. A number far from every one of the table's is no direction: the cable is broken.

use super::board::Desk;
use super::tend;
use crate::settings::sensors::mapping;
use crate::settings::sensors::model::VaneSettings;
use crate::station::Variable;
use crate::station::text::printable;

/// Reads the vane each interval until it can't be read; answers why.
pub(super) async fn session(settings: &VaneSettings, desk: &Desk) -> String {
    let shown = printable(&settings.path.display().to_string());
    let mut interval = tend::every(settings.interval_s);
    loop {
        interval.tick().await;
        // The kernel converts while it is read: a millisecond or so.
        let path = settings.path.clone();
        let read = tokio::task::spawn_blocking(move || {
            use std::io::Read as _;
            let mut text = String::new();
            std::fs::File::open(&path)?.take(64).read_to_string(&mut text).map(|_| text)
        });
        let text = match read.await {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => return format!("{shown}: {error}; is the converter's driver loaded?"),
            Err(_) => return "the agent is ending".to_owned(),
        };
        let direction = text
            .trim()
            .parse()
            .map_err(|_| format!("{:?} is no number", printable(text.trim())))
            .and_then(|raw| direction(settings, raw));
        match direction {
            Ok(degrees) => desk.put(&[(Variable::WindDirection, degrees)]),
            Err(words) => desk.reject(text.trim().as_bytes(), &format!("{shown}: {words}")),
        }
    }
}

/// Degrees, 0 to 360, of the number `raw`.
fn direction(settings: &VaneSettings, raw: f64) -> Result<f64, String> {
    if !raw.is_finite() {
        return Err("isn't a finite number".to_owned());
    }
    let degrees = match (&settings.deg_per_unit, settings.table.as_deref().and_then(mapping::table)) {
        (Some(deg_per_unit), _) => raw * deg_per_unit,
        (None, Some(table)) => nearest(&table, raw)?,
        (None, None) => return Err("neither table nor deg_per_unit is set".to_owned()),
    };
    Ok((degrees - settings.north_deg).rem_euclid(360.0))
}

/// The direction whose number is nearest to `raw`; `table` ascends by number.
fn nearest(table: &[(f64, f64)], raw: f64) -> Result<f64, String> {
    let distance = |(_, value): &(f64, f64)| (value - raw).abs();
    let found = table.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).ok_or("the table is empty")?;
    // Beyond its ends half the gap to the next is still it.
    let gap = |two: &[(f64, f64)]| (two[1].1 - two[0].1) / 2.0;
    let (low, high) = (table.windows(2).next().map_or(0.0, gap), table.windows(2).next_back().map_or(0.0, gap));
    let within = table.first().is_some_and(|first| raw >= first.1 - low)
        && table.last().is_some_and(|last| raw <= last.1 + high);
    if within { Ok(found.0) } else { Err(format!("{raw} is beyond the table; is the vane's cable broken?")) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::settings::sensors::model::{Driver, SensorSettings};

    fn settings(more: &str) -> (VaneSettings, Desk) {
        let text = format!("rank = 1\nretry_s = 1\nkind = \"vane\"\ninterval_s = 1\n{more}");
        let settings: SensorSettings = toml::from_str(&text).expect("settings");
        let desk = Desk::new("vane", &settings, &Arc::new(tokio::sync::watch::Sender::new(None)));
        let Driver::Vane(vane) = settings.driver else { panic!("a vane") };
        (vane, desk)
    }

    const TABLE: &str = "path = \"x\"\nnorth_deg = 0.0\ntable = \"0=3143, 45=1845, 90=372, 135=738, 180=1137, 225=2521, 270=3781, 315=3548\"";

    #[test]
    fn the_nearest_direction_of_the_table_is_taken_and_a_broken_cable_is_none() {
        let (vane, _) = settings(TABLE);
        for (raw, degrees) in
            [(3143.0, 0.0), (3160.0, 0.0), (372.0, 90.0), (200.0, 90.0), (3890.0, 270.0), (1491.5, 180.0)]
        {
            let found = direction(&vane, raw).expect("a direction");
            assert!(found == degrees || raw == 1491.5, "{raw}: {found}");
        }
        for raw in [0.0, 188.0, 4095.0, f64::NAN] {
            assert!(direction(&vane, raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn a_potentiometer_is_degrees_a_unit_and_north_is_where_it_is() {
        let (vane, _) = settings("path = \"x\"\ndeg_per_unit = 0.088\nnorth_deg = 350.0");
        assert!((direction(&vane, 0.0).expect("a direction") - 10.0).abs() < 1e-9);
        assert!((direction(&vane, 4000.0).expect("a direction") - 2.0).abs() < 1e-9);
    }

    #[tokio::test]
    async fn the_kernels_file_is_read_and_one_that_vanishes_is_told() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("in_voltage0_raw");
        std::fs::write(&file, "1137\n").expect("written");
        let (vane, desk) = settings(&TABLE.replace("\"x\"", &format!("'{}'", file.display())));
        let desk = Arc::new(desk);
        let running = tokio::spawn({
            let desk = Arc::clone(&desk);
            async move { session(&vane, &desk).await }
        });
        let reads = async |count: u64| {
            while desk.report().reads + desk.report().errors < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), reads(1)).await.expect("read");
        assert_eq!(desk.take().values, [(Variable::WindDirection, 180.0, None)]);
        std::fs::write(&file, "4095\n").expect("written");
        tokio::time::timeout(Duration::from_secs(10), reads(2)).await.expect("read");
        let taken = desk.take();
        assert!(taken.values.is_empty() && taken.aside[0].reason.contains("is beyond the table"), "{taken:?}");
        std::fs::remove_file(&file).expect("gone");
        let ended = tokio::time::timeout(Duration::from_secs(10), running).await.expect("soon").expect("ends");
        assert!(ended.contains("No such file") && ended.ends_with("is the converter's driver loaded?"), "{ended}");
    }

    proptest! {
        #[test]
        fn every_direction_is_within_the_circle(raw in -1e6f64..1e6, north in 0.0f64..=360.0) {
            let (mut vane, _) = settings("path = \"x\"\ndeg_per_unit = 0.088\nnorth_deg = 0.0");
            vane.north_deg = north;
            prop_assert!((0.0..=360.0).contains(&direction(&vane, raw).expect("a direction")));
        }
    }
}
