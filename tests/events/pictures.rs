//! Notes of pictures that the feed reads, beside their blobs; they are known after a new start, too.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::path::Path as BlobPath;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};
use serde_json::json;
use skydeck::owner::{
    self, Answer, KnownBy, LogBuffer, OwnerClient, PicturePlace, PictureView, Request, Running, ShownPicture,
};
use skydeck::settings::{AzureSettings, Folders, Settings};

use super::azurite::{ACCOUNT, Azurite, KEY};
use super::hub::Hub;

const PATIENCE: Duration = Duration::from_secs(90);

async fn store(azurite: &Azurite) -> impl ObjectStore + use<> {
    azurite.make_container("pictures").await;
    let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, KEY);
    MicrosoftAzureBuilder::new()
        .with_account(ACCOUNT)
        .with_container_name("pictures")
        .with_access_key(key)
        .with_endpoint(format!("http://127.0.0.1:{}/{ACCOUNT}", azurite.port))
        .with_allow_http(true)
        .build()
        .expect("a store")
}

/// Left grey as cloud, right blue as sky.
fn sky() -> Vec<u8> {
    let mut bytes = Vec::new();
    let picture = RgbImage::from_fn(256, 192, |x, _| if x < 128 { Rgb([205; 3]) } else { Rgb([60, 110, 210]) });
    JpegEncoder::new_with_quality(&mut bytes, 95).encode_image(&picture).expect("encodes");
    bytes
}

