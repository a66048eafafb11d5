//! A cup anemometer that gives pulses on a GPIO line: their number over the interval is the mean speed.

use tokio::time::Instant;

use super::board::Desk;
use super::pulses::{Debounced, GpioLine, Pulses};
use super::tend;
use crate::settings::sensors::model::WindSettings;
use crate::station::Variable;

/// Counts until the line fails; answers why.
pub(super) async fn session(settings: &WindSettings, desk: &Desk) -> String {
    match GpioLine::open(&settings.pulses) {
        Ok(line) => count(line, settings, desk).await,
        Err(words) => words,
    }
}

async fn count(line: impl Pulses, settings: &WindSettings, desk: &Desk) -> String {
    let mut line = Debounced::new(line, settings.pulses.debounce_ms);
    let mut interval = tend::every(settings.interval_s);
    // The first strikes at once.
    interval.tick().await;
    let (mut since, mut pulses) = (Instant::now(), 0u32);
    loop {
        tokio::select! {
            pulse = line.next() => match pulse {
                Ok(()) => pulses += 1,
                Err(words) => return words,
            },
            _ = interval.tick() => {
                let seconds = since.elapsed().as_secs_f64();
                desk.put(&[(Variable::WindSpeed, speed(settings, pulses, seconds))]);
                (since, pulses) = (Instant::now(), 0);
            }
        }
    }
}

/// m/s. Where it doesn't turn there is no wind, whatever it needs to begin to turn.
fn speed(settings: &WindSettings, pulses: u32, seconds: f64) -> f64 {
    if pulses == 0 || seconds <= 0.0 {
        return 0.0;
    }
    f64::from(pulses) / seconds * settings.ms_per_hz + settings.offset_ms
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::super::pulses::tests::Given;
    use super::*;
    use crate::settings::sensors::model::{Driver, SensorSettings};

    #[tokio::test]
    async fn pulses_over_the_interval_are_the_mean_speed() {
        let text = "rank = 1\nretry_s = 1\nkind = \"wind\"\nchip = \"x\"\nline = 1\nedge = \"falling\"\nbias = \"as-is\"\n\
                    debounce_ms = 2\ninterval_s = 1\nms_per_hz = 0.667\noffset_ms = 0.2";
        let settings: SensorSettings = toml::from_str(text).expect("settings");
        let desk = Arc::new(Desk::new("cups", &settings, &Arc::new(tokio::sync::watch::Sender::new(None))));
        let Driver::Wind(wind) = settings.driver else { panic!("wind") };
        let (pulse, line) = mpsc::unbounded_channel();
        let speed_at = {
            let wind = wind.clone();
            move |pulses, seconds| super::speed(&wind, pulses, seconds)
        };
        let running = tokio::spawn({
            let desk = Arc::clone(&desk);
            async move { count(Given(line), &wind, &desk).await }
        });
        let speed = || desk.take().values.first().map(|(_, speed, _)| *speed);
        tokio::time::sleep(Duration::from_millis(1)).await;
        for at in 0..30u64 {
            // Each with a bounce a millisecond later.
            pulse.send(at * 300_000_000).expect("taken");
            pulse.send(at * 300_000_000 + 1_000_000).expect("taken");
        }
        let read = async || loop {
            if let Some(speed) = speed() {
                break speed;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        // 30 pulses in a second: 30 · 0.667 + 0.2 = 20.21, on a machine that may be late at either end of it.
        let windy = tokio::time::timeout(Duration::from_secs(10), read()).await.expect("soon");
        assert!((15.0..=23.0).contains(&windy), "{windy}");
        let calm = tokio::time::timeout(Duration::from_secs(10), read()).await.expect("soon");
        assert_eq!(calm, 0.0, "calm");
        assert!((speed_at(30, 10.0) - 2.201).abs() < 1e-9 && speed_at(0, 10.0) == 0.0);
        drop(pulse);
        assert_eq!(running.await.expect("ends"), "the line is gone");
    }
}
