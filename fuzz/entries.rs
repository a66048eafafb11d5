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
