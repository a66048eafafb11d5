//! The device's own health, as far as any Linux tells it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::outbox::Dated;
use super::shared::Shared;
use crate::station::{DeviceHealth, Message, MessageId, SCHEMA_VERSION};

/// Sends a health message through the outbox at each whole multiple of the interval, for good. On the wall clock the wait
/// is never longer than the interval, wherever the clock is set to meanwhile.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut effective = shared.effective.subscribe();
    loop {
        let minutes = effective.borrow_and_update().health_every_min;
        let every = i64::from(minutes) * 60;
        let now = shared.clock.now();
        let Ok(next) = Timestamp::from_second((now.as_second().div_euclid(every) + 1) * every) else { return };
        let changed = async {
            while effective.changed().await.is_ok() {
                if effective.borrow_and_update().health_every_min != minutes {
                    return;
                }
            }
            std::future::pending().await
        };
        let wait = async {
            if shared.is_wall {
                let ahead = Duration::try_from(next.duration_since(now)).unwrap_or_default();
                tokio::time::sleep(ahead.min(Duration::from_secs(u64::from(minutes) * 60))).await;
                // Clocks that run unlike each other may wake it a moment early.
                let early = Duration::try_from(next.duration_since(shared.clock.now())).unwrap_or_default();
                if early < Duration::from_secs(1) {
                    tokio::time::sleep(early).await;
                }
                shared.clock.now()
            } else {
                shared.clock.sleep_until(next).await;
                next
            }
        };
        let measured_at = tokio::select! {
            at = wait => at,
            () = changed => continue,
        };
        let stamp = shared.stamp(shared.machine.now());
        let message = Message::DeviceHealth(read(&shared, measured_at));
        if let Err(error) = shared.outbox.append_dated(vec![Dated { message, stamp }], Vec::new()).await {
            tracing::warn!(target: "agent", "health of {measured_at} not stored: {error}");
        }
    }
}

/// The figures of now, which is `measured_at`.
pub(super) fn read(shared: &Shared, measured_at: Timestamp) -> DeviceHealth {
    let outbox = shared.outbox.status().borrow().clone();
    DeviceHealth {
        device_id: shared.device_id.clone(),
        message_id: MessageId::new(measured_at),
        measured_at,
        schema: SCHEMA_VERSION,
        clock: None,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        agent_uptime_s: (shared.started.elapsed().as_secs_f64() * 10.0).round() / 10.0,
        outbox_rows: outbox.rows,
        outbox_bytes: outbox.bytes,
        outbox_given_up: outbox.given_up,
        memory_used_pct: std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| memory_used_pct(&text)),
        process_memory_mib: std::fs::read_to_string("/proc/self/status").ok().and_then(|text| resident_mib(&text)),
        load_average: std::fs::read_to_string("/proc/loadavg")
            .ok()
            .and_then(|text| text.split(' ').next()?.parse().ok()),
        disk_free_mib: disk_free_mib(&shared.folder),
        temperature_c: hottest_zone_c(Path::new("/sys/class/thermal")),
        machine: None,
    }
}

/// From `/proc/meminfo`: 100 · (1 − MemAvailable / MemTotal), %.
fn memory_used_pct(meminfo: &str) -> Option<f64> {
    let kib = |key: &str| field_kib(meminfo, key);
    Some(round(100.0 * (1.0 - kib("MemAvailable:")? / kib("MemTotal:")?)))
}

/// From `/proc/self/status`: VmRSS, MiB.
fn resident_mib(status: &str) -> Option<f64> {
    field_kib(status, "VmRSS:").map(|kib| round(kib / 1024.0))
}

fn field_kib(text: &str, key: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()?.parse().ok()
}

#[cfg(unix)]
#[expect(clippy::cast_precision_loss, reason = "free space is shown in MiB")]
fn disk_free_mib(folder: &Path) -> Option<f64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(round((stat.f_bavail as f64) * (stat.f_frsize as f64) / 1_048_576.0))
}

#[cfg(not(unix))]
fn disk_free_mib(_folder: &Path) -> Option<f64> {
    None
}

/// The hottest `thermal_zone*/temp` (m°C), °C. A zone at −256 °C is switched off.
fn hottest_zone_c(zones: &Path) -> Option<f64> {
    std::fs::read_dir(zones)
        .ok()?
        .flatten()
        .filter_map(|zone| std::fs::read_to_string(zone.path().join("temp")).ok()?.trim().parse::<f64>().ok())
        .map(|milli| milli / 1000.0)
        .filter(|celsius| *celsius > -200.0)
        .reduce(f64::max)
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn procs_files_are_read() {
        let meminfo = "MemTotal:       16000000 kB\nMemFree:         100000 kB\nMemAvailable:   12000000 kB\n";
        assert_eq!(memory_used_pct(meminfo), Some(25.0));
        assert_eq!(memory_used_pct("MemTotal: 1 kB"), None);
        assert_eq!(resident_mib("Name:\tskydeck\nVmRSS:\t   53248 kB\n"), Some(52.0));
    }

    #[test]
    fn the_hottest_zone_counts_and_one_that_is_off_does_not() {
        let zones = tempfile::tempdir().expect("temporary folder");
        for (name, temp) in [("thermal_zone0", "41500\n"), ("thermal_zone1", "-256000\n"), ("cooling", "x")] {
            std::fs::create_dir(zones.path().join(name)).expect("made");
            std::fs::write(zones.path().join(name).join("temp"), temp).expect("written");
        }
        assert_eq!(hottest_zone_c(zones.path()), Some(41.5));
        assert_eq!(hottest_zone_c(Path::new("/nonexistent")), None);
    }
}
