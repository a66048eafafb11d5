//! Pictures in a container at Azurite, as the owner of an environment in the cloud lists and shows them.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, Rgb, RgbImage};
use object_store::path::Path as BlobPath;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};
use skydeck::clock::Clock;
use skydeck::ingestion::account::PictureContainer;
use skydeck::owner::{
    self, Alarm, Answer, AskError, KnownBy, LogBuffer, OwnerClient, PicturePlace, PictureView, Request, Running,
    ShownPicture,
};
use skydeck::settings::{AzureSettings, Folders, Settings};

use super::azurite::{ACCOUNT, Azurite};
use super::blobs::store;
use super::place::{secret, signature};

const PATIENCE: Duration = Duration::from_secs(90);
const MIB: usize = 1024 * 1024;

/// Settings of nothing but an account of pictures that answers at `port`.
fn settings(port: u16, folder: &Path, signature: &str) -> AzureSettings {
    AzureSettings {
        pictures_account: Some(ACCOUNT.to_owned()),
        pictures_url: Some(format!("http://127.0.0.1:{port}/{ACCOUNT}")),
        pictures_sas: Some(secret(folder, signature)),
        ..AzureSettings::default()
    }
}

async fn owner(azure: AzureSettings, folder: &Path) -> (Running, OwnerClient) {
    let settings = Settings { azure, ..Settings::default() };
    let folders = Folders { data: folder.join("data"), runtime: folder.join("run"), state: folder.join("state") };
    let name = "staging".parse().expect("a name");
    let mut running = owner::start(name, settings, folders, LogBuffer::new()).await.expect("starts");
    running.ready().await.expect("is ready");
    let client = running.client();
    (running, client)
}

async fn list(client: &OwnerClient) -> Result<Vec<PictureView>, AskError> {
    match client.ask(Request::Pictures { before: None, limit: 99 }).await? {
        Answer::Pictures { pictures } => Ok(pictures),
        other => panic!("no pictures: {other:?}"),
    }
}

