//! The way to the hub, tried step by step: name, socket, TLS, the hub's clock, the device's credential.
//!
//! Beside the link: no step signs the device in, so that a connection that stands isn't ended by its being tested.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, ServerName};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use super::meter::Meter;
use super::settings::{Credentials, UplinkSettings};
use super::tls::Tls;
use super::{link, sas, skew, tls, words};
use crate::clock::certificate::validity;
use crate::clock::wall;
use crate::settings::LinkTransport;
use crate::station::text::printable;

/// Longest time for one step.
const STEP: Duration = Duration::from_secs(8);
/// Addresses that are shown and tried.
const ADDRESSES: usize = 4;
/// Seconds of difference from the hub's clock from which tokens may be refused.
const SKEW_FAILS_S: f64 = 300.0;
/// Seconds from which it is worth a word.
const SKEW_WARNS_S: f64 = 60.0;

/// What is tried, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StepName {
    /// The hub's name has addresses.
    Dns,
    /// One of them takes a connection.
    Tcp,
    /// It shows a certificate that is trusted.
    Tls,
    /// This machine's clock beside the hub's.
    Clock,
    /// The device's key or certificate.
    Credential,
    /// The hub takes the device for itself.
    SignIn,
    /// A message is acknowledged.
    Publish,
}

impl StepName {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dns => "DNS",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Clock => "clock",
            Self::Credential => "credential",
            Self::SignIn => "sign-in",
            Self::Publish => "publish",
        }
    }
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StepOutcome {
    /// It went well.
    Ok,
    /// It went, and something will go wrong unless something is done.
    Warning,
    /// It went wrong.
    Failed,
    /// It wasn't tried.
    Skipped,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkStep {
    /// What was tried.
    pub step: StepName,
    /// How it went.
    pub outcome: StepOutcome,
    /// What was found, or what is wrong and what to do; printable.
    pub words: String,
    /// How long it took, ms (monotonic clock); absent where nothing was waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<f64>,
}

impl LinkStep {
    pub(in crate::edge_agent) fn new(step: StepName, outcome: StepOutcome, words: impl AsRef<str>) -> Self {
        Self { step, outcome, words: printable(words.as_ref()), took_ms: None }
    }

    pub(in crate::edge_agent) fn after(mut self, since: Instant) -> Self {
        self.took_ms = Some((since.elapsed().as_secs_f64() * 10_000.0).round() / 10.0);
        self
    }
}

/// The way to the hub, as it was when it was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkTest {
    /// When it began (wall clock).
    pub at: Timestamp,
    /// The hub's own name.
    pub hub: String,
    /// What is connected to: the hub's name or a gateway's, with the port.
    pub host: String,
    /// The steps, in the order of [`StepName`].
    pub steps: Vec<LinkStep>,
}

impl LinkTest {
    /// The first step that failed.
    #[must_use]
    pub fn failed(&self) -> Option<&LinkStep> {
        self.steps.iter().find(|step| step.outcome == StepOutcome::Failed)
    }
}

/// Tries everything that can be tried without signing in. Takes half a minute at most.
pub(in crate::edge_agent) async fn probe(settings: &UplinkSettings, meter: &Meter) -> LinkTest {
    let mut test = LinkTest {
        at: wall::now(),
        hub: printable(&settings.hub_host_name),
        host: printable(&format!("{}:{}", settings.url_host(), first_port(settings))),
        steps: Vec::new(),
    };
    let (addresses, dns) = dns(settings).await;
    test.steps.push(dns);
    let (stream, tcp) = tcp(settings, &addresses).await;
    test.steps.push(tcp);
    test.steps.push(match stream {
        Some(stream) => tls_step(settings, stream).await,
        None => LinkStep::new(StepName::Tls, StepOutcome::Skipped, "there is no connection to try it on"),
    });
    test.steps.push(if addresses.is_empty() {
        LinkStep::new(StepName::Clock, StepOutcome::Skipped, "the hub can't be asked for its time")
    } else {
        clock(settings, meter).await
    });
    test.steps.push(credential(settings, wall::now()));
    test
}

/// The port of the way that is tried first.
const fn first_port(settings: &UplinkSettings) -> u16 {
    match settings.transport {
        LinkTransport::Websocket => settings.https_port,
        _ => settings.port,
    }
}

fn hub_words(settings: &UplinkSettings, port: u16) -> String {
    format!("hub {} at {}:{port}", settings.hub_host_name, settings.host)
}

