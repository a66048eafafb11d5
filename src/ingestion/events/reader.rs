//! The feed, kept up: connected, its rights renewed, every partition read, and all of it again after whatever ends it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::decode::Position;
use super::dial::Way;
use super::error::{EventsError, Fault};
use super::intake::Intake;
use super::line::{Line, session};
use super::memory::EventsMemory;
use super::partition::{self, From};
use super::place::{Place, SharedKey, Target, host_and_port, parse};
use super::redirect;
use super::status::{EventsStatus, LineState};
use super::token::{Credentials, Signer, Token};
use crate::clock::Clock;
use crate::ingestion::azure::{proxy, trust};
use crate::ingestion::feed::LiveFeed;
use crate::settings::AzureSettings;

/// How long it is told that messages were put aside.
pub const TOLD: SignedDuration = SignedDuration::from_hours(2);
/// Those of before the start that are counted at most.
const RECALLED: usize = 1000;

/// How fast things are done again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// How long a signature made here holds.
    pub token_life: Duration,
    /// How long before its end a token is renewed, at most half of what is left of it.
    pub renew_before: Duration,
    /// How often the partitions are listed.
    pub list_every: Duration,
    /// The first wait after a failure; each one doubles.
    pub first_wait: Duration,
    /// The longest.
    pub longest_wait: Duration,
    /// The least wait where the hub asks for less.
    pub busy_wait: Duration,
    /// How long what was read may stay unremembered.
    pub linger: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            token_life: Duration::from_secs(3600),
            renew_before: Duration::from_secs(300),
            list_every: Duration::from_secs(120),
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
            // What Microsoft's own clients wait.
            busy_wait: Duration::from_secs(10),
            linger: Duration::from_millis(500),
        }
    }
}

/// Reads the hub's built-in endpoint into a feed.
pub struct EventsReader {
    credentials: Credentials,
    consumer_group: String,
    way: Way,
    replay: SignedDuration,
    first_from: Option<Timestamp>,
    feed: LiveFeed,
    memory: EventsMemory,
    clock: Clock,
    pace: Pace,
    status: watch::Sender<EventsStatus>,
}

/// What a partition's task came to.
enum Ended {
    Read(String, EventsError),
    Rested(String),
}

/// The partitions of one connection.
struct Partitions {
    tasks: JoinSet<Ended>,
    waits: BTreeMap<String, Wait>,
    known: Vec<String>,
}

/// How long to wait after failures in a row.
#[derive(Debug, Clone, Default)]
struct Wait(u32);

impl Wait {
    fn next(&mut self, pace: &Pace, fault: Fault) -> Duration {
        let doubled = pace.first_wait.saturating_mul(1 << self.0.min(16)).min(pace.longest_wait);
        self.0 += 1;
        let least = if fault == Fault::Busy { pace.busy_wait } else { Duration::ZERO };
        // Apart, so that several readers don't come back at once.
        doubled.max(least).mul_f64(rand::random_range(1.0..1.25))
    }
}

impl EventsReader {
    /// The reader that the settings ask for, by the right of `credentials`. What it remembers is in the folder `data`.
    pub fn open(
        settings: &AzureSettings,
        credentials: Credentials,
        data: &Path,
        feed: LiveFeed,
        clock: Clock,
    ) -> Result<Self, EventsError> {
        let wrong = |words: String| EventsError::new(Fault::Settings, words);
        let first_from = settings.feed_from.as_deref().map(str::parse::<Timestamp>).transpose();
        let tls = Arc::new(trust(settings.ca.as_deref()).map_err(|error| wrong(error.0))?);
        Ok(Self {
            credentials,
            consumer_group: settings.consumer_group.clone(),
            way: Way { transport: settings.transport, proxy: proxy(settings).map_err(|error| wrong(error.0))?, tls },
            replay: SignedDuration::from_mins(i64::from(settings.feed_minutes)),
            first_from: first_from
                .map_err(|error| wrong(format!("azure.feed_from: {error}; write 2026-01-31T08:00:00Z")))?,
            feed,
            memory: EventsMemory::open(data).map_err(|error| EventsError::new(Fault::Disk, error.to_string()))?,
            clock,
            pace: Pace::default(),
            status: watch::Sender::default(),
        })
    }

