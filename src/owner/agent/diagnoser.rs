//! What makes diagnoses of the agent in this process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::diagnosis::Diagnosis;
use super::findings::device_findings;
use crate::edge_agent::agent::AgentHandles;
use crate::edge_agent::link_test::LinkTester;
use crate::edge_agent::report::AgentReport;
use crate::edge_agent::uplink::LinkTest;
use crate::edge_agent::{NewestPicture, PreviewPicture};
use crate::owner::log_buffer::LogBuffer;

/// Warnings and errors that a diagnosis tells.
const ERRORS: usize = 12;
/// Longest wait for something new, less than what whoever asks over a socket waits for an answer.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Makes diagnoses of the agent in this process; clones share it.
#[derive(Debug, Clone)]
pub(in crate::owner) struct Diagnoser {
    environment: String,
    report: watch::Receiver<AgentReport>,
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
        Diagnosis {
            at: Timestamp::now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            environment: self.environment.clone(),
            findings: device_findings(&report, report.machine.as_ref(), tested.as_ref()),
            agent: Some(report),
            machine: None,
            link_test: tested,
            errors: self.log.newest(ERRORS, Some("WARN")),
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
