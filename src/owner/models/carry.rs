//! What is asked about models, done on the hub's handle and its containers.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{Deploying, DeviceModel, ModelAnswer, ModelAsk, PublishedModel};
use crate::ingestion::storage::{Containers, StorageError};
use crate::ingestion::topology::{Ground, MODELS};
use crate::local_cloud::hub::{Hub, InvokeError, MethodAnswer};
use crate::nowcast::package::{MAX_PACKAGE, Package, is_name, is_sha256, is_version, sha256};
use crate::owner::client::AskError;
use crate::owner::hub;
use crate::owner::protocol::{Answer, Refusal};
use crate::station::text::printable;

/// How long a device may fetch by a link.
const LINK_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// How long a device that isn't there is waited for: a reconnect's time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take to answer: a rollback is answered for once it is done.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(180);
/// What blobs of packages end with.
const ENDING: &str = ".model";

/// What came of it.
pub(in crate::owner) struct Carried {
    pub answer: Answer,
    /// What was done, for the audit trail; absent where nothing was.
    pub done: Option<String>,
}

/// What models are carried out on.
pub(in crate::owner) struct Means<'a> {
    pub hub: &'a Hub,
    pub containers: &'a Containers,
    pub ground: &'a Ground,
}

/// Carries out what is asked.
pub(in crate::owner) async fn carry_out(means: Means<'_>, ask: ModelAsk) -> Result<Carried, AskError> {
    if !means.ground.peek().has_container(MODELS) {
        let words = format!("container {MODELS}: isn't applied; apply azurerm_storage_container with that name");
        return Err(AskError::Refused(words));
    }
    match ask {
        ModelAsk::List => {
            let published = means.published().await?;
            let devices = means.devices().await?;
            Ok(Carried { answer: Answer::Models(ModelAnswer::Models { published, devices }), done: None })
        }
        ModelAsk::Publish { file } => means.publish(&file).await,
        ModelAsk::Deploy { device, name, version } => means.deploy(&device, &name, &version).await,
        ModelAsk::Rollback { device } => means.roll_back(&device).await,
    }
}

impl Means<'_> {
    async fn published(&self) -> Result<Vec<PublishedModel>, AskError> {
        let blobs = self.containers.list(MODELS).await.map_err(stored)?;
        let model = |blob: crate::ingestion::storage::Blob| {
            let mut parts = blob.name.split('/');
            let (name, version, file) = (parts.next()?, parts.next()?, parts.next()?);
            let sha256 = file.strip_suffix(ENDING)?;
            let is_one = parts.next().is_none() && is_name(name) && is_version(version) && is_sha256(sha256);
            is_one.then(|| PublishedModel {
                name: name.to_owned(),
                version: version.to_owned(),
                sha256: sha256.to_owned(),
                bytes: blob.bytes,
                published_at: Timestamp::from_second(blob.modified_s).ok(),
            })
        };
        Ok(blobs.into_iter().filter_map(model).collect())
    }

    async fn find(&self, name: &str, version: &str) -> Result<Option<PublishedModel>, AskError> {
        let published = self.published().await?;
        Ok(published.into_iter().find(|model| model.name == name && model.version == version))
    }

    async fn publish(&self, file: &Path) -> Result<Carried, AskError> {
        let path = file.to_owned();
        let read = tokio::task::spawn_blocking(move || read(&path)).await;
        let (package, bytes) = read
            .map_err(|_| refused("reading it broke off; publish it again".into()))?
            .map_err(|words| refused(format!("{}: {words}", printable(&file.display().to_string()))))?;
        let manifest = package.manifest();
        let digest = sha256(&bytes);
        let id = manifest.id();
        if let Some(there) = self.find(&manifest.name, &manifest.version).await? {
            if there.sha256 == digest {
                let answer = Answer::Models(ModelAnswer::Published { model: there, was_there: true });
                return Ok(Carried { answer, done: None });
            }
            let words = format!("{id}: is published with another content; give a changed model another version");
            return Err(refused(words));
        }
        let name = blob_name(&manifest.name, &manifest.version, &digest);
        let mut blob = self.containers.create(MODELS, &name);
        blob.write(&bytes).await.map_err(stored)?;
        let size = blob.finish().await.map_err(stored)?;
        let model = PublishedModel {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            sha256: digest.clone(),
            bytes: size,
            published_at: Some(Timestamp::now()),
        };
        let done = format!("model {id} published, {size} bytes, sha256 {digest}");
        Ok(Carried { answer: Answer::Models(ModelAnswer::Published { model, was_there: false }), done: Some(done) })
    }

    async fn deploy(&self, device: &str, name: &str, version: &str) -> Result<Carried, AskError> {
        let (shown, id) = (printable(device), printable(&format!("{name}@{version}")));
        let model = self.find(name, version).await?.ok_or_else(|| {
            let words = format!("model {id}: isn't published; `skydeck nowcast models` lists those that are");
            AskError::refused(Some(Refusal::NotFound), words)
        })?;
        let wanted = json!({ "name": model.name, "version": model.version, "sha256": model.sha256 });
        self.desire(device, wanted.clone()).await?;
        let blob = blob_name(&model.name, &model.version, &model.sha256);
        let link = self.hub.read_link(device, MODELS, &blob, LINK_LIFE);
        let link: SecretString =
            link.ok_or_else(|| refused("hub: its HTTPS side isn't there; see `skydeck status logs`".into()))?;
        let mut payload = wanted;
        payload["url"] = json!(link.expose_secret());
        let desired = format!("{id} is desired of {shown} from now on");
        match self.call(device, "deploy_model", &payload).await {
            Ok(answer) => Ok(self.asked(device, Some(model.id()), answer)),
            // What is desired stays: the device says that it waits for a link.
            Err(InvokeError::NotConnected(_)) => {
                let words = format!("device {shown}: isn't connected; {desired}: deploy it again when it is there");
                Err(refused(words))
            }
            Err(error) => Err(not_invoked(&error)),
        }
    }

    async fn roll_back(&self, device: &str) -> Result<Carried, AskError> {
        let answer = self.call(device, "rollback_model", &Value::Null).await.map_err(|error| not_invoked(&error))?;
        if answer.status < 300 {
            // What the device has now is what is desired of it; one that comes with skydeck isn't named there.
            let text = |field: &str| answer.payload[field].as_str().unwrap_or_default().to_owned();
            let wanted = match (text("current").split_once('@'), text("sha256")) {
                (Some((name, version)), digest) if is_sha256(&digest) => {
                    json!({ "name": name, "version": version, "sha256": digest })
                }
                _ => Value::Null,
            };
            self.desire(device, wanted).await?;
        }
        Ok(self.asked(device, None, answer))
    }

    async fn desire(&self, device: &str, model: Value) -> Result<(), AskError> {
        let body = json!({ "properties": { "desired": { "model": model } } });
        self.hub.patch_twin(device, &body, None).await.map(drop).map_err(hub::registry_refused)
    }

    async fn call(&self, device: &str, name: &str, payload: &Value) -> Result<MethodAnswer, InvokeError> {
        self.hub.invoke(device, name, payload, CONNECT_TIMEOUT, ANSWER_TIMEOUT).await
    }

    fn asked(&self, device: &str, model: Option<String>, answer: MethodAnswer) -> Carried {
        let status = u16::try_from(answer.status).unwrap_or(0);
        let what = model.as_ref().map_or_else(|| "a rollback".to_owned(), |model| format!("model {model}"));
        let done = format!("device {}: {what} asked for, status {status}", printable(device));
        let device = device.to_owned();
        let answer = Answer::Models(ModelAnswer::Asked { device, model, status, payload: answer.payload });
        Carried { answer, done: Some(done) }
    }

    async fn devices(&self) -> Result<Vec<DeviceModel>, AskError> {
        let mut found = Vec::new();
        for device in self.hub.devices().await.map_err(hub::registry_refused)? {
            let twin = self.hub.twin(&device.device_id).await.map_err(hub::registry_refused)?;
            found.push(device_model(device.device_id, &twin.rest_json()["properties"]));
        }
        Ok(found)
    }
}

