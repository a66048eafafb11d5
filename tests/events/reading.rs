//! What is read, from when, and by which right and way.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use serde_json::json;
use skydeck::ingestion::bins::Measured as _;
use skydeck::ingestion::events::{Credentials, EventsStatus, LineState, Pace};
use skydeck::settings::{AzureSettings, FeedTransport};
use skydeck::station::Variable;

use super::hub::{Hub, Reading, data, pace};

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_reads_the_last_minutes_and_then_what_comes() {
    let Some(mut hub) = Hub::start() else { return };
    hub.measure("0", 3, 7200);
    hub.measure("0", 4, 600);
    hub.measure("1", 2, 60);
    let mut reading = Reading::start(&hub.settings(), &data(hub.folder.path(), "data"), pace());
    let status = reading.received(6).await;
    assert_eq!(status.line, LineState::Reading);
    assert_eq!(status.place, "hub hub-events at 127.0.0.1");
    hub.measure("1", 1, 0);
    reading.received(7).await;
    let newest = reading.feed.status().newest.expect("a measurement");
    assert_eq!((newest.device_id.as_str(), newest.temperature_c), ("roof-01", Some(14.2)));
    let recent = reading.feed.recent(1).remove(0);
    assert_eq!(recent.message_id.as_deref(), Some("m-1-2"));
    assert_eq!(recent.properties.get("level").map(String::as_str), Some("normal"));
    assert_eq!(recent.system_properties.get("connectionDeviceId").map(String::as_str), Some("roof-01"));
    let seen = reading.memory.find(Some("m-0-5")).await.expect("read").expect("seen");
    assert_eq!((seen.partition.as_str(), seen.sequence), ("0", 5));
    assert!(seen.enqueued_at < seen.received_at);
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_time_and_from_now_on() {
    let Some(mut hub) = Hub::start() else { return };
    hub.measure("0", 3, 7200);
    hub.measure("0", 4, 600);
    let from = (jiff::Timestamp::now() - jiff::SignedDuration::from_secs(8000)).to_string();
    let settings = AzureSettings { feed_from: Some(from), ..hub.settings() };
    let mut reading = Reading::start(&settings, &data(hub.folder.path(), "time"), pace());
    reading.received(7).await;
    let settings = AzureSettings { feed_minutes: 0, ..hub.settings() };
    let mut reading = Reading::start(&settings, &data(hub.folder.path(), "now"), pace());
    reading.until("both partitions", |status| status.line == LineState::Reading).await;
    hub.measure("0", 1, 0);
    let status = reading.received(1).await;
    assert_eq!(status.partitions["0"].sequence, Some(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn charts_go_on_where_they_were_at_a_new_start() {
    let Some(mut hub) = Hub::start() else { return };
    hub.measure("0", 4, 7200);
    let folder = data(hub.folder.path(), "data");
    let now = jiff::Timestamp::now();
    let ago = |seconds| now - jiff::SignedDuration::from_secs(seconds);
    let settings = AzureSettings { feed_from: Some(ago(8000).to_string()), ..hub.settings() };
    let mut reading = Reading::start(&settings, &folder, pace());
    reading.received(4).await;
    let seen = reading.memory.find_soon("m-0-3", Duration::from_secs(30)).await.expect("read");
    assert!(seen.is_some(), "the last one is remembered");
    reading.end().await;

    // The hub has nothing of then any more.
    hub.tell(&json!({"do": "forget", "partition": "0", "count": 4}));
    hub.measure("0", 1, 0);
    let mut reading = Reading::start(&hub.settings(), &folder, pace());
    reading.received(1).await;
    let minutes = reading.memory.minutes(Some("roof-01"), ago(8000), ago(7000)).await.expect("read");
    let kept: Vec<_> = minutes.iter().filter_map(|minute| minute.bin(Variable::Temperature)).collect();
    assert!(!kept.is_empty() && kept.iter().all(|bin| (bin.mean, bin.min, bin.max) == (14.2, 14.2, 14.2)), "{kept:?}");
    let minute = jiff::SignedDuration::from_mins(1);
    let span = (ago(8000), now + minute);
    let seen = reading.memory.find_soon("m-0-4", Duration::from_secs(30)).await.expect("read");
    assert!(seen.is_some(), "the last one is remembered");
    let before = reading.feed.before(span.0, span.1).expect("it begins before the start");
    let older = reading.memory.minutes(None, before.0, before.1).await.expect("read");
    let (bins, _) = reading.feed.bins(&older, None, Variable::Temperature, span, minute);
    assert_eq!(bins.len(), kept.len() + 1, "{bins:?}");
    assert_eq!(reading.feed.status().measurements, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_messages_than_credit_all_come_once() {
    let Some(mut hub) = Hub::start() else { return };
    hub.measure("0", 6000, 0);
    let mut reading = Reading::start(&hub.settings(), &data(hub.folder.path(), "data"), pace());
    let status = reading.received(6000).await;
    assert_eq!((status.missed, status.aside), (0, 0));
    let counts = hub.counts();
    assert!(counts["mostCredit"].as_u64().is_some_and(|credit| (1..=500).contains(&credit)), "{counts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn none_is_lost_where_every_one_is_remembered_at_once() {
    let Some(mut hub) = Hub::start() else { return };
    // Whatever is waited for when it is time to remember is waited for anew.
    let quick = Pace { linger: Duration::from_micros(50), ..pace() };
    let mut reading = Reading::start(&hub.settings(), &data(hub.folder.path(), "data"), quick);
    reading.until("both partitions", |status| status.line == LineState::Reading).await;
    for _ in 0..40 {
        hub.measure("0", 250, 0);
        hub.measure("1", 250, 0);
    }
    let status = reading.received(20_000).await;
    assert_eq!((status.missed, status.aside), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_t_be_read_is_kept_aside_and_the_rest_goes_on() {
    let Some(mut hub) = Hub::start() else { return };
    let folder = data(hub.folder.path(), "data");
    let mut reading = Reading::start(&hub.settings(), &folder, pace());
    hub.tell(&json!({"do": "publish", "partition": "0", "event": {"device": "roof-02", "body": "{ broken"}}));
    hub.tell(&json!({"do": "publish", "partition": "0", "event": {"body": "{}"}}));
    hub.tell(&json!({"do": "publish", "partition": "0", "event": {"device": "roof-02", "body": "x", "json": false}}));
    hub.measure("0", 1, 0);
    let status = reading.received(4).await;
    assert_eq!(status.aside, 3);
    let aside = reading.memory.aside(9).await.expect("read");
    let reasons: Vec<_> = aside.iter().rev().map(|aside| aside.reason.as_str()).collect();
    assert!(reasons[1].contains("no device sent it") && reasons[2].contains("application/json"), "{reasons:?}");
    assert_eq!((aside[2].device_id.as_deref(), aside[2].body.as_slice()), (Some("roof-02"), b"{ broken".as_slice()));
    // A new start tells of it still.
    reading.end().await;
    let mut reading = Reading::start(&hub.settings(), &folder, pace());
    let again = reading.until("what was put aside", |status| status.line == LineState::Reading).await;
    let words = |status: &EventsStatus| status.last_aside.as_ref().map(|(_, words)| words.clone());
    assert_eq!((again.aside, words(&again)), (3, words(&status)));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_websocket_and_through_a_proxy_with_its_password() {
    let Some(mut hub) = Hub::start() else { return };
    hub.measure("0", 700, 0);
    let proxy = super::faults::proxy("HTTP/1.1 200 Connection established", Some("Basic YWRhOnBhc3Mgd29yZA==")).await;
    let credentials = hub.folder.path().join("proxy");
    std::fs::write(&credentials, "ada:pass word\n").expect("written");
    std::fs::set_permissions(&credentials, std::fs::Permissions::from_mode(0o600)).expect("restricted");
    // The hub's settings write the string down too: the last one counts.
    let settings = AzureSettings {
        transport: FeedTransport::Websocket,
        proxy: Some(format!("http://127.0.0.1:{proxy}")),
        proxy_credentials: Some(format!("file:{}", credentials.display())),
        ..hub.settings()
    };
    hub.secret(&hub.connection_string(hub.web));
    let mut reading = Reading::start(&settings, &data(hub.folder.path(), "data"), pace());
    reading.received(700).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_s_own_address_leads_to_its_endpoint() {
    let Some(mut hub) = Hub::start() else { return };
    hub.measure("1", 2, 0);
    // The hub's key is base64, and the endpoint takes its text.
    let text = format!("HostName=127.0.0.1:{};SharedAccessKeyName=feed;SharedAccessKey=a2V5", hub.amqps);
    let settings = hub.settings();
    hub.secret(&text);
    let mut reading = Reading::start(&settings, &data(hub.folder.path(), "data"), pace());
    let status = reading.until("the endpoint's answer", |status| status.problem.is_some()).await;
    let problem = status.problem.expect("one");
    // Led there, and refused there: the peer has another key than the hub.
    assert!(problem.starts_with("hub hub-events at 127.0.0.1: the hub refuses the token"), "{problem}");
    let counts = hub.counts();
    assert!(counts["redirected"].as_u64() >= Some(1) && counts["user"] == "feed@sas.root.127", "{counts}");
}

#[derive(Debug)]
struct Someone;

#[async_trait::async_trait]
impl TokenCredential for Someone {
    async fn get_token(&self, scopes: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        assert_eq!(scopes, ["https://eventhubs.azure.net/.default"]);
        let ends = azure_core::time::OffsetDateTime::now_utc() + azure_core::time::Duration::hours(1);
        Ok(AccessToken::new("a token of Entra's", ends))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_a_token_of_entra_s() {
    let Some(mut hub) = Hub::start() else { return };
    hub.measure("0", 2, 0);
    let credentials = Credentials::Entra {
        host: format!("127.0.0.1:{}", hub.amqps),
        entity: "hub-events".into(),
        credential: Arc::new(Someone),
    };
    let mut reading = Reading::with(&hub.settings(), credentials, &data(hub.folder.path(), "data"), pace());
    reading.received(2).await;
    let kinds: BTreeSet<String> = serde_json::from_value(hub.counts()["kinds"].clone()).expect("kinds");
    assert_eq!(kinds, BTreeSet::from(["jwt".to_owned()]));
}
