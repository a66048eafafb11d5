//! The twin's side of a connection, as a state machine without a clock or a socket of its own: GET after each
//! connection, desired changes in the order of their versions, reported differences one after the other.

use std::collections::VecDeque;
use std::time::Duration;

use rand::Rng as _;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::control::TwinDocument;
use super::{merge, twin};

/// Bytes of a reported patch: IoT Hub's bound on a twin's section, 32 KB.
const MAX_PATCH: usize = 32 * 1024;
/// How long an answer is waited for.
const ANSWER: Duration = Duration::from_secs(30);
/// The first and the longest wait before a request is made again.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// What has been asked of the hub.
enum Asked {
    Get,
    Report(Map<String, Value>),
}

/// The state of the talk.
pub(super) struct Talk {
    /// Request, its number, and until when its answer is waited for.
    asked: Option<(Asked, u64, Instant)>,
    last_rid: u64,
    /// Version of the desired properties that the agent has; absent before the first GET.
    version: Option<u64>,
    /// Whether the agent's copy has to be fetched.
    is_stale: bool,
    /// Newest change that came since the GET was sent.
    newest: u64,
    /// The hub's copy of the reported properties, once known.
    told: Option<Map<String, Value>>,
    /// What is to be told next, in parts.
    parts: VecDeque<Map<String, Value>>,
    /// Not before this.
    retry_at: Option<Instant>,
    retry: Duration,
}

/// What an answer brings.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Answered {
    /// For the agent.
    pub(super) twin: Option<TwinDocument>,
    /// For the log.
    pub(super) complaint: Option<String>,
}

impl Talk {
    pub(super) fn new() -> Self {
        Self {
            asked: None,
            last_rid: 0,
            version: None,
            is_stale: true,
            newest: 0,
            told: None,
            parts: VecDeque::new(),
            retry_at: None,
            retry: FIRST_RETRY,
        }
    }

    /// The request to send now, if there is one: topic and payload. `wanted` is what the hub should have.
    pub(super) fn step(&mut self, now: Instant, wanted: &Value) -> Option<(String, Vec<u8>)> {
        if let Some((_, _, until)) = &self.asked {
            if now < *until {
                return None;
            }
            self.again(now);
        }
        if self.retry_at.is_some_and(|at| now < at) {
            return None;
        }
        self.retry_at = None;
        if self.is_stale {
            self.newest = 0;
            let rid = self.ask(now, Asked::Get);
            return Some((twin::get_topic(rid), Vec::new()));
        }
        let told = self.told.as_ref()?;
        if self.parts.is_empty() {
            // The agent hasn't said anything yet: what the hub has stays.
            let wanted = wanted.as_object()?;
            self.parts =
                merge::diff(told, wanted).map(|patch| merge::split(patch, MAX_PATCH)).unwrap_or_default().into();
        }
        let part = self.parts.pop_front()?;
        let payload = Value::Object(part.clone()).to_string().into_bytes();
        let rid = self.ask(now, Asked::Report(part));
        Some((twin::report_topic(rid), payload))
    }

