use proptest::prelude::*;

use super::super::sensors::{Replay, SensorSource};
use super::*;

/// Payerne on the day of the summer solstice; 12:00 UTC is about noon there, 23:00 night.
fn at(hour: i64, second: i64) -> Timestamp {
    let day: Timestamp = "2026-06-21T00:00:00Z".parse().expect("a time");
    day + SignedDuration::from_secs(3600 * hour + second)
}

fn quality() -> Quality {
    Quality::new(QualitySettings::default(), 46.815, 6.944)
}

fn flags(quality: &mut Quality, at: Timestamp, values: &[(Variable, f64)]) -> BTreeMap<Variable, QcFlag> {
    let mut measurement = WeatherMeasurement::empty("roof-01", at);
    for (variable, value) in values {
        measurement.set(*variable, Some(*value));
    }
    let before = measurement.clone();
    quality.judge(&mut measurement, Timed::Now);
    let qc = std::mem::take(&mut measurement.qc);
    assert_eq!(measurement, before, "only flags are set");
    qc
}

fn flag(quality: &mut Quality, at: Timestamp, variable: Variable, value: f64) -> Option<QcFlag> {
    flags(quality, at, &[(variable, value)]).get(&variable).copied()
}

use QcFlag::{Frozen, Implausible, Inconsistent, Step};
use Variable::{Humidity, Light, Pressure, Rain, Sound, Temperature, WindDirection, WindSpeed};

#[test]
fn what_the_station_cannot_see_is_implausible() {
    let limits = QualitySettings { temperature_min_c: -30.0, temperature_max_c: 45.0, ..QualitySettings::default() };
    for (variable, value, expected) in [
        (Temperature, 45.0, None),
        (Temperature, 45.1, Some(Implausible)),
        (Temperature, -30.1, Some(Implausible)),
        (Pressure, 499.9, Some(Implausible)),
        (Pressure, 500.0, None),
        (Light, 150_001.0, Some(Implausible)),
        (Sound, 141.0, Some(Implausible)),
        (WindSpeed, 75.1, Some(Implausible)),
        (Rain, 40.0, None),
        (Rain, 40.1, Some(Implausible)),
    ] {
        let mut quality = Quality::new(limits.clone(), 46.815, 6.944);
        assert_eq!(flag(&mut quality, at(12, 0), variable, value), expected, "{variable} {value}");
    }
    // Ten minutes may bring ten times as much rain as one.
    let mut quality = quality();
    flag(&mut quality, at(12, 0), Rain, 0.0);
    assert_eq!(flag(&mut quality, at(12, 600), Rain, 399.0), None);
    assert_eq!(flag(&mut quality, at(12, 610), Rain, 41.0), Some(Implausible));
}

#[test]
fn what_changes_too_fast_is_a_step() {
    // Of readings 5 s apart a minute's change is allowed, of those 4 min apart four times as much.
    for (variable, before, seconds, value, expected) in [
        (Temperature, 20.0, 5, 23.0, None),
        (Temperature, 20.0, 5, 23.1, Some(Step)),
        (Temperature, 20.0, 60, 16.9, Some(Step)),
        (Temperature, 20.0, 240, 31.9, None),
        (Temperature, 20.0, 240, 32.1, Some(Step)),
        (Temperature, 20.0, 601, 50.0, None),
        (Temperature, 20.0, -5, 50.0, None),
        (Humidity, 50.0, 60, 60.1, Some(Step)),
        (Humidity, 50.0, 60, 60.0, None),
        (Pressure, 955.0, 60, 955.5, None),
        (Pressure, 955.0, 60, 954.4, Some(Step)),
        (WindSpeed, 2.0, 60, 22.1, Some(Step)),
        (Light, 100.0, 5, 90_000.0, None),
        (Sound, 30.0, 5, 100.0, None),
        (WindDirection, 10.0, 5, 190.0, None),
    ] {
        let mut quality = quality();
        flag(&mut quality, at(12, 0), variable, before);
        assert_eq!(
            flag(&mut quality, at(12, seconds), variable, value),
            expected,
            "{variable} {before} {value} {seconds}"
        );
    }
}

/// The first minute in which a value that is `value(minute)` is flagged as frozen.
fn frozen_at(variable: Variable, others: &[(Variable, f64)], value: impl Fn(i64) -> f64) -> Option<i64> {
    let mut quality = quality();
    (0..240).find(|minute| {
        let values = [&[(variable, value(*minute))], others].concat();
        flags(&mut quality, at(10, 60 * minute), &values).get(&variable) == Some(&Frozen)
    })
}

