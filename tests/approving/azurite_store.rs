//! Author, approver and CI on three machines, in prod, signed, whose runs are shared at Azurite.

use crate::azurite::{ACCOUNT, Azurite};
use crate::leaks::is_kept_nowhere;
use crate::place::{Place, has_terraform};

#[tokio::test(flavor = "multi_thread")]
async fn author_approver_and_ci_meet_at_azurite_and_no_secret_is_left_there() {
    if !has_terraform() {
        return;
    }
    let Some(mut azurite) = Azurite::start().await else { return };
    azurite.make_container("skydeck-runs").await;
    let store = format!("azure://{ACCOUNT}/skydeck-runs");
    let variables = Azurite::variables(azurite.port);
    let acted = tokio::task::spawn_blocking(move || act(Place::sharing_at(&store, variables)));
    acted.await.expect("nobody failed");
    // It writes what it has down.
    azurite.end();
    is_kept_nowhere(azurite.folder.path());
    let has_runs = std::fs::read_dir(azurite.folder.path()).expect("its folder").count() > 0;
    assert!(has_runs, "nothing is there");
}

fn act(place: Place) {
    place.let_sign("ada", "skydeck-plan,skydeck-approval");
    place.let_sign("grace", "skydeck-approval");
    let (ada, grace, ci) = (place.home("ada"), place.home("grace"), place.home("ci"));
    ada.run(&["plan", "--env", "prod"]).ends_with(3);
    grace.run(&["show", "--env", "prod"]).ends_with(0).says("terraform_data.roof");
    ci.run(&["apply", "--env", "prod", "--yes"]).ends_with(5);
    ada.run(&["approve", "--env", "prod", "--yes"]).ends_with(5).says("another");
    grace.run(&["approve", "--env", "prod", "--yes", "--reason", "looks right"]).ends_with(0);
    ci.run(&["apply", "--env", "prod", "--yes"]).ends_with(0);
    for home in [&ada, &grace, &ci] {
        let runs = home.run(&["runs", "--env", "prod", "--json"]).ends_with(0).json();
        assert_eq!(runs["runs"][0]["phase"], "applied", "{runs}");
        home.run(&["audit", "verify", "--env", "prod"]).ends_with(0).says("unbroken");
    }
    let deeds = grace.deeds("prod");
    for (who, event) in [
        ("ada", "planned"),
        ("ci", "refused"),
        ("ada", "refused"),
        ("grace", "approved"),
        ("ci", "applying"),
        ("ci", "ended"),
    ] {
        assert!(deeds.iter().any(|(by, what, _)| by == who && what == event), "{who} {event}: {deeds:#?}");
    }
    // Once applied, never again.
    assert_ne!(ci.run(&["apply", "1", "--env", "prod", "--yes"]).code, Some(0));
}
