//! Packages for tests.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{MANIFEST, Parts, SELF_TEST, SelfTest, WEIGHTS, sha256, write};
use crate::nowcast::fixture::{Does, FixtureParameters};
use crate::nowcast::model::Weights;
use crate::nowcast::parameters::PersistenceParameters;

/// A package in the making.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The manifest, less its files.
    pub manifest: Value,
    /// The model's weights.
    pub weights: Vec<u8>,
    /// What it is tested with; what isn't expected yet is filled in.
    pub test: SelfTest,
    /// The signature, armoured.
    pub signature: Option<String>,
}

impl Sample {
    /// Of the model `name` at `version`, which does as persistence does.
    pub fn persistence(name: &str, version: &str) -> Self {
        let weights = serde_json::to_vec(&PersistenceParameters::default()).expect("JSON");
        Self { weights, ..Self::of(name, version, "persistence") }
    }

    /// Of a model that does as persistence until an instant, and then what a test wants.
    pub fn fixture(name: &str, version: &str, from: &str, does: Does) -> Self {
        let parameters = FixtureParameters { from: from.parse().expect("a time"), does };
        let weights = serde_json::to_vec(&parameters).expect("JSON");
        Self { weights, ..Self::of(name, version, "fixture") }
    }

    fn of(name: &str, version: &str, kind: &str) -> Self {
        let humidity: Vec<Option<f64>> = (0..60).map(|step| Some(60.0 + f64::from(step % 7))).collect();
        let test = json!({
            "latitudeDeg": 46.8, "longitudeDeg": 6.9,
            "cases": [{ "name": "ten hours", "firstEndsAt": "2016-06-01T00:10:00Z", "means": { "humidity": humidity } }],
        });
        let manifest = json!({
            "format": 1, "name": name, "version": version, "kind": kind, "created": "2026-06-01T12:00:00Z",
            "minimumAgent": "0.1.0", "needs": { "historyDays": 0 },
        });
        let test = SelfTest::draft(test.to_string().as_bytes()).expect("a self-test");
        Self { manifest, weights: Vec::new(), test, signature: None }
    }

    /// With the self-test filled in and the files listed.
    pub fn parts(mut self) -> Parts {
        let kind = self.manifest["kind"].as_str().expect("a kind").to_owned();
        if let Ok(weights) = Weights::read(&kind, &self.weights) {
            self.test.fill(|lat, lon| weights.model("t", lat, lon), &[10, 60], 1e-6).expect("forecasts");
        }
        let test = serde_json::to_vec(&self.test).expect("JSON");
        let files = BTreeMap::from([(WEIGHTS.to_owned(), self.weights), (SELF_TEST.to_owned(), test)]);
        let listed = files
            .iter()
            .map(|(name, bytes)| json!({ "name": name, "sizeBytes": bytes.len(), "sha256": sha256(bytes) }));
        self.manifest["files"] = listed.collect();
        Parts { manifest: self.manifest.to_string().into_bytes(), signature: self.signature, files }
    }

    /// The package's file.
    pub fn bytes(self) -> Vec<u8> {
        write(&self.parts()).expect("written")
    }
}

/// A tar with these entries, each as it stands: names aren't looked at.
pub fn tar(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, content) in entries {
        let mut header = tar::Header::new_ustar();
        header.as_ustar_mut().expect("ustar").name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *content).expect("appended");
    }
    builder.into_inner().expect("finished")
}

/// The entries of a package, to be changed.
pub fn entries(parts: &Parts) -> Vec<(String, Vec<u8>)> {
    let mut entries = vec![(MANIFEST.to_owned(), parts.manifest.clone())];
    entries.extend(parts.files.clone());
    entries
}
