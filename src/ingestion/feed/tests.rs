use super::*;

#[test]
fn a_message_a_minute_is_a_steady_rate() {
    let start = Instant::now();
    let after = |seconds| start + Duration::from_secs(seconds);
    let mut state = State::default();
    assert_eq!(state.rate(start), 0.0);
    state.arrivals.push_back((after(100), 1));
    let rates: Vec<f64> = (100..=160).map(|second| state.rate(after(second))).collect();
    assert!(rates.iter().all(|rate| *rate == 1.0 / 60.0), "{rates:?}");
    assert_eq!(state.rate(after(161)), 0.0);
}

#[test]
fn flags_are_kept_in_order_and_what_is_derived_is_none() {
    let mut state = State::default();
    for at in [3000, 1000, 2000] {
        state.flag(at, 0, &BTreeMap::from([(Variable::Light, QcFlag::Derived)]));
        state.flag(at, 0, &BTreeMap::from([(Variable::Humidity, QcFlag::OutOfRange)]));
    }
    assert_eq!(state.flagged.iter().map(|f| f.at_ms).collect::<Vec<_>>(), [1000, 2000, 3000]);
    assert!(state.flagged.iter().all(|f| f.flag == QcFlag::OutOfRange));
    for at in 0..9000 {
        state.flag(at, 0, &BTreeMap::from([(Variable::Sound, QcFlag::Clipped)]));
    }
    assert_eq!(state.flagged.len(), FLAGS);
}

#[test]
fn what_was_before_the_ring_is_joined_to_it_once() {
    let row = |at_s: i64, temperature: f64, flag: Option<QcFlag>| MeasurementRow {
        device_id: if at_s % 2 == 0 { "even" } else { "odd" }.to_owned(),
        at_ms: at_s * 1000,
        values: [Some(temperature), None, None, None, None, None, None, None],
        qc: flag.map(|flag| (Variable::Temperature, flag)).into_iter().collect(),
    };
    let feed = LiveFeed::default();
    let at = |second| Timestamp::from_second(second).expect("a time");
    assert_eq!(feed.before(at(0), at(9)), None, "there is nothing that it lacks");
    let held = i64::try_from(RING).expect("small");
    let rows: Vec<_> = (0..held + 4).map(|second| row(second, 1.0, (second < 6).then_some(QcFlag::Clipped))).collect();
    rows.iter().for_each(|row| feed.lock().take_in(row));
    assert_eq!(feed.before(at(4), at(9)), None, "the ring has it all");
    assert_eq!(feed.before(at(1), at(9)), Some((at(1), at(3))));
    assert_eq!(feed.before(at(1), at(2)), Some((at(1), at(2))));

    let older = [row(1, -5.0, Some(QcFlag::Derived)), row(2, 7.0, Some(QcFlag::OutOfRange)), row(3, 9.0, None)];
    let second = SignedDuration::from_secs(1);
    let bins = |device| feed.bins(&older, device, Variable::Temperature, (at(1), at(9)), second).0;
    let means = |bins: Vec<Bin>| bins.iter().map(|bin| (bin.from_ms / 1000, bin.mean)).collect::<Vec<_>>();
    let newer = (4..=9).map(|second| (second, 1.0));
    assert_eq!(means(bins(None)), [(1, -5.0), (2, 7.0), (3, 9.0)].into_iter().chain(newer).collect::<Vec<_>>());
    assert_eq!(means(bins(Some("even"))), [(2, 7.0), (4, 1.0), (6, 1.0), (8, 1.0)]);
    let extremes = feed.extremes(&older, None, at(1), at(9));
    assert_eq!(extremes, [Extreme { variable: Variable::Temperature, min: (-5.0, 1000), max: (9.0, 3000) }]);
    // What comes late is as old as it is, and no sign that the ring has what came between.
    feed.lock().take_in(&row(2, 5.0, None));
    assert_eq!(feed.before(at(1), at(9)), Some((at(1), at(3))));
    // Of the seconds that have left the ring, the feed itself still knows the flags.
    let flags = feed.flags(&older, None, Variable::Temperature, at(0), at(9));
    assert_eq!(flags, [(2000, QcFlag::OutOfRange), (4000, QcFlag::Clipped), (5000, QcFlag::Clipped)]);
}