async fn dns(settings: &UplinkSettings) -> (Vec<SocketAddr>, LinkStep) {
    let since = Instant::now();
    let step = |outcome, words: String| LinkStep::new(StepName::Dns, outcome, words).after(since);
    let host = &settings.host;
    if let Ok(address) = host.parse() {
        let words = format!("{host} is an address itself");
        let step = LinkStep::new(StepName::Dns, StepOutcome::Skipped, words);
        return (vec![SocketAddr::new(address, first_port(settings))], step);
    }
    let found = tokio::time::timeout(STEP, tokio::net::lookup_host((host.as_str(), first_port(settings)))).await;
    let next = "check the network, its name servers (resolvectl status) and link.hub";
    match found {
        Err(_) => (Vec::new(), step(StepOutcome::Failed, format!("no name server answers for {host}; {next}"))),
        Ok(Err(error)) => (Vec::new(), step(StepOutcome::Failed, format!("{host} has no address: {error}; {next}"))),
        Ok(Ok(found)) => {
            let mut addresses: Vec<_> = found.collect();
            addresses.dedup();
            if addresses.is_empty() {
                return (addresses, step(StepOutcome::Failed, format!("{host} has no address; {next}")));
            }
            let shown: Vec<_> = addresses.iter().take(ADDRESSES).map(|address| address.ip().to_string()).collect();
            let more = addresses.len().saturating_sub(ADDRESSES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let words = format!("{host} is {}{more}", shown.join(", "));
            (addresses, step(StepOutcome::Ok, words))
        }
    }
}

/// Connects by the first way, and where that leads nowhere and the other may be taken, by that.
async fn tcp(settings: &UplinkSettings, addresses: &[SocketAddr]) -> (Option<TcpStream>, LinkStep) {
    if addresses.is_empty() {
        return (None, LinkStep::new(StepName::Tcp, StepOutcome::Skipped, "there is no address to connect to"));
    }
    let since = Instant::now();
    let first = first_port(settings);
    let failed = match connect(addresses, first).await {
        Ok((stream, address)) => {
            let words = format!("{address} takes connections");
            return (Some(stream), LinkStep::new(StepName::Tcp, StepOutcome::Ok, words).after(since));
        }
        Err(error) => words::io(&error, settings, &hub_words(settings, first)),
    };
    if settings.transport == LinkTransport::Auto
        && let Ok((stream, address)) = connect(addresses, settings.https_port).await
    {
        let words = format!("port {first} is shut on this network; {address} takes connections: WebSocket is used");
        return (Some(stream), LinkStep::new(StepName::Tcp, StepOutcome::Warning, words).after(since));
    }
    (None, LinkStep::new(StepName::Tcp, StepOutcome::Failed, failed).after(since))
}

async fn connect(addresses: &[SocketAddr], port: u16) -> std::io::Result<(TcpStream, SocketAddr)> {
    let mut last = std::io::Error::from(std::io::ErrorKind::TimedOut);
    let until = tokio::time::Instant::now() + STEP;
    for address in addresses.iter().take(ADDRESSES).map(|address| SocketAddr::new(address.ip(), port)) {
        match tokio::time::timeout_at(until, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok((stream, address)),
            Ok(Err(error)) => last = error,
            Err(_) => break,
        }
    }
    Err(last)
}

async fn tls_step(settings: &UplinkSettings, stream: TcpStream) -> LinkStep {
    let since = Instant::now();
    let step = |outcome, words: String| LinkStep::new(StepName::Tls, outcome, words).after(since);
    let port = stream.peer_addr().map_or_else(|_| first_port(settings), |address| address.port());
    let config = match tls::identity(&settings.credentials)
        .and_then(|identity| Tls::default().config(settings, identity.as_ref()))
    {
        Ok(config) => config,
        Err(words) => return step(StepOutcome::Failed, words),
    };
    let Ok(name) = ServerName::try_from(settings.host.clone()) else {
        return step(StepOutcome::Failed, format!("{} can't stand in a certificate; check link.hub", settings.host));
    };
    let shaken = tokio::time::timeout(STEP, tokio_rustls::TlsConnector::from(config).connect(name, stream)).await;
    let shaken = match shaken {
        Err(_) => return step(StepOutcome::Failed, no_answer(settings, port)),
        Ok(Err(error)) => return step(StepOutcome::Failed, words::io(&error, settings, &hub_words(settings, port))),
        Ok(Ok(stream)) => stream,
    };
    let (_, connection) = shaken.get_ref();
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "1.2",
        _ => "of another version",
    };
    let ends = connection.peer_certificates().and_then(|chain| chain.first()).and_then(ends_at);
    let ends = ends.map(|end| format!(", the hub's certificate ends on {}", day(end))).unwrap_or_default();
    step(StepOutcome::Ok, format!("TLS {version}{ends}"))
}

fn no_answer(settings: &UplinkSettings, port: u16) -> String {
    words::io(&std::io::ErrorKind::TimedOut.into(), settings, &hub_words(settings, port))
}

fn ends_at(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    validity(certificate).map(|(_, end)| end)
}

async fn clock(settings: &UplinkSettings, meter: &Meter) -> LinkStep {
    let since = Instant::now();
    let step = |outcome, words: String| LinkStep::new(StepName::Clock, outcome, words).after(since);
    match tokio::time::timeout(STEP, skew::hubs_date(settings, &Tls::default(), meter)).await {
        Err(_) => step(StepOutcome::Skipped, "the hub didn't tell its time in time".into()),
        Ok(Err(error)) => step(StepOutcome::Skipped, format!("the hub doesn't tell its time: {error}")),
        Ok(Ok(date)) => {
            // The date has no fraction of a second: half a second on average.
            let skew_s = wall::now().duration_since(date).as_secs_f64() - 0.5;
            clock_step(skew_s).after(since)
        }
    }
}