#[test]
fn what_stands_still_for_an_hour_is_frozen() {
    assert_eq!(frozen_at(Temperature, &[], |_| 20.0), Some(60));
    assert_eq!(frozen_at(Temperature, &[], |minute| 20.0 + 0.1 * (minute / 59) as f64), None, "a tenth in 59 min");
    assert_eq!(frozen_at(Temperature, &[], |minute| 20.0 + 0.05 * (minute % 2) as f64), Some(60), "it flickers");
    assert_eq!(frozen_at(Humidity, &[], |_| 60.0), Some(60));
    assert_eq!(frozen_at(Humidity, &[], |_| 99.0), None, "fog");
    assert_eq!(frozen_at(Pressure, &[], |minute| 955.0 + 0.01 * (minute % 5) as f64), Some(60));
    assert_eq!(frozen_at(Pressure, &[], |minute| 955.0 + 0.002 * minute as f64), None, "a tenth in 50 min");
    assert_eq!(frozen_at(Light, &[], |_| 5000.0), Some(60));
    assert_eq!(frozen_at(Sound, &[], |_| 42.0), Some(60));
    assert_eq!(frozen_at(WindSpeed, &[], |_| 3.0), Some(60));
    assert_eq!(frozen_at(WindSpeed, &[], |_| 0.0), None, "calm");
    assert_eq!(frozen_at(WindDirection, &[(WindSpeed, 3.0)], |minute| 359.0 + 2.0 * (minute % 2) as f64), Some(60));
    assert_eq!(
        frozen_at(WindDirection, &[(WindSpeed, 3.0)], |minute| (350.0 + 5.0 * (minute % 5) as f64) % 360.0),
        None
    );
    assert_eq!(frozen_at(WindDirection, &[(WindSpeed, 0.8)], |_| 90.0), None, "too little wind to turn it");
    assert_eq!(frozen_at(WindDirection, &[], |_| 90.0), None, "nobody knows of the wind");
    assert_eq!(frozen_at(Rain, &[], |_| 0.0), None);
    // Frozen ends with the first change, and a gap proves nothing.
    let mut quality = quality();
    for minute in 0..=60 {
        flag(&mut quality, at(10, 60 * minute), Temperature, 20.0);
    }
    assert_eq!(flag(&mut quality, at(11, 60), Temperature, 20.0), Some(Frozen));
    assert_eq!(flag(&mut quality, at(11, 120), Temperature, 20.2), None);
    for minute in 3..50 {
        flag(&mut quality, at(11, 60 * minute), Temperature, 20.2);
    }
    assert_eq!(flag(&mut quality, at(12, 60 * 30), Temperature, 20.2), None);
}

#[test]
fn what_contradicts_another_value_is_inconsistent() {
    let night = "2026-06-21T23:00:00Z".parse().expect("a time");
    for (when, values, expected) in [
        // 45 °C at 60 %: by hand γ = ln 0.6 + 17.62·45/288.12 = 2.2412, Td = 243.12·2.2412/15.3788 = 35.43 °C.
        (at(12, 0), vec![(Temperature, 45.0), (Humidity, 60.0)], vec![Temperature, Humidity]),
        // At 58 %: γ = 2.2073, Td = 34.82 °C.
        (at(12, 0), vec![(Temperature, 45.0), (Humidity, 58.0)], vec![]),
        (at(12, 0), vec![(Temperature, 45.0), (Humidity, 0.0)], vec![]),
        (at(12, 0), vec![(WindSpeed, 0.0), (WindDirection, 90.0)], vec![WindDirection]),
        (at(12, 0), vec![(WindSpeed, 0.0), (WindDirection, 0.0)], vec![]),
        (at(12, 0), vec![(WindSpeed, 0.1), (WindDirection, 90.0)], vec![]),
        (night, vec![(Light, 101.0)], vec![Light]),
        (night, vec![(Light, 0.2)], vec![]),
        (at(12, 0), vec![(Light, 0.5)], vec![Light]),
        (at(12, 0), vec![(Light, 300.0)], vec![]),
    ] {
        let found = flags(&mut quality(), when, &values);
        let flagged: Vec<_> = expected.into_iter().map(|variable| (variable, Inconsistent)).collect();
        assert_eq!(found, flagged.into_iter().collect(), "{values:?}");
    }
    // Where the clock isn't set, night isn't known.
    let mut measurement = WeatherMeasurement::empty("roof-01", night);
    measurement.illuminance_lx = Some(5000.0);
    quality().judge(&mut measurement, Timed::Unset);
    assert!(measurement.qc.is_empty());
    quality().judge(&mut measurement, Timed::InSeries);
    assert_eq!(measurement.qc, BTreeMap::from([(Light, Inconsistent)]));
}

#[test]
fn a_restart_hides_no_step_and_begins_no_standstill_anew() {
    let mut first = quality();
    for minute in 0..40 {
        assert_eq!(flag(&mut first, at(12, 60 * minute), Temperature, 20.0), None, "{minute}");
    }
    let restarted = || quality().resumed(Some(&first.kept()));
    assert_eq!(flag(&mut restarted(), at(12, 60 * 40), Temperature, 24.0), Some(Step));
    assert_eq!(flag(&mut quality(), at(12, 60 * 40), Temperature, 24.0), None, "it wouldn't be known");
    let mut still = restarted();
    let flags: Vec<_> = (40..70).map(|minute| flag(&mut still, at(12, 60 * minute), Temperature, 20.0)).collect();
    let expected = |minute: i64| (minute >= 60).then_some(Frozen);
    assert_eq!(flags, (40..70).map(expected).collect::<Vec<_>>(), "of the hour 40 minutes were before");
    for broken in ["", "{", "[]", r#"{"colour":1}"#] {
        assert_eq!(flag(&mut quality().resumed(Some(broken)), at(12, 0), Temperature, 20.0), None, "{broken}");
    }
}

