//! The whole agent's pictures, through the hub's own file upload into its storage.

use skydeck::edge_agent::Host;
use skydeck::edge_agent::agent::{Agent, AgentEnd, AgentHandles, AgentSetup};
use skydeck::edge_agent::report::CameraReport;
use skydeck::edge_agent::sky::{Limits, RgbPicture, decode, encode};
use skydeck::ingestion::storage::Containers;
use skydeck::local_cloud::hub::Faults;
use skydeck::settings::{
    AgentSettings, CameraSettings, LinkSettings, SkySettings, SourceKind, SourceSettings, StationSettings,
};

use super::ways::{certify, register, with_https};
use super::*;

pub(super) struct RunningAgent {
    pub(super) handles: AgentHandles,
    shutdown: CancellationToken,
    task: JoinHandle<AgentEnd>,
}

impl RunningAgent {
    pub(super) async fn start(data: &Path, camera: String, link: UplinkSettings) -> Self {
        let setup = AgentSetup {
            data,
            station: &StationSettings::default(),
            quality: &skydeck::settings::QualitySettings::default(),
            sensors: &std::collections::BTreeMap::new(),
            source: &SourceSettings { kind: SourceKind::None, ..SourceSettings::default() },
            agent: &AgentSettings::default(),
            camera: &CameraSettings { command: Some(camera), ..CameraSettings::default() },
            sky: &SkySettings::default(),
            model: &skydeck::settings::ModelSettings::default(),
            link: &LinkSettings::default(),
            log_filter: "info",
            not_before: None,
            host: Host::default(),
        };
        let (agent, _) = Agent::open(setup).await.expect("opens");
        let (handles, shutdown) = (agent.handles(), CancellationToken::new());
        let running = agent.run(Some(link), Ledger::default(), shutdown.clone());
        let task = tokio::spawn(async move { running.await.expect("runs") });
        Self { handles, shutdown, task }
    }

    pub(super) async fn camera(&self, mut wanted: impl FnMut(&CameraReport) -> bool) {
        let mut report = self.handles.report.clone();
        let seen = report.wait_for(|report| report.camera.as_ref().is_some_and(&mut wanted));
        tokio::time::timeout(SOON, seen).await.expect("in time").expect("running");
    }

    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        let end = tokio::time::timeout(SOON, self.task).await.expect("ends in time").expect("ends well");
        assert_eq!(end, AgentEnd::Shutdown);
    }
}

/// Has a picture taken through the hub; answers the name of its blob.
pub(super) async fn capture(hub: &RunningHub) -> String {
    let answer = hub.hub.invoke(DEVICE, "capture", &serde_json::Value::Null, SOON, SOON).await.expect("answers");
    assert_eq!(answer.status, 200, "{}", answer.payload);
    answer.payload["blobName"].as_str().expect("a name").to_owned()
}

/// A picture of so many bytes, large enough for blocks: one with something behind its end.
pub(super) fn jpeg_of_bytes(bytes: usize) -> Vec<u8> {
    let pixels = (0..320u32 * 240).flat_map(|at| [(at % 320) as u8, (at / 320) as u8, 200]).collect();
    let drawn = RgbPicture::new(320, 240, pixels).expect("fits");
    let mut jpeg = encode::jpeg(&drawn, 80, None).expect("encodes");
    jpeg.resize(bytes.max(jpeg.len()), 7);
    jpeg
}

#[tokio::test]
async fn a_picture_lies_in_the_hubs_storage_by_key_by_certificate_and_after_a_429() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let hub = RunningHub::start(folder.path(), 0, &Ledger::default()).await;
    let https_port = with_https(&hub, folder.path()).await;
    let containers = Containers::open(&folder.path().join("containers")).expect("opens");
    let sky = folder.path().join("sky.jpg");
    let bytes = jpeg_of_bytes(600_000);
    std::fs::write(&sky, &bytes).expect("written");
    let camera = format!("cp {} {{file}}", sky.display());
    let mut names = Vec::new();

    let by_key = UplinkSettings { https_port, ..hub.settings().await };
    let agent = RunningAgent::start(folder.path(), camera.clone(), by_key).await;
    names.push(capture(&hub).await);
    agent.camera(|camera| (camera.uploaded, camera.waiting) == (1, 0)).await;
    // The hub has more to do than it can: the picture waits as long as the hub says.
    empty(&agent.handles.outbox).await;
    hub.hub.set_faults(Faults { throttle_per_s: Some(0), ..Faults::default() });
    names.push(capture(&hub).await);
    agent.camera(|camera| camera.upload_state.as_ref().is_some_and(|state| state.contains("429"))).await;
    hub.hub.set_faults(Faults::default());
    agent.camera(|camera| (camera.uploaded, camera.waiting) == (2, 0)).await;
    empty(&agent.handles.outbox).await;
    agent.stop().await;

    let [chain, key] = ["chain.pem", "key.pem"].map(|name| folder.path().join(name));
    let thumbprint = certify(&chain, &key, 90 * 86_400);
    register(&hub.hub, [&thumbprint, &thumbprint]).await;
    let by_certificate = hub.settings_with(Credentials::CertificateFiles { chain, key });
    let by_certificate = UplinkSettings { https_port, ..by_certificate };
    let agent = RunningAgent::start(folder.path(), camera, by_certificate).await;
    names.push(capture(&hub).await);
    agent.camera(|camera| (camera.uploaded, camera.waiting) == (1, 0)).await;
    empty(&agent.handles.outbox).await;
    agent.stop().await;

    for name in &names {
        assert!(name.starts_with("roof-01/"), "{name}");
        let stored = containers.read("pictures", name).await.expect("is there");
        assert!(stored.len() > bytes.len() && stored.ends_with(&bytes[20..]), "{name}: with time and place added");
        let decoded = decode(&stored, &Limits::default()).expect("decodes");
        assert!(decoded.exif.taken.is_some(), "{name}");
        let small = containers.read("pictures", &name.replace(".jpg", ".thumb.jpg")).await.expect("is there");
        let small = decode(&small, &Limits::default()).expect("decodes").picture;
        assert_eq!((small.width(), small.height()), (160, 120));
    }
    let connection = rusqlite::Connection::open(folder.path().join("hub.db")).expect("opens");
    let mut statement = connection.prepare("SELECT CAST(body AS TEXT) FROM enqueued ORDER BY seq").expect("prepares");
    let told: Vec<String> = statement
        .query_map([], |row| row.get::<_, String>(0))
        .expect("queries")
        .map(|body| body.expect("reads"))
        .filter_map(|body| match Message::from_json(body.as_bytes()).expect("a message") {
            Message::PictureTaken(picture) => Some(picture.blob_name),
            _ => None,
        })
        .collect();
    assert_eq!(told, names, "each is told of once");
    drop(statement);
    hub.stop().await;
}
