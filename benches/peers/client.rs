//! A plain MQTT client that sends as fast as it is acknowledged: the same for every server, and cheap beside any.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Whom to send to, as whom.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub tls: Arc<rustls::ClientConfig>,
    pub client_id: String,
    pub user: String,
    pub password: String,
    pub topic: String,
}

/// What sending took.
pub struct Sent {
    pub elapsed: Duration,
    /// From a message's sending to its acknowledgement, in order of length.
    pub latencies: Vec<Duration>,
}

impl Sent {
    pub fn median(&self) -> Duration {
        self.latencies[self.latencies.len() / 2]
    }

    pub fn p99(&self) -> Duration {
        self.latencies[self.latencies.len() * 99 / 100]
    }
}

/// Sends `body` `count` times with QoS 1, with `window` unacknowledged at most.
pub async fn send(target: &Target, body: &[u8], count: usize, window: usize) -> Outcome<Sent> {
    let tcp = TcpStream::connect(target.address).await?;
    tcp.set_nodelay(true)?;
    let name = rustls::pki_types::ServerName::from(target.address.ip());
    let mut stream = TlsConnector::from(Arc::clone(&target.tls)).connect(name, tcp).await?;
    stream.write_all(&connect(target)).await?;
    stream.flush().await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await?;
    if answer != [0x20, 2, 0, 0] {
        return Err(format!("not let in: {answer:?}").into());
    }
    let started = Instant::now();
    let mut waiting: VecDeque<(u16, Instant)> = VecDeque::with_capacity(window);
    let mut latencies = Vec::with_capacity(count);
    let mut sent = 0;
    let mut received = Vec::new();
    let mut packets = Vec::new();
    while latencies.len() < count {
        packets.clear();
        while sent < count && waiting.len() < window && packets.len() < 64 * 1024 {
            let id = u16::try_from(sent % 65_000)? + 1;
            publish(&mut packets, id, &target.topic, body);
            waiting.push_back((id, Instant::now()));
            sent += 1;
        }
        if !packets.is_empty() {
            stream.write_all(&packets).await?;
            stream.flush().await?;
            if waiting.len() < window && sent < count {
                continue;
            }
        }
        if stream.read_buf(&mut received).await? == 0 {
            return Err("the server has closed the connection".into());
        }
        let whole = received.len() / 4 * 4;
        for answer in received[..whole].chunks(4) {
            let [0x40, 2, high, low] = answer else { return Err(format!("no PUBACK: {answer:?}").into()) };
            let id = u16::from_be_bytes([*high, *low]);
            let (next, at) = waiting.pop_front().ok_or("an acknowledgement too many")?;
            if next != id {
                return Err(format!("{id} is acknowledged before {next}").into());
            }
            latencies.push(at.elapsed());
        }
        received.drain(..whole);
    }
    let elapsed = started.elapsed();
    stream.write_all(&[0xE0, 0]).await?;
    stream.shutdown().await?;
    latencies.sort();
    Ok(Sent { elapsed, latencies })
}

/// Subscribes to `filter` in a session that outlives the connection, so that a server has to keep what comes.
pub async fn leave_subscribed(target: &Target, filter: &str) -> Outcome<()> {
    let name = rustls::pki_types::ServerName::from(target.address.ip());
    let tcp = TcpStream::connect(target.address).await?;
    let mut stream = TlsConnector::from(Arc::clone(&target.tls)).connect(name, tcp).await?;
    let mut packet = connect(target);
    // The session isn't a clean one.
    let flags = packet.windows(5).position(|window| window == b"MQTT\x04").ok_or("a CONNECT")? + 5;
    packet[flags] &= !0b10;
    let mut subscribe = Vec::new();
    subscribe.extend([0, 1]);
    text(&mut subscribe, filter.as_bytes());
    subscribe.push(1);
    packet.push(0x82);
    length(&mut packet, subscribe.len());
    packet.extend(subscribe);
    stream.write_all(&packet).await?;
    stream.flush().await?;
    let mut answers = [0; 9];
    stream.read_exact(&mut answers).await?;
    if answers != [0x20, 2, 0, 0, 0x90, 3, 0, 1, 1] {
        return Err(format!("not subscribed: {answers:?}").into());
    }
    stream.write_all(&[0xE0, 0]).await?;
    stream.shutdown().await?;
    Ok(())
}

fn connect(target: &Target) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, b"MQTT");
    let has_user = !target.user.is_empty();
    // Version 3.1.1, a clean session, a keep-alive of a minute.
    body.extend([4, if has_user { 0b1100_0010 } else { 0b10 }, 0, 60]);
    text(&mut body, target.client_id.as_bytes());
    if has_user {
        text(&mut body, target.user.as_bytes());
        text(&mut body, target.password.as_bytes());
    }
    let mut packet = vec![0x10];
    length(&mut packet, body.len());
    packet.extend(body);
    packet
}

fn publish(packets: &mut Vec<u8>, id: u16, topic: &str, body: &[u8]) {
    packets.push(0x32);
    length(packets, 2 + topic.len() + 2 + body.len());
    text(packets, topic.as_bytes());
    packets.extend(id.to_be_bytes());
    packets.extend(body);
}

fn text(packet: &mut Vec<u8>, text: &[u8]) {
    packet.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    packet.extend(text);
}

/// MQTT's variable length.
fn length(packet: &mut Vec<u8>, mut length: usize) {
    loop {
        let low = u8::try_from(length % 128).unwrap_or_default();
        length /= 128;
        packet.push(if length > 0 { low | 128 } else { low });
        if length == 0 {
            return;
        }
    }
}
