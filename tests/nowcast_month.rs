//! The model over the carried month: what its forecasts are worth, by figures that hold.
//!
//! `cargo test --test nowcast_month -- --nocapture` prints the table that `docs/` shows.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use skydeck::edge_agent::sensors::{Replay, SensorSource};
use skydeck::nowcast::health::SkillWindow;
use skydeck::nowcast::{AnomalyPersistence, Mean, ScoreSums, TenMinuteMeans, verify};
use skydeck::station::{Variable, VariableForecast, WeatherMeasurement};

/// Forecasts issued earlier than this after the first reading aren't scored.
const WARM_UP: SignedDuration = SignedDuration::from_hours(4 * 24);

type Scores = BTreeMap<(Variable, u16), ScoreSums>;

fn means() -> Vec<Mean> {
    let mut replay = Replay::carried().expect("carried");
    let mut collector = TenMinuteMeans::new();
    let readings = replay.drain_until(Timestamp::MAX, usize::MAX);
    let mut means: Vec<Mean> = readings
        .iter()
        .filter_map(|item| {
            let reading = item.outcome.as_ref().expect("every row of the carried month is a reading");
            collector.push(&WeatherMeasurement::from_reading("roof-01", reading).0)
        })
        .collect();
    means.extend(collector.flush(replay.ends_at() + SignedDuration::from_mins(10)));
    means
}

fn score(means: &[Mean]) -> Scores {
    let measured: BTreeMap<Timestamp, &Mean> = means.iter().map(|mean| (mean.ends_at, mean)).collect();
    let mut model = AnomalyPersistence::new(46.815, 6.944);
    let mut scores = Scores::new();
    for mean in means {
        model.observe(mean);
        let scored = mean.ends_at.duration_since(means[0].ends_at) >= WARM_UP;
        for forecast in model.forecast(mean.ends_at) {
            assert_is_honest(&forecast);
            if scored {
                add(&mut scores, &forecast, mean.ends_at, &measured);
            }
        }
    }
    scores
}

fn assert_is_honest(forecast: &VariableForecast) {
    let (low, high) = forecast.variable.range();
    for lead in &forecast.leads {
        let quantiles = lead.quantiles;
        assert!(quantiles.is_valid() && quantiles.q05 >= low && quantiles.q95 <= high, "{forecast:?}");
    }
}

fn add(scores: &mut Scores, forecast: &VariableForecast, issued_at: Timestamp, measured: &BTreeMap<Timestamp, &Mean>) {
    for lead in &forecast.leads {
        let valid = skydeck::station::forecast::valid_time(issued_at, lead.lead_minutes);
        if let Some(value) = measured.get(&valid).and_then(|mean| mean.get(forecast.variable)) {
            let outcome = verify(lead, forecast.persistence, value);
            scores.entry((forecast.variable, lead.lead_minutes)).or_default().add(&outcome);
        }
    }
}

fn print(scores: &Scores) {
    println!("| variable | lead min | n | MAE | RMSE | bias | persistence MAE | skill | 50 % | 90 % |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for ((variable, lead), sums) in scores.iter().filter(|((_, lead), _)| [10, 60, 120, 180, 240].contains(lead)) {
        let figure = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.3}"));
        println!(
            "| {} {} | {lead} | {} | {} | {} | {} | {} | {} | {} | {} |",
            variable.label(),
            variable.unit(),
            sums.count,
            figure(sums.mae()),
            figure(sums.rmse()),
            figure(sums.bias()),
            figure(sums.persistence_mae()),
            figure(sums.skill()),
            figure(sums.coverage_50()),
            figure(sums.coverage_90()),
        );
    }
}

#[test]
fn the_month_is_forecast_with_skill_and_honest_bands() {
    let means = means();
    assert_eq!(means.len(), 30 * 144);
    let started = std::time::Instant::now();
    let scores = score(&means);
    println!("{} nowcasts, scored, in {:?}", means.len(), started.elapsed());
    print(&scores);

    let of = |variable, lead: u16| scores.get(&(variable, lead)).expect("scored");
    for lead in (60..=240).step_by(10) {
        for (variable, least_skill) in [(Variable::Temperature, 0.2), (Variable::Humidity, 0.1), (Variable::Light, 0.2)]
        {
            let skill = of(variable, lead).skill().expect("persistence errs");
            assert!(skill > least_skill, "{variable} at {lead} min: skill {skill}");
        }
        // Pressure has little of a cycle: the model does about as well as persistence, and may do a little worse.
        let skill = of(Variable::Pressure, lead).skill().expect("persistence errs");
        assert!(skill > -0.1, "pressure at {lead} min: skill {skill}");
    }
    for ((variable, lead), sums) in &scores {
        assert!(sums.count > 3_700, "{variable} at {lead} min: {} verified", sums.count);
        let coverage = sums.coverage_90().expect("counted");
        assert!((0.84..=0.94).contains(&coverage), "{variable} at {lead} min: 90 % band holds {coverage}");
        // Pressure comes in whole hPa, so that its 50 % band is often a single value.
        let coverage = sums.coverage_50().expect("counted");
        assert!((0.38..=0.65).contains(&coverage), "{variable} at {lead} min: 50 % band holds {coverage}");
    }
    let unmeasured = [Variable::Sound, Variable::Rain, Variable::WindSpeed, Variable::WindDirection];
    assert!(scores.keys().all(|(variable, _)| !unmeasured.contains(variable)), "nothing is forecast without data");
}

#[test]
fn a_model_that_starts_anew_from_two_weeks_of_means_forecasts_alike() {
    let means = means();
    let (mut whole, mut anew) = (AnomalyPersistence::new(46.815, 6.944), AnomalyPersistence::new(46.815, 6.944));
    for (index, mean) in means.iter().enumerate() {
        whole.observe(mean);
        if index >= means.len() - 14 * 144 {
            anew.observe(mean);
        }
    }
    let issued_at = means.last().expect("a month").ends_at;
    for (one, other) in whole.forecast(issued_at).iter().zip(anew.forecast(issued_at)) {
        assert_eq!((one.variable, one.leads.len()), (other.variable, other.leads.len()));
        for (one, other) in one.leads.iter().zip(&other.leads) {
            let difference = (one.quantiles.q50 - other.quantiles.q50).abs();
            assert!(difference <= 0.01 * one.quantiles.q50.abs() + 0.05, "{one:?} {other:?}");
        }
    }
}

/// A package that forecasts as package zero does would stay in its slot the whole month.
#[test]
fn a_rolling_week_of_the_month_is_better_than_persistence() {
    let mut model = AnomalyPersistence::new(46.815, 6.944);
    let mut window = SkillWindow::default();
    let mut skills = Vec::new();
    for mean in &means() {
        model.observe(mean);
        window.observe(mean);
        window.issue(mean.bin(), &model.forecast(mean.ends_at));
        skills.extend(window.skill());
    }
    let least = skills.iter().copied().fold(f64::INFINITY, f64::min);
    let most = skills.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    println!("skill of a rolling week: {} windows, {least:.3} to {most:.3}", skills.len());
    assert!(skills.len() > 3_500 && least > 0.0, "{} windows, the least {least}", skills.len());
}