    /// When to step next, unless something comes before.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        match &self.asked {
            Some((_, _, until)) => Some(*until),
            None => self.retry_at,
        }
    }

    /// An answer of the hub to request `rid`.
    pub(super) fn answered(&mut self, now: Instant, status: u16, rid: u64, payload: &[u8]) -> Answered {
        let is_it = self.asked.as_ref().is_some_and(|(_, asked, _)| *asked == rid);
        let Some((asked, _, until)) = self.asked.take_if(|_| is_it) else { return Answered::default() };
        if status == 429 || status >= 500 {
            self.asked = Some((asked, rid, until));
            self.again(now);
            return Answered::default();
        }
        match asked {
            Asked::Get if status == 200 => self.got(now, payload),
            Asked::Get => {
                self.pause(now, LONGEST_RETRY);
                let complaint = format!("the hub doesn't give the device's twin (status {status}); asked again later");
                Answered { complaint: Some(complaint), twin: None }
            }
            Asked::Report(part) if matches!(status, 200 | 204) => {
                self.retry = FIRST_RETRY;
                self.tell(&part);
                Answered::default()
            }
            Asked::Report(part) => self.refused(status, part),
        }
    }

    fn got(&mut self, now: Instant, payload: &[u8]) -> Answered {
        let Some((document, reported)) = twin::document(payload) else {
            self.pause(now, LONGEST_RETRY);
            let complaint = "the hub's twin can't be read; asked again later".to_owned();
            return Answered { complaint: Some(complaint), twin: None };
        };
        // A change that came meanwhile and isn't in it was let pass: it is fetched.
        self.is_stale = document.desired_version < self.newest;
        if self.is_stale {
            self.pause(now, FIRST_RETRY);
        }
        self.retry = FIRST_RETRY;
        self.version = Some(document.desired_version);
        self.told = Some(reported);
        self.parts.clear();
        Answered { twin: Some(document), complaint: None }
    }

    /// A part the hub doesn't take is tried in halves, down to the property that is to blame, which is let be until
    /// it changes.
    fn refused(&mut self, status: u16, part: Map<String, Value>) -> Answered {
        let halves = merge::split(part, MAX_PATCH);
        let (part, rest) = match <[_; 1]>::try_from(halves) {
            Ok([part]) => {
                let half = merge::size(&part) / 2;
                (part.clone(), merge::split(part, half))
            }
            Err(parts) => (Map::new(), parts),
        };
        if rest.len() > 1 {
            for half in rest.into_iter().rev() {
                self.parts.push_front(half);
            }
            return Answered::default();
        }
        self.tell(&part);
        let names: Vec<&str> = part.keys().map(String::as_str).collect();
        let complaint = format!(
            "the hub doesn't take the reported property {} (status {status}); let be until it changes",
            names.join(", ")
        );
        Answered { complaint: Some(complaint), twin: None }
    }

    /// A change of desired properties; the agent gets what comes in order.
    pub(super) fn desired(&mut self, version: Option<u64>, payload: &[u8]) -> Option<(u64, Value)> {
        let read = twin::desired_patch(payload);
        let version = version.or(read.as_ref().and_then(|(_, version)| *version));
        let (Some((patch, _)), Some(version)) = (read, version) else {
            self.is_stale = true;
            return None;
        };
        self.newest = self.newest.max(version);
        if self.is_stale || self.version.is_none_or(|known| version != known + 1) {
            self.is_stale = true;
            return None;
        }
        self.version = Some(version);
        Some((version, patch))
    }

    /// Something from the hub was lost on this side: the twin is fetched.
    pub(super) const fn missed(&mut self) {
        self.is_stale = true;
    }

    fn ask(&mut self, now: Instant, asked: Asked) -> u64 {
        self.last_rid += 1;
        self.asked = Some((asked, self.last_rid, now + ANSWER));
        self.last_rid
    }

    /// Makes the request that was asked again, later.
    fn again(&mut self, now: Instant) {
        if let Some((Asked::Report(part), ..)) = self.asked.take() {
            self.parts.push_front(part);
        }
        self.pause(now, self.retry);
        self.retry = (self.retry * 2).min(LONGEST_RETRY);
    }

    fn pause(&mut self, now: Instant, upper: Duration) {
        self.retry_at = Some(now + upper.mul_f64(rand::rng().random_range(0.5..1.0)));
    }

    fn tell(&mut self, part: &Map<String, Value>) {
        merge::apply(self.told.get_or_insert_default(), part);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TWIN: &[u8] = br#"{"desired":{"a":1,"$version":3},"reported":{"x":1,"$version":2}}"#;

    fn rid(topic: &str) -> u64 {
        topic.rsplit_once('=').expect("a number").1.parse().expect("a number")
    }

    /// After the GET.
    fn known(now: Instant, wanted: &Value) -> Talk {
        let mut talk = Talk::new();
        let (topic, payload) = talk.step(now, wanted).expect("a request");
        assert_eq!((topic.as_str(), payload.as_slice()), ("$iothub/twin/GET/?$rid=1", b"".as_slice()));
        assert!(talk.step(now, wanted).is_none(), "one at a time");
        let answered = talk.answered(now, 200, 1, TWIN);
        assert_eq!(answered.twin.expect("a twin").desired_version, 3);
        talk
    }

    #[test]
    fn only_differences_are_reported_and_taken_as_told_when_acknowledged() {
        let now = Instant::now();
        let wanted = json!({"x": 1, "y": {"z": 2}});
        let mut talk = known(now, &wanted);
        let (topic, payload) = talk.step(now, &wanted).expect("a difference");
        assert_eq!(topic, "$iothub/twin/PATCH/properties/reported/?$rid=2");
        assert_eq!(payload, br#"{"y":{"z":2}}"#);
        // Throttled: the same again, later.
        assert_eq!(talk.answered(now, 429, 2, b""), Answered::default());
        assert!(talk.step(now, &wanted).is_none());
        let later = talk.wakes_at().expect("a retry");
        assert!(later > now && later <= now + Duration::from_secs(1));
        let (topic, again) = talk.step(later, &wanted).expect("again");
        assert_eq!(again, payload);
        // No answer at all: again.
        assert!(talk.step(later + Duration::from_secs(29), &wanted).is_none());
        assert!(talk.step(later + ANSWER, &wanted).is_none(), "first a wait");
        let later = talk.wakes_at().expect("a retry");
        assert_eq!(talk.answered(later, 204, rid(&topic), b""), Answered::default(), "too late to count");
        let (topic, again) = talk.step(later, &wanted).expect("again");
        assert_eq!(again, payload);
        assert_eq!(talk.answered(later, 204, rid(&topic), b""), Answered::default());
        assert!(talk.step(later, &wanted).is_none(), "all is told");
        let (_, payload) = talk.step(later, &json!({"y": {"z": 2}})).expect("a difference");
        assert_eq!(payload, br#"{"x":null}"#);
    }

    #[test]
    fn changes_go_on_in_order_and_a_gap_fetches_the_twin() {
        let now = Instant::now();
        let wanted = json!({"x": 1});
        let mut talk = known(now, &wanted);
        assert_eq!(talk.desired(Some(4), br#"{"a":2,"$version":4}"#), Some((4, json!({"a": 2}))));
        assert_eq!(talk.desired(None, br#"{"a":null,"$version":5}"#), Some((5, json!({"a": null}))));
        for (version, payload) in [(7, b"{}".as_slice()), (5, b"{}"), (6, b"rubbish")] {
            let mut talk = known(now, &wanted);
            talk.version = Some(5);
            assert_eq!(talk.desired(Some(version), payload), None);
            assert!(talk.step(now, &wanted).expect("a request").0.contains("GET"));
        }
        // A change while the GET is under way: in the answer, or fetched once more.
        talk.missed();
        let (topic, _) = talk.step(now, &wanted).expect("a request");
        assert_eq!(talk.desired(Some(6), b"{}"), None);
        let answered = talk.answered(now, 200, rid(&topic), br#"{"desired":{"$version":5},"reported":{}}"#);
        assert!(answered.twin.is_some());
        let later = talk.wakes_at().expect("a retry");
        let (topic, _) = talk.step(later, &wanted).expect("once more");
        let answered = talk.answered(later, 200, rid(&topic), br#"{"desired":{"$version":6},"reported":{"x":1}}"#);
        assert_eq!(answered.twin.expect("a twin").desired_version, 6);
        assert!(talk.step(later, &wanted).is_none());
        assert_eq!(talk.desired(Some(7), b"{}"), Some((7, json!({}))));
    }

    #[test]
    fn what_the_hub_refuses_is_parted_until_the_culprit_is_found() {
        let now = Instant::now();
        let wanted = json!({"x": 1, "good": {"a": 1, "b": "2"}, "bad": {"c": "BAD", "d": 4}});
        let mut talk = known(now, &wanted);
        let (mut complaints, mut hub) = (Vec::new(), Map::new());
        for _ in 0..20 {
            let Some((topic, payload)) = talk.step(now, &wanted) else { break };
            let is_bad = String::from_utf8_lossy(&payload).contains("BAD");
            if !is_bad {
                merge::apply(
                    &mut hub,
                    serde_json::from_slice::<Value>(&payload).expect("JSON").as_object().expect("map"),
                );
            }
            let answered = talk.answered(now, if is_bad { 400 } else { 204 }, rid(&topic), b"");
            complaints.extend(answered.complaint);
        }
        assert_eq!(Value::Object(hub), json!({"good": {"a": 1, "b": "2"}, "bad": {"d": 4}}));
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        assert!(complaints[0].contains("bad"), "{complaints:?}");
        assert!(talk.step(now, &wanted).is_none(), "let be");
        let large: Map<String, Value> = (0..40).map(|i| (format!("p{i}"), Value::from("x".repeat(2000)))).collect();
        let mut sizes = Vec::new();
        while let Some((topic, payload)) = talk.step(now, &Value::Object(large.clone())) {
            sizes.push(payload.len());
            talk.answered(now, 204, rid(&topic), b"");
        }
        assert!(sizes.len() >= 3 && sizes.iter().all(|size| *size <= MAX_PATCH), "{sizes:?}");
    }

    #[test]
    fn a_twin_that_is_not_given_is_asked_for_seldom() {
        let now = Instant::now();
        let mut talk = Talk::new();
        talk.step(now, &Value::Null).expect("a request");
        assert!(talk.answered(now, 404, 1, b"").complaint.is_some());
        assert!(talk.wakes_at().expect("later") >= now + LONGEST_RETRY / 2);
    }
}
