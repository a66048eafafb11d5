//! A package from a folder, and a look into one.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::edge_agent::sensors::replay::Replay;
use crate::edge_agent::sensors::{SensorError, SensorSource as _};
use crate::nowcast::package::manifest::{FORMAT, File as ListedFile};
use crate::nowcast::package::self_test::Case;
use crate::nowcast::package::signature::{NAMESPACE, TrustedKey};
use crate::nowcast::package::{
    CARD, MAX_PACKAGE, Manifest, Needs, Package, PackageError, Parts, SELF_TEST, SelfTest, WEIGHTS, sha256, write,
};
use crate::nowcast::{TenMinuteMeans, Weights};
use crate::provisioning::approval::signature;
use crate::station::text::printable;
use crate::station::{Variable, WeatherMeasurement};

/// What a folder says of its model.
const DRAFT: &str = "model.json";
/// Bytes of a folder's file.
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// Leads at which a self-test that is filled in compares, minutes.
const TESTED: [u16; 4] = [10, 60, 120, 240];
/// By how much what is filled in may differ, in each variable's unit: rounding on another processor.
const TOLERANCE: f64 = 0.05;
/// Days of the carried month that a self-test of its own has: seven of a cycle and its errors, and two more.
const TESTED_DAYS: i64 = 9;
/// The station that the carried month is of.
const CARRIED_AT: (f64, f64) = (46.815, 6.944);

/// Why a package can't be made or looked at.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A folder where a package is expected.
    #[error("{0}: is a folder, not a package; make one of it: skydeck nowcast pack {0} --out FILE")]
    Folder(PathBuf),
    /// A file isn't a folder.
    #[error("{0}: is a file; name the folder with the model's files")]
    NoFolder(PathBuf),
    /// A file or folder isn't there.
    #[error("{0}: no such file or folder; check its name")]
    NotThere(PathBuf),
    /// A file can't be read or written, or isn't what it should be.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The package doesn't hold.
    #[error("{0}")]
    Package(#[from] PackageError),
    /// It can't be signed.
    #[error("{0}")]
    Key(String),
    /// The carried month can't be read.
    #[error(transparent)]
    Series(#[from] SensorError),
}

/// What a folder says of its model: the manifest, less what is worked out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Draft {
    name: String,
    version: String,
    kind: String,
    #[serde(default)]
    created: Option<Timestamp>,
    #[serde(default)]
    minimum_agent: Option<String>,
    needs: Needs,
}

/// What is seen in a package.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Digest of its file, hexadecimal.
    pub sha256: String,
    /// Size of its file.
    pub bytes: u64,
    /// Fingerprint of the key it is signed with; absent where it isn't.
    pub signed_by: Option<String>,
    /// Whether that key is in `model.trusted_keys`; absent where none are set.
    pub is_trusted: Option<bool>,
    /// Forecasts that its self-test compared.
    pub tested: usize,
    /// Its card, printable line by line.
    pub card: Option<String>,
}

/// Makes a package of the files in `folder`, signed with `key` where one is given, made at `now` where the folder doesn't say
/// when. What a self-test lacks is filled in: expectations by the model as it is, the whole of it by the carried month.
pub fn pack(folder: &Path, key: Option<&Path>, now: Timestamp) -> Result<(Vec<u8>, Inspection), PackError> {
    if folder.is_file() {
        return Err(PackError::NoFolder(folder.to_owned()));
    }
    if !folder.is_dir() {
        return Err(PackError::NotThere(folder.to_owned()));
    }
    let wrong = |name: &str| {
        let path = folder.join(name);
        move |reason| PackError::File { path, reason }
    };
    let draft: Draft =
        serde_json::from_slice(&needed(folder, DRAFT)?).map_err(|error| wrong(DRAFT)(error.to_string()))?;
    let weights = needed(folder, WEIGHTS)?;
    let model = Weights::read(&draft.kind, &weights).map_err(wrong(WEIGHTS))?;
    let mut test = match found(&folder.join(SELF_TEST))? {
        Some(json) => SelfTest::draft(&json).map_err(wrong(SELF_TEST))?,
        None => carried()?,
    };
    let make = |latitude, longitude| model.model("self-test", latitude, longitude);
    test.fill(make, &TESTED, TOLERANCE).map_err(wrong(SELF_TEST))?;
    let mut parts = Parts::default();
    parts.files.insert(WEIGHTS.to_owned(), weights);
    parts.files.insert(SELF_TEST.to_owned(), json(&test).map_err(wrong(SELF_TEST))?);
    if let Some(card) = found(&folder.join(CARD))? {
        parts.files.insert(CARD.to_owned(), card);
    }
    let listed = |(name, bytes): (&String, &Vec<u8>)| ListedFile {
        name: name.clone(),
        size_bytes: bytes.len() as u64,
        sha256: sha256(bytes),
    };
    let manifest = Manifest {
        format: FORMAT,
        name: draft.name,
        version: draft.version,
        kind: draft.kind,
        created: draft.created.unwrap_or(now),
        minimum_agent: draft.minimum_agent.unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned()),
        needs: draft.needs,
        files: parts.files.iter().map(listed).collect(),
    };
    parts.manifest = json(&manifest).map_err(wrong(DRAFT))?;
    if let Some(key) = key {
        parts.signature = Some(sign(key, &parts.manifest)?);
    }
    let bytes = write(&parts).map_err(|error| wrong(DRAFT)(error.to_string()))?;
    // What is handed out is what a device would take.
    let inspection = look(&bytes, None)?;
    Ok((bytes, inspection))
}

