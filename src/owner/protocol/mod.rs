//! What viewers and the owner say to each other: requests, answers, events.
//!
//! One JSON object a line over the owner's socket; in one process the same values go through a channel. `whole` is the
//! language of an environment, `alone` the two words of it that a build for a device has: on the socket both are one.

#[cfg(any(test, not(feature = "_ground")))]
mod alone;
#[cfg(feature = "_ground")]
mod whole;

use serde::{Deserialize, Serialize};

#[cfg(not(feature = "_ground"))]
pub use self::alone::{Answer, Request};
#[cfg(feature = "_ground")]
pub use self::whole::{Answer, Request};

/// Version of the protocol; an owner refuses a viewer of another one.
pub const PROTOCOL_VERSION: u32 = 1;

/// What a viewer sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// [`PROTOCOL_VERSION`].
    pub v: u32,
    /// Chosen by the viewer; the answer bears it.
    pub id: u64,
    /// What is asked.
    pub request: Request,
}

/// What the owner sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Reply {
    /// A changed snapshot, to subscribers.
    #[cfg(feature = "_ground")]
    Snapshot {
        /// The state.
        snapshot: std::sync::Arc<super::snapshot::Snapshot>,
    },
    /// The answer to a request.
    Answer {
        /// The request's id.
        id: u64,
        /// What was asked for.
        answer: Answer,
    },
    /// A request that failed.
    Refused {
        /// The request's id; 0 where it couldn't be read.
        id: u64,
        /// What failed, why, and what to do next.
        error: String,
        /// The kind of reason, where a program can act on it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<Refusal>,
    },
}

/// Why a request was refused, where a program can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// What was asked about isn't there.
    NotFound,
    /// The policies deny the plan.
    Denied,
    /// Nobody approved the plan whose approval counts.
    NotApproved,
    /// The plan or its approval is too old.
    Expired,
    /// What the plan was made of has moved on.
    Stale,
    /// Somebody else is at work.
    Locked,
}

#[cfg(all(test, feature = "_ground"))]
mod tests {
    use std::sync::Arc;

    use super::{alone, whole};
    use crate::owner::agent::Diagnosis;
    use crate::owner::agent::fixture::report;
    use crate::owner::log_buffer::LogLine;

    fn json(value: &impl serde::Serialize) -> serde_json::Value {
        serde_json::to_value(value).expect("JSON")
    }

    #[test]
    fn a_build_for_a_device_speaks_as_the_whole_does() {
        let asked = [
            alone::Request::Agent,
            alone::Request::Logs { after: 7, limit: 50 },
            alone::Request::Diagnose { wait: true },
            alone::Request::TestLink,
            alone::Request::Preview { max_px: 64 },
        ];
        let same = [
            whole::Request::Agent,
            whole::Request::Logs { after: 7, limit: 50 },
            whole::Request::Diagnose { wait: true },
            whole::Request::TestLink,
            whole::Request::Preview { max_px: 64 },
        ];
        assert_eq!(asked.each_ref().map(json), same.each_ref().map(json));
        for (request, whole) in asked.iter().zip(&same) {
            assert_eq!(&serde_json::from_value::<alone::Request>(json(whole)).expect("understood"), request);
        }
        let other = serde_json::from_value::<alone::Request>(json(&whole::Request::Messages { limit: 3 }));
        assert_eq!(other.expect("understood"), alone::Request::Other);

        let line = LogLine {
            seq: 3,
            at: "2026-06-01T12:00:00Z".parse().expect("a time"),
            level: "WARN".into(),
            target: "link".into(),
            message: "down".into(),
        };
        let report = Arc::new(report());
        let diagnosis = Arc::new(Diagnosis {
            at: line.at,
            version: "0.1.0".into(),
            environment: "roof".into(),
            agent: Some(report.clone()),
            machine: None,
            findings: Vec::new(),
            link_test: None,
            no_hub: None,
            errors: vec![line.clone()],
            log_file: Some("/var/log/skydeck/agent.log".into()),
        });
        let answered = [
            alone::Answer::Agent { report: report.clone() },
            alone::Answer::Logs { lines: vec![line.clone()] },
            alone::Answer::Diagnosis { diagnosis: diagnosis.clone() },
            alone::Answer::LinkTest { test: None },
            alone::Answer::Preview { picture: None },
        ];
        let same = [
            whole::Answer::Agent { report },
            whole::Answer::Logs { lines: vec![line] },
            whole::Answer::Diagnosis { diagnosis },
            whole::Answer::LinkTest { test: None },
            whole::Answer::Preview { picture: None },
        ];
        assert_eq!(answered.each_ref().map(json), same.each_ref().map(json));
        for (answer, whole) in answered.iter().zip(&same) {
            assert_eq!(&serde_json::from_value::<alone::Answer>(json(whole)).expect("understood"), answer);
        }
    }
}