fn device_model(device: String, properties: &Value) -> DeviceModel {
    let text = |value: &Value| value.as_str().map(printable);
    let desired = &properties["desired"]["model"];
    let desired =
        text(&desired["name"]).zip(text(&desired["version"])).map(|(name, version)| format!("{name}@{version}"));
    let told = &properties["reported"]["model"];
    let (given_up, coming) = (&told["fallback"], &told["deploying"]);
    let deploying = coming.is_object().then(|| Deploying {
        model: text(&coming["model"]).unwrap_or_default(),
        asked_at: text(&coming["askedAt"]),
        state: text(&coming["state"]).unwrap_or_default(),
        percent: coming["percent"].as_u64(),
        error: text(&coming["error"]),
    });
    DeviceModel {
        device,
        // Older agents have it beside their version only.
        current: text(&told["current"]).or_else(|| text(&properties["reported"]["agent"]["model"])),
        sha256: text(&told["sha256"]),
        previous: text(&told["previous"]),
        desired,
        given_up: text(&given_up["from"]).zip(text(&given_up["reason"])).map(|(from, why)| format!("{from}: {why}")),
        deploying,
    }
}

fn blob_name(name: &str, version: &str, sha256: &str) -> String {
    format!("{name}/{version}/{sha256}{ENDING}")
}

/// A package that holds, and its bytes.
fn read(path: &Path) -> Result<(Package, Vec<u8>), String> {
    if path.is_dir() {
        return Err("is a folder, not a package; make one of it with `skydeck nowcast pack`".to_owned());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| format!("{error}; check its name and who may read it"))?;
    file.take(MAX_PACKAGE + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let package = Package::read(bytes.as_slice()).map_err(|error| error.to_string())?;
    package.signer().map_err(|error| error.to_string())?;
    package.test().map_err(|error| error.to_string())?;
    Ok((package, bytes))
}

const fn refused(words: String) -> AskError {
    AskError::Refused(words)
}

fn stored(error: StorageError) -> AskError {
    refused(printable(&error.to_string()))
}

fn not_invoked(error: &InvokeError) -> AskError {
    let why = matches!(error, InvokeError::NotFound(_)).then_some(Refusal::NotFound);
    let words = match error {
        InvokeError::NotConnected(id) => {
            format!("device {id}: isn't connected; start it, or see `skydeck hub devices`")
        }
        InvokeError::TimedOut { device, seconds } => {
            format!("device {device}: no answer within {seconds} s; `skydeck nowcast models` says how it stands")
        }
        other => other.to_string(),
    };
    AskError::refused(why, printable(&words))
}