/// Looks into the package in `file`, and tests it. `trusted` are the keys of `model.trusted_keys`, where that is set.
pub fn inspect(file: &Path, trusted: Option<&Path>) -> Result<Inspection, PackError> {
    if file.is_dir() {
        return Err(PackError::Folder(file.to_owned()));
    }
    let bytes = found(file)?.ok_or_else(|| PackError::NotThere(file.to_owned()))?;
    let trusted = match trusted {
        None => None,
        Some(path) => {
            let text = found(path)?.ok_or_else(|| PackError::NotThere(path.to_owned()))?;
            let keys = TrustedKey::parse_all(&String::from_utf8_lossy(&text));
            Some(keys.map_err(|reason| PackError::File { path: path.to_owned(), reason })?)
        }
    };
    let failed = |error: PackError| match error {
        PackError::Package(error) => PackError::File { path: file.to_owned(), reason: error.to_string() },
        other => other,
    };
    look(&bytes, trusted.as_deref()).map_err(failed)
}

fn look(bytes: &[u8], trusted: Option<&[TrustedKey]>) -> Result<Inspection, PackError> {
    let package = Package::read(bytes)?;
    let signer = package.signer()?;
    let tested = package.test()?;
    let lines = |card: &str| card.lines().map(printable).collect::<Vec<_>>().join("\n");
    Ok(Inspection {
        manifest: package.manifest().clone(),
        sha256: sha256(bytes),
        bytes: bytes.len() as u64,
        is_trusted: trusted.map(|keys| signer.as_ref().is_some_and(|signer| keys.contains(signer))),
        signed_by: signer.as_ref().map(TrustedKey::fingerprint),
        tested,
        card: package.card().map(lines),
    })
}

fn sign(key: &Path, manifest: &[u8]) -> Result<String, PackError> {
    if !key.is_file() {
        return Err(PackError::NotThere(key.to_owned()));
    }
    signature::sign(key, NAMESPACE, manifest)
        .map(|signature| signature + "\n")
        .map_err(|error| PackError::Key(printable(&error.to_string())))
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(value).map_err(|error| error.to_string())
}

fn needed(folder: &Path, name: &str) -> Result<Vec<u8>, PackError> {
    let path = folder.join(name);
    found(&path)?.ok_or(PackError::NotThere(path))
}

/// A file's content; absent where it isn't there.
fn found(path: &Path) -> Result<Option<Vec<u8>>, PackError> {
    let failed = |reason: String| PackError::File { path: path.to_owned(), reason };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(format!("{error}; check who may read it"))),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(failed(format!("it has more than {MAX_PACKAGE} bytes")));
    }
    Ok(Some(bytes))
}

