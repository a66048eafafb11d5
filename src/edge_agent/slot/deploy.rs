//! Carries out what is asked of the slot, one wish at a time; a newer one takes the place of one that isn't done.
//!
//! A model that comes with skydeck is answered for once it makes the nowcasts. A package takes longer than a method may: it
//! is answered for at once (202), and the report and the twin's reported `model` tell how it goes on.

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::json;
use tokio::sync::{mpsc, oneshot, watch};

use super::fetch::{self, Fetch};
use super::load::Loaded;
use super::{Entry, Order, PackageEntry, Wish};
use crate::edge_agent::methods::Answer;
use crate::edge_agent::report::{DeployReport, DeployState};
use crate::edge_agent::shared::Shared;
use crate::edge_agent::uplink::UplinkSettings;

/// A model for the reader to put to work, and where it says that it did, or why it didn't.
#[derive(Debug)]
pub(in crate::edge_agent) struct SlotAsk {
    pub entry: Entry,
    pub loaded: Loaded,
    pub reply: oneshot::Sender<Result<(), String>>,
}

/// The part of the agent that brings models into the slot.
pub(in crate::edge_agent) struct Deployer {
    pub shared: Arc<Shared>,
    pub asks: mpsc::Sender<SlotAsk>,
    /// Absent without a hub.
    pub link: Option<watch::Receiver<UplinkSettings>>,
}

impl Deployer {
    /// Carries out orders for good.
    pub async fn run(self, mut orders: mpsc::Receiver<Order>) {
        self.note_interrupted();
        let mut order = orders.recv().await;
        while let Some(Order { wish, reply }) = order {
            // The answer to a wish that is taken back is dropped, and so told to whoever asked.
            order = tokio::select! {
                newer = orders.recv() => newer,
                () = self.carry_out(wish, reply) => orders.recv().await,
            };
        }
        std::future::pending().await
    }

    /// A deployment that the agent's own restart has cut off can't go on: its link is kept nowhere.
    fn note_interrupted(&self) {
        let coming = self.shared.report.borrow().model.deploying.clone();
        if let Some(coming) = coming.filter(|coming| coming.state != DeployState::Failed) {
            let words = "the agent started anew meanwhile; deploy it again, and it goes on where it was".to_owned();
            self.say(Some(DeployReport { state: DeployState::Failed, error: Some(words), ..coming }));
        }
    }

    async fn carry_out(&self, wish: Wish, reply: oneshot::Sender<Answer>) {
        let slot = self.shared.slot.borrow().clone();
        let entry = match wish {
            Wish::BuiltIn(id) => Entry::BuiltIn(id),
            Wish::Package(package, url) => return self.bring(package, url, reply).await,
            Wish::Rollback => match slot.previous {
                Some(previous) => previous,
                // Whoever asked may have gone, here and below.
                None => return drop(reply.send(Answer::new(409, "no model was deployed before this one"))),
            },
        };
        self.say(None);
        let answer = if entry == slot.current {
            self.slot_answer()
        } else {
            let loaded = self.shared.loader.load(&entry).await;
            let done = match loaded {
                Ok(loaded) => self.put_to_work(entry, loaded).await,
                Err(words) => Err(words),
            };
            match done {
                Ok(()) => self.slot_answer(),
                Err(words) => Answer::new(500, words),
            }
        };
        drop(reply.send(answer));
    }

