//! On Azurite, by the protocol of Azure's storage.

use std::time::{Duration, Instant};

use skydeck::provisioning::run::Phase;
use skydeck::provisioning::shared::error::SharedError;
use skydeck::provisioning::shared::place::Place;
use skydeck::provisioning::shared::store::SharedStore;
use tokio::sync::{Mutex, MutexGuard};

use crate::azurite::{ACCOUNT, Azurite};
use crate::homes::{Ground, approval, environment};
use crate::proxy::Proxy;
use crate::scenarios;

/// Each Azurite is a process of 100 MB: one at a time.
static TURN: Mutex<()> = Mutex::const_new(());

async fn azurite() -> Option<(Azurite, MutexGuard<'static, ()>)> {
    let turn = TURN.lock().await;
    let azurite = Azurite::start().await?;
    azurite.make_container("skydeck-runs").await;
    Some((azurite, turn))
}

fn place(container: &str) -> Place {
    format!("azure://{ACCOUNT}/{container}").parse().expect("a place")
}

fn ground(port: u16) -> Ground {
    Ground::new(place("skydeck-runs"), Azurite::variables(port))
}

macro_rules! on_azurite {
    ($($scenario:ident),* $(,)?) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn every_scenario() {
            let Some((azurite, _turn)) = azurite().await else { return };
            $({
                let name = stringify!($scenario);
                let begun = Instant::now();
                let container = name.replace('_', "-");
                azurite.make_container(&container).await;
                scenarios::$scenario(&Ground::new(place(&container), Azurite::variables(azurite.port))).await;
                eprintln!("{name}: {:.1} s", begun.elapsed().as_secs_f64());
            })*
            scenarios::holds_no_secret(azurite.folder.path());
        }
    };
}

