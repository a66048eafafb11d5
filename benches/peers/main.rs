//! The hub and the agent beside what others would use in their place, each as the real process it is.
//!
//! ```sh
//! cargo bench --bench peers                       # all
//! cargo bench --bench peers -- hub                # messages a second beside mosquitto
//! cargo bench --bench peers -- agent              # the agent beside one in Python with Microsoft's client
//! cargo bench --bench peers -- offline            # 30 days without a hub, kept and drained
//! cargo bench --bench peers -- idle               # the agent at a measurement a second
//! ```
//!
//! `SKYDECK_BENCH_AGENT=PATH` names another binary for the agent, as one that is built for a device.
//!
//! Needs mosquitto (`apt-get install mosquitto`) and `tests/peers/install.sh`. The figures are in
//! `docs/src/performance.md`.

mod agent;
mod client;
mod hub;
mod process;
mod tls;

/// Seconds that something steady is watched for.
fn seconds() -> u64 {
    std::env::var("SKYDECK_BENCH_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(120)
}

fn main() -> client::Outcome<()> {
    // `cargo bench` adds `--bench`; with `cargo test --benches` nothing is measured.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_chosen = |name: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == name);
    if is_chosen("hub") {
        hub::beside_mosquitto()?;
    }
    if is_chosen("agent") {
        agent::beside_python(seconds())?;
    }
    if is_chosen("offline") {
        agent::thirty_days_offline()?;
    }
    if is_chosen("idle") {
        agent::idle(seconds())?;
    }
    Ok(())
}