    /// Brings a package's model into the slot: fetched where it isn't here, checked, and shown the history.
    async fn bring(&self, package: PackageEntry, url: Option<SecretString>, reply: oneshot::Sender<Answer>) {
        let slot = self.shared.slot.borrow().clone();
        let entry = Entry::Package(package.clone());
        if entry == slot.current {
            self.say(None);
            return drop(reply.send(self.slot_answer()));
        }
        let id = package.id();
        let others = [Some(&slot.current), slot.previous.as_ref()].into_iter().flatten();
        if others.filter(|other| **other != entry).any(|other| other.id() == id) {
            let words = format!("{id} is in the slot with another content; a changed model needs another version");
            return drop(reply.send(Answer::new(409, words)));
        }
        let is_here = self.shared.loader.store.has(&package.sha256);
        let url = match (is_here, url) {
            (true, _) => None,
            (false, Some(url)) => match fetch::check_url(&url) {
                Ok(()) => Some(url),
                Err(words) => return drop(reply.send(Answer::new(400, words))),
            },
            (false, None) => {
                let words = format!("url: {id} isn't kept here; a link is needed to fetch it");
                return drop(reply.send(Answer::new(400, words)));
            }
        };
        let state = if is_here { DeployState::Checking } else { DeployState::Fetching };
        let (sha256, asked_at) = (package.sha256.clone(), Some(self.shared.clock.now()));
        let told = DeployReport { model: id.clone(), sha256, asked_at, state, ..DeployReport::default() };
        self.say(Some(told.clone()));
        drop(
            reply.send(Answer {
                status: 202,
                ..Answer::ok(json!({ "model": id, "state": state, "askedAt": asked_at }))
            }),
        );
        tracing::info!(target: "agent", "the model {id} is deployed");
        match self.brought(&package, url, &told).await {
            Ok(()) => self.say(None),
            Err(words) => {
                tracing::warn!(target: "agent", "the model {id} isn't put to work: {words}");
                self.say(Some(DeployReport { state: DeployState::Failed, error: Some(words), ..self.told(told) }));
            }
        }
        // What the slot is now, and the newest of the others.
        self.prune(&package);
    }

    fn prune(&self, package: &PackageEntry) {
        let slot = self.shared.slot.borrow().clone();
        self.shared.loader.store.prune(slot.packages(), Some(&package.sha256));
    }

    async fn brought(
        &self,
        package: &PackageEntry,
        url: Option<SecretString>,
        told: &DeployReport,
    ) -> Result<(), String> {
        if let Some(url) = url {
            self.prune(package);
            let link = self.link.as_ref().map(|link| link.borrow().clone());
            let fetch =
                Fetch { store: &self.shared.loader.store, sha256: &package.sha256, url: &url, link: link.as_ref() };
            let progress = |done_bytes, total_bytes| {
                self.say(Some(DeployReport { done_bytes, total_bytes, ..told.clone() }));
            };
            fetch.run(&progress).await?;
        }
        self.say(Some(DeployReport { state: DeployState::Checking, ..self.told(told.clone()) }));
        let entry = Entry::Package(package.clone());
        match self.shared.loader.load(&entry).await {
            Ok(loaded) => self.put_to_work(entry, loaded).await,
            Err(words) => {
                // What doesn't hold isn't kept.
                self.shared.loader.store.remove(&package.sha256);
                Err(words)
            }
        }
    }

    /// Has the reader put a model to work.
    async fn put_to_work(&self, entry: Entry, loaded: Loaded) -> Result<(), String> {
        let told = self.shared.report.borrow().model.deploying.clone();
        if let Some(told) = told {
            self.say(Some(DeployReport { state: DeployState::Priming, ..told }));
        }
        let ending = || "the agent is ending".to_owned();
        let (reply, done) = oneshot::channel();
        let ask = SlotAsk { entry, loaded, reply };
        self.asks.send(ask).await.map_err(|_| ending())?;
        done.await.map_err(|_| ending())?
    }

    /// The deployment as it was last told, or else `told`.
    fn told(&self, told: DeployReport) -> DeployReport {
        self.shared.report.borrow().model.deploying.clone().unwrap_or(told)
    }

    fn say(&self, deploying: Option<DeployReport>) {
        self.shared.report.send_if_modified(|report| {
            let is_new = report.model.deploying != deploying;
            report.model.deploying = deploying;
            is_new
        });
        self.shared.publish_reported();
    }

    fn slot_answer(&self) -> Answer {
        Answer::ok(json!(self.shared.report.borrow().model))
    }
}
