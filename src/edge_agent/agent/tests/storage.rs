//! A hub's file upload and its storage, as small and as strict as can be: what it doesn't know ends the connection.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// The server. It answers the first request with 503, refuses the first blob, and ends the connection in the third block.
pub struct Hub {
    pub port: u16,
    pub ca: Vec<u8>,
    pub seen: Arc<Mutex<Vec<String>>>,
}

struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

impl Hub {
    pub async fn start() -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .and_then(|params| params.self_signed(&key))
            .expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .expect("its key");
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let port = listener.local_addr().expect("an address").port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, log) = (acceptor.clone(), Arc::clone(&log));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    while let Some(request) = read(&mut stream).await {
                        let (said, answer) = answer(&request, &log.lock().expect("not poisoned"), port);
                        log.lock().expect("not poisoned").push(said);
                        if answer.is_empty() {
                            return;
                        }
                        if stream.write_all(answer.as_bytes()).await.is_err() || stream.flush().await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { port, ca: certificate.pem().into_bytes(), seen }
    }
}

fn respond(status: &str, more: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{more}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn answer(request: &Request, seen: &[String], port: u16) -> (String, String) {
    let token = request.header("authorization");
    let signed = token.starts_with("SharedAccessSignature sr=a-hub%2Fdevices%2Froof-01&sig=");
    let json = || serde_json::from_slice::<Value>(&request.body).expect("JSON");
    match request.line.as_str() {
        "POST /devices/roof-01/files?api-version=2021-04-12 HTTP/1.1" if signed => {
            if seen.is_empty() {
                return ("busy".into(), respond("503 Service Unavailable", "Retry-After: 0\r\n", "later"));
            }
            let name = json()["blobName"].as_str().expect("a name").to_owned();
            let place = json!({"correlationId": "c-1", "hostName": format!("127.0.0.1:{port}"), "containerName": "pictures",
                "blobName": format!("roof-01/{name}"), "sasToken": "?sv=1&sig=s%2Bs"});
            ("asked".into(), respond("200 OK", "", &place.to_string()))
        }
        "POST /devices/roof-01/files/notifications?api-version=2021-04-12 HTTP/1.1" if signed => {
            let told = json();
            assert_eq!(told["correlationId"], "c-1");
            (format!("notified {}", told["isSuccess"]), respond("204 No Content", "", ""))
        }
        line if line.starts_with("PUT /pictures/roof-01/") && line.ends_with(".jpg?sv=1&sig=s%2Bs HTTP/1.1") => {
            assert!(token.is_empty(), "the storage isn't shown the hub's token");
            assert_eq!(request.header("x-ms-blob-type"), "BlockBlob");
            if !seen.iter().any(|said| said.starts_with("put")) {
                return ("put refused".into(), respond("500 Internal Server Error", "", "no"));
            }
            (format!("put {}", request.body.len()), respond("201 Created", "", ""))
        }
        line if line.starts_with("PUT /pictures/roof-01/")
            && line.contains(".jpg?sv=1&sig=s%2Bs&comp=block&blockid=") =>
        {
            let blocks = seen.iter().filter(|said| said.starts_with("block")).count();
            if blocks == 2 && !seen.iter().any(|said| said == "cut off") {
                return ("cut off".into(), String::new());
            }
            (format!("block {}", request.body.len()), respond("201 Created", "", ""))
        }
        line if line.starts_with("PUT /pictures/roof-01/") && line.contains(".jpg?sv=1&sig=s%2Bs&comp=blocklist ") => {
            assert_eq!(request.header("x-ms-blob-content-type"), "image/jpeg");
            let list = String::from_utf8_lossy(&request.body).into_owned();
            (format!("list of {}", list.matches("<Uncommitted>").count()), respond("201 Created", "", ""))
        }
        line => (format!("unknown: {line}"), String::new()),
    }
}

async fn read(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let request = Request { line, headers, body: Vec::new() };
    // A body without its length isn't taken: Azure's storage doesn't, either.
    let mut body = vec![0; request.header("content-length").parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { body, ..request })
}
