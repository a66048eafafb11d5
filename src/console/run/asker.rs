//! Asking the owner: what a screen wants (newest wins), and commands (one at a time, in order).

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Inner;
use crate::console::screens::ScreenName;
use crate::owner::{OwnerClient, Request};

/// Least time between two rounds that news of the snapshot set off.
const NEWS_FLOOR: Duration = Duration::from_millis(250);

/// Asks for the screen that is up.
pub(super) struct Asker {
    client: OwnerClient,
    inner: mpsc::UnboundedSender<Inner>,
    commands: mpsc::UnboundedSender<(ScreenName, Request)>,
    /// What is asked, or was last.
    asked: Option<(ScreenName, Vec<Request>)>,
    round: u64,
    in_flight: Option<AbortHandle>,
    /// Whether the newest round asks what was asked before.
    repeats: bool,
    /// Whether the view is paused.
    held: bool,
    /// There was news while a round was under way, or too soon after one.
    news: bool,
    next: Instant,
}

impl Asker {
    pub fn new(client: OwnerClient, inner: mpsc::UnboundedSender<Inner>) -> Self {
        let (commands, mut ordered) = mpsc::unbounded_channel::<(ScreenName, Request)>();
        let (owner, told) = (client.clone(), inner.clone());
        tokio::spawn(async move {
            while let Some((screen, request)) = ordered.recv().await {
                let answer = owner.ask(request.clone()).await;
                drop(told.send(Inner::Answered { screen, request, answer, round: None }));
            }
        });
        Self {
            client,
            inner,
            commands,
            asked: None,
            round: 0,
            in_flight: None,
            repeats: false,
            held: false,
            news: false,
            next: Instant::now(),
        }
    }

    /// Whom it asks.
    pub const fn client(&self) -> &OwnerClient {
        &self.client
    }

    /// The operator did something: where the screen wants something else now, it is asked at once.
    pub fn wants(&mut self, screen: ScreenName, wants: Vec<Request>) {
        if !self.asks(screen, &wants) {
            self.start((screen, wants));
        }
    }

    /// The snapshot has news: what is wanted is asked again, soon.
    pub const fn news(&mut self) {
        self.news = true;
    }

    /// What was asked before isn't wanted again: news are given up, and so is a round that they have set off. What is
    /// asked for the first time still comes.
    pub fn hold(&mut self) {
        (self.held, self.news) = (true, false);
        if self.repeats
            && let Some(task) = self.in_flight.take()
        {
            task.abort();
            self.round += 1;
        }
    }

    /// The view goes on: what it missed is asked.
    pub const fn release(&mut self) {
        (self.held, self.news) = (false, true);
    }

    /// Whether this is what is asked, or was last. While the view is paused, what is new of it is nothing else.
    pub fn asks(&self, screen: ScreenName, wants: &[Request]) -> bool {
        self.compares(screen, wants, if self.held { is_same } else { Request::eq })
    }

    fn compares(&self, screen: ScreenName, wants: &[Request], is_same: fn(&Request, &Request) -> bool) -> bool {
        self.asked.as_ref().is_some_and(|(asked_by, asked)| {
            *asked_by == screen
                && asked.len() == wants.len()
                && asked.iter().zip(wants).all(|(one, other)| is_same(one, other))
        })
    }

    /// When a round is due because of news; absent where there is none, or a round is under way.
    pub fn due(&self) -> Option<Instant> {
        (self.news && self.in_flight.is_none()).then_some(self.next)
    }

    /// The due round.
    pub fn ask_again(&mut self, screen: ScreenName, wants: Vec<Request>) {
        self.start((screen, wants));
    }

    /// Whether an answer is to what is asked now, and not to what was asked before.
    pub const fn is_current(&self, round: Option<u64>) -> bool {
        match round {
            Some(round) => round == self.round,
            None => true,
        }
    }