fn settings(hub: &Hub, azurite: &Azurite) -> AzureSettings {
    let sas = Azurite::variables_with_sas(azurite.port, 48);
    let sas = &sas.iter().find(|(name, _)| name == "AZURE_STORAGE_SAS_TOKEN").expect("one").1;
    let file = hub.folder.path().join("pictures.sas");
    std::fs::write(&file, sas).expect("written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("restricted");
    AzureSettings {
        pictures_account: Some(ACCOUNT.to_owned()),
        pictures_url: Some(format!("http://127.0.0.1:{}/{ACCOUNT}", azurite.port)),
        pictures_sas: Some(format!("file:{}", file.display())),
        ..hub.settings()
    }
}

async fn start(hub: &Hub, azure: &AzureSettings) -> (Running, OwnerClient) {
    let root = hub.folder.path().join("owner");
    let folders = Folders { data: root.join("data"), runtime: root.join("run"), state: root.join("state") };
    let settings = Settings { azure: azure.clone(), ..Settings::default() };
    let name = "staging".parse().expect("a name");
    let mut running = owner::start(name, settings, folders, LogBuffer::new()).await.expect("starts");
    running.ready().await.expect("is ready");
    let client = running.client();
    (running, client)
}

async fn list(client: &OwnerClient) -> Vec<PictureView> {
    match client.ask(Request::Pictures { before: None, limit: 9 }).await {
        Ok(Answer::Pictures { pictures }) => pictures,
        other => panic!("no pictures: {other:?}"),
    }
}

/// The list as it is once the snapshots have told of news that make it so: as a console asks.
async fn listed(client: &OwnerClient, what: &str, is_so: impl Fn(&[PictureView]) -> bool) -> Vec<PictureView> {
    let mut snapshots = client.snapshots();
    let seen = async {
        loop {
            let before = snapshots.borrow_and_update().clone();
            let pictures = list(client).await;
            if is_so(&pictures) {
                return pictures;
            }
            let told = snapshots.wait_for(|snapshot| before.is_outdone_by(snapshot)).await;
            drop(told.expect("it runs"));
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("not seen: {what}"))
}

async fn picture(client: &OwnerClient, blob_name: &str, overlay: bool) -> ShownPicture {
    match client.ask(Request::Picture { blob_name: blob_name.to_owned(), max_px: 256, overlay }).await {
        Ok(Answer::Picture(picture)) => *picture,
        other => panic!("no picture: {other:?}"),
    }
}

fn tell(hub: &mut Hub, blob_name: &str, taken_at: jiff::Timestamp, cover: f64) {
    let id = format!("p-{}", taken_at.as_millisecond());
    let body = json!({
        "type": "PictureTaken", "deviceId": "roof-01", "messageId": id, "measuredAt": taken_at, "schema": 1,
        "blobName": blob_name, "sizeBytes": sky().len(), "widthPx": 256, "heightPx": 192,
        "analysis": { "takenAt": taken_at, "cloudCoverPct": cover, "okta": 4 },
    });
    let event = json!({ "id": id, "device": "roof-01", "body": body.to_string() });
    hub.tell(&json!({ "do": "publish", "partition": "0", "event": event }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_comes_to_its_picture_and_both_are_known_after_a_new_start() {
    let Some(mut hub) = Hub::start() else { return };
    let Some(azurite) = Azurite::start().await else { return };
    let pictures = store(&azurite).await;
    let now = jiff::Timestamp::now();
    let at = |minutes_ago: i64| {
        let second = (now - jiff::SignedDuration::from_mins(minutes_ago)).as_second();
        jiff::Timestamp::from_second(second).expect("in range")
    };
    let name = |at: jiff::Timestamp| format!("roof-01/{}-0123abcd.jpg", at.strftime("%Y-%m-%d/%H-%M-%S"));
    let (first, second) = (at(10), at(5));
    pictures.put(&BlobPath::from(name(first)), PutPayload::from(sky())).await.expect("written");
    let azure = settings(&hub, &azurite);
    let (running, client) = start(&hub, &azure).await;

    let unnoted = listed(&client, "the blob", |pictures| pictures.len() == 1).await.remove(0);
    assert_eq!((unnoted.known_by, unnoted.taken_at, unnoted.analysis), (KnownBy::Name, first, None));
    tell(&mut hub, &name(first), first, 43.0);
    let noted = listed(&client, "its note", |pictures| pictures[0].known_by.is_note()).await;
    assert_eq!(noted.len(), 1, "one picture: {noted:?}");
    let cover = noted[0].analysis.as_ref().and_then(|analysis| analysis.cloud_cover_pct);
    assert_eq!((cover, noted[0].place), (Some(43.0), PicturePlace::Uploaded));
    let shown = picture(&client, &name(first), true).await;
    assert!(shown.mask.as_deref().is_some_and(|words| words.starts_with("mask")), "{:?}", shown.mask);

    // A new picture is there with its note, long before the container is looked at again.
    pictures.put(&BlobPath::from(name(second)), PutPayload::from(sky())).await.expect("written");
    tell(&mut hub, &name(second), second, 51.0);
    let both = listed(&client, "the second", |pictures| pictures.len() == 2).await;
    assert_eq!((both[0].blob_name.as_str(), both[0].place), (name(second).as_str(), PicturePlace::Uploaded));
    assert_eq!(picture(&client, &name(second), false).await.original_width, 256);
    let asked = Request::CloudCover { from: at(30), to: now };
    match client.ask(asked.clone()).await {
        Ok(Answer::CloudCover { covers }) => {
            assert_eq!(covers.iter().map(|cover| cover.cover_pct).collect::<Vec<_>>(), [43.0, 51.0]);
        }
        other => panic!("no covers: {other:?}"),
    }
    // What the feed has read is remembered half a second after it is shown.
    let memory = skydeck::ingestion::events::EventsMemory::open(&hub.folder.path().join("owner/data")).expect("opens");
    let remembered = async {
        while memory.picture(&name(second)).await.expect("read").is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, remembered).await.expect("remembered in time");
    drop(memory);
    running.shutdown().await;

    // The hub keeps nothing of it any more.
    hub.tell(&json!({ "do": "forget", "partition": "0", "count": 2 }));
    let (running, client) = start(&hub, &azure).await;
    let known = list(&client).await;
    let covers: Vec<_> = known.iter().filter_map(|view| view.analysis.as_ref()?.cloud_cover_pct).collect();
    assert_eq!(covers, [51.0, 43.0], "{known:?}");
    running.shutdown().await;
}