#[test]
fn a_recorded_series_is_not_asked_for_its_steps() {
    let mut quality = quality();
    for minute in 0..200 {
        let mut measurement = WeatherMeasurement::empty("roof-01", at(10, 60 * minute));
        (measurement.pressure_hpa, measurement.temperature_c) =
            (Some(955.0), Some(if minute == 100 { 30.0 } else { 20.0 }));
        quality.judge(&mut measurement, Timed::InSeries);
        assert!(measurement.qc.is_empty(), "{minute}");
    }
}

#[test]
fn the_first_test_that_fails_names_the_flag_and_suspects_teach_nothing() {
    let limits = QualitySettings { temperature_max_c: 40.0, ..QualitySettings::default() };
    let mut quality = Quality::new(limits, 46.815, 6.944);
    flag(&mut quality, at(12, 0), Temperature, 20.0);
    let mut measurement = WeatherMeasurement::empty("roof-01", at(12, 5));
    (measurement.temperature_c, measurement.humidity_pct) = (Some(45.0), Some(90.0));
    measurement.illuminance_lx = Some(50_000.0);
    measurement.qc.insert(Light, QcFlag::Derived);
    quality.judge(&mut measurement, Timed::Now);
    let expected = [(Temperature, Implausible), (Humidity, Inconsistent), (Light, QcFlag::Derived)];
    assert_eq!(measurement.qc, expected.into_iter().collect());
    let trusted = trusted(&measurement);
    assert_eq!((trusted.temperature_c, trusted.humidity_pct, trusted.illuminance_lx), (None, None, Some(50_000.0)));
}

/// A month of a weather service's own minutes, already controlled there: what is flagged of it is the test's own doing.
#[test]
fn of_a_good_month_hardly_anything_is_flagged() {
    let mut replay = Replay::carried().expect("opens");
    let mut quality = quality();
    let mut counts: BTreeMap<(Variable, String), usize> = BTreeMap::new();
    let mut values = 0;
    loop {
        let items = replay.drain_until(Timestamp::MAX, 1000);
        if items.is_empty() {
            break;
        }
        for reading in items.into_iter().filter_map(|item| item.outcome.ok()) {
            let (mut measurement, _) = WeatherMeasurement::from_reading("roof-01", &reading);
            // Its file has whole hPa.
            measurement.pressure_hpa = None;
            quality.judge(&mut measurement, Timed::Now);
            values += Variable::ALL.into_iter().filter(|variable| measurement.get(*variable).is_some()).count();
            for (variable, flag) in measurement.qc.into_iter().filter(|(_, flag)| flag.is_suspect()) {
                *counts.entry((variable, format!("{flag:?}"))).or_default() += 1;
            }
        }
    }
    let flagged: usize = counts.values().sum();
    assert!(values > 100_000 && flagged * 200 < values, "{flagged} of {values}: {counts:?}");
}

proptest! {
    /// Whatever comes, values stay as they are, every flag is on a value that is there, and no time makes it fail.
    #[test]
    fn values_are_never_changed(steps in proptest::collection::vec((0i64..90_000, 0usize..8, -100.0f64..1200.0), 1..60)) {
        let mut quality = quality();
        for (second, place, value) in steps {
            let variable = Variable::ALL[place];
            let found = flags(&mut quality, at(0, second), &[(variable, value)]);
            prop_assert!(found.keys().all(|flagged| *flagged == variable));
        }
    }

    /// A value that moves by less than the limits allow and by more than it must is never flagged.
    #[test]
    fn what_moves_as_it_should_is_not_flagged(start in -20.0f64..30.0, moves in proptest::collection::vec(0.1f64..2.9, 1..100)) {
        let mut quality = quality();
        let mut value = start;
        for (minute, by) in moves.into_iter().enumerate() {
            value += if minute % 2 == 0 { by } else { -by };
            prop_assume!((-79.0..59.0).contains(&value));
            prop_assert_eq!(flag(&mut quality, at(0, 60 * minute as i64), Temperature, value), None);
        }
    }

    /// The dew point is never above the temperature, and at 100 % it is the temperature.
    #[test]
    fn the_dew_point_is_at_most_the_temperature(celsius in -80.0f64..60.0, percent in 0.1f64..100.0) {
        prop_assert!(dew_point_c(celsius, percent).expect("moist") <= celsius + 1e-9);
        prop_assert!((dew_point_c(celsius, 100.0).expect("moist") - celsius).abs() < 1e-9);
    }
}
