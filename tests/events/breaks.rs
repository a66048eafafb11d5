//! What ends a connection, a link or a right, and that nothing is lost or read twice.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use skydeck::ingestion::events::{LineState, Pace};

use super::hub::{Hub, Reading, data, pace};

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_goes_on_where_it_broke_off() {
    let Some(mut hub) = Hub::start() else { return };
    hub.measure("0", 40, 0);
    let mut reading = Reading::start(&hub.settings(), &data(hub.folder.path(), "data"), pace());
    reading.received(40).await;
    for round in 1..=3 {
        hub.tell(&json!({"do": "cut"}));
        hub.measure("0", 20, 0);
        hub.measure("1", 5, 0);
        reading.received(40 + 25 * round).await;
    }
    let status = reading.until("four connections", |status| status.connections == 4).await;
    assert_eq!((status.missed, status.aside), (0, 0));
    let problem = status.last_problem.expect("the cut").1;
    assert!(problem.starts_with("hub hub-events at 127.0.0.1"), "{problem}");
    let recent = reading.feed.recent(200);
    let ids: BTreeSet<_> = recent.iter().filter_map(|message| message.message_id.clone()).collect();
    assert_eq!((recent.len(), ids.len()), (115, 115), "one was read twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_start_reads_what_came_meanwhile_and_shows_the_last_minutes_again() {
    let Some(mut hub) = Hub::start() else { return };
    let folder = data(hub.folder.path(), "data");
    hub.measure("0", 5, 1200);
    hub.measure("0", 5, 60);
    let mut reading = Reading::start(&hub.settings(), &folder, pace());
    reading.received(10).await;
    reading.end().await;
    hub.measure("0", 3, 0);
    let mut settings = hub.settings();
    settings.feed_minutes = 10;
    let mut reading = Reading::start(&settings, &folder, pace());
    reading.received(3).await;
    assert_eq!(reading.feed.recent(99).len(), 8, "five again and three new");
    reading.end().await;
    // From now on, and the hub has forgotten two of the four that came meanwhile.
    hub.measure("0", 4, 0);
    hub.tell(&json!({"do": "forget", "partition": "0", "count": 15}));
    settings.feed_minutes = 0;
    let mut reading = Reading::start(&settings, &folder, pace());
    let status = reading.received(2).await;
    assert_eq!(status.missed, 2);
    reading.end().await;
    // A hub made anew counts from the beginning: nothing is waited for that can't come.
    hub.tell(&json!({"do": "anew"}));
    hub.measure("0", 2, 0);
    settings.feed_minutes = 5;
    let mut reading = Reading::start(&settings, &folder, pace());
    reading.received(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_told_and_a_renewed_key_is_taken() {
    let Some(mut hub) = Hub::start() else { return };
    hub.measure("0", 1, 0);
    let right = hub.connection_string(hub.amqps);
    let mut settings = hub.settings();
    settings.feed = Some(hub.secret(&right.replace("a key of this test", "an old key")));
    let mut reading = Reading::start(&settings, &data(hub.folder.path(), "data"), pace());
    let status = reading.until("the refusal", |status| status.problem.is_some()).await;
    let problem = status.problem.expect("one");
    assert!(problem.contains("refuses the token (401 InvalidSignature)"), "{problem}");
    assert!(problem.contains("azure.feed") && !problem.contains("old key"), "{problem}");
    assert!(matches!(status.line, LineState::Waiting { .. }));
    hub.secret(&right);
    let status = reading.received(1).await;
    assert_eq!(status.problem, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_before_it_ends_and_one_that_ended_is_asked_for_anew() {
    let Some(mut hub) = Hub::start() else { return };
    let short = Pace { token_life: Duration::from_secs(4), renew_before: Duration::from_secs(3), ..pace() };
    let mut reading = Reading::start(&hub.settings(), &data(hub.folder.path(), "data"), short);
    let first = reading.until("a token", |status| status.token_ends_at.is_some()).await.token_ends_at;
    // Two renewals later the first token has ended.
    let second = reading.until("a second token", |status| status.token_ends_at > first).await.token_ends_at;
    let third = reading.until("a third token", |status| status.token_ends_at > second).await.token_ends_at;
    reading.until("a fourth token", |status| status.token_ends_at > third).await;
    hub.measure("0", 3, 0);
    let status = reading.received(3).await;
    assert_eq!((status.connections, status.last_problem), (1, None));
    // No longer renewed: the hub ends the links, says so, and takes the next token.
    hub.tell(&json!({"do": "refuse", "on": true}));
    reading.until("the refusal", |status| status.problem.is_some()).await;
    hub.measure("0", 2, 0);
    hub.tell(&json!({"do": "refuse", "on": false}));
    reading.received(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_asks_for_less_is_asked_again_later() {
    let Some(mut hub) = Hub::start() else { return };
    hub.measure("0", 3, 0);
    hub.measure("1", 3, 0);
    hub.tell(&json!({"do": "busy", "times": 4}));
    let mut reading = Reading::start(&hub.settings(), &data(hub.folder.path(), "data"), pace());
    let status = reading.received(6).await;
    assert_eq!(status.throttled, 4);
    let (_, problem) = status.last_problem.expect("one");
    assert!(
        problem.contains("throttled by the hub (com.microsoft:server-busy: over the throughput limit)"),
        "{problem}"
    );
    assert_eq!(status.connections, 1, "the connection stood all the while");
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_added_and_moved_while_it_reads() {
    let Some(mut hub) = Hub::start() else { return };
    let mut reading = Reading::start(&hub.settings(), &data(hub.folder.path(), "data"), pace());
    hub.measure("0", 2, 0);
    reading.received(2).await;
    hub.tell(&json!({"do": "add", "partition": "2"}));
    hub.measure("2", 3, 0);
    reading.received(5).await;
    hub.tell(&json!({"do": "steal", "partition": "0"}));
    hub.measure("0", 4, 0);
    let status = reading.received(9).await;
    assert_eq!(status.partitions.keys().collect::<Vec<_>>(), ["0", "1", "2"]);
    assert!(status.last_problem.expect("one").1.contains("the partition moves"));
    assert_eq!(status.connections, 1);
}
