//! A model on a thread of its own.
//!
//! What it is given it takes in order. Whoever asks for a forecast gets an answer to wait for, as long as they like: a model
//! that takes too long is left to itself, and its thread ends with what it is at.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::nowcast::health::{SkillWindow, WINDOW_BINS, judge};
use crate::nowcast::{Mean, Model};
use crate::station::VariableForecast;

/// Bins of means from which on past nowcasts are made again, to be verified: the window and the longest lead.
const HINDCAST_BINS: i64 = WINDOW_BINS + 24;
/// Time that past nowcasts may take together: a slow model isn't asked for all of them.
const HINDCAST_MAX: Duration = Duration::from_secs(60);

/// A nowcast as the model made it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::edge_agent) struct Ran {
    pub forecasts: Vec<VariableForecast>,
    pub took: Duration,
    pub standing: Standing,
}

/// How a model does beside persistence.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(in crate::edge_agent) struct Standing {
    /// Absent while too few nowcasts are verified.
    pub skill: Option<f64>,
    /// Nowcasts verified, of the last seven days.
    pub verified: u64,
}

/// A model that has taken in the history.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::edge_agent) struct Primed {
    /// What was wrong with a nowcast of the past, and of which.
    pub fault: Option<String>,
    pub standing: Standing,
    /// Whether it forecasts anything from the newest mean.
    pub forecasts: bool,
}

enum Job {
    Observe(Mean),
    Prime(Vec<Mean>, oneshot::Sender<Primed>),
    Forecast(Timestamp, oneshot::Sender<Ran>),
}

/// A model at work. Its thread ends once this is dropped and it has done what it was given.
#[derive(Debug)]
pub(in crate::edge_agent) struct Runner {
    id: String,
    jobs: mpsc::Sender<Job>,
}

impl Runner {
    /// Gives `model` a thread.
    pub fn start(model: Model) -> std::io::Result<Self> {
        let (jobs, asked) = mpsc::channel();
        let id = model.id().to_owned();
        let worker = Worker { model, window: SkillWindow::default(), last_observe: Duration::ZERO };
        std::thread::Builder::new().name("model".to_owned()).spawn(move || worker.run(&asked))?;
        Ok(Self { id, jobs })
    }

    /// The model's id, as predictions carry it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Shows it the means of a bin.
    pub fn observe(&self, mean: Mean) {
        // A thread that is gone is told by the next forecast.
        drop(self.jobs.send(Job::Observe(mean)));
    }

    /// Shows it the means of the past, and has it make the nowcasts of the last days again.
    pub fn prime(&self, means: Vec<Mean>) -> oneshot::Receiver<Primed> {
        let (reply, primed) = oneshot::channel();
        drop(self.jobs.send(Job::Prime(means, reply)));
        primed
    }

    /// Has it forecast from the newest bin, which ends at `issued_at`. The answer fails where its thread has ended.
    pub fn forecast(&self, issued_at: Timestamp) -> oneshot::Receiver<Ran> {
        let (reply, ran) = oneshot::channel();
        drop(self.jobs.send(Job::Forecast(issued_at, reply)));
        ran
    }
}

struct Worker {
    model: Model,
    window: SkillWindow,
    /// What taking in the newest mean took: a part of the nowcast that is made of it.
    last_observe: Duration,
}

impl Worker {
    fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            // Whoever asked may have gone.
            match job {
                Job::Observe(mean) => self.observe(&mean),
                Job::Prime(means, reply) => drop(reply.send(self.prime(&means))),
                Job::Forecast(issued_at, reply) => drop(reply.send(self.forecast(issued_at))),
            }
        }
    }

    fn observe(&mut self, mean: &Mean) {
        let began = Instant::now();
        self.model.observe(mean);
        self.last_observe = began.elapsed();
        self.window.observe(mean);
    }

    fn forecast(&mut self, issued_at: Timestamp) -> Ran {
        let began = Instant::now();
        let forecasts = self.model.forecast(issued_at);
        let took = self.last_observe + began.elapsed();
        self.window.issue(issued_at.as_second().div_euclid(600), &forecasts);
        Ran { forecasts, took, standing: self.standing() }
    }

    fn standing(&self) -> Standing {
        Standing { skill: self.window.skill(), verified: self.window.issues() }
    }

    fn prime(&mut self, means: &[Mean]) -> Primed {
        let newest = means.last().map_or(i64::MIN, Mean::bin);
        let (mut fault, mut forecasts, mut spent) = (None, false, Duration::ZERO);
        for mean in means {
            self.observe(mean);
            let is_newest = mean.bin() == newest;
            let is_recent = mean.bin() > newest - HINDCAST_BINS;
            if is_newest || (is_recent && fault.is_none() && spent <= HINDCAST_MAX) {
                let ran = self.forecast(mean.ends_at);
                spent += ran.took;
                forecasts = !ran.forecasts.is_empty();
                fault =
                    fault.or_else(|| judge(&ran.forecasts).err().map(|words| format!("{words} ({})", mean.ends_at)));
            }
        }
        Primed { fault, standing: self.standing(), forecasts }
    }
}
