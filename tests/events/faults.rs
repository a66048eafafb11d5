//! What an operator reads when the way to the hub isn't free.

use skydeck::settings::{AzureSettings, FeedTransport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::hub::{Hub, Reading, data, pace};

async fn problem(settings: &AzureSettings, hub: &Hub, name: &str) -> String {
    let mut reading = Reading::start(settings, &data(hub.folder.path(), name), pace());
    reading.until("a problem", |status| status.problem.is_some()).await.problem.expect("one")
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_reads_along_is_told_and_not_let_through() {
    let Some(hub) = Hub::start() else { return };
    let words = problem(&AzureSettings { ca: None, ..hub.settings() }, &hub, "data").await;
    assert!(words.contains("by an authority that this computer doesn't trust"), "{words}");
    assert!(words.contains("azure.ca") && words.contains("can't be turned off"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_isn_t_known_and_a_port_where_nobody_is() {
    let Some(hub) = Hub::start() else { return };
    let string = hub.connection_string(hub.amqps).replace("127.0.0.1", "no-such-hub.invalid");
    let settings = hub.settings();
    hub.secret(&string);
    let words = problem(&settings, &hub, "name").await;
    assert!(words.starts_with("no-such-hub.invalid: its name isn't known here"), "{words}");
    assert!(words.contains("DNS"), "{words}");
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("its address").port();
    hub.secret(&hub.connection_string(free));
    let words = problem(&settings, &hub, "port").await;
    assert!(words.contains("can't be reached") && words.contains("azure.transport = \"websocket\""), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_wants_a_password_or_refuses() {
    let Some(hub) = Hub::start() else { return };
    for (answer, expected) in [
        ("HTTP/1.1 407 Proxy Authentication Required", "wants a user and a password; see azure.proxy_credentials"),
        ("HTTP/1.1 403 Forbidden", "doesn't let 127.0.0.1:"),
    ] {
        let port = proxy(answer, None).await;
        let settings = AzureSettings { proxy: Some(format!("http://127.0.0.1:{port}")), ..hub.settings() };
        let words = problem(&settings, &hub, &port.to_string()).await;
        assert!(words.starts_with(&format!("proxy 127.0.0.1:{port}: ")) && words.contains(expected), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_the_hub_doesn_t_know() {
    let Some(hub) = Hub::start() else { return };
    let string = hub.connection_string(hub.amqps).replace("hub-events", "another");
    let settings = hub.settings();
    hub.secret(&string);
    let words = problem(&settings, &hub, "entity").await;
    assert!(words.contains("not found (no such event hub)") && words.contains("iothub_feed"), "{words}");
    let settings = AzureSettings { consumer_group: "nobodys".into(), ..hub.settings() };
    let mut reading = Reading::start(&settings, &data(hub.folder.path(), "group"), pace());
    let status = reading.until("a problem", |status| status.last_problem.is_some()).await;
    let words = status.last_problem.expect("one").1;
    assert!(words.contains("amqp:not-found") && words.contains("azure.consumer_group"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_speaks_something_else() {
    let Some(hub) = Hub::start() else { return };
    let settings = AzureSettings { transport: FeedTransport::Websocket, ..hub.settings() };
    let words = problem(&settings, &hub, "data").await;
    assert!(words.contains("doesn't take AMQP over WebSocket"), "{words}");
}

/// An HTTP proxy that answers every `CONNECT` with this line, and lets through what it says yes to. With a `key`, only who has that
/// in `Proxy-Authorization` is answered so, and anybody else is asked for it.
pub async fn proxy(answer: &'static str, key: Option<&'static str>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut asked = Vec::new();
                while !asked.ends_with(b"\r\n\r\n") {
                    asked.push(client.read_u8().await.expect("a request"));
                }
                let asked = String::from_utf8(asked).expect("text");
                let is_open = key.is_none_or(|key| asked.contains(&format!("\r\nProxy-Authorization: {key}\r\n")));
                let answer = if is_open { answer } else { "HTTP/1.1 407 Proxy Authentication Required" };
                client.write_all(format!("{answer}\r\n\r\n").as_bytes()).await.expect("answered");
                let to = asked.split(' ').nth(1).expect("where to").to_owned();
                if answer.contains(" 200 ")
                    && let Ok(mut server) = TcpStream::connect(to).await
                {
                    // However it ends.
                    drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
                }
            });
        }
    });
    port
}
