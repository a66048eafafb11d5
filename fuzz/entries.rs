//! What the fuzzers call with their bytes, and `tests/fuzzing.rs` with the corpus and bytes of its own. A panic is a find.

use std::sync::OnceLock;

use bytes::BytesMut;
use rmqtt_codec::v3::{Codec, Packet};
use skydeck::edge_agent::uplink::sas;
use skydeck::local_cloud::hub::fuzzing::{self, DEVICE, Endpoint, HOST};
use tokio_util::codec::Decoder as _;

fn endpoint() -> &'static Endpoint {
    static ENDPOINT: OnceLock<Endpoint> = OnceLock::new();
    ENDPOINT.get_or_init(|| Endpoint::new().expect("a hub"))
}

/// A CONNECT that is let in.
fn connect() -> &'static [u8] {
    static CONNECT: OnceLock<Vec<u8>> = OnceLock::new();
    CONNECT.get_or_init(|| {
        let until = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 365);
        let token = sas::token(HOST, DEVICE, endpoint().key(), until).expect("a key");
        let user = format!("{HOST}/{DEVICE}/?api-version=2021-04-12");
        let mut body = b"\x00\x04MQTT\x04\xc2\x00\x3c".to_vec();
        for text in [DEVICE, &user, secrecy::ExposeSecret::expose_secret(&token)] {
            body.extend(u16::try_from(text.len()).expect("short").to_be_bytes());
            body.extend(text.as_bytes());
        }
        // The length takes two bytes: it is above 127 and below 16,384.
        let length =
            [u8::try_from(body.len() % 128).expect("small") | 128, u8::try_from(body.len() / 128).expect("small")];
        [&[0x10], length.as_slice(), &body].concat()
    })
}

/// A connection of a device: the first byte tells whether it is let in before the rest comes.
pub fn mqtt(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let is_in = first & 1 == 1;
    let sent = if is_in { [connect(), rest].concat() } else { rest.to_vec() };
    let answers = endpoint().converse(&sent).expect("the hub ends what the device has ended");
    let mut left = BytesMut::from(&*answers);
    let mut codec = Codec::new(0);
    let mut packets = Vec::new();
    while let Some((packet, _)) = codec.decode(&mut left).expect("the hub speaks MQTT") {
        packets.push(packet);
    }
    assert!(left.is_empty(), "the hub ends within a packet: {left:?}");
    if is_in {
        assert!(matches!(packets.first(), Some(Packet::ConnectAck(_))), "{packets:?}");
    }
}

/// A topic with its property bag.
pub fn topic(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let is_served = fuzzing::topic(text);
        let is_own = text.starts_with("$iothub/") || text.starts_with(&format!("devices/{DEVICE}/messages/events"));
        assert!(!is_served || is_own, "{text:?} is another's");
    }
}

/// A request to the service side: a line with method and address, headers, an empty line, a body. It is signed by a policy
/// that may everything.
pub fn rest(data: &[u8]) {
    let end = data.windows(2).position(|two| two == b"\n\n").unwrap_or(data.len());
    let body = data.get(end + 2..).unwrap_or_default().to_vec();
    let Ok(head) = std::str::from_utf8(&data[..end]) else { return };
    let mut lines = head.lines();
    let Some((method, address)) = lines.next().and_then(|line| line.split_once(' ')) else { return };
    let mut request = http::Request::builder().method(method).uri(address).header("Authorization", authorization());
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        request = request.header(name, value.trim());
    }
    // What is no request of HTTP never comes so far.
    let Ok(request) = request.body(body) else { return };
    let is_call = address.contains("/methods");
    match endpoint().request(request) {
        Some((status, answer)) => {
            assert_ne!(status, 500, "{method} {address}: {}", String::from_utf8_lossy(&answer));
            let is_error = status >= 400 && method != "HEAD";
            if is_error && !answer.is_empty() && answer[0] == b'{' {
                let _: serde_json::Value = serde_json::from_slice(&answer).expect("an error is JSON");
            }
        }
        None => assert!(is_call, "{method} {address} isn't answered"),
    }
}

/// A policy's signature for this hub.
fn authorization() -> &'static str {
    use base64::Engine as _;
    use hmac::Mac as _;
    static AUTHORIZATION: OnceLock<String> = OnceLock::new();
    AUTHORIZATION.get_or_init(|| {
        let string = secrecy::ExposeSecret::expose_secret(endpoint().service());
        let part =
            |name: &str| string.split(';').find_map(|part| part.strip_prefix(name)).expect("a connection string");
        let (policy, key) = (part("SharedAccessKeyName="), part("SharedAccessKey="));
        let engine = base64::engine::general_purpose::STANDARD;
        let key = engine.decode(key).expect("a key");
        let until = jiff::Timestamp::now().as_second() + 365 * 86_400;
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&key).expect("a key");
        mac.update(format!("{HOST}\n{until}").as_bytes());
        let signature = engine.encode(mac.finalize().into_bytes());
        let signature = percent_encoding::utf8_percent_encode(&signature, percent_encoding::NON_ALPHANUMERIC);
        format!("SharedAccessSignature sr={HOST}&sig={signature}&se={until}&skn={policy}")
    })
}
