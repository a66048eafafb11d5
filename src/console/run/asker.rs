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
        Self { client, inner, commands, asked: None, round: 0, in_flight: None, news: false, next: Instant::now() }
    }

    /// The operator did something: where the screen wants something else now, it is asked at once.
    pub fn wants(&mut self, screen: ScreenName, wants: Vec<Request>) {
        let wanted = (screen, wants);
        if self.asked.as_ref() != Some(&wanted) {
            self.start(wanted);
        }
    }

    /// The snapshot has news: what is wanted is asked again, soon.
    pub const fn news(&mut self) {
        self.news = true;
    }

    /// When a round is due because of news; absent where there is none, or a round is under way.
    pub fn due(&self) -> Option<Instant> {
        (self.news && self.in_flight.is_none()).then_some(self.next)
    }

    /// The due round.
    pub fn ask_again(&mut self, screen: ScreenName, wants: Vec<Request>) {
        self.start((screen, wants));
    }

    /// What is asked, or was last.
    pub fn asked_requests(&self) -> &[Request] {
        self.asked.as_ref().map_or(&[], |(_, requests)| requests)
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
