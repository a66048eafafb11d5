//! The way up, within one connection: hands rows to the client and takes acknowledged ones out of the outbox.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;
use rumqttc::{AsyncClient, ClientError, PublishNoticeError, PublishOptions, PublishResult, QoS};
use tokio::sync::watch;
use tokio::time::Instant;

use super::attempts::{End, Failure};
use super::connection::Line;
use super::feed::Feed;
use super::limits::{Limits, Ready, wake_for};
use super::link::Link;
use super::pace::{Pace, remaining_s};
use super::patience::Patience;
use super::settings::UplinkSettings;
use super::topic;
use super::way::Reached;
use crate::clock::ledger::Hop;
use crate::clock::wall;
use crate::edge_agent::outbox::OutboxRow;
use crate::station::MessageKind;

/// IoT Hub's bound on a message: 256 KB, properties included.
pub(super) const MAX_MESSAGE: usize = 256 * 1024;
/// Rows read from the outbox at once.
const READ_BATCH: usize = 256;
/// Places of the window that are kept for what is measured now, at most.
const LIVE_PLACES: usize = 32;
/// Bytes on their way from which no more rows are read.
const MAX_BYTES_IN_FLIGHT: usize = 4 * 1024 * 1024;
/// How long acknowledgements are waited for before a connection is ended on purpose.
const DRAIN: Duration = Duration::from_secs(5);
/// The same when the program ends: what is left is sent after the next start.
const DRAIN_AT_SHUTDOWN: Duration = Duration::from_millis(500);
/// Wait before something the outbox couldn't write is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often a certificate's end is looked at.
const DAY: Duration = Duration::from_secs(86_400);

/// When a connection is renewed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Renewal {
    /// From then on, as soon as no method is being answered.
    pub(super) at: Instant,
    /// Then all the same.
    pub(super) latest: Instant,
}

/// A message on its way.
struct InFlight {
    seq: i64,
    bytes: usize,
    sent_at: Instant,
    ack: Pin<Box<dyn Future<Output = Result<PublishResult, PublishNoticeError>> + Send>>,
}

pub(super) struct Sender<'a> {
    link: &'a Link,
    settings: &'a UplinkSettings,
    client: &'a AsyncClient,
    line: &'a Line,
    renewal: Renewal,
    busy: watch::Receiver<usize>,
    feed: Feed,
    limits: Limits,
    pace: Pace,
    in_flight: VecDeque<InFlight>,
    bytes_in_flight: usize,
    sent: u64,
    acknowledged: u64,
    /// Of these, what the status has.
    told: u64,
    live_done: u64,
    waits_until: Option<Timestamp>,
}

impl<'a> Sender<'a> {
    pub(super) fn new(
        link: &'a Link,
        settings: &'a UplinkSettings,
        client: &'a AsyncClient,
        line: &'a Line,
        renewal: Renewal,
        busy: watch::Receiver<usize>,
    ) -> Self {
        Self {
            link,
            settings,
            client,
            line,
            renewal,
            busy,
            feed: Feed::new(link.outbox.clone()),
            limits: Limits::new(settings, link.meter.clone(), Instant::now()),
            pace: Pace::default(),
            in_flight: VecDeque::new(),
            bytes_in_flight: 0,
            sent: 0,
            acknowledged: 0,
            told: 0,
            live_done: 0,
            waits_until: None,
        }
    }

    pub(super) async fn run(mut self) -> End {
        let mut changes = self.link.outbox.status();
        let mut limits = self.link.settings.clone();
        let ended = renewal_or_shutdown(self.link, self.renewal, self.busy.clone());
        tokio::pin!(ended);
        let mut look_at_certificate = Instant::now() + DAY;
        self.pace.note(Instant::now(), 0);
        loop {
            changes.borrow_and_update();
            let wait = match self.fill().await {
                Ok(wait) => wait,
                Err(words) => return failed(words),
            };
            self.publish();
            let checks_at = self.patience().map(|patience| patience.ends_at());
            let is_unsettled = self.link.has_unsettled();
            // With nothing on its way, nothing else tells of a message that came since the outbox was read to its end.
            let is_told_of_more = !is_unsettled && (self.in_flight.is_empty() || !self.feed.has_more(true));
            let end = tokio::select! {
                acknowledged = acknowledged(&mut self.in_flight), if !is_unsettled => {
                    match acknowledged {
                        Ok(done) => self.settle(done).await,
                        Err(error) => return failed(format!("the link lost a message's acknowledgement: {error}")),
                    }
                    continue;
                }
                () = tokio::time::sleep(RETRY), if is_unsettled => {
                    self.settle(Vec::new()).await;
                    continue;
                }
                changed = changes.changed(), if is_told_of_more => {
                    if changed.is_err() {
                        return End::Shutdown;
                    }
                    // What was held back may go now, however old its number is.
                    let waiting = { let status = changes.borrow(); status.rows.saturating_sub(status.held) };
                    if self.in_flight.is_empty() && waiting > 0 && !self.feed.has_more(true) {
                        self.feed.rewind();
                    }
                    continue;
                }
                () = sleep_until(wait), if wait.is_some() => continue,
                () = sleep_until(checks_at), if checks_at.is_some() => match self.overdue() {
                    Some(words) => return failed(words),
                    None => continue,
                },
                changed = limits.changed() => {
                    if changed.is_err() {
                        return End::Shutdown;
                    }
                    let settings = limits.borrow_and_update().clone();
                    self.limits.update(&settings, Instant::now());
                    if settings.is_metered() == self.settings.is_metered() {
                        continue;
                    }
                    // The time between signs of life is agreed when a connection is made.
                    End::Renew
                }
                () = tokio::time::sleep_until(look_at_certificate) => {
                    self.link.warn_of_end(self.settings, self.line.credential_ends_at);
                    look_at_certificate += DAY;
                    continue;
                }
                end = &mut ended => end,
            };
            let drain = if matches!(end, End::Shutdown) { DRAIN_AT_SHUTDOWN } else { DRAIN };
            // What isn't acknowledged by then is still in the outbox.
            drop(tokio::time::timeout(drain, self.drain()).await);
            self.publish();
            return end;
        }
    }

