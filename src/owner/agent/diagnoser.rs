//! What makes diagnoses of the agent in this process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::diagnosis::Diagnosis;
use super::findings::{Beside, device_findings};
use crate::edge_agent::agent::AgentHandles;
use crate::edge_agent::link_test::LinkTester;
use crate::edge_agent::outbox::Outbox;
use crate::edge_agent::report::AgentReport;
use crate::edge_agent::uplink::LinkTest;
use crate::edge_agent::{NewestPicture, PreviewPicture};
use crate::owner::log_buffer::LogBuffer;

/// Things set aside whose reasons a diagnosis tells.
const ASIDE: usize = 3;
/// Warnings and errors that a diagnosis tells.
const ERRORS: usize = 12;
/// Longest wait for something new, less than what whoever asks over a socket waits for an answer.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Makes diagnoses of the agent in this process; clones share it.
#[derive(Debug, Clone)]
pub(in crate::owner) struct Diagnoser {
    environment: String,
    report: watch::Receiver<AgentReport>,
    outbox: Outbox,
    tester: LinkTester,
    preview: NewestPicture,
    log: LogBuffer,
    tested: Arc<Mutex<Option<LinkTest>>>,
}

impl Diagnoser {
    /// Of the agent of `environment` behind `handles`, with the process's `log`.
    pub fn new(environment: impl Into<String>, handles: &AgentHandles, log: &LogBuffer) -> Self {
        Self {
            environment: environment.into(),
            report: handles.report.clone(),
            outbox: handles.outbox.clone(),
            tester: handles.link_tester.clone(),
            preview: handles.preview.clone(),
            log: log.clone(),
            tested: Arc::default(),
        }
    }

    /// How the device is: at once, or with `wait` once something has changed, after a few seconds at most.
    pub async fn diagnose(&self, wait: bool) -> Diagnosis {
        let mut report = self.report.clone();
        report.mark_unchanged();
        if wait {
            // Neither a wait without news nor an agent that has ended is a fault.
            drop(tokio::time::timeout(LONGEST_WAIT, report.changed()).await);
        }
        let report = Arc::new(report.borrow().clone());
        let tested = self.tested.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // An outbox that can't be read says so by itself.
        let aside = match report.outbox.set_aside {
            0 => Vec::new(),
            _ => self.outbox.set_aside_reasons(ASIDE).await.unwrap_or_default(),
        };
        let (at, log_file) = (Timestamp::now(), self.log.file());
        let beside = Beside {
            machine: report.machine.as_ref(),
            test: tested.as_ref(),
            aside: &aside,
            log_file: log_file.as_deref(),
        };
        Diagnosis {
            at,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            environment: self.environment.clone(),
            findings: device_findings(&report, beside, at),
            agent: Some(report),
            machine: None,
            link_test: tested,
            no_hub: None,
            errors: self.log.newest(ERRORS, Some("WARN")),
            log_file,
        }
    }

    /// Tries the way to the hub; `None` where the agent has no link.
    pub async fn test_link(&self) -> Option<LinkTest> {
        let test = self.tester.run().await;
        self.tested.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&test);
        test
    }

    /// The newest picture, small.
    pub async fn preview(&self, max_px: u32) -> Option<PreviewPicture> {
        let preview = self.preview.clone();
        tokio::task::spawn_blocking(move || preview.shrunk(max_px)).await.ok().flatten()
    }
}