async fn ask(client: &OwnerClient, blob_name: &str, max_px: u32, overlay: bool) -> Result<Box<ShownPicture>, String> {
    match client.ask(Request::Picture { blob_name: blob_name.to_owned(), max_px, overlay }).await {
        Ok(Answer::Picture(picture)) => Ok(picture),
        Ok(other) => panic!("no picture: {other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

/// The colour in the middle of what a viewer gets.
fn middle(shown: &ShownPicture) -> [u8; 3] {
    let bytes = STANDARD.decode(&shown.jpeg).expect("base64");
    let picture = image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg).expect("a JPEG").into_rgb8();
    picture.get_pixel(shown.width / 2, shown.height / 2).0
}

fn jpeg(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let picture = RgbImage::from_pixel(width, height, Rgb(colour));
    JpegEncoder::new_with_quality(&mut bytes, 95).encode_image(&picture).expect("encodes");
    bytes
}

fn png(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    RgbImage::from_pixel(width, height, Rgb(colour)).write_to(&mut bytes, ImageFormat::Png).expect("encodes");
    bytes.into_inner()
}

/// An EXIF segment that tells 2026-01-31 12:05:07 at +01:00, put behind the start of a JPEG.
fn dated(jpeg: &[u8]) -> Vec<u8> {
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    let first = [&1u16.to_le_bytes()[..], &entry(0x8769, 4, 1, 26), &[0; 4]].concat();
    let second = [&2u16.to_le_bytes()[..], &entry(0x9003, 2, 20, 56), &entry(0x9011, 2, 7, 76), &[0; 4]].concat();
    let tiff = [b"II*\0\x08\0\0\0", &first[..], &second, b"2026:01:31 12:05:07\0+01:00\0"].concat();
    let body = [b"Exif\0\0", &tiff[..]].concat();
    let length = u16::try_from(body.len() + 2).expect("short").to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &body, &jpeg[2..]].concat()
}

async fn put(store: &impl ObjectStore, name: &str, bytes: Vec<u8>) {
    store.put(&BlobPath::from(name), PutPayload::from(bytes)).await.expect("written");
}

const RED: [u8; 3] = [200, 40, 40];
const BLUE: [u8; 3] = [40, 60, 200];

fn is_near(found: [u8; 3], expected: [u8; 3]) -> bool {
    found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 6)
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_without_notes_are_listed_by_their_names_shown_small_and_kept() {
    let Some(mut azurite) = Azurite::start().await else { return };
    let pictures = store(&azurite, "pictures").await;
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let name = |time: &str| format!("roof-01/{today}/{time}");
    let (whole, small) = (name("00-00-01-0123abcd.jpg"), name("00-00-01-0123abcd.thumb.jpg"));
    put(&pictures, &whole, jpeg(800, 600, RED)).await;
    put(&pictures, &small, jpeg(160, 120, BLUE)).await;
    put(&pictures, &name("00-00-02-0123abcd.jpg"), png(320, 240, BLUE)).await;
    let cut = jpeg(640, 480, RED);
    put(&pictures, &name("00-00-03-0123abcd.jpg"), cut[..cut.len() / 2].to_vec()).await;
    put(&pictures, &name("00-00-04-0123abcd.jpg"), vec![0xff; 32 * MIB + 1]).await;
    put(&pictures, &name("00-00-05-0123abcd.txt"), b"no picture".to_vec()).await;
    put(&pictures, "sky.jpg", dated(&jpeg(64, 48, RED))).await;
    let folder = tempfile::tempdir().expect("temporary folder");
    let (running, client) = owner(settings(azurite.port, folder.path(), &signature(2)), folder.path()).await;

    // The first to ask has it looked at.
    let listed = list(&client).await.expect("listed");
    let told: Vec<_> = listed.iter().map(|view| (view.blob_name.as_str(), view.known_by)).collect();
    let by_name = ["00-00-04", "00-00-03", "00-00-02", "00-00-01"].map(|at| name(&format!("{at}-0123abcd.jpg")));
    assert_eq!(told[0], ("sky.jpg", KnownBy::Writing), "it was written just now");
    assert_eq!(told[1..].to_vec(), by_name.iter().map(|name| (name.as_str(), KnownBy::Name)).collect::<Vec<_>>());
    let oldest = listed.last().expect("some");
    assert_eq!(oldest.taken_at, format!("{today}T00:00:01Z").parse().expect("an instant"));
    assert_eq!((oldest.device_id.as_str(), oldest.place), ("roof-01", PicturePlace::Uploaded));
    assert_eq!((oldest.analysis.as_ref(), oldest.size_bytes), (None, jpeg(800, 600, RED).len() as u64));

    // What is small enough is the thumbnail, which doesn't tell how large the picture is.
    let strip = ask(&client, &whole, 64, false).await.expect("shown");
    assert!(is_near(middle(&strip), BLUE) && strip.original_width == 0, "{strip:?}");
    let large = ask(&client, &whole, 400, false).await.expect("shown");
    assert!(is_near(middle(&large), RED), "{:?}", middle(&large));
    assert_eq!((large.width, large.original_width, large.original_height), (400, 800, 600));
    let png = ask(&client, &by_name[2], 400, false).await.expect("a PNG is known by its content");
    assert!(is_near(middle(&png), BLUE) && png.width == 320);
    let flat = ask(&client, "sky.jpg", 64, false).await.expect("shown");
    assert_eq!(flat.taken_at, Some("2026-01-31T11:05:07Z".parse().expect("an instant")), "as its EXIF says");

    pictures.delete(&BlobPath::from(by_name[2].as_str())).await.expect("taken away");
    for (blob, max_px, overlay, words) in [
        (by_name[1].as_str(), 400, false, "the JPEG is cut off"),
        (by_name[0].as_str(), 400, false, "the blob has 33554433 bytes; at most 33554432 are read"),
        ("roof-01/none.jpg", 400, false, "it isn't in the container: it waits on the device still, or was taken away"),
        (whole.as_str(), 400, true, "no note tells when it was taken"),
    ] {
        let error = ask(&client, blob, max_px, overlay).await.expect_err("refused");
        assert!(error.starts_with(&format!("picture {blob}: ")) && error.contains(words), "{error}");
    }

    // What was fetched once is had again, in another size, when there is nobody to fetch it from.
    azurite.end();
    let again = ask(&client, &whole, 256, false).await.expect("kept");
    assert!(is_near(middle(&again), RED) && again.width == 256);
    let png = ask(&client, &by_name[2], 128, false).await.expect("kept, though it was taken away");
    assert_eq!(png.width, 128);
    let error = ask(&client, &small, 400, false).await.map(|shown| shown.width);
    assert_eq!(error, Ok(160), "the thumbnail is kept, too");
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_doesn_t_open_is_told_wherever_pictures_are_asked_for() {
    let Some(azurite) = Azurite::start().await else { return };
    drop(store(&azurite, "pictures").await);
    let folder = tempfile::tempdir().expect("temporary folder");
    let (running, client) = owner(settings(azurite.port, folder.path(), &signature(-1)), folder.path()).await;
    let words = list(&client).await.expect_err("refused").to_string();
    assert!(words.starts_with("container pictures of skydecktest: Auth"), "{words}");
    let one = ask(&client, "roof-01/a.jpg", 64, false).await.expect_err("refused");
    assert!(one.starts_with("picture roof-01/a.jpg: container pictures of skydecktest: Auth"), "{one}");
    let mut snapshots = client.snapshots();
    let told = snapshots.wait_for(|snapshot| snapshot.pictures.as_ref().is_some_and(|seen| seen.trouble.is_some()));
    let told = tokio::time::timeout(PATIENCE, told).await.expect("told in time").expect("it runs").clone();
    assert_eq!(told.pictures.as_ref().and_then(|seen| seen.trouble.clone()), Some(words));
    let ended =
        |alarm: &Alarm| alarm.rule == "ends-in-a-day" && alarm.message.starts_with("azure.pictures_sas ended at");
    assert!(told.alarms.iter().any(ended), "{:?}", told.alarms);
    running.shutdown().await;

    let folder = tempfile::tempdir().expect("temporary folder");
    let (running, client) = owner(AzureSettings::default(), folder.path()).await;
    let words = list(&client).await.expect_err("refused").to_string();
    assert!(words.starts_with("pictures: not watched; set azure.pictures_account"), "{words}");
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_finds_a_picture_tells_of_it_and_one_that_finds_none_doesn_t() {
    let Some(azurite) = Azurite::start().await else { return };
    let pictures = store(&azurite, "pictures").await;
    let folder = tempfile::tempdir().expect("temporary folder");
    let settings = settings(azurite.port, folder.path(), &signature(2));
    let container = PictureContainer::open(&settings, Clock::wall()).expect("opens").expect("named");
    let container = container.at_pace(Duration::from_millis(100));
    let mut status = container.status();
    let running = tokio::spawn(container.run());
    tokio::time::timeout(PATIENCE, status.changed()).await.expect("in time").expect("it runs");
    let first = status.borrow_and_update().looked_at.expect("looked at");
    assert_eq!(status.borrow().newest(), None);
    // Looked at again and again, which isn't told.
    while status.borrow().looked_at == Some(first) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!status.has_changed().expect("it runs"));
    let name = format!("roof-01/{}/12-00-00-0123abcd.jpg", jiff::Timestamp::now().strftime("%Y-%m-%d"));
    put(&pictures, &name, jpeg(64, 48, RED)).await;
    tokio::time::timeout(PATIENCE, status.changed()).await.expect("in time").expect("it runs");
    assert_eq!(status.borrow().newest().map(|file| file.name), Some(name));
    running.abort();
}
