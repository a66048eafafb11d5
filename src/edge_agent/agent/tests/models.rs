//! Models in the slot of an agent at work: no nowcast is missed whatever they do.

use std::fs;

use jiff::SignedDuration;

use super::super::super::report::{DeployState, ModelReport};
use super::*;
use crate::nowcast::fixture::{Does, release};
use crate::nowcast::package::samples::Sample;
use crate::nowcast::package::sha256;
use crate::nowcast::{MODEL_ID, PERSISTENCE_ID};

/// A station that measures once each ten minutes, from some days ago on.
struct Station {
    folder: tempfile::TempDir,
    first: Timestamp,
    /// Readings written.
    count: i64,
}

impl Station {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        fs::write(folder.path().join("lines"), "").expect("written");
        let now = crate::clock::wall::now().as_second();
        let first = Timestamp::from_second(now - now.rem_euclid(600) - 12 * 86_400).expect("in range");
        Self { folder, first, count: 0 }
    }

    /// End of the means of reading `number`.
    fn ends_at(&self, number: i64) -> Timestamp {
        self.first + SignedDuration::from_mins(10 * (number + 1))
    }

    /// Measures `count` times more; the last mean stays open.
    fn measure(&mut self, count: i64) {
        let mut text = fs::read_to_string(self.folder.path().join("lines")).expect("read");
        for number in self.count..self.count + count {
            let (at, humidity) = (self.ends_at(number - 1), 50 + number % 30);
            let _ = writeln!(text, r#"{{"measuredAt":"{at}","humidityPct":{humidity}}}"#);
        }
        fs::write(self.folder.path().join("lines"), text).expect("written");
        self.count += count;
    }

    /// Puts a package into the agent's folder; answers how it is asked for.
    fn keep(&self, sample: Sample) -> Value {
        let (name, version) = (sample.manifest["name"].clone(), sample.manifest["version"].clone());
        let bytes = sample.bytes();
        let models = self.folder.path().join("agent/models");
        fs::create_dir_all(&models).expect("made");
        fs::write(models.join(format!("{}.model", sha256(&bytes))), &bytes).expect("written");
        json!({"name": name, "version": version, "sha256": sha256(&bytes)})
    }

    fn fixture(&self, version: &str, from: Timestamp, does: Does) -> Value {
        self.keep(Sample::fixture("roof", version, &from.to_string(), does))
    }

    async fn agent(&self, max_run_s: u32) -> Agent {
        agent_with(self.folder.path(), None, &ModelSettings { max_run_s, ..ModelSettings::default() }).await
    }
}

async fn until(handles: &AgentHandles, mut wanted: impl FnMut(&ModelReport) -> bool) -> ModelReport {
    let mut report = handles.report.clone();
    let seen = report.wait_for(|report| wanted(&report.model));
    tokio::time::timeout(SOON, seen).await.expect("soon").expect("open").model.clone()
}

async fn issued(handles: &AgentHandles, at: Timestamp) {
    let mut status = handles.status.clone();
    let seen = status.wait_for(|status| status.last_issue_at.is_some_and(|issue| issue >= at));
    tokio::time::timeout(SOON, seen).await.expect("soon").expect("open");
}

async fn measured(handles: &AgentHandles, count: i64) {
    let mut status = handles.status.clone();
    let seen = status.wait_for(|status| status.measured >= count as u64);
    tokio::time::timeout(SOON, seen).await.expect("soon").expect("open");
}

/// Issue time and model of each nowcast.
async fn nowcasts(handles: &AgentHandles) -> Vec<(Timestamp, String)> {
    let rows = handles.outbox.peek(0, 10_000).await.expect("peeks");
    let one = |body: &str| match Message::from_json(body.as_bytes()).expect("a message") {
        Message::Prediction(prediction) => Some((prediction.measured_at, prediction.model_id)),
        _ => None,
    };
    rows.iter().filter_map(|row| one(&row.body)).collect()
}

/// Nothing is missed and nothing doubled from the first nowcast on.
fn assert_gapless(nowcasts: &[(Timestamp, String)]) {
    for pair in nowcasts.windows(2) {
        assert_eq!(pair[1].0.duration_since(pair[0].0), SignedDuration::from_mins(10), "{pair:?}");
    }
}

