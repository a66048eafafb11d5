//! Containers of batches and pictures at Azurite, opened by a signature.

use object_store::azure::MicrosoftAzureBuilder;
use object_store::path::Path as BlobPath;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload};
use skydeck::ingestion::account::Urgency;
use skydeck::ingestion::lines::Places;

use super::azurite::{ACCOUNT, Azurite, KEY};
use super::place::{look, settings, signature, watcher};

pub async fn store(azurite: &Azurite, container: &str) -> impl ObjectStore + use<> {
    azurite.make_container(container).await;
    let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, KEY);
    MicrosoftAzureBuilder::new()
        .with_account(ACCOUNT)
        .with_container_name(container)
        .with_access_key(key)
        .with_endpoint(format!("http://127.0.0.1:{}/{ACCOUNT}", azurite.port))
        .with_allow_http(true)
        .build()
        .expect("a store")
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_and_pictures_are_seen_and_a_batch_s_lines_are_read() {
    let Some(azurite) = Azurite::start().await else { return };
    let batches = store(&azurite, "json-blob-messages").await;
    let pictures = store(&azurite, "pictures").await;
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let line = |id: &str| format!(r#"{{"EnqueuedTimeUtc":"x","Body":{{"messageId":"{id}"}}}}"#);
    for (name, lines) in [("14-00", vec![line("m-1"), line("m-2")]), ("14-05", vec![]), ("14-10", vec![line("m-3")])] {
        let name = BlobPath::from(format!("hub/03/{today}/{name}"));
        batches.put(&name, PutPayload::from(lines.join("\n"))).await.expect("written");
    }
    let picture = BlobPath::from(format!("roof-01/{today}/14-00-00-ab12cd34.jpg"));
    pictures.put(&picture, PutPayload::from("a picture")).await.expect("written");
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut settings = settings(azurite.port, folder.path(), &signature(2));
    settings.pictures_account = Some(ACCOUNT.to_owned());

    let status = look(&settings).await;
    let container = &status.containers["json-blob-messages"];
    assert_eq!(container.trouble, None);
    assert_eq!((container.per_hour.len(), container.per_hour.last(), container.empty), (24, Some(&3), 1));
    assert_eq!(container.newest.as_ref().expect("one").name, format!("hub/03/{today}/14-10"));
    assert_eq!(container.bytes, (3 * line("m-1").len() + 1) as u64);
    let newest = status.picture.expect("watched").expect("read").expect("one");
    assert_eq!(newest.name, picture.to_string());

    let store = watcher(&settings).store("json-blob-messages").expect("opens");
    // The second time it is read from where the second line begins; written anew, from its beginning.
    let (places, name) = (Places::default(), BlobPath::from(format!("hub/03/{today}/14-00")));
    for text in [line("m-2"), line("m-2"), line("m-4")] {
        if text == line("m-4") {
            batches.put(&name, PutPayload::from([line("m-1 anew"), text.clone()].join("\n"))).await.expect("written");
        }
        let lines = store.lines(name.as_ref(), 2, 5, &places).await.expect("read");
        assert_eq!(lines.into_iter().map(|found| (found.number, found.text)).collect::<Vec<_>>(), [(2, text)]);
    }
    let found = store.find(&format!("hub/03/{today}/14-00"), "\"m-1 anew\"").await.expect("read").expect("there");
    assert_eq!(found.number, 1);

    let now = jiff::Timestamp::now();
    let ends: Vec<_> = status.expiries.iter().map(|end| (end.what.as_str(), end.urgency(now))).collect();
    assert_eq!(ends, [("azure.storage_sas", Urgency::Last)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_that_has_ended_says_so_and_a_container_that_isn_t_there_too() {
    let Some(azurite) = Azurite::start().await else { return };
    let folder = tempfile::tempdir().expect("temporary folder");
    let words = |status: &skydeck::ingestion::account::AccountStatus| {
        status.containers["json-blob-messages"].trouble.as_ref().expect("some").to_string()
    };
    let ended = look(&settings(azurite.port, folder.path(), &signature(-1))).await;
    let words_of_ended = words(&ended);
    let told = "container json-blob-messages of skydecktest: azure.storage_sas ended at ";
    assert!(words_of_ended.starts_with(told) && words_of_ended.contains("(Auth"), "{words_of_ended}");
    assert!(ended.expiries[0].words(jiff::Timestamp::now()).starts_with("azure.storage_sas ended at "));
    let missing = words(&look(&settings(azurite.port, folder.path(), &signature(2))).await);
    assert!(missing.contains("ContainerNotFound: not there; check its name"), "{missing}");
}
