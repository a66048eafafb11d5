//! A model on its own thread.

use std::time::Duration;

use jiff::SignedDuration;

use super::*;
use crate::nowcast::fixture::{Does, FixtureParameters};
use crate::nowcast::{Mean, Weights};
use crate::station::Variable;

fn model(does: Does, from: &str) -> crate::nowcast::Model {
    Weights::Fixture(FixtureParameters { from: from.parse().expect("a time"), does }).model("roof@1", 46.8, 6.9)
}

/// Means of a humidity that goes up and down, from 2016-06-01 on.
fn means(count: i64) -> Vec<Mean> {
    let first: Timestamp = "2016-06-01T00:10:00Z".parse().expect("a time");
    (0..count)
        .map(|step| {
            let mut mean = Mean { ends_at: first + SignedDuration::from_mins(10 * step), values: [None; 8] };
            mean.values[Variable::Humidity.index()] = Some(50.0 + (step % 30) as f64);
            mean
        })
        .collect()
}

#[tokio::test]
async fn what_it_has_taken_in_is_what_it_forecasts_from() {
    let runner = Runner::start(model(Does::Well, "2016-06-01T00:00:00Z")).expect("a thread");
    let means = means(900);
    let primed = runner.prime(means[..899].to_vec()).await.expect("primes");
    assert!(primed.forecasts && primed.fault.is_none());
    assert_eq!(primed.standing.skill, Some(0.0), "it is persistence");
    assert_eq!(primed.standing.verified, 899 - 29 - 24, "from the 30th on an hour's lead has its errors");
    runner.observe(means[899]);
    let ran = runner.forecast(means[899].ends_at).await.expect("answers");
    assert_eq!(ran.forecasts[0].persistence, 50.0 + f64::from(899 % 30));
    assert_eq!(ran.forecasts[0].leads.len(), 24);
    assert!(runner.forecast(means[3].ends_at).await.expect("answers").forecasts.is_empty(), "not its newest");
    assert_eq!(runner.id(), "roof@1");
}

#[tokio::test]
async fn a_nowcast_of_the_past_that_cannot_be_is_told() {
    for (does, words) in [
        (Does::NotFinite, "its humidity at 10 min isn't a number (2016-06-03T00:00:00Z)"),
        (Does::OutOfRange, "its humidity at 10 min is 101.00 %, outside 0 to 100 (2016-06-03T00:00:00Z)"),
        (Does::Crossing, "its humidity at 10 min has quantiles that cross (2016-06-03T00:00:00Z)"),
    ] {
        let runner = Runner::start(model(does, "2016-06-03T00:00:00Z")).expect("a thread");
        let primed = runner.prime(means(600)).await.expect("primes");
        assert_eq!(primed.fault.as_deref(), Some(words));
    }
    let worse = Runner::start(model(Does::FarOff, "2016-06-01T00:00:00Z")).expect("a thread");
    let primed = worse.prime(means(900)).await.expect("primes");
    assert!(primed.standing.skill.expect("days") < 0.0);
}

#[tokio::test]
async fn a_model_that_ends_or_hangs_holds_nobody_up() {
    let ends = Runner::start(model(Does::Panics, "2016-06-01T00:00:00Z")).expect("a thread");
    ends.observe(means(1)[0]);
    ends.forecast(means(1)[0].ends_at).await.expect_err("its thread has ended");
    ends.observe(means(2)[1]);
    ends.forecast(means(2)[1].ends_at).await.expect_err("nobody is there");

    let hangs = Runner::start(model(Does::Waits("hangs".into()), "2016-06-01T00:00:00Z")).expect("a thread");
    let mut ran = hangs.forecast(means(1)[0].ends_at);
    hangs.observe(means(2)[1]);
    tokio::time::timeout(Duration::from_millis(50), &mut ran).await.expect_err("it waits");
    drop(hangs);
    crate::nowcast::fixture::release("hangs");
    ran.await.expect("what was asked is answered, late");
}