    /// A round is over.
    pub fn over(&mut self, round: u64) {
        if round == self.round {
            self.in_flight = None;
        }
    }

    /// A command, or something asked once.
    pub fn once(&self, screen: ScreenName, request: Request) {
        if request.is_command() {
            drop(self.commands.send((screen, request)));
            return;
        }
        let (client, inner) = (self.client.clone(), self.inner.clone());
        tokio::spawn(async move {
            let answer = client.ask(request.clone()).await;
            drop(inner.send(Inner::Answered { screen, request, answer, round: None }));
        });
    }

    fn start(&mut self, wanted: (ScreenName, Vec<Request>)) {
        if let Some(before) = self.in_flight.take() {
            before.abort();
        }
        self.round += 1;
        self.news = false;
        self.next = Instant::now() + NEWS_FLOOR;
        self.repeats = self.compares(wanted.0, &wanted.1, is_same);
        let (screen, requests) = wanted.clone();
        self.asked = Some(wanted);
        if requests.is_empty() {
            return;
        }
        let (client, inner, round) = (self.client.clone(), self.inner.clone(), self.round);
        let task = tokio::spawn(async move {
            for request in requests {
                let answer = client.ask(request.clone()).await;
                drop(inner.send(Inner::Answered { screen, request, answer, round: Some(round) }));
            }
            drop(inner.send(Inner::RoundOver(round)));
        });
        self.in_flight = Some(task.abort_handle());
    }
}