#[tokio::test]
async fn a_package_takes_over_without_a_nowcast_missed_and_holds_over_a_restart() {
    let mut station = Station::new();
    let asked = station.keep(Sample::persistence("roof", "1"));
    let mut agent = station.agent(30).await;
    let handles = agent.handles();
    {
        let serving = Serving::start(&mut agent).await;
        station.measure(60);
        issued(&handles, station.ends_at(58)).await;
        let reply = serving.call("deploy_model", asked.clone()).await;
        assert_eq!((reply.status, &reply.payload["model"]), (202, &json!("roof@1")));
        let told = until(&handles, |model| model.current == "roof@1" && model.deploying.is_none()).await;
        assert_eq!((told.previous.as_deref(), &json!(told.sha256)), (Some(MODEL_ID), &asked["sha256"]));
        station.measure(10);
        issued(&handles, station.ends_at(68)).await;
        let reported = handles.reported.borrow().clone();
        assert_eq!((&reported["model"]["current"], &reported["agent"]["model"]), (&json!("roof@1"), &json!("roof@1")));
        let again = serving.call("deploy_model", asked.clone()).await;
        assert_eq!((again.status, &again.payload["current"]), (200, &json!("roof@1")), "it is there already");
    }
    drop((agent, handles));
    let mut agent = station.agent(30).await;
    let handles = agent.handles();
    let serving = Serving::start(&mut agent).await;
    assert_eq!(handles.report.borrow().model.current, "roof@1");
    station.measure(5);
    issued(&handles, station.ends_at(73)).await;
    let back = serving.call("rollback_model", Value::Null).await;
    assert_eq!(
        (back.status, &back.payload["current"], &back.payload["previous"]),
        (200, &json!(MODEL_ID), &json!("roof@1"))
    );
    station.measure(5);
    issued(&handles, station.ends_at(78)).await;
    let nowcasts = nowcasts(&handles).await;
    assert_gapless(&nowcasts);
    let made_by = |id: &str| nowcasts.iter().filter(|(_, model)| model == id).count();
    assert_eq!(made_by("roof@1"), 15);
    assert_eq!(nowcasts.last().expect("some"), &(station.ends_at(78), MODEL_ID.to_owned()));
}

#[tokio::test]
async fn a_model_that_does_badly_is_given_up_and_its_nowcast_is_made_by_the_one_before() {
    for (does, words) in [
        (Does::NotFinite, "its humidity at 10 min isn't a number"),
        (Does::OutOfRange, "its humidity at 10 min is 101.00 %, outside 0 to 100"),
        (Does::Crossing, "its humidity at 10 min has quantiles that cross"),
        (Does::Panics, "it ended by a fault of its own"),
    ] {
        let mut station = Station::new();
        let asked = station.fixture("1", station.ends_at(62), does.clone());
        let mut agent = station.agent(30).await;
        let handles = agent.handles();
        let serving = Serving::start(&mut agent).await;
        station.measure(60);
        issued(&handles, station.ends_at(58)).await;
        serving.call("deploy_model", json!({"model": "persistence"})).await;
        serving.call("deploy_model", asked.clone()).await;
        until(&handles, |model| model.current == "roof@1").await;
        station.measure(10);
        issued(&handles, station.ends_at(68)).await;
        let told = until(&handles, |model| model.fallback.is_some()).await;
        assert_eq!((told.current.as_str(), told.previous), (PERSISTENCE_ID, None), "{does:?}");
        let fallback = told.fallback.expect("said");
        assert_eq!((fallback.from.as_str(), fallback.reason.as_str()), ("roof@1", words));
        assert_eq!(handles.reported.borrow()["model"]["fallback"]["reason"], words);
        let nowcasts = nowcasts(&handles).await;
        assert_gapless(&nowcasts);
        let by = |number| nowcasts.iter().find(|(at, _)| *at == station.ends_at(number)).expect("made").1.clone();
        assert_eq!((by(61).as_str(), by(62).as_str(), by(63).as_str()), ("roof@1", PERSISTENCE_ID, PERSISTENCE_ID));
        drop(serving);
        drop((agent, handles));
        let again = station.agent(30).await;
        assert_eq!(again.shared.slot.borrow().current.id(), PERSISTENCE_ID, "it holds over a restart");
    }
}

#[tokio::test]
async fn a_slow_model_holds_nothing_up_and_is_given_up_when_its_time_is_over() {
    let mut station = Station::new();
    let asked = station.fixture("1", station.ends_at(62), Does::Waits("never".into()));
    let mut agent = station.agent(1).await;
    let handles = agent.handles();
    let serving = Serving::start(&mut agent).await;
    station.measure(60);
    issued(&handles, station.ends_at(58)).await;
    serving.call("deploy_model", asked).await;
    until(&handles, |model| model.current == "roof@1").await;
    station.measure(10);
    let told = until(&handles, |model| model.fallback.is_some()).await;
    assert_eq!(told.fallback.expect("said").reason, "a nowcast takes longer than 1 s");
    assert_eq!(told.current, MODEL_ID);
    issued(&handles, station.ends_at(68)).await;
    assert_gapless(&nowcasts(&handles).await);
}

