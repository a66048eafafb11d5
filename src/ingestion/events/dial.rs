//! The stream that AMQP runs over: TCP, through a proxy where there is one, TLS, and WebSocket where only that gets out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig};
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::error::{EventsError, Fault, short};
use super::place::{AMQPS, HTTPS};
use crate::ingestion::proxy::Proxy;
use crate::settings::FeedTransport;

/// How long each step to the endpoint may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes on their way between AMQP and a WebSocket, each way.
const BRIDGE: usize = 64 * 1024;
/// Most bytes of a proxy's answer.
const MOST_ANSWER: usize = 8 * 1024;

/// What AMQP runs over.
pub(super) trait Stream: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin> Stream for T {}

/// By which way the endpoint is reached.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) transport: FeedTransport,
    pub(super) proxy: Option<Proxy>,
    pub(super) tls: Arc<ClientConfig>,
}

/// A stream to `host`, at `port` or the transport's own.
pub(super) async fn dial(host: &str, port: Option<u16>, way: &Way) -> Result<Box<dyn Stream>, EventsError> {
    let port = port.unwrap_or(match way.transport {
        FeedTransport::Amqp => AMQPS,
        FeedTransport::Websocket => HTTPS,
    });
    let at = format!("{host}:{port}");
    let tcp = match &way.proxy {
        Some(proxy) => step(&at, through(proxy, host, port)).await?,
        None => step(&at, connect(host, port, way.transport)).await?,
    };
    tcp.set_nodelay(true).ok();
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| EventsError::new(Fault::Settings, format!("{host}: not a host's name; check azure.feed")))?;
    let handshake =
        async { TlsConnector::from(Arc::clone(&way.tls)).connect(name, tcp).await.map_err(|error| tls(&at, &error)) };
    let stream = step(&at, handshake).await?;
    match way.transport {
        FeedTransport::Amqp => Ok(Box::new(stream)),
        FeedTransport::Websocket => step(&at, websocket(&at, stream)).await,
    }
}

/// One step, in its time.
async fn step<T>(at: &str, work: impl Future<Output = Result<T, EventsError>>) -> Result<T, EventsError> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| {
        let words =
            format!("{at}: no answer in {} s; check the network and its firewall; tried again", PATIENCE.as_secs());
        Err(EventsError::new(Fault::Unreachable, words))
    })
}

async fn connect(host: &str, port: u16, transport: FeedTransport) -> Result<TcpStream, EventsError> {
    let unreachable = |words: String| EventsError::new(Fault::Unreachable, words);
    let found = tokio::net::lookup_host((host, port)).await.map_err(|error| {
        unreachable(format!(
            "{host}: its name isn't known here ({}); check this network's DNS, and the name in azure.feed or \
             azure.feed_host; tried again",
            short(&error.to_string())
        ))
    })?;
    let mut last = String::from("no address");
    for address in found {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error.to_string(),
        }
    }
    let other = match transport {
        FeedTransport::Amqp => {
            "a network that lets only HTTPS out needs azure.transport = \"websocket\", or azure.proxy"
        }
        FeedTransport::Websocket => "a network behind a proxy needs azure.proxy",
    };
    Err(unreachable(format!("{host}:{port}: can't be reached ({}); {other}; tried again", short(&last))))
}

/// Through an HTTP proxy, by its `CONNECT`.
async fn through(proxy: &Proxy, host: &str, port: u16) -> Result<TcpStream, EventsError> {
    let address = proxy.address();
    let unreachable = |words: String| EventsError::new(Fault::Unreachable, words);
    let at = format!("proxy {}:{}", address.0, address.1);
    let failed = |error: std::io::Error| unreachable(format!("{at}: {error}; check azure.proxy; tried again"));
    let mut stream = TcpStream::connect(address).await.map_err(failed)?;
    let key = proxy.authorization();
    let key = key.as_ref().map_or_else(String::new, |key| format!("Proxy-Authorization: {}\r\n", key.expose_secret()));
    let asked = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{key}\r\n");
    stream.write_all(asked.as_bytes()).await.map_err(failed)?;
    let mut answer = Vec::new();
    // By the byte: what comes after the empty line is TLS's.
    while !answer.ends_with(b"\r\n\r\n") && answer.len() < MOST_ANSWER {
        answer.push(stream.read_u8().await.map_err(failed)?);
    }
    let line = String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
    match line.split(' ').nth(1) {
        Some("200") => Ok(stream),
        Some("407") => Err(unreachable(format!(
            "{at}: wants a user and a password{}; see azure.proxy_credentials",
            if proxy.credentials().is_some() { ", and not those it was given" } else { "" }
        ))),
        _ => Err(unreachable(format!("{at}: doesn't let {host}:{port} through ({}); ask who runs it", short(&line)))),
    }
}

/// What a failed handshake means.
fn tls(at: &str, error: &std::io::Error) -> EventsError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let words = match inner {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => format!(
            "{at}: its certificate is by an authority that this computer doesn't trust: something between may be reading \
             along, as a company's TLS inspection does; if that is meant, add its authority to the system's or name its \
             PEM file in azure.ca; the check can't be turned off"
        ),
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => format!("{at}: its certificate is for another name: somebody else answers there; check DNS and proxy"),
        Some(rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        )) => format!("{at}: its certificate isn't valid now; check this computer's clock"),
        _ => format!(
            "{at}: TLS failed ({}); something else may answer at that port; tried again",
            short(&error.to_string())
        ),
    };
    EventsError::new(Fault::Unreachable, words)
}

/// AMQP over WebSocket, as Event Hubs has it.
async fn websocket(at: &str, stream: impl Stream + 'static) -> Result<Box<dyn Stream>, EventsError> {
    let failed = |reason: String| {
        let words =
            format!("{at}: doesn't take AMQP over WebSocket ({}); check azure.transport; tried again", short(&reason));
        EventsError::new(Fault::Unreachable, words)
    };
    let mut request =
        format!("wss://{at}/$servicebus/websocket").into_client_request().map_err(|error| failed(error.to_string()))?;
    request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("amqp"));
    let (socket, _) = client_async(request, stream).await.map_err(|error| failed(error.to_string()))?;
    let (near, far) = tokio::io::duplex(BRIDGE);
    tokio::spawn(bridge(far, socket));
    Ok(Box::new(near))
}

/// Carries bytes both ways until one end is gone; dropping both tells the other.
async fn bridge<S: AsyncRead + AsyncWrite + Unpin>(far: tokio::io::DuplexStream, socket: WebSocketStream<S>) {
    let (mut read, mut write) = tokio::io::split(far);
    let (mut out, mut from) = socket.split();
    let up = async {
        let mut buffer = vec![0; BRIDGE];
        while let Ok(count @ 1..) = read.read(&mut buffer).await {
            let part = buffer.get(..count).unwrap_or_default().to_vec();
            if out.send(Message::binary(part)).await.is_err() {
                return;
            }
        }
        // Whoever is told so or not: the stream ends here.
        out.close().await.ok();
    };
    let down = async {
        while let Some(Ok(message)) = from.next().await {
            match message {
                Message::Binary(part) if write.write_all(&part).await.is_err() => return,
                Message::Close(_) => return,
                _ => {}
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}
