//! Homes that share runs, and what is in them.

use std::path::PathBuf;

use serde_json::json;
use skydeck::provisioning::approval::record::{Approval, PlanRecord, Signed};
use skydeck::provisioning::run::{LogLevel, Phase, Run, RunLogLine};
use skydeck::provisioning::runs::store::{Store, Stored};
use skydeck::provisioning::shared::crypt::{PlanKeys, make_plan_key};
use skydeck::provisioning::shared::place::Place;
use skydeck::provisioning::shared::store::SharedStore;
use skydeck::provisioning::shared::sync::Sharing;
use skydeck::settings::EnvironmentName;

/// What must never be in the store in clear.
pub const SECRET: &str = "pa55word-of-the-database";

/// Where runs are shared, and what opens it.
pub struct Ground {
    pub place: Place,
    pub variables: Vec<(String, String)>,
    /// The environment's key.
    pub folder: tempfile::TempDir,
    pub recipient: String,
}

pub struct Home {
    _data: tempfile::TempDir,
    pub store: Store,
    pub sharing: Sharing,
}

pub fn environment() -> EnvironmentName {
    "staging".parse().expect("a name")
}

impl Ground {
    pub fn new(place: Place, variables: Vec<(String, String)>) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let recipient = make_plan_key(&folder.path().join("key")).expect("a key");
        Self { place, variables, folder, recipient }
    }

    pub fn open(&self) -> SharedStore {
        SharedStore::open_with(&self.place, &environment(), &self.variables).expect("opened")
    }

    pub fn keys(&self) -> PlanKeys {
        let identity = format!("file:{}", self.folder.path().join("key").display());
        PlanKeys::new(Some(&self.recipient), Some(&identity)).expect("keys")
    }

    /// A home of `who`, with the environment's key.
    pub fn home(&self, who: &str) -> Home {
        self.home_with(who, self.keys())
    }

    pub fn home_with(&self, who: &str, keys: PlanKeys) -> Home {
        let data = tempfile::tempdir().expect("temporary folder");
        let store = Store::of(&environment(), data.path());
        let sharing = Sharing::with(&store, self.open(), keys, who).expect("shared");
        Home { _data: data, store, sharing }
    }
}

impl Home {
    pub fn file(&self, number: u32, name: &str) -> PathBuf {
        self.store.run_folder(number).join(name)
    }

    pub fn run(&self, number: u32) -> Run {
        self.store.read(number).expect("a run").run
    }

    /// Writes the run as this home carries it on.
    pub fn set(&self, number: u32, phase: Phase) {
        let mut stored = self.store.read(number).expect("a run");
        stored.run.phase = phase;
        self.store.write(&mut stored).expect("written");
    }

    /// Claims a number and makes a run with a plan, all of it here only.
    pub async fn plan(&self) -> u32 {
        let id = uuid::Uuid::now_v7().to_string();
        let number = self.sharing.claim(&id).await.expect("a number");
        let run = run(number, &id, Phase::Planned);
        self.store.write(&mut Stored { revision: 0, run }).expect("written");
        let plan = format!("PK a plan with {SECRET} in it");
        for (name, content) in [
            ("plan", plan.clone()),
            ("plan.json", json!({"password": SECRET}).to_string()),
            ("record.json", json!(signed(&record(number, &id, &plan))).to_string()),
            ("outline.json", "{\"changes\":[]}".to_owned()),
            ("details.jsonl", "{}\n".to_owned()),
            ("log.jsonl", log(1)),
        ] {
            std::fs::write(self.file(number, name), content).expect("written");
        }
        number
    }
}

pub fn run(number: u32, id: &str, phase: Phase) -> Run {
    let value = json!({
        "number": number, "id": id, "environment": "staging", "emulated": false, "request": {}, "askedBy": "ada@laptop",
        "askedAt": "2026-11-24T00:00:00Z", "phase": phase, "steps": [], "changes": [], "drift": [],
        "changedOutputs": [], "counts": null,
    });
    serde_json::from_value(value).expect("a run")
}

pub fn log(lines: u32) -> String {
    let line = |number: u32| RunLogLine {
        number: number.into(),
        at: jiff::Timestamp::UNIX_EPOCH,
        phase: Phase::Planning,
        level: LogLevel::Info,
        text: "a line".to_owned(),
    };
    (1..=lines).map(|number| serde_json::to_string(&line(number)).expect("JSON") + "\n").collect()
}

pub fn record(number: u32, id: &str, plan: &str) -> PlanRecord {
    use sha2::Digest as _;
    let plan: String = sha2::Sha256::digest(plan).iter().map(|byte| format!("{byte:02x}")).collect();
    let value = json!({
        "schema": 1, "environment": "staging", "run": number, "runId": id, "planSha256": plan, "contentDigest": "00",
        "stateLineage": null, "stateSerial": null, "configurationDigest": "00", "lockFileDigest": null,
        "policiesDigest": "00", "verdictDigest": "00", "denials": 0, "terraformVersion": "1.11.4",
        "plannedBy": "ada@laptop", "plannedAt": "2026-11-24T00:00:00Z",
    });
    serde_json::from_value(value).expect("a record")
}

/// An approval of run `number`, with its id.
pub fn approval(number: u32) -> (String, Signed) {
    let id = uuid::Uuid::now_v7().to_string();
    (id.clone(), approval_with(number, &id, "grace@desk"))
}

pub fn approval_with(number: u32, id: &str, who: &str) -> Signed {
    signed(&Approval {
        schema: 1,
        id: id.to_owned(),
        record: record(number, "0198f2b4-0000-7000-8000-000000000001", "a plan"),
        approved_by: who.to_owned(),
        approved_at: jiff::Timestamp::UNIX_EPOCH,
        expires_at: jiff::Timestamp::UNIX_EPOCH,
        reason: None,
        overrides_denials: false,
        emulated: false,
    })
}

fn signed<T: serde::Serialize>(value: &T) -> Signed {
    Signed { payload: serde_json::to_string(value).expect("JSON"), signature: None }
}
