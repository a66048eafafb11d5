use std::time::Duration;

use super::*;
use crate::settings::{EnvironmentName, Layers, load};
use crate::station::QcFlag;

/// The sensors of `text`, which is a settings file's.
fn sensors(text: &str) -> BTreeMap<String, SensorSettings> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = folder.path().join("a.toml");
    std::fs::write(&file, text).expect("written");
    let layers = Layers { file: Some(file), ..Layers::default() };
    load(&EnvironmentName::demo(), &layers).expect("loads").settings.sensors
}

/// Two sensors of temperature and rain, the first one of the lower rank; nobody reads them but the test.
fn composed() -> Composed {
    let text = "[sensors.b]\nkind = \"serial\"\ndevice = \"/nowhere/b\"\ntemperature = \"t\"\nrain = \"r\"\nrain_is = \"total\"\n\
                [sensors.a]\nkind = \"serial\"\nrank = 2\ndevice = \"/nowhere/a\"\ntemperature = \"t\"\nhumidity = \"h\"\nrain = \"r\"";
    Composed::new(&sensors(text), Path::new("/nowhere"))
}

fn desk(composed: &Composed, name: &str) -> Arc<Desk> {
    let found = composed.sensors.iter().find(|(desk, _)| desk.name == name);
    Arc::clone(&found.expect("a sensor").0)
}

fn measure(composed: &mut Composed) -> Vec<Item> {
    composed.compose(Timestamp::UNIX_EPOCH);
    composed.ready.drain(..).collect()
}

fn values(item: &Item) -> Vec<(Variable, f64)> {
    item.outcome.as_ref().expect("a reading").values.clone()
}

const T: Variable = Variable::Temperature;
const H: Variable = Variable::Humidity;
const R: Variable = Variable::Rain;

#[test]
fn a_measurement_has_the_newest_of_each_and_what_was_not_read_is_absent() {
    let mut composed = composed();
    let (a, b) = (desk(&composed, "a"), desk(&composed, "b"));
    assert_eq!(measure(&mut composed), [], "nothing was read: there is no measurement");
    a.put(&[(T, 20.0), (H, 50.0), (R, 0.2)]);
    a.put(&[(T, 20.5), (R, 0.4)]);
    let items = measure(&mut composed);
    let found = values(&items[0]);
    assert_eq!(found[..2], [(T, 20.5), (H, 50.0)]);
    assert!((found[2].1 - 0.6).abs() < 1e-12, "rain is the sum");
    assert_eq!(measure(&mut composed), [], "nothing is repeated");
    // The one of the lower rank is taken while it is there, the other where it is absent.
    a.put(&[(T, 20.0), (H, 50.0), (R, 0.2)]);
    b.put(&[(T, 19.0)]);
    b.put_total(7.0, 1.0);
    let items = measure(&mut composed);
    assert_eq!(values(&items[0]), [(T, 19.0), (H, 50.0), (R, 0.2)], "b's first total has nothing before it");
    b.put_total(7.5, 1.0);
    a.put(&[(R, 0.3)]);
    let items = measure(&mut composed);
    assert_eq!(values(&items[0]), [(R, 0.5)], "one gauge is taken, not two");
    assert_eq!(items[0].position, r#"{"rain":{"b":7.5}}"#);
}

#[test]
fn what_cannot_be_gives_way_to_another_sensor_and_else_goes_on_to_be_flagged() {
    let mut composed = composed();
    let (a, b) = (desk(&composed, "a"), desk(&composed, "b"));
    b.put(&[(T, 4000.0)]);
    a.put_flagged([(T, 20.0, Some(QcFlag::Clipped)), (H, 101.0, None)]);
    let items = measure(&mut composed);
    assert_eq!(values(&items[0]), [(T, 20.0), (H, 101.0)]);
    assert_eq!(items[0].outcome.as_ref().expect("a reading").qc, BTreeMap::from([(T, QcFlag::Clipped)]));
    let aside = items[1].outcome.as_ref().expect_err("kept aside");
    assert_eq!(aside.reason, "sensors.b: temperature 4000 can't be; another sensor's value was taken");
    b.put(&[(T, f64::NAN)]);
    let items = measure(&mut composed);
    assert!(values(&items[0])[0].1.is_nan());
}

#[test]
fn rain_that_is_in_no_stored_measurement_comes_again_after_a_crash() {
    let mut first = composed();
    let b = desk(&first, "b");
    b.put_total(10.0, 1.0);
    measure(&mut first);
    b.put_total(11.0, 1.0);
    let stored = measure(&mut first);
    b.put_total(12.5, 1.0);
    assert_eq!(values(&measure(&mut first)[0]), [(R, 1.5)], "taken, and not stored: it crashes");
    let mut second = composed();
    second.resume(&stored[0].position).expect("resumes");
    desk(&second, "b").put_total(12.75, 1.0);
    assert_eq!(values(&measure(&mut second)[0]), [(R, 1.75)]);
    second.resume("17@3.4").expect("another source's position is passed over");
}

#[tokio::test]
async fn sensors_come_and_go_by_themselves_and_say_so() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = folder.path().join("value");
    let text = format!(
        "[sensors.program]\nkind = \"command\"\ncommand = \"cat {}\"\ninterval_s = 1\nretry_s = 1\ntemperature = \"t\"\n\
         [sensors.roof]\nkind = \"bme280\"\nonly = \"pressure\"\nbus = \"/nowhere/i2c-1\"",
        file.display()
    );
    let mut composed = Composed::new(&sensors(&text), folder.path());
    assert!(composed.pace(Some(1)), "it keeps to the interval by itself");
    let clock = Clock::wall();
    let mut troubles = composed.troubles().expect("it has");
    let mut next = async |wanted: f64| loop {
        let item =
            tokio::time::timeout(Duration::from_secs(30), composed.next(&clock)).await.expect("soon").expect("an item");
        if values(&item) == [(T, wanted)] {
            break (composed.sensors(), composed.trouble(), composed.state());
        }
    };
    std::fs::write(&file, "{\"t\":12.5}\n").expect("written");
    let (reports, trouble, state) = next(12.5).await;
    assert_eq!((reports[0].name.as_str(), reports[0].state), ("program", SensorState::Read));
    assert_eq!((reports[1].name.as_str(), reports[1].state), ("roof", SensorState::Absent));
    assert!(trouble.expect("one is absent").starts_with("sensors.roof: /nowhere/i2c-1: can't be opened: "));
    assert_eq!(state, "1 of 2 sensors are read");
    std::fs::remove_file(&file).expect("gone");
    let gone = troubles.wait_for(|words| words.as_ref().is_some_and(|words| words.starts_with("cat failed")));
    tokio::time::timeout(Duration::from_secs(30), gone).await.expect("soon").expect("open");
    std::fs::write(&file, "{\"t\":13.5}\n").expect("written");
    let (reports, ..) = next(13.5).await;
    assert!(reports[0].errors >= 1 && reports[0].state == SensorState::Read, "it came back by itself");
}
