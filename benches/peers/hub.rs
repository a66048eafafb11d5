//! The hub's messages a second beside mosquitto's.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::client::{self, Outcome, Target};
use crate::process::{Process, until};
use crate::tls;

/// A measurement as the agent sends it.
const BODY: &[u8] = br#"{"type":"WeatherMeasurement","deviceId":"roof-01","messageId":"01552f10-8e20-7d10-8a44-5b0c6a7d8e90","measuredAt":"2016-06-09T14:05:00Z","schema":1,"temperatureC":14.2,"humidityPct":61.0,"pressureHpa":958.3,"illuminanceLx":42310.0}"#;
const BAG: &str =
    "$.mid=01552f10-8e20-7d10-8a44-5b0c6a7d8e90&$.ct=application%2Fjson&$.ce=utf-8&type=WeatherMeasurement";

/// Connections at once, unacknowledged messages of each, messages of each.
const LOADS: [(usize, usize, usize); 3] = [(1, 1, 3_000), (1, 1024, 100_000), (8, 128, 12_500)];

/// Both under the same loads, in turn.
pub fn beside_mosquitto() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    println!("messages a second with QoS 1 over TLS, {} bytes each", BODY.len());
    println!(
        "server; connections x window; a second; median and 99 % to the PUBACK, ms; CPU of the server, us each; resident, MiB"
    );
    for (connections, window, count) in LOADS {
        let ours = Hub::start(&folder.path().join(format!("hub-{connections}-{window}")), 101, connections)?;
        let load = Load { connections, window, count };
        runtime.block_on(measure("skydeck's hub, durable PUBACK", &ours.process, &ours.targets, &load))?;
        for (name, settings, share) in [
            ("mosquitto, persistence at its end and each 30 min", "persistence true", 1),
            // It writes everything it holds anew for each change: fewer messages, or it never ends.
            (
                "mosquitto, persistence at each change, 1 s at the earliest",
                "persistence true\nautosave_on_changes true\nautosave_interval 1",
                50,
            ),
        ] {
            let place = folder.path().join(format!("mosquitto-{connections}-{window}-{share}"));
            let load = Load { count: (count / share).max(200), ..load };
            let (process, targets) = runtime.block_on(mosquitto(&place, settings, connections))?;
            runtime.block_on(measure(name, &process, &targets, &load))?;
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Load {
    connections: usize,
    window: usize,
    count: usize,
}

async fn measure(name: &str, process: &Process, targets: &[Target], load: &Load) -> Outcome<()> {
    let before = process.used()?;
    let started = std::time::Instant::now();
    let mut sending = tokio::task::JoinSet::new();
    for target in targets {
        let (target, count, window) = (target.clone(), load.count, load.window);
        sending.spawn(async move { client::send(&target, BODY, count, window).await });
    }
    let mut slowest: Option<client::Sent> = None;
    while let Some(sent) = sending.join_next().await {
        let sent = sent??;
        if slowest.as_ref().is_none_or(|slowest| sent.elapsed > slowest.elapsed) {
            slowest = Some(sent);
        }
    }
    let elapsed = started.elapsed();
    let sent = slowest.ok_or("nothing was sent")?;
    let used = process.used()?;
    let messages = (load.count * load.connections) as f64;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{name}; {} x {}; {:.0}; {:.2} and {:.2}; {:.1}; {:.0}",
        load.connections,
        load.window,
        messages / elapsed.as_secs_f64(),
        ms(sent.median()),
        ms(sent.p99()),
        (used.cpu - before.cpu).as_secs_f64() * 1e6 / messages,
        used.resident_mib
    );
    Ok(())
}

/// A hub as `skydeck --env local run` has it, with devices.
pub struct Hub {
    pub process: Process,
    pub targets: Vec<Target>,
    pub folder: std::path::PathBuf,
    pub host: String,
}

/// Ports that Microsoft's clients can't be talked out of.
pub const MQTT: u16 = 8883;
pub const HTTPS: u16 = 443;

impl Hub {
    /// One on the loopback address 127.0.85.`number`, with so many devices `bench-N`.
    pub fn start(folder: &Path, number: u8, devices: usize) -> Outcome<Self> {
        std::fs::create_dir_all(folder)?;
        let host = format!("127.0.85.{number}");
        let settings = format!(
            "[source]\nkind = 'none'\n[station]\ndevice_id = 'owner-01'\n[hub]\nlisten = '{host}'\nport = {MQTT}\nhttps_port = {}\n",
            // Root alone may have the port Microsoft's clients go to.
            if rustix::process::geteuid().is_root() { HTTPS } else { 8443 }
        );
        std::fs::write(folder.join("hub.toml"), settings)?;
        let mut command = Self::command(folder);
        command.arg("run");
        let process = Process::start(command, &folder.join("hub.log"))?;
        let mut hub = Self { process, targets: Vec::new(), folder: folder.to_owned(), host };
        for number in 0..devices {
            let target = hub.device(&format!("bench-{number}"))?;
            hub.targets.push(target);
        }
        Ok(hub)
    }

    fn command(folder: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skydeck"));
        command.args(["--no-color", "--env", "local", "--data-dir"]).arg(folder);
        command.arg("--config").arg(folder.join("hub.toml"));
        command.env("XDG_CONFIG_HOME", folder);
        command
    }

    /// What a command says, once it has gone well.
    pub fn ask(&self, arguments: &[&str]) -> Outcome<String> {
        until(&arguments.join(" "), Duration::from_secs(30), || {
            let output = Self::command(&self.folder).args(arguments).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        })
    }

    /// Registers a device; its connection string.
    pub fn register(&self, device: &str) -> Outcome<String> {
        self.ask(&["hub", "add", device])?;
        self.ask(&["hub", "connection-string", device])
    }

    fn device(&self, device: &str) -> Outcome<Target> {
        let string = self.register(device)?;
        let part = |name: &str| string.split(';').find_map(|part| part.strip_prefix(name)).ok_or("a connection string");
        let (name, key) = (part("HostName=")?, part("SharedAccessKey=")?);
        let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
        let token = skydeck::edge_agent::uplink::sas::token(name, device, &key.to_owned().into(), expires)?;
        Ok(Target {
            address: format!("{}:{MQTT}", self.host).parse()?,
            tls: tls::trusting(&self.ca())?,
            client_id: device.to_owned(),
            user: format!("{name}/{device}/?api-version=2021-04-12"),
            password: secrecy::ExposeSecret::expose_secret(&token).to_owned(),
            topic: format!("devices/{device}/messages/events/{BAG}"),
        })
    }

    /// Whom its devices have to trust.
    pub fn ca(&self) -> std::path::PathBuf {
        self.data().join("hub/ca.pem")
    }

    /// Its data.
    pub fn data(&self) -> std::path::PathBuf {
        self.folder.join("local/data")
    }
}

/// mosquitto, with a subscriber that is away: what comes has to be kept.
async fn mosquitto(folder: &Path, settings: &str, connections: usize) -> Outcome<(Process, Vec<Target>)> {
    std::fs::create_dir_all(folder)?;
    let host = "127.0.85.200";
    let (ca, chain, key) = tls::make(folder, host)?;
    let user = if rustix::process::geteuid().is_root() { "user root\n" } else { "" };
    std::fs::write(
        folder.join("mosquitto.conf"),
        format!(
            "{user}{settings}\npersistence_location {}/\nmax_queued_messages 0\nmax_queued_bytes 0\nallow_anonymous true\n\
             set_tcp_nodelay true\nlog_dest stdout\nlog_type error\nlistener {MQTT} {host}\ncertfile {}\nkeyfile {}\n",
            folder.display(),
            chain.display(),
            key.display()
        ),
    )?;
    let mut command = Command::new("mosquitto");
    command.arg("-c").arg(folder.join("mosquitto.conf"));
    let process = Process::start(command, &folder.join("mosquitto.log"))
        .map_err(|error| format!("{error}; run: apt-get install mosquitto"))?;
    let address = format!("{host}:{MQTT}").parse()?;
    until("mosquitto listens", Duration::from_secs(10), || std::net::TcpStream::connect(address).ok())?;
    let target = |client_id: String| -> Outcome<Target> {
        Ok(Target {
            address,
            tls: tls::trusting(&ca)?,
            topic: format!("devices/{client_id}/messages/events/{BAG}"),
            client_id,
            user: String::new(),
            password: String::new(),
        })
    };
    client::leave_subscribed(&target("away".into())?, "devices/#").await?;
    let targets = (0..connections).map(|n| target(format!("bench-{n}"))).collect::<Outcome<Vec<_>>>()?;
    Ok((process, targets))
}
