//! People with keys, and a plan for them to approve.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use skydeck::provisioning::approval::approvers::Approvers;
use skydeck::provisioning::approval::check::{Case, Facts};
use skydeck::provisioning::approval::record::{Approval, PlanRecord, Signed};
use skydeck::provisioning::approval::signature::{APPROVAL, PLAN};
use skydeck::settings::EnvironmentName;
use ssh_key::private::{Ed25519Keypair, PrivateKey};
use ssh_key::{HashAlg, LineEnding};

/// Somebody with an ed25519 key.
#[derive(Debug, Clone)]
pub struct Somebody {
    pub name: &'static str,
    pub key: PrivateKey,
}

pub fn somebody(name: &'static str, seed: u8) -> Somebody {
    Somebody { name, key: PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32])) }
}

pub fn ada() -> Somebody {
    somebody("ada@example.com", 1)
}

pub fn bob() -> Somebody {
    somebody("bob@example.com", 2)
}

pub fn eve() -> Somebody {
    somebody("eve@example.com", 3)
}

impl Somebody {
    /// `ssh-ed25519 AAAA…`.
    pub fn public(&self) -> String {
        self.key.public_key().to_openssh().expect("a public key")
    }

    pub fn sign(&self, namespace: &str, payload: &str) -> String {
        let signature = self.key.sign(namespace, HashAlg::Sha512, payload.as_bytes()).expect("signed");
        signature.to_pem(LineEnding::LF).expect("armoured").trim().to_owned()
    }
}

/// The moment of the tests.
pub fn now() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().expect("a time")
}

pub fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

pub fn environment(name: &str) -> EnvironmentName {
    name.parse().expect("a name")
}

/// A plan of run 7, made an hour ago.
pub fn record(name: &str) -> PlanRecord {
    PlanRecord {
        schema: 1,
        environment: environment(name),
        run: 7,
        run_id: "019a0000-0000-7000-8000-000000000007".into(),
        plan_sha256: "1".repeat(64),
        content_digest: "2".repeat(64),
        state_lineage: Some("lineage-a".into()),
        state_serial: Some(41),
        configuration_digest: "3".repeat(64),
        lock_file_digest: Some("4".repeat(64)),
        policies_digest: "5".repeat(64),
        verdict_digest: "6".repeat(64),
        denials: 0,
        terraform_version: "1.11.4".into(),
        planned_by: "ada@laptop".into(),
        planned_at: now() - hours(1),
    }
}

/// `record`, signed by `who`.
pub fn kept(record: &PlanRecord, who: Option<&Somebody>) -> Signed {
    let payload = serde_json::to_string(record).expect("JSON");
    Signed { signature: who.map(|who| who.sign(PLAN, &payload)), payload }
}

/// A UUID that ends with `number`.
pub fn id(number: u32) -> String {
    format!("019a0000-0000-7000-8000-{number:012x}")
}

/// An approval of `record` half an hour ago, for a day.
pub fn approval(record: &PlanRecord) -> Approval {
    Approval {
        schema: 1,
        id: id(10),
        record: record.clone(),
        approved_by: "bob@desk".into(),
        approved_at: now() - SignedDuration::from_mins(30),
        expires_at: now() + hours(23),
        reason: None,
        overrides_denials: false,
        emulated: false,
    }
}

pub fn given(approval: &Approval, who: Option<&Somebody>) -> Signed {
    let payload = serde_json::to_string(approval).expect("JSON");
    Signed { signature: who.map(|who| who.sign(APPROVAL, &payload)), payload }
}

/// A file of allowed signers in a folder of its own.
pub struct SignersFile {
    _folder: tempfile::TempDir,
    pub path: PathBuf,
}

pub fn signers_file(text: &str) -> SignersFile {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("approvers");
    std::fs::write(&path, text).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("set");
    SignersFile { _folder: folder, path }
}

pub fn load(text: &str) -> Result<Approvers, String> {
    let file = signers_file(text);
    let shown = format!("{}", file.path.display());
    Approvers::load(&file.path).map_err(|error| error.to_string().replace(&shown, "FILE"))
}

/// Ada and Bob may plan and approve.
pub fn both() -> Approvers {
    let text: String =
        [ada(), bob()].iter().map(|who| format!("{} namespaces=\"skydeck-*\" {}\n", who.name, who.public())).collect();
    load(&text).expect("a file of allowed signers")
}

/// What a case borrows.
#[derive(Debug, Clone)]
pub struct Ground {
    pub environment: EnvironmentName,
    pub run_id: String,
    pub record: Signed,
    pub denials: u32,
    pub used: BTreeSet<String>,
}

/// The run of `record`, as things stood when it was planned.
pub fn ground(record: &PlanRecord, planner: Option<&Somebody>) -> Ground {
    Ground {
        environment: record.environment.clone(),
        run_id: record.run_id.clone(),
        record: kept(record, planner),
        denials: record.denials,
        used: BTreeSet::new(),
    }
}

impl Ground {
    pub fn case(&self) -> Case<'_> {
        Case {
            environment: &self.environment,
            run: 7,
            run_id: &self.run_id,
            record: &self.record,
            denials: self.denials,
            used: &self.used,
            plan_max_age: hours(24),
            approval_max_age: hours(24),
        }
    }

    /// Nothing has moved since `record`.
    pub fn facts(&self, record: &PlanRecord) -> Facts<'_> {
        Facts {
            case: self.case(),
            plan_sha256: record.plan_sha256.clone(),
            content_digest: record.content_digest.clone(),
            moved: Vec::new(),
            denied_anew: Vec::new(),
            configuration_digest: record.configuration_digest.clone(),
            lock_file_digest: record.lock_file_digest.clone(),
            policies_digest: record.policies_digest.clone(),
            state_lineage: record.state_lineage.clone(),
            state_serial: record.state_serial,
            terraform_version: record.terraform_version.clone(),
        }
    }
}

/// Writes `who`'s private key (0600) and its public one beside it, as `ssh-keygen` would.
pub fn write_key(folder: &Path, who: &Somebody) -> PathBuf {
    let path = folder.join(who.name);
    who.key.write_openssh_file(&path, LineEnding::LF).expect("written");
    std::fs::write(path.with_extension("com.pub"), who.public() + "\n").expect("written");
    path
}
