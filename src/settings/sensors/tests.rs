use super::super::{EnvironmentName, Layers, Settings, load, template};
use super::model::Driver;
use super::*;

fn loaded(text: &str) -> Result<Settings, String> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = folder.path().join("a.toml");
    std::fs::write(&file, text).expect("written");
    let layers = Layers { file: Some(file.clone()), ..Layers::default() };
    let loaded = load(&EnvironmentName::demo(), &layers);
    loaded.map(|loaded| loaded.settings).map_err(|error| error.to_string().replace(&file.display().to_string(), "FILE"))
}

/// The sensors' examples of the template, switched on: their lines are `#   text`.
fn examples() -> String {
    let lines = template::DEFAULTS.lines().filter_map(|line| line.strip_prefix("#   "));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_template_has_an_example_of_every_kind_with_every_key_its_bounds_and_its_default() {
    let text = examples();
    let settings = loaded(&text).expect("the examples fit");
    let kinds: std::collections::BTreeSet<_> = settings.sensors.values().map(SensorSettings::kind).collect();
    assert_eq!(kinds, KINDS.into_iter().collect());
    let sections: Vec<&str> = text.split("[sensors.").skip(1).collect();
    for key in SENSOR_KEYS {
        let of_kind = |section: &&&str| key.kinds.iter().any(|kind| section.contains(&format!("kind = \"{kind}\"")));
        let shown: Vec<&str> = sections
            .iter()
            .filter(of_kind)
            .filter_map(|section| section.lines().find(|line| line.starts_with(&format!("{} = ", key.name))))
            .collect();
        if key.name == "deg_per_unit" {
            assert!(
                template::DEFAULTS.contains("deg_per_unit (-360 to 360)"),
                "it excludes table, and so is only told"
            );
            continue;
        }
        assert!(!shown.is_empty(), "{} of {:?} has no example", key.name, key.kinds);
        if let Presence::Default(default) = key.presence {
            let is_default = |line: &&str| line.split(" = ").nth(1).is_some_and(|rest| rest.starts_with(default));
            assert!(shown.iter().any(is_default), "{} = {default} isn't in {shown:?}", key.name);
        }
        if let Takes::Whole(low, high) = key.takes {
            let bounds = format!("{low} to {high}");
            assert!(template::DEFAULTS.contains(&bounds), "{}: {bounds} isn't said", key.name);
        }
    }
}

#[test]
fn what_is_left_out_is_the_kinds_default() {
    let settings = loaded("[sensors.roof]\nkind = \"bme280\"\naddress = 0x77\n").expect("loads");
    let roof = &settings.sensors["roof"];
    assert_eq!((roof.rank, roof.retry_s, roof.kind()), (1, 60, "bme280"));
    let Driver::Bme280(chip) = &roof.driver else { panic!("{roof:?}") };
    assert_eq!((chip.address, chip.interval_s, chip.bus.as_os_str()), (0x77, 5, "/dev/i2c-1".as_ref()));
    let text = "[sensors.a]\nkind = \"rain\"\nline = 17\nmm_per_tip = 1\n[sensors.b]\nkind = \"wind\"\nline = 27\nms_per_hz = 0.667\n";
    let settings = loaded(text).expect("loads");
    let Driver::Rain(rain) = &settings.sensors["a"].driver else { panic!("rain") };
    let Driver::Wind(wind) = &settings.sensors["b"].driver else { panic!("wind") };
    assert_eq!((rain.pulses.debounce_ms, wind.pulses.debounce_ms, rain.mm_per_tip), (100, 2, 1.0));
}

#[test]
fn what_is_wrong_is_said_with_its_place_its_key_and_what_it_takes() {
    for (text, words) in [
        ("[sensors.a]\nkind = \"bme180\"", "FILE:2: sensors.a.kind is \"bme180\"; it takes one of bme280, bh1750, "),
        ("[sensors.a]\nbus = \"/dev/i2c-1\"", "FILE:2: sensors.a.kind is not set; it takes one of bme280, "),
        ("[sensors.a]\n", "FILE:1: sensors.a.kind is not set; it takes one of bme280, "),
        ("[sensors.A]\nkind = \"bme280\"", "FILE:1: sensors.A is so called; it takes 1 to 32 lower-case letters"),
        ("[sensors]\na = 1", "FILE:2: sensors.a is 1; it takes a section, written [sensors.a]"),
        (
            "[sensors.a]\nkind = \"bme280\"\nadress = 1",
            "FILE:3: unknown key \"sensors.a.adress\"; did you mean \"address\"?",
        ),
        (
            "[sensors.a]\nkind = \"bme280\"\naddress = 200",
            "FILE:3: sensors.a.address is 200; it takes a whole number from 8 to 119",
        ),
        ("[sensors.a]\nkind = \"bme280\"\ntopic = 1", "FILE:3: unknown key \"sensors.a.topic\""),
        (
            "[sensors.a]\nkind = \"bme280\"\nbaud = 9600",
            "FILE:3: sensors.a.baud is set, and a sensor of kind bme280 has no such setting; it has kind, rank, only, retry_s, interval_s, bus, address",
        ),
        (
            "[sensors.a]\nkind = \"serial\"\ndevice = \"/dev/ttyACM0\"",
            "FILE:2: sensors.a maps nothing; set one of temperature, ",
        ),
        (
            "[sensors.a]\nkind = \"serial\"\ntemperature = \"t\"",
            "FILE:2: sensors.a.device is not set; a sensor of kind serial needs it: a path",
        ),
        (
            "[sensors.a]\nkind = \"command\"\ncommand = \"x\"\nformat = \"csv\"\nlight = \"lux\"",
            "FILE:5: sensors.a.light is \"lux\"; it takes a column's number",
        ),
        ("[sensors.a]\nkind = \"mqtt\"\nlight = \"a/#\"", "FILE:3: sensors.a.light is \"a/#\"; it takes a topic"),
        (
            "[sensors.a]\nkind = \"mqtt\"\nlight = \"a\"\npassword = \"hunter2\"",
            "FILE:4: sensors.a.password is something else (not shown",
        ),
        (
            "[sensors.a]\nkind = \"mqtt\"\nlight = \"a\"\npassword = \"env:P\"",
            "FILE:4: sensors.a.password is set without sensors.a.username",
        ),
        ("[sensors.a]\nkind = \"vane\"\npath = \"x\"", "FILE:2: sensors.a needs either table or deg_per_unit"),
        (
            "[sensors.a]\nkind = \"vane\"\npath = \"x\"\ntable = \"0=1\"",
            "FILE:4: sensors.a.table is \"0=1\"; it takes degrees=value pairs",
        ),
        (
            "[sensors.a]\nkind = \"command\"\ncommand = \"x 'y\"",
            "FILE:3: sensors.a.command is \"x 'y\"; it takes a program",
        ),
        (
            "[sensors.a]\nkind = \"bh1750\"\n[sensors.b]\nkind = \"tsl2591\"",
            "FILE:4: sensors.a and sensors.b both give light, and both have rank 1; set sensors.b.rank: ",
        ),
        (
            "[source]\nkind = \"sensors\"",
            "source.kind is \"sensors\" and there is none; add a section as in [sensors.roof]",
        ),
    ] {
        let error = loaded(text).expect_err(text);
        assert!(error.starts_with(words), "{text}:\n found    {error}\n expected {words}");
        assert!(!error.contains("hunter2"));
    }
    let ranked = "[sensors.a]\nkind = \"bh1750\"\n[sensors.b]\nkind = \"tsl2591\"\nrank = 2";
    assert_eq!(loaded(ranked).expect("one stands in for the other").sensors.len(), 2);
    let apart = "[sensors.a]\nkind = \"bme280\"\nonly = \"pressure\"\n[sensors.b]\nkind = \"bme280\"\nonly = \"humidity, temperature\"";
    assert_eq!(loaded(apart).expect("they give different variables").sensors.len(), 2);
}

#[test]
fn a_variable_sets_a_sensors_key_too() {
    let load_with = |name: &str, value: &str| {
        let variables = vec![(name.into(), value.into()), ("SKYDECK_SENSORS__ROOF_2__KIND".into(), "bh1750".into())];
        load(&EnvironmentName::demo(), &Layers { variables, ..Layers::default() }).map_err(|error| error.to_string())
    };
    let loaded = load_with("SKYDECK_SENSORS__ROOF_2__INTERVAL_S", "9").expect("loads");
    let Driver::Bh1750(chip) = &loaded.settings.sensors["roof_2"].driver else { panic!("light") };
    assert_eq!(chip.interval_s, 9);
    let unknown = load_with("SKYDECK_SENSORS__ROOF_2__INTERVAL", "9").expect_err("unknown");
    assert!(
        unknown.starts_with("SKYDECK_SENSORS__ROOF_2__INTERVAL: unknown key \"sensors.roof_2.interval\""),
        "{unknown}"
    );
}