#[tokio::test]
async fn readings_go_on_while_a_nowcast_is_waited_for_and_a_crash_meanwhile_loses_none() {
    let mut station = Station::new();
    // What is due is of these minutes, so that it is still young when the agent comes back.
    station.count = 12 * 144 - 62;
    let before = station.count;
    let from = station.ends_at(before + 62);
    let asked = station.fixture("1", from, Does::Waits("later".into()));
    let mut agent = station.agent(600).await;
    let handles = agent.handles();
    {
        let serving = Serving::start(&mut agent).await;
        station.measure(60);
        issued(&handles, station.ends_at(before + 58)).await;
        serving.call("deploy_model", asked).await;
        until(&handles, |model| model.current == "roof@1").await;
        // The fourth of these brings the nowcast that isn't made yet.
        station.measure(4);
        measured(&handles, 64).await;
        assert_eq!(handles.status.borrow().last_issue_at, Some(station.ends_at(before + 61)));
        // A method is served meanwhile.
        assert_eq!(serving.call("diagnose", Value::Null).await.status, 200);
    }
    drop((agent, handles));
    let mut agent = station.agent(600).await;
    let handles = agent.handles();
    let _serving = Serving::start(&mut agent).await;
    release("later");
    issued(&handles, from).await;
    let nowcasts = nowcasts(&handles).await;
    assert_gapless(&nowcasts);
    assert_eq!(nowcasts.last(), Some(&(from, "roof@1".to_owned())));
}

#[tokio::test]
async fn a_model_that_is_worse_than_persistence_is_not_taken_or_given_up() {
    let mut station = Station::new();
    let never = station.fixture("1", station.ends_at(0), Does::FarOff);
    let later = station.fixture("2", station.ends_at(808), Does::FarOff);
    let hungry = station.keep({
        let mut sample = Sample::persistence("roof", "3");
        sample.manifest["needs"]["historyDays"] = json!(10);
        sample
    });
    let mut agent = station.agent(30).await;
    let handles = agent.handles();
    let serving = Serving::start(&mut agent).await;
    station.measure(801);
    issued(&handles, station.ends_at(799)).await;
    let failed = async |asked: Value| {
        let digest = asked["sha256"].clone();
        assert_eq!(serving.call("deploy_model", asked).await.status, 202);
        let is_failed = |model: &ModelReport| {
            let coming = model.deploying.as_ref();
            coming.is_some_and(|coming| json!(coming.sha256) == digest && coming.state == DeployState::Failed)
        };
        let told = until(&handles, is_failed).await;
        assert_eq!(told.current, MODEL_ID, "the one at work stays");
        told.deploying.and_then(|coming| coming.error).expect("words")
    };
    let words = failed(never).await;
    assert!(words.starts_with("its nowcasts of the last seven days are worse than persistence (skill -"), "{words}");
    let words = failed(hungry).await;
    assert_eq!(words, "it needs 10 days of history, and 5.6 are here; deploy it again later");
    assert_eq!(serving.call("deploy_model", later).await.status, 202);
    until(&handles, |model| model.current == "roof@2").await;
    station.measure(30);
    let told = until(&handles, |model| model.fallback.is_some()).await;
    assert!(told.fallback.expect("said").reason.contains("worse than persistence"));
    issued(&handles, station.ends_at(829)).await;
    let nowcasts = nowcasts(&handles).await;
    assert_gapless(&nowcasts);
    // The first of what was far off is verified an hour later; a few more are needed to outweigh the good week before.
    let by = |number| nowcasts.iter().find(|(at, _)| *at == station.ends_at(number)).expect("made").1.clone();
    let given_up = (809..=829).find(|number| by(*number) == MODEL_ID).expect("given up");
    assert!(given_up >= 814, "{given_up}");
    assert!((given_up..=829).all(|number| by(number) == MODEL_ID));
    assert!((809..given_up).all(|number| by(number) == "roof@2"));
}