/// A self-test of the first days of the carried month, which expects nothing yet.
fn carried() -> Result<SelfTest, PackError> {
    let mut replay = Replay::carried()?;
    let until = replay.starts_at() + SignedDuration::from_hours(24 * TESTED_DAYS);
    let mut means = TenMinuteMeans::new();
    let mut found = Vec::new();
    loop {
        let items = replay.drain_until(until, 1000);
        if items.is_empty() {
            break;
        }
        for reading in items.into_iter().filter_map(|item| item.outcome.ok()) {
            found.extend(means.push(&WeatherMeasurement::from_reading("self-test", &reading).0));
        }
    }
    let first = found.first().map_or(until, |mean| mean.ends_at);
    let count = found.last().map_or(0, |last| last.bin() - first.as_second().div_euclid(600) + 1);
    let mut case = Case {
        name: "the first days of the carried month".to_owned(),
        first_ends_at: first,
        means: Default::default(),
        expect: Vec::new(),
    };
    for variable in Variable::ALL.into_iter().filter(|variable| found.iter().any(|mean| mean.get(*variable).is_some()))
    {
        let mut values = vec![None; usize::try_from(count).unwrap_or(0)];
        for mean in &found {
            let place = usize::try_from(mean.bin() - first.as_second().div_euclid(600)).unwrap_or(usize::MAX);
            if let Some(slot) = values.get_mut(place) {
                // Three decimals are below what the sensors resolve, and a third of the bytes.
                *slot = mean.get(variable).map(|value| (value * 1000.0).round() / 1000.0);
            }
        }
        case.means.insert(variable, values);
    }
    Ok(SelfTest { latitude_deg: CARRIED_AT.0, longitude_deg: CARRIED_AT.1, cases: vec![case] })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::nowcast::parameters::AnomalyParameters;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const MODEL: &str = r#"{"name":"roof","version":"1","kind":"anomaly-persistence","needs":{"historyDays":7}}"#;

    fn folder(model: &str, weights: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temporary folder");
        fs::write(folder.path().join(DRAFT), model).expect("written");
        fs::write(folder.path().join(WEIGHTS), weights).expect("written");
        folder
    }

    fn own_weights() -> String {
        serde_json::to_string(&AnomalyParameters::default()).expect("JSON")
    }

    #[test]
    fn a_folder_of_two_files_makes_a_package_that_tests_itself_on_the_carried_month() {
        let folder = folder(MODEL, &own_weights());
        let (bytes, seen) = pack(folder.path(), None, NOW).expect("packed");
        assert_eq!(pack(folder.path(), None, NOW).expect("packed").0, bytes, "the same folder makes the same package");
        assert_eq!((seen.manifest.id().as_str(), seen.manifest.created, seen.signed_by.clone()), ("roof@1", NOW, None));
        // Temperature, humidity, pressure and light at four leads.
        assert_eq!((seen.tested, seen.bytes), (16, bytes.len() as u64));
        let file = folder.path().join("roof.model");
        fs::write(&file, &bytes).expect("written");
        assert_eq!(inspect(&file, None).expect("looked into"), seen);
        // The same forecasts as the model that comes with skydeck.
        let package = Package::read(bytes.as_slice()).expect("read");
        assert!(bytes.len() < 100_000, "{}", bytes.len());
        assert_eq!(package.model(46.8, 6.9).id(), "roof@1");
    }

    #[test]
    fn what_is_wrong_with_a_folder_is_named_by_its_file() {
        let words = |model: &str, weights: &str, test: Option<&str>| {
            let folder = folder(model, weights);
            if let Some(test) = test {
                fs::write(folder.path().join(SELF_TEST), test).expect("written");
            }
            pack(folder.path(), None, NOW)
                .expect_err("refused")
                .to_string()
                .replace(&folder.path().display().to_string(), "DIR")
        };
        assert!(words("{}", "{}", None).starts_with("DIR/model.json: missing field `name`"));
        assert!(words(&MODEL.replace("needs", "wants"), "{}", None).contains("unknown field `wants`"));
        assert!(words(MODEL, "{}", None).starts_with("DIR/weights.json: missing field `variables`"));
        assert!(words(MODEL, &own_weights(), Some("[]")).starts_with("DIR/self-test.json: "));
        let named = MODEL.replace("roof", "persistence");
        assert!(words(&named, &own_weights(), None).starts_with("manifest.json: name: \"persistence\" isn't"));
        let few = r#"{"latitudeDeg":1,"longitudeDeg":1,"cases":[{"name":"few","firstEndsAt":"2016-06-01T00:10:00Z",
            "means":{"temperature":[1,2,3]}}]}"#;
        assert!(words(MODEL, &own_weights(), Some(few)).contains("case \"few\": the model forecasts nothing of it"));
        assert!(matches!(pack(Path::new("/nowhere"), None, NOW), Err(PackError::NotThere(_))));
        let folder = folder(MODEL, &own_weights());
        let key = folder.path().join("key");
        assert!(matches!(pack(folder.path(), Some(&key), NOW), Err(PackError::NotThere(path)) if path == key));
        fs::remove_file(folder.path().join(WEIGHTS)).expect("removed");
        assert!(matches!(pack(folder.path(), None, NOW), Err(PackError::NotThere(_))));
    }

    #[test]
    fn a_package_is_looked_into_as_a_device_with_these_keys_would() {
        let folder = folder(MODEL, &own_weights());
        let file = folder.path().join("roof.model");
        fs::write(&file, pack(folder.path(), None, NOW).expect("packed").0).expect("written");
        let keys = folder.path().join("keys");
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILJNATC9zPCE3QIqstKbjkByoo47UFhHinrM33iGpk6r models@example";
        fs::write(&keys, key).expect("written");
        assert_eq!(inspect(&file, Some(&keys)).expect("looked into").is_trusted, Some(false));
        fs::write(&keys, "hello").expect("written");
        assert!(
            inspect(&file, Some(&keys)).expect_err("no keys").to_string().contains("line 1: a public key is expected")
        );
        fs::write(&file, "rubbish").expect("written");
        let words = inspect(&file, None).expect_err("no package").to_string();
        assert!(words.contains("roof.model: archive: "), "{words}");
    }
}