    fn window(&self) -> usize {
        usize::from(self.settings.in_flight.clamp(1, 4096))
    }

    /// Hands over what may go; answers when there is more to hand over, where only time keeps it back.
    async fn fill(&mut self) -> Result<Option<Instant>, String> {
        self.waits_until = None;
        let window = self.window();
        let for_backlog = window - LIVE_PLACES.min(window / 8);
        while self.in_flight.len() < window && self.bytes_in_flight < MAX_BYTES_IN_FLIGHT && !self.link.has_unsettled()
        {
            let with_backlog = self.in_flight.len() < for_backlog;
            if !self.feed.has_more(with_backlog) {
                break;
            }
            let (now, wall) = (Instant::now(), wall::now());
            let ready = match self.limits.ready(now, wall, self.bytes_in_flight) {
                Ready::Now(ready) => ready,
                Ready::At(at) => return Ok(Some(at)),
                Ready::NextDay(at) => return Ok(Some(self.wait_for(at, wall, now))),
            };
            let room = if with_backlog { for_backlog } else { window } - self.in_flight.len();
            let limit = READ_BATCH.min(room).min(ready);
            let rows = self.feed.next(limit, with_backlog).await.map_err(|error| error.to_string())?;
            if let Some(seq) = self.send_all(rows).await? {
                self.feed.back_to(seq);
                let day_ends = self.link.meter.resets_at(wall);
                return Ok(Some(self.wait_for(day_ends, wall, now)));
            }
        }
        Ok(None)
    }

    fn wait_for(&mut self, next_day: Timestamp, wall: Timestamp, now: Instant) -> Instant {
        self.waits_until = Some(next_day);
        wake_for(next_day, wall, now)
    }

    /// Sends rows; answers the first for which today has no room.
    async fn send_all(&mut self, rows: Vec<OutboxRow>) -> Result<Option<i64>, String> {
        let wall = wall::now();
        let newest_health = match rows.iter().any(|row| row.kind == MessageKind::DeviceHealth)
            && self.limits.is_metered()
        {
            true => self.link.outbox.newest_of(MessageKind::DeviceHealth).await.map_err(|error| error.to_string())?,
            false => None,
        };
        let (mut sent, mut needless) = (Vec::with_capacity(rows.len()), Vec::new());
        let mut no_room = None;
        for row in rows {
            let topic = topic::telemetry(&self.settings.device_id, &row.message_id, row.kind, self.link.clock.now());
            let bytes = topic.len() + row.body.len();
            if bytes > MAX_MESSAGE {
                self.set_aside(row, topic.len()).await?;
                continue;
            }
            if row.kind == MessageKind::DeviceHealth && newest_health.is_some_and(|newest| newest != row.seq) {
                self.link.meter.save(wall, bytes);
                self.live_done += u64::from(self.feed.is_live(row.seq));
                needless.push(row.seq);
                continue;
            }
            if !self.limits.fits(wall, bytes, self.bytes_in_flight) {
                no_room = Some(row.seq);
                break;
            }
            let options = PublishOptions::new(QoS::AtLeastOnce);
            let notice = self.client.publish_tracked(topic, row.body.into_bytes(), options).await;
            let notice = notice.map_err(|error| client_error(&error))?;
            self.limits.sent(wall, bytes);
            self.bytes_in_flight += bytes;
            let ack = Box::pin(notice.wait_async());
            self.in_flight.push_back(InFlight { seq: row.seq, bytes, sent_at: Instant::now(), ack });
            sent.push(row.message_id);
        }
        if !sent.is_empty() {
            self.link.ledger.stamp(Hop::Sent, sent.iter().map(String::as_str));
            self.sent += sent.len() as u64;
        }
        if !needless.is_empty() {
            self.link.outbox.remove(needless).await.map_err(|error| error.to_string())?;
        }
        Ok(no_room)
    }