/// A measurement of `device`, measured and enqueued so many seconds after 1970.
fn message(device: &str, measured_s: i64, enqueued_s: i64) -> Arc<EnqueuedMessage> {
    let at = |second| Timestamp::from_second(second).expect("a time");
    let body = serde_json::json!({
        "type": "WeatherMeasurement", "deviceId": device, "messageId": format!("m-{measured_s}"), "schema": 1,
        "measuredAt": at(measured_s).to_string(), "temperatureC": 1.0
    });
    Arc::new(EnqueuedMessage {
        enqueued_at: at(enqueued_s),
        device_id: device.into(),
        message_id: Some("m".into()),
        content_type: Some("application/json".into()),
        content_encoding: Some("utf-8".into()),
        properties: BTreeMap::new(),
        system_properties: BTreeMap::new(),
        body: body.to_string().into_bytes(),
    })
}

#[test]
fn of_several_devices_the_first_is_told_of_while_it_isn_t_silent() {
    let feed = LiveFeed::default();
    let minute = 60;
    for (device, measured_s, told) in [
        ("b", 1000, "b"),
        ("a", 990, "a"),
        ("b", 1010, "a"),
        ("a", 980, "a"),
        ("b", 990 + 10 * minute, "a"),
        ("b", 991 + 10 * minute, "b"),
        ("a", 992, "a"),
    ] {
        feed.accept(&message(device, measured_s, 9000), true, Timestamp::UNIX_EPOCH).expect("taken in");
        assert_eq!(feed.status().newest.expect("one").device_id, told, "after {device} at {measured_s}");
    }
    assert_eq!(feed.status().newest.expect("one").measured_at.as_second(), 992);
}

#[test]
fn what_is_ahead_of_the_hub_or_speaks_for_another_is_no_news_of_now() {
    let feed = LiveFeed::default();
    let now = Timestamp::from_second(1000).expect("a time");
    feed.accept(&message("a", 1599, 1000), true, now).expect("a little ahead");
    let words = feed.accept(&message("a", 9000, 1000), true, now).expect_err("two hours ahead");
    assert_eq!(words, "measured 133 minutes after the hub had it; set the device's clock");
    let mut foreign = EnqueuedMessage::clone(&message("b", 1700, 1700));
    foreign.device_id = "a".into();
    let words = feed.accept(&Arc::new(foreign), true, now).expect_err("another's");
    assert_eq!(words, "says that it is of device b, and came from another");
    assert_eq!(feed.status().newest.expect("one").measured_at.as_second(), 1599);
    assert_eq!(feed.status().measurements, 1);
    // They are received all the same; of what was enqueued long ago, none is a rate of now.
    assert_eq!((feed.status().received, feed.recent(9).len()), (3, 3));
    let arrivals = || feed.lock().arrivals.iter().map(|(_, count)| count).sum::<u32>();
    assert_eq!(arrivals(), 2, "of 1700 it isn't known yet at 1000");
    feed.accept(&message("a", 800, 800), true, now).expect("late");
    assert_eq!(arrivals(), 2);
}

#[test]
fn in_the_first_minute_a_rate_is_over_the_time_there_was() {
    let start = Instant::now();
    let mut state = State::default();
    state.rate(start);
    state.arrivals.push_back((start + Duration::from_secs(1), 20));
    assert_eq!(state.rate(start + Duration::from_secs(10)), 2.0);
}

#[test]
fn what_was_measured_before_the_start_is_taken_from_elsewhere() {
    let at = |second| Timestamp::from_second(second).expect("a time");
    let feed = LiveFeed::default();
    feed.begins(at(1000));
    // Read again, and late: neither says what else there was before the start.
    for measured_s in [990, 500, 1001] {
        feed.accept(&message("a", measured_s, 1002), true, at(1002)).expect("taken in");
    }
    assert_eq!(feed.before(at(400), at(2000)), Some((at(400), at(999) + SignedDuration::from_millis(999))));
    assert_eq!(feed.before(at(1000), at(2000)), None);
    let older = [500, 700, 990].map(|second| MeasurementRow {
        device_id: "a".into(),
        at_ms: second * 1000,
        values: [Some(1.0), None, None, None, None, None, None, None],
        qc: BTreeMap::new(),
    });
    let bins = |older: &[MeasurementRow]| {
        let (bins, _) =
            feed.bins(older, None, Variable::Temperature, (at(400), at(2000)), SignedDuration::from_secs(1));
        bins.iter().map(|bin| bin.from_ms / 1000).collect::<Vec<_>>()
    };
    assert_eq!(bins(&older), [500, 700, 990, 1001]);
    assert_eq!(bins(&[]), [500, 990, 1001], "without them, what there is");
}
