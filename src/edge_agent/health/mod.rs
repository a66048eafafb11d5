//! The device's own health, as far as it tells: a reading of the machine each few seconds into the agent's report, and a
//! message of it each few minutes.
//!
//! - `monitor`: readings again and again; `patience`: what doesn't answer doesn't stop them; `tree`: the kernel's files
//! - `gather`: one reading, of a small file a source: `cpu`, `gpu`, `emc`, `memory`, `disks`, `thermal`, `power`, `fan`,
//!   `network`, `clock_sync`; `board` with `jetpack`, `power_mode` and `reset`
//! - `tegrastats`: NVIDIA's program, for what the kernel's files lack
//!
//! No root, no service of the vendor's. What a board doesn't have is absent.

mod board;
mod clock_sync;
mod cpu;
mod disks;
mod emc;
mod fan;
mod gather;
mod gpu;
mod jetpack;
mod memory;
mod monitor;
mod network;
mod patience;
mod power;
mod power_mode;
mod reset;
mod tegrastats;
mod thermal;
mod tree;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use self::monitor::MachineReader;
pub(super) use self::monitor::{Monitor, watch};
use self::tree::tenth;
use super::outbox::Dated;
use super::shared::Shared;
use crate::station::{DeviceHealth, Machine, Message, MessageId, SCHEMA_VERSION};

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

/// The figures of now, which is `measured_at`: the agent's own, and the machine's of the newest reading.
pub(super) fn read(shared: &Shared, measured_at: Timestamp) -> DeviceHealth {
    let outbox = shared.outbox.status().borrow().clone();
    // The message says when.
    let machine = shared.report.borrow().machine.clone().map(|machine| Machine { read_at: None, ..machine });
    let of_machine = machine.as_ref();
    DeviceHealth {
        device_id: shared.device_id.clone(),
        message_id: MessageId::new(measured_at),
        measured_at,
        schema: SCHEMA_VERSION,
        clock: None,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        agent_uptime_s: tenth(shared.started.elapsed().as_secs_f64()),
        outbox_rows: outbox.rows,
        outbox_bytes: outbox.bytes,
        outbox_given_up: outbox.given_up,
        memory_used_pct: of_machine.and_then(|machine| machine.memory?.used_pct()).map(tenth),
        process_memory_mib: std::fs::read_to_string("/proc/self/status").ok().and_then(|text| resident_mib(&text)),
        load_average: of_machine.and_then(|machine| machine.load_average).map(|[minute, ..]| minute),
        disk_free_mib: of_machine.and_then(Machine::data_disk).map(|disk| disk.free_mib),
        temperature_c: of_machine.and_then(Machine::hottest).and_then(|zone| zone.celsius),
        machine: machine.map(Box::new),
    }
}

/// From `/proc/self/status`: VmRSS, MiB.
fn resident_mib(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(tenth(kib / 1024.0))
}

#[cfg(test)]
mod tests;