    /// At another pace.
    #[must_use]
    pub fn at_pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// How it stands, from now on.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<EventsStatus> {
        self.status.subscribe()
    }

    /// What it remembers.
    #[must_use]
    pub fn memory(&self) -> EventsMemory {
        self.memory.clone()
    }

    /// Reads for good.
    pub async fn run(self) {
        let start = self.clock.now();
        self.feed.begins(start);
        self.recall(start).await;
        let mut intakes = BTreeMap::new();
        let mut wait = Wait::default();
        loop {
            let before = self.status.borrow().connections;
            let Err(error) = self.connected(start, &mut intakes).await;
            if self.status.borrow().connections > before {
                wait = Wait::default();
            }
            let rest = wait.next(&self.pace, error.fault);
            self.tell(&error, rest);
            tokio::time::sleep(rest).await;
            self.status.send_modify(|status| status.line = LineState::Connecting);
        }
    }

    /// What was put aside a short while before the start is told on.
    async fn recall(&self, now: Timestamp) {
        match self.memory.aside(RECALLED).await {
            Ok(mut aside) => {
                aside.retain(|aside| now.duration_since(aside.received_at) < TOLD);
                self.status.send_modify(|status| {
                    status.aside = aside.len() as u64;
                    status.last_aside = aside.first().map(|aside| (aside.received_at, aside.words()));
                });
            }
            Err(error) => tracing::warn!(target: "feed", "what was put aside before isn't known: {error}"),
        }
    }

    fn tell(&self, error: &EventsError, rest: Duration) {
        let now = self.clock.now();
        if self.status.borrow().problem.as_deref() != Some(error.words.as_str()) {
            tracing::warn!(target: "feed", "{error}");
        }
        self.status.send_modify(|status| {
            let until = SignedDuration::try_from(rest).ok().and_then(|rest| now.checked_add(rest).ok());
            status.line = LineState::Waiting { until: until.unwrap_or(now) };
            status.throttled += u64::from(error.fault == Fault::Busy);
            status.problem = Some(error.words.clone());
            status.last_problem = Some((now, error.words.clone()));
        });
    }

    /// One connection, from its beginning to its end.
    async fn connected(
        &self,
        start: Timestamp,
        intakes: &mut BTreeMap<String, Arc<Mutex<Intake>>>,
    ) -> Result<std::convert::Infallible, EventsError> {
        let (place, signer) = self.place().await?;
        let words = place.words();
        let token = self.token(&signer, &place).await?;
        let mut line = Line::open(&place, &self.way, &token).await?;
        let mut partitions = Partitions { tasks: JoinSet::new(), waits: BTreeMap::new(), known: Vec::new() };
        self.start_new(&mut line, &place, start, &mut partitions, intakes).await?;
        self.status.send_modify(|status| {
            status.line = LineState::Reading;
            status.place = words.clone();
            status.problem = None;
            status.connections += 1;
            status.token_ends_at = Some(token.ends_at);
        });
        let mut list_at = Instant::now() + self.pace.list_every;
        let mut renew_at = self.renew_at(&token);
        loop {
            tokio::select! {
                ended = line.connection.on_close() => return Err(closed(&words, ended)),
                Some(Ok(ended)) = partitions.tasks.join_next() => match ended {
                    Ended::Read(_, error) if error.fault == Fault::Disk => return Err(error),
                    Ended::Read(partition, error) => self.rest(&mut partitions, partition, error),
                    Ended::Rested(partition) => {
                        let from = self.from(&partition, start, intakes, None).await;
                        self.begin(&mut line, &place, partition, from, &mut partitions, intakes).await?;
                    }
                },
                () = tokio::time::sleep_until(list_at) => {
                    list_at = Instant::now() + self.pace.list_every;
                    self.start_new(&mut line, &place, start, &mut partitions, intakes).await?;
                }
                () = tokio::time::sleep_until(renew_at) => {
                    let token = self.token(&signer, &place).await?;
                    line.authorise(&token).await?;
                    renew_at = self.renew_at(&token);
                    self.status.send_modify(|status| status.token_ends_at = Some(token.ends_at));
                }
            }
        }
    }

    /// Where to read, and what opens it: read anew, for a key may have been renewed.
    async fn place(&self) -> Result<(Place, Signer), EventsError> {
        match &self.credentials {
            Credentials::Entra { host, entity, credential } => {
                let (host, port) = host_and_port(host)
                    .ok_or_else(|| EventsError::new(Fault::Settings, "azure.feed_host: not a host's name"))?;
                Ok((Place { host, port, entity: entity.clone() }, Signer::Entra(Arc::clone(credential))))
            }
            Credentials::ConnectionString(reference) => {
                let text = reference.resolve();
                let text = text.map_err(|error| EventsError::new(Fault::Settings, format!("azure.feed: {error}")))?;
                let parsed = parse(&text)?;
                let place = match parsed.target {
                    Target::Endpoint(place) => place,
                    Target::Hub { host, port } => self.redirected(&host, port, &parsed.key).await?,
                };
                Ok((place, Signer::Shared(parsed.key)))
            }
        }
    }

    async fn redirected(&self, host: &str, port: Option<u16>, key: &SharedKey) -> Result<Place, EventsError> {
        redirect::endpoint(host, port, key, &self.way, self.clock.now()).await
    }

    async fn token(&self, signer: &Signer, place: &Place) -> Result<Token, EventsError> {
        signer.token(&place.audience(), self.pace.token_life, self.clock.now()).await
    }

    fn renew_at(&self, token: &Token) -> Instant {
        let left = Duration::try_from(token.ends_at.duration_since(self.clock.now())).unwrap_or_default();
        // A signature that never ends is bounded by what a timer takes.
        let left = left.min(Duration::from_secs(30 * 86_400));
        Instant::now() + left.saturating_sub(self.pace.renew_before.min(left / 2))
    }

    /// Begins to read the partitions that aren't read yet.
    async fn start_new(
        &self,
        line: &mut Line,
        place: &Place,
        start: Timestamp,
        partitions: &mut Partitions,
        intakes: &mut BTreeMap<String, Arc<Mutex<Intake>>>,
    ) -> Result<(), EventsError> {
        for partition in line.partitions().await? {
            let facts = line.partition(&partition).await?;
            self.behind(&partition, facts.last_sequence);
            if partitions.known.contains(&partition) {
                continue;
            }
            let checkpoint = self.checkpoint(place, &partition, facts.last_sequence).await?;
            let from = self.from(&partition, start, intakes, checkpoint.as_ref()).await;
            if !intakes.contains_key(&partition) {
                let resumes = matches!(from, From::After(_));
                let key = self.key(place);
                let (feed, memory) = (self.feed.clone(), self.memory.clone());
                let intake =
                    Intake::new(feed, memory, self.status.clone(), key, partition.clone(), checkpoint, resumes);
                intakes.insert(partition.clone(), Arc::new(Mutex::new(intake)));
            }
            partitions.known.push(partition.clone());
            self.begin(line, place, partition, from, partitions, intakes).await?;
        }
        Ok(())
    }

    async fn begin(
        &self,
        line: &mut Line,
        place: &Place,
        partition: String,
        from: From,
        partitions: &mut Partitions,
        intakes: &BTreeMap<String, Arc<Mutex<Intake>>>,
    ) -> Result<(), EventsError> {
        let Some(intake) = intakes.get(&partition).map(Arc::clone) else { return Ok(()) };
        let words = format!("{}, partition {partition}", place.words());
        let session = session(&mut line.connection, &words).await?;
        let address = format!("{}/ConsumerGroups/{}/Partitions/{partition}", place.entity, self.consumer_group);
        let (clock, linger) = (self.clock.clone(), self.pace.linger);
        partitions.tasks.spawn(async move {
            let error = partition::read(session, (address, words), from, intake, clock, linger).await;
            Ended::Read(partition, error)
        });
        Ok(())
    }

    /// A partition's link ended while the connection stands: it is read again, later.
    fn rest(&self, partitions: &mut Partitions, partition: String, error: EventsError) {
        let rest = partitions.waits.entry(partition.clone()).or_default().next(&self.pace, error.fault);
        tracing::warn!(target: "feed", "{error}");
        let now = self.clock.now();
        self.status.send_modify(|status| {
            status.throttled += u64::from(error.fault == Fault::Busy);
            status.last_problem = Some((now, error.words.clone()));
            status.partitions.entry(partition.clone()).or_default().problem = Some(error.words);
        });
        partitions.tasks.spawn(async move {
            tokio::time::sleep(rest).await;
            Ended::Rested(partition)
        });
    }

    fn behind(&self, partition: &str, last_sequence: i64) {
        self.status.send_modify(|status| {
            let known = status.partitions.entry(partition.to_owned()).or_default();
            let read = known.sequence.unwrap_or(last_sequence);
            known.behind = u64::try_from(last_sequence - read).unwrap_or(0);
        });
    }

    fn key(&self, place: &Place) -> String {
        format!("{}/{}/{}", place.host, place.entity, self.consumer_group)
    }

    /// How far an earlier start read; nothing where the hub was made anew since, and counts from the beginning.
    async fn checkpoint(
        &self,
        place: &Place,
        partition: &str,
        last_sequence: i64,
    ) -> Result<Option<Position>, EventsError> {
        let found = self.memory.checkpoint(&self.key(place), partition).await;
        let found = found.map_err(|error| EventsError::new(Fault::Disk, error.to_string()))?;
        Ok(found.filter(|position| {
            let is_of_this_hub = position.sequence <= last_sequence;
            if !is_of_this_hub {
                tracing::warn!(target: "feed", "partition {partition}: the hub counts anew; read as at a first start");
            }
            is_of_this_hub
        }))
    }

    /// From where a partition is read. After a break: from where it broke off. At a start: from where the one before ended,
    /// and as far before that as charts want to show.
    async fn from(
        &self,
        partition: &str,
        start: Timestamp,
        intakes: &BTreeMap<String, Arc<Mutex<Intake>>>,
        checkpoint: Option<&Position>,
    ) -> From {
        if let Some(intake) = intakes.get(partition)
            && let Some(position) = intake.lock().await.position()
        {
            return From::After(position.clone());
        }
        let shown = start.checked_sub(self.replay).unwrap_or(start);
        match checkpoint {
            Some(position) if position.enqueued_at < shown => From::After(position.clone()),
            Some(_) => From::Time(shown),
            None => From::Time(self.first_from.unwrap_or(shown)),
        }
    }
}

fn closed(words: &str, ended: Result<(), fe2o3_amqp::connection::Error>) -> EventsError {
    use fe2o3_amqp::connection::Error;
    match ended {
        Err(Error::RemoteClosedWithError(error)) => EventsError::said(words, &error),
        Err(error) => super::line::lost(words, &error.to_string()),
        Ok(()) => super::line::lost(words, "the hub closed it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_are_longer_where_the_hub_asks_for_less() {
        let pace = Pace::default();
        let mut wait = Wait::default();
        let waits: Vec<Duration> = (0..9).map(|_| wait.next(&pace, Fault::Lost)).collect();
        let within = |wait: Duration, least: u64| {
            let least = Duration::from_secs(least);
            wait >= least && wait <= least.mul_f64(1.25)
        };
        for (wait, least) in waits.iter().zip([1, 2, 4, 8, 16, 32, 60, 60, 60]) {
            assert!(within(*wait, least), "{waits:?}");
        }
        assert!(within(Wait::default().next(&pace, Fault::Busy), 10));
    }
}