on_azurite!(
    author_approver_and_ci,
    a_late_writer_is_told,
    a_run_of_a_dead_home,
    numbers_are_unique,
    approvals_come_together,
    a_plan_is_used_once,
    plans_are_for_those_with_the_key,
    a_crash_while_publishing,
    the_trail_is_one_chain,
    the_trail_here_is_told,
    a_look_that_came_to_nothing,
    an_old_run_keeps_its_number,
);

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_a_missing_container_and_a_dead_server_are_told_apart() {
    let Some((mut azurite, _turn)) = azurite().await else { return };
    let open = |container: &str, variables: &[(String, String)]| {
        SharedStore::open_with(&place(container), &environment(), variables).expect("opened")
    };
    let variables = Azurite::variables(azurite.port);
    let error = open("no-such-container", &variables).list().await.expect_err("missing");
    assert!(matches!(error, SharedError::Missing { .. }), "{error:?}");
    let words = error.to_string();
    assert!(
        words.contains("az storage container create --account-name skydecktest --name no-such-container"),
        "{words}"
    );
    let ground = ground(azurite.port);
    let claim = ground.home("ada@laptop").sharing.home().claim("0198f2b4-0000-7000-8000-000000000001");
    let error = open("no-such-container", &variables).claim(&claim, 0).await.expect_err("missing");
    assert!(matches!(error, SharedError::Missing { .. }), "{error:?}");

    let mut wrong = variables.clone();
    let key = "d3Jvbmcga2V5IHRoYXQgaXMgc2VjcmV0";
    wrong.retain(|(name, _)| name != "AZURE_STORAGE_ACCOUNT_KEY");
    wrong.push(("AZURE_STORAGE_ACCOUNT_KEY".into(), key.into()));
    let error = open("skydeck-runs", &wrong).list().await.expect_err("a wrong key");
    let words = error.to_string();
    assert!(
        matches!(error, SharedError::Unauthorised { .. }) && words.contains("Storage Blob Data Contributor"),
        "{words}"
    );
    assert!(!words.contains(key), "{words}");

    azurite.end();
    let begun = Instant::now();
    let error = open("skydeck-runs", &variables).list().await.expect_err("dead");
    assert!(matches!(error, SharedError::Unreachable { .. }) && error.passes(), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_server_leaves_what_is_known_and_the_rest_goes_later() {
    let Some((mut azurite, _turn)) = azurite().await else { return };
    let ground = ground(azurite.port);
    let (author, approver) = (ground.home("ada@laptop"), ground.home("grace@desk"));
    let number = author.plan().await;
    author.sharing.publish(number).await.expect("published");
    approver.sharing.refresh().await.expect("refreshed");
    azurite.end();
    let error = approver.sharing.refresh().await.expect_err("dead");
    assert!(error.to_string().contains("what is known here stays"), "{error}");
    assert_eq!(approver.run(number).phase, Phase::Planned);
    approver.store.trail().append(scenarios::deed("approved while nobody answered")).expect("appended");
    approver.sharing.tell().await.expect_err("dead");
    let (id, signed) = approval(number);
    let words = approver.sharing.approve(number, &signed).await.expect("kept").expect("for later");
    assert!(words.contains("kept here and sent then"), "{words}");
    author.set(number, Phase::Discarded);
    author.sharing.publish(number).await.expect_err("dead");
    azurite.restart().await;
    assert_eq!(approver.sharing.refresh().await.expect("refreshed").published, [number]);
    let told = approver.sharing.shared().read_audit(0, 10).await.expect("read");
    assert_eq!(told[0].words, "approved while nobody answered");
    let refreshed = author.sharing.refresh().await.expect("refreshed");
    assert_eq!((refreshed.published, refreshed.approved), (vec![number], vec![number]));
    assert!(author.file(number, &format!("approvals/{id}.json")).exists());
    approver.sharing.refresh().await.expect("refreshed");
    assert_eq!(approver.run(number).phase, Phase::Discarded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_breaks_anywhere_is_mended_by_the_next_publish() {
    let Some((azurite, _turn)) = azurite().await else { return };
    let proxy = Proxy::to(azurite.port).await;
    let through = ground(proxy.port);
    let reader = ground(azurite.port);
    let mut broken = 0;
    for bytes in [0, 400, 1500, 3000, 6000] {
        let (author, reader) = (through.home("ada@laptop"), reader.home_with("grace@desk", through.keys()));
        let number = author.plan().await;
        std::fs::write(author.file(number, "details.jsonl"), "{}\n".repeat(2000)).expect("written");
        proxy.cut_after(bytes);
        if let Err(error) = author.sharing.publish(number).await {
            assert!(error.passes(), "{error:?}");
            broken += 1;
        }
        // Either nothing of it is seen, or all that was sent before.
        let refreshed = reader.sharing.refresh().await.expect("refreshed");
        assert!(!refreshed.made.contains(&number), "a run is seen when the rest is there");
        proxy.mend();
        author.sharing.refresh().await.expect("refreshed");
        assert!(reader.sharing.refresh().await.expect("refreshed").made.contains(&number));
        reader.sharing.fetch(number).await.expect("fetched");
        for name in ["plan", "plan.json", "record.json", "outline.json", "details.jsonl", "log.jsonl"] {
            let read = |home: &crate::homes::Home| std::fs::read(home.file(number, name)).expect("read");
            assert!(read(&author) == read(&reader), "{name} after {bytes} bytes");
        }
    }
    assert_eq!(broken, 5, "the line didn't break");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sas_opens_it_until_it_ends_and_is_never_shown() {
    let Some((azurite, _turn)) = azurite().await else { return };
    let valid = Ground::new(place("skydeck-runs"), Azurite::variables_with_sas(azurite.port, 1));
    scenarios::author_approver_and_ci(&valid).await;
    let variables = Azurite::variables_with_sas(azurite.port, -1);
    let signature = variables.iter().find_map(|(_, value)| value.split("sig=").nth(1)).expect("a signature").to_owned();
    let ended = Ground::new(place("skydeck-runs"), variables);
    let claim = valid.home("ada@laptop").sharing.home().claim("0198f2b4-0000-7000-8000-000000000001");
    for error in [
        ended.open().list().await.expect_err("ended"),
        ended.open().claimed(1).await.expect_err("ended"),
        ended.open().claim(&claim, 0).await.expect_err("ended"),
    ] {
        assert!(matches!(error, SharedError::Unauthorised { .. }), "{error:?}");
        assert!(!format!("{error:?} {error}").contains(&signature), "{error:?}");
    }
    let dead = Ground::new(place("skydeck-runs"), Azurite::variables_with_sas(1, 1));
    let error = dead.open().claimed(1).await.expect_err("nobody is there");
    assert!(matches!(error, SharedError::Unreachable { .. }), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("sig="), "{error:?}");
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_told_how() {
    let list = async |variables: &[(&str, &str)]| {
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let store = SharedStore::open_with(&place("skydeck-runs"), &environment(), &variables).expect("opened");
        store.list().await.expect_err("nobody is signed in")
    };
    let identity = [("AZURE_CLIENT_ID", "a"), ("AZURE_TENANT_ID", "b"), ("AZURE_AUTHORITY_HOST", "http://127.0.0.1:1")];
    let mut federated = identity.to_vec();
    federated.push(("AZURE_FEDERATED_TOKEN_FILE", "/no/such/token"));
    let error = list(&federated).await;
    assert!(matches!(error, SharedError::NotSignedIn { .. }), "{error:?}");
    assert!(error.to_string().contains("run `az login`, or set AZURE_CLIENT_ID"), "{error}");
    let mut secret = identity.to_vec();
    secret.extend([("AZURE_CLIENT_SECRET", "s3cret-of-the-app"), ("AZURE_ALLOW_HTTP", "true")]);
    let error = list(&secret).await;
    assert!(matches!(error, SharedError::Unreachable { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    // Where the Azure CLI is, somebody may be signed in.
    if std::process::Command::new("az").arg("version").output().is_err() {
        let error = list(&[]).await;
        assert!(matches!(error, SharedError::NotSignedIn { .. }), "{error:?}");
    }
}