fn clock_step(skew_s: f64) -> LinkStep {
    let outcome = match skew_s.abs() {
        s if s >= SKEW_FAILS_S => StepOutcome::Failed,
        s if s >= SKEW_WARNS_S => StepOutcome::Warning,
        _ => StepOutcome::Ok,
    };
    let words = skew::words(skew_s)
        .unwrap_or_else(|| format!("within {:.0} s of the hub's, which has no fractions", skew_s.abs().ceil()));
    LinkStep::new(StepName::Clock, outcome, words)
}

/// Whether the device's key or certificate can be used at all.
fn credential(settings: &UplinkSettings, now: Timestamp) -> LinkStep {
    let step = |outcome, words: String| LinkStep::new(StepName::Credential, outcome, words);
    if let Credentials::Key(key) = &settings.credentials {
        let life = settings.token_life;
        let ends_at = now.checked_add(life).unwrap_or(now);
        return match sas::token(&settings.hub_host_name, &settings.device_id, key, ends_at) {
            Ok(_) => {
                let minutes = life.as_secs() / 60;
                step(StepOutcome::Ok, format!("a key; a token from it holds {minutes} min and is renewed before"))
            }
            Err(error) => step(StepOutcome::Failed, error.to_string()),
        };
    }
    match tls::identity(&settings.credentials) {
        Err(words) => step(StepOutcome::Failed, words),
        Ok(identity) => match identity.and_then(|identity| identity.ends_at) {
            None => step(StepOutcome::Warning, "a certificate whose end can't be read; have it looked at".into()),
            Some(end) => match link::warning(settings, end, now) {
                Some(words) if end <= now => step(StepOutcome::Failed, words),
                Some(words) => step(StepOutcome::Warning, words),
                None => step(StepOutcome::Ok, format!("a certificate until {}", day(end))),
            },
        },
    }
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::super::settings::Roots;
    use super::*;

    fn settings(host: &str, port: u16) -> UplinkSettings {
        let key = SecretString::from("a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5");
        UplinkSettings::at(host, port, "hub.test", "roof-01").signed_in(Credentials::Key(key), Roots::Pem(Vec::new()))
    }

    fn outcomes(test: &LinkTest) -> Vec<(StepName, StepOutcome)> {
        test.steps.iter().map(|step| (step.step, step.outcome)).collect()
    }

    #[tokio::test]
    async fn a_name_that_is_nowhere_ends_it_and_the_rest_is_skipped() {
        let test = probe(&settings("hub.invalid", 8883), &Meter::default()).await;
        assert_eq!(
            outcomes(&test),
            [
                (StepName::Dns, StepOutcome::Failed),
                (StepName::Tcp, StepOutcome::Skipped),
                (StepName::Tls, StepOutcome::Skipped),
                (StepName::Clock, StepOutcome::Skipped),
                (StepName::Credential, StepOutcome::Ok),
            ]
        );
        let failed = test.failed().expect("one failed");
        assert!(failed.words.contains("hub.invalid") && failed.words.contains("check the network"), "{failed:?}");
    }

    #[tokio::test]
    async fn a_port_where_nobody_listens_is_told_from_one_that_speaks_no_tls() {
        let shut = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = shut.local_addr().expect("an address").port();
        drop(shut);
        let test = probe(&settings("127.0.0.1", port), &Meter::default()).await;
        let tcp = &test.steps[1];
        assert_eq!((tcp.step, tcp.outcome), (StepName::Tcp, StepOutcome::Failed));
        assert!(tcp.words.contains("nothing listens there"), "{tcp:?}");

        let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = plain.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = plain.accept().await {
                drop(tokio::io::AsyncWriteExt::write_all(&mut stream, b"SSH-2.0-OpenSSH_9.2\r\n").await);
            }
        });
        let test = probe(&settings("127.0.0.1", port), &Meter::default()).await;
        let tls = &test.steps[2];
        assert_eq!((test.steps[1].outcome, tls.outcome), (StepOutcome::Ok, StepOutcome::Failed));
        assert!(test.failed().is_some_and(|step| step == tls), "{test:?}");
    }

    #[test]
    fn a_clock_that_is_far_off_fails_and_one_a_little_off_warns() {
        for (skew_s, outcome) in [
            (0.2, StepOutcome::Ok),
            (-59.0, StepOutcome::Ok),
            (61.0, StepOutcome::Warning),
            (-299.0, StepOutcome::Warning),
            (301.0, StepOutcome::Failed),
        ] {
            assert_eq!(clock_step(skew_s).outcome, outcome, "{skew_s}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_told_before_it_is_sent_and_is_never_shown() {
        let mut settings = settings("h", 1);
        settings.credentials = Credentials::Key(SecretString::from("hunter2!"));
        let step = credential(&settings, Timestamp::UNIX_EPOCH);
        assert_eq!(step.outcome, StepOutcome::Failed);
        assert!(step.words.contains("isn't base64") && !step.words.contains("hunter2"), "{step:?}");
    }
}
