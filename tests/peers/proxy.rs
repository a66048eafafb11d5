//! A line to a server that can be cut after so many bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Forwards connections to a port, until the bytes that may pass are used up.
pub struct Proxy {
    pub port: u16,
    left: Arc<AtomicI64>,
    passed: Arc<AtomicI64>,
}

impl Proxy {
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let left = Arc::new(AtomicI64::new(i64::MAX));
        let passed = Arc::new(AtomicI64::new(0));
        let shared = (Arc::clone(&left), Arc::clone(&passed));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (left, passed) = shared.clone();
                tokio::spawn(forward(client, server, left, passed));
            }
        });
        Self { port, left, passed }
    }

    /// From now on so many bytes pass towards the server, and then no more.
    pub fn cut_after(&self, bytes: i64) {
        self.left.store(bytes, Ordering::SeqCst);
    }

    /// How many bytes have passed towards the server.
    pub fn passed(&self) -> i64 {
        self.passed.load(Ordering::SeqCst)
    }

    /// Everything passes again.
    pub fn mend(&self) {
        self.cut_after(i64::MAX);
    }
}

/// Dropping both ends is what a client sees of a dead network.
async fn forward(client: TcpStream, server: u16, left: Arc<AtomicI64>, passed: Arc<AtomicI64>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async move {
        let mut buffer = vec![0; 512];
        while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
            let count = i64::try_from(count).expect("small");
            let before = left.load(Ordering::SeqCst);
            let may = count.min(before.max(0));
            if before != i64::MAX {
                left.fetch_sub(count, Ordering::SeqCst);
            }
            passed.fetch_add(may, Ordering::SeqCst);
            let part = &buffer[..usize::try_from(may).expect("small")];
            if to_server.write_all(part).await.is_err() || may < count {
                break;
            }
        }
    };
    let down = async move { tokio::io::copy(&mut from_server, &mut to_client).await };
    tokio::select! {
        () = up => {}
        _ = down => {}
    }
}