#[tokio::test]
async fn what_cannot_be_deployed_is_answered_and_a_newer_wish_takes_the_place_of_an_older() {
    let station = Station::new();
    let kept = station.keep(Sample::persistence("roof", "1"));
    let mut agent = station.agent(30).await;
    let handles = agent.handles();
    let serving = Serving::start(&mut agent).await;
    let absent = json!({"name": "roof", "version": "2", "sha256": "ab".repeat(32)});
    let with = |url: &str| {
        let mut asked = absent.clone();
        asked["url"] = json!(url);
        asked
    };
    let reply = serving.call("deploy_model", absent.clone()).await;
    assert_eq!(reply.status, 400);
    assert!(reply.payload.to_string().contains("url: roof@2 isn't kept here; a link is needed"));
    assert_eq!(serving.call("deploy_model", with("http://10.1.2.3/x?sig=c2VjcmV0")).await.status, 400);
    // Nobody listens there: it is tried again and again, until another model is wanted.
    let reply = serving.call("deploy_model", with("http://127.0.0.1:9/x?sig=c2VjcmV0")).await;
    assert_eq!(reply.status, 202);
    until(&handles, |model| model.deploying.as_ref().is_some_and(|coming| coming.model == "roof@2")).await;
    assert_eq!(serving.call("deploy_model", kept.clone()).await.status, 202);
    until(&handles, |model| model.current == "roof@1" && model.deploying.is_none()).await;
    let mut other = kept.clone();
    other["sha256"] = json!("cd".repeat(32));
    let reply = serving.call("deploy_model", other).await;
    assert_eq!(reply.status, 409);
    assert!(reply.payload.to_string().contains("another content"));
    // By a message to the device: its body isn't kept.
    serving.tell(Some("m"), Some("deploy_model"), &with("https://127.0.0.1:9/x?sig=c2VjcmV0").to_string()).await;
    let everything = format!("{:?} {}", handles.report.borrow(), *handles.reported.borrow());
    assert!(!everything.contains("c2VjcmV0") && everything.contains("it may hold a link"), "{everything}");
}

#[tokio::test]
async fn a_desired_model_that_is_not_here_waits_for_its_link() {
    let station = Station::new();
    let kept = station.keep(Sample::persistence("roof", "1"));
    let mut agent = station.agent(30).await;
    let handles = agent.handles();
    let serving = Serving::start(&mut agent).await;
    let told = async |version: u64, model: Value| {
        let twin = TwinDocument { desired: json!({"model": model}), desired_version: version, reported: json!({}) };
        serving.requests.send(HubRequest::Twin(twin)).await.expect("is served");
        let mut reported = handles.reported.clone();
        let seen = reported.wait_for(|document| document["settings"]["model"]["version"] == version);
        let told = tokio::time::timeout(SOON, seen).await.expect("soon").expect("open").clone();
        told["settings"]["model"].clone()
    };
    let said = told(2, json!({"name": "roof", "version": "7", "sha256": "ab".repeat(32)})).await;
    assert_eq!((&said["status"], &said["value"]), (&json!("waiting"), &json!(MODEL_ID)));
    assert!(said["error"].as_str().expect("words").starts_with("waits for a link to fetch it"));
    let said = told(3, kept.clone()).await;
    assert!(said["error"].as_str().expect("words").starts_with("it is kept here; waits for deploy_model"));
    assert_eq!(serving.call("deploy_model", kept).await.status, 202);
    let mut reported = handles.reported.clone();
    let applied = reported.wait_for(|document| document["settings"]["model"]["status"] == "applied");
    tokio::time::timeout(SOON, applied).await.expect("soon").expect("open");
}

#[tokio::test]
async fn a_package_that_is_gone_at_the_start_gives_way_to_the_one_before() {
    let mut station = Station::new();
    let asked = station.keep(Sample::persistence("roof", "1"));
    let file =
        station.folder.path().join(format!("agent/models/{}.model", asked["sha256"].as_str().expect("a digest")));
    let mut agent = station.agent(30).await;
    {
        let handles = agent.handles();
        let serving = Serving::start(&mut agent).await;
        station.measure(40);
        issued(&handles, station.ends_at(38)).await;
        serving.call("deploy_model", asked).await;
        until(&handles, |model| model.current == "roof@1").await;
    }
    drop(agent);
    let whole = fs::read(&file).expect("there");
    fs::write(&file, &whole[..whole.len() / 2]).expect("cut");
    let mut agent = station.agent(30).await;
    let handles = agent.handles();
    let _serving = Serving::start(&mut agent).await;
    let told = handles.report.borrow().model.clone();
    assert_eq!(told.current, MODEL_ID);
    assert!(told.fallback.expect("said").reason.contains("hasn't the digest it is called by"));
    station.measure(10);
    issued(&handles, station.ends_at(48)).await;
    assert_gapless(&nowcasts(&handles).await);
}