    async fn set_aside(&mut self, row: OutboxRow, properties: usize) -> Result<(), String> {
        let reason = format!(
            "{} of {} bytes with {properties} of properties is over the hub's 262,144",
            row.kind.name(),
            row.body.len()
        );
        tracing::warn!(message = row.message_id, "{reason}; set aside");
        self.live_done += u64::from(self.feed.is_live(row.seq));
        self.link.outbox.set_row_aside(row, reason, self.link.clock.now()).await.map_err(|error| error.to_string())
    }

    /// Takes what the hub has acknowledged out of the outbox. Where that fails nothing more is sent until it doesn't,
    /// so that nothing is sent twice.
    async fn settle(&mut self, done: Vec<InFlight>) {
        self.bytes_in_flight -= done.iter().map(|message| message.bytes).sum::<usize>();
        self.live_done += done.iter().filter(|message| self.feed.is_live(message.seq)).count() as u64;
        self.acknowledged += done.len() as u64;
        self.pace.note(Instant::now(), self.acknowledged);
        let state = self.limits.is_counting().then(|| self.link.meter.state(wall::now()));
        self.link.settle(done.iter().map(|message| message.seq).collect(), state).await;
    }

    async fn drain(&mut self) {
        while !self.in_flight.is_empty() {
            match acknowledged(&mut self.in_flight).await {
                Ok(done) => self.settle(done).await,
                Err(_) => return,
            }
        }
    }

    fn patience(&self) -> Option<Patience> {
        Some(Patience { sent_at: self.in_flight.front()?.sent_at, heard_at: self.line.heard_at() })
    }

    /// What is wrong with the connection, if it is dead.
    fn overdue(&self) -> Option<String> {
        let trouble = self.patience()?.trouble(Instant::now())?;
        Some(format!("hub {} at {}: {trouble}", self.settings.hub_host_name, self.settings.host))
    }

    /// Tells how it stands.
    fn publish(&mut self) {
        let wall = wall::now();
        let rows = {
            let status = self.link.outbox.status();
            let status = status.borrow();
            status.rows.saturating_sub(status.held)
        };
        let live = self.feed.came().saturating_sub(self.live_done).min(rows);
        let quota = self.limits.quota(wall);
        let metered = self.limits.metered(wall, self.waits_until.is_some() && rows > 0);
        let per_s = self.pace.per_s().map(|rate| self.limits.per_s().map_or(rate, |per_s| rate.min(f64::from(per_s))));
        let remaining = per_s.filter(|_| rows > 0).map(|per_s| remaining_s(rows, per_s, self.limits.allowance(wall)));
        let (sent, acknowledged) = (std::mem::take(&mut self.sent), self.acknowledged - self.told);
        self.told = self.acknowledged;
        self.link.status.send_if_modified(|status| {
            let before = status.clone();
            status.sent += sent;
            status.acknowledged += acknowledged;
            status.backlog = rows - live;
            status.live = live;
            status.remaining_s = remaining;
            status.waits_until = self.waits_until;
            status.quota = quota;
            status.metered = metered;
            *status != before
        });
    }
}

/// Ends when the connection has to be renewed or the program ends.
async fn renewal_or_shutdown(link: &Link, renewal: Renewal, mut busy: watch::Receiver<usize>) -> End {
    let renew = async {
        tokio::time::sleep_until(renewal.at).await;
        drop(tokio::time::timeout_at(renewal.latest, busy.wait_for(|busy| *busy == 0)).await);
    };
    tokio::select! {
        () = renew => End::Renew,
        () = link.shutdown.cancelled() => End::Shutdown,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn failed(words: String) -> End {
    End::Failed(Failure { words, reached: Reached::Accepted, is_refused: false })
}

/// Waits for the oldest message's acknowledgement and takes all that came with it: a server acknowledges in
/// the order of publishing (MQTT 3.1.1, 4.6). Sleeps for ever where nothing is in flight.
async fn acknowledged(in_flight: &mut VecDeque<InFlight>) -> Result<Vec<InFlight>, PublishNoticeError> {
    std::future::poll_fn(|context| {
        let mut done = Vec::new();
        while let Some(head) = in_flight.front_mut() {
            match head.ack.as_mut().poll(context) {
                Poll::Ready(Ok(_)) => done.extend(in_flight.pop_front()),
                Poll::Ready(Err(error)) if done.is_empty() => return Poll::Ready(Err(error)),
                // Its turn comes with the next call, after what was acknowledged before it is settled.
                Poll::Ready(Err(error)) => {
                    head.ack = Box::pin(std::future::ready(Err(error)));
                    break;
                }
                Poll::Pending => break,
            }
        }
        if done.is_empty() { Poll::Pending } else { Poll::Ready(Ok(done)) }
    })
    .await
}

fn client_error(error: &ClientError) -> String {
    // The error carries the whole request; its text is bounded, the message isn't.
    match error {
        ClientError::InvalidRequest(_) => "the device id makes an invalid topic; check station.device_id".into(),
        _ => "the link's queue is closed; tried again".into(),
    }
}
