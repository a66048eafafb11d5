//! From a package's file to a model that may be believed: digest, signature, self-test.

use std::path::PathBuf;
use std::time::Duration;

use super::{Entry, PackageEntry, Store};
use crate::nowcast::Model;
use crate::nowcast::package::Package;
use crate::nowcast::package::signature::TrustedKey;
use crate::station::StationMetadata;

/// Longest time that reading and testing a package may take.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Bytes of the file of trusted keys.
const MAX_KEYS: u64 = 64 * 1024;

/// Makes models of entries.
#[derive(Debug, Clone)]
pub(in crate::edge_agent) struct Loader {
    pub store: Store,
    /// Where the keys are whose signatures count; absent takes every package whose digest was named.
    pub trusted_keys: Option<PathBuf>,
    pub station: StationMetadata,
}

/// A model that knows nothing yet, and what it needs.
#[derive(Debug, Clone)]
pub(in crate::edge_agent) struct Loaded {
    pub model: Model,
    /// Days of means that have to be there.
    pub history_days: u8,
}

impl Loader {
    /// The model of an entry. Fails in words that name it.
    pub async fn load(&self, entry: &Entry) -> Result<Loaded, String> {
        let package = match entry {
            Entry::BuiltIn(id) => {
                let model = Model::built_in(id, self.station.latitude_deg, self.station.longitude_deg);
                let model = model.ok_or_else(|| format!("model {id}: isn't in this version"))?;
                return Ok(Loaded { model, history_days: 0 });
            }
            Entry::Package(package) => package.clone(),
        };
        let (loader, id) = (self.clone(), package.id());
        // A thread that goes on after the time-out ends with what it tests.
        let tested = tokio::task::spawn_blocking(move || loader.believed(&package));
        match tokio::time::timeout(TIMEOUT, tested).await {
            Ok(Ok(Ok(loaded))) => Ok(loaded),
            Ok(Ok(Err(words))) => Err(format!("model {id}: {words}")),
            Ok(Err(_)) => Err(format!("model {id}: its self-test broke off")),
            Err(_) => Err(format!("model {id}: reading and testing it takes longer than {} s", TIMEOUT.as_secs())),
        }
    }

    fn believed(&self, entry: &PackageEntry) -> Result<Loaded, String> {
        let package = self.store.read(&entry.sha256)?;
        let id = package.manifest().id();
        if id != entry.id() {
            return Err(format!("the package of this digest is {id}; name what it is"));
        }
        self.check_signature(&package)?;
        package.test().map_err(|error| error.to_string())?;
        Ok(Loaded {
            model: package.model(self.station.latitude_deg, self.station.longitude_deg),
            history_days: package.manifest().needs.history_days,
        })
    }

    /// The keys are read anew each time: one that is taken out of the file counts no more.
    fn check_signature(&self, package: &Package) -> Result<(), String> {
        let Some(path) = &self.trusted_keys else { return Ok(()) };
        let failed = |words: String| format!("model.trusted_keys {}: {words}", path.display());
        let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
        if size > MAX_KEYS {
            return Err(failed(format!("it has {size} bytes; at most {MAX_KEYS} are read")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let keys = TrustedKey::parse_all(&text).map_err(failed)?;
        package.verify(&keys).map_err(|error| error.to_string())
    }
}