/// Whether both ask for the same: of a history that comes in pieces, each asks for what came after the last.
fn is_same(one: &Request, other: &Request) -> bool {
    matches!((one, other), (Request::CopyHistory { .. }, Request::CopyHistory { .. })) || one == other
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::console::fixture;
    use crate::owner::{Answer, Ask};

    /// An asker, what reaches the owner, and what comes back.
    fn asker() -> (Asker, mpsc::Receiver<Ask>, mpsc::UnboundedReceiver<Inner>) {
        let (asks, asked) = mpsc::channel(16);
        let (_, snapshots) = tokio::sync::watch::channel(Arc::new(fixture::snapshot()));
        let (inner, received) = mpsc::unbounded_channel();
        (Asker::new(OwnerClient::new(snapshots, asks), inner), asked, received)
    }

    fn messages(limit: usize) -> Request {
        Request::Messages { limit }
    }

    #[tokio::test]
    async fn for_what_is_wanted_the_newest_wins() {
        let (mut asker, mut asked, mut received) = asker();
        asker.wants(ScreenName::Telemetry, vec![messages(1)]);
        let first = asked.recv().await.expect("the first is asked");
        asker.wants(ScreenName::Telemetry, vec![messages(1)]);
        asker.wants(ScreenName::Telemetry, vec![messages(2)]);
        let second = asked.recv().await.expect("the second is asked");
        assert_eq!((first.request, second.request), (messages(1), messages(2)));
        drop(first.answer.send(Ok(Answer::Messages { messages: Vec::new() })));
        drop(second.answer.send(Ok(Answer::Messages { messages: Vec::new() })));
        match received.recv().await.expect("an answer") {
            Inner::Answered { request, round, .. } => assert!(request == messages(2) && asker.is_current(round)),
            _ => panic!("expected an answer"),
        }
        assert!(matches!(received.recv().await, Some(Inner::RoundOver(2))));
        assert!(!asker.is_current(Some(1)));
    }

    #[tokio::test]
    async fn news_waits_for_the_round_that_is_under_way() {
        let (mut asker, mut asked, _received) = asker();
        asker.wants(ScreenName::Logs, vec![messages(1)]);
        let _first = asked.recv().await.expect("the first is asked");
        asker.news();
        assert_eq!(asker.due(), None);
        asker.over(1);
        assert!(asker.due().is_some_and(|due| due > Instant::now()), "and not too soon after it");
        asker.ask_again(ScreenName::Logs, vec![messages(1)]);
        assert!(asked.recv().await.is_some());
        assert_eq!(asker.due(), None);
    }

    #[tokio::test]
    async fn a_hold_gives_up_what_is_asked_again_and_not_what_is_asked_first() {
        let (mut asker, mut asked, mut received) = asker();
        asker.wants(ScreenName::Loads, vec![messages(1)]);
        let first = asked.recv().await.expect("the first is asked");
        asker.hold();
        drop(first.answer.send(Ok(Answer::Messages { messages: Vec::new() })));
        match received.recv().await.expect("an answer") {
            Inner::Answered { round, .. } => assert!(asker.is_current(round), "it was asked for the first time"),
            _ => panic!("expected an answer"),
        }
        assert!(matches!(received.recv().await, Some(Inner::RoundOver(1))));
        asker.over(1);

        asker.news();
        asker.hold();
        assert_eq!(asker.due(), None, "news are given up");
        asker.ask_again(ScreenName::Loads, vec![messages(1)]);
        let again = asked.recv().await.expect("asked again");
        drop(again.answer.send(Ok(Answer::Messages { messages: Vec::new() })));
        let round = match received.recv().await.expect("an answer") {
            Inner::Answered { round, .. } => round,
            _ => panic!("expected an answer"),
        };
        // It lay in the queue when the view was paused.
        asker.hold();
        assert!(!asker.is_current(round));
        assert!(asker.asks(ScreenName::Loads, &[messages(1)]));
    }

    #[tokio::test]
    async fn a_hold_asks_for_no_more_of_a_history() {
        let history = |after| vec![Request::CopyHistory { failed_only: false, limit: 500, after }];
        let (mut asker, mut asked, _received) = asker();
        asker.wants(ScreenName::Loads, history(None));
        asked.recv().await.expect("its newest files are asked");
        asker.over(1);
        asker.hold();
        asker.wants(ScreenName::Loads, history(Some(3)));
        assert!(asker.asks(ScreenName::Loads, &history(Some(4))), "what came since is nothing else");
        assert_eq!(asker.due(), None);
        let nothing = tokio::time::timeout(Duration::from_millis(30), asked.recv()).await;
        assert!(nothing.is_err(), "nothing is asked");

        asker.release();
        assert!(asker.due().is_some() && !asker.asks(ScreenName::Loads, &history(Some(4))));
        asker.ask_again(ScreenName::Loads, history(Some(4)));
        let again = asked.recv().await.expect("what came since is asked");
        assert_eq!(vec![again.request], history(Some(4)));
        // A view that is paused before the answer has come gives it up.
        asker.hold();
        assert!(!asker.is_current(Some(2)));
    }

    #[test]
    fn a_snapshot_that_has_only_aged_is_no_news() {
        let before = fixture::snapshot();
        let mut aged = before.clone();
        aged.version += 1;
        aged.taken_at += jiff::SignedDuration::from_secs(60);
        aged.stages[6].headline = "row 9 min".to_owned();
        aged.alarms.clear();
        assert!(!before.is_outdone_by(&aged));
        aged.pipes[0].rows += 1;
        assert!(before.is_outdone_by(&aged));
    }

    #[tokio::test]
    async fn commands_go_one_at_a_time_in_order() {
        let (asker, mut asked, _received) = asker();
        for speed in [1, 2] {
            asker.once(ScreenName::Overview, Request::SetSpeed { speed });
        }
        let first = asked.recv().await.expect("the first is sent");
        assert_eq!(first.request, Request::SetSpeed { speed: 1 });
        let nothing = tokio::time::timeout(Duration::from_millis(30), asked.recv()).await;
        assert!(nothing.is_err(), "the second waits for the first one's answer");
        drop(first.answer.send(Ok(Answer::Done { message: String::new() })));
        assert_eq!(asked.recv().await.expect("then it goes").request, Request::SetSpeed { speed: 2 });
    }
}
