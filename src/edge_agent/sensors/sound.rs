//! The sound level: what a recording program writes, as an A-weighted equivalent level over the interval.
//!
//! The program writes signed 16-bit little-endian samples of one channel. LAeq is ten times the logarithm of the mean
//! square of the weighted samples over that of a sine at full scale, plus `full_scale_dba`, the level which that sine
//! stands for. Its default, 120, is of MEMS microphones with −26 dBFS at 94 dB: 94 + 26. A calibrator of 94 dB at 1 kHz
//! tells one's own: add to `full_scale_dba` what skydeck shows too little.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout_at};

use super::board::Desk;
use super::program::Running;
use super::weighting::AWeighting;
use crate::settings::sensors::model::SoundSettings;
use crate::station::{QcFlag, Variable};

/// What is passed over after the start: microphones pop when they are switched on.
const SETTLING: Duration = Duration::from_millis(500);
/// Bytes that a pipe holds.
const PIPE: usize = 64 * 1024;
/// Times as fast as sound is recorded at which it isn't recorded but flooded; it is read at 2.5 times that at most.
const FLOOD: f64 = 1.5;
/// Seconds by which a recorder may be ahead.
const AHEAD_S: f64 = 4.0;

/// The level of what was heard.
#[derive(Debug)]
struct Level {
    filter: AWeighting,
    full_scale_dba: f64,
    /// Samples that are still passed over.
    settling: u64,
    /// Half a sample that the last bytes ended in.
    half: Option<u8>,
    sum: f64,
    count: u64,
    clipped: bool,
    is_silent: bool,
}

/// What an interval sounded like.
#[derive(Debug, PartialEq)]
enum Heard {
    Level {
        dba: f64,
        is_clipped: bool,
    },
    /// Every sample was zero.
    Nothing,
}

impl Level {
    fn new(rate_hz: u32, full_scale_dba: f64) -> Self {
        let settling = u64::from(rate_hz) * u64::try_from(SETTLING.as_millis()).unwrap_or(0) / 1000;
        let filter = AWeighting::new(rate_hz);
        Self { filter, full_scale_dba, settling, half: None, sum: 0.0, count: 0, clipped: false, is_silent: true }
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.iter().copied();
        while let Some(low) = self.half.take().or_else(|| bytes.next()) {
            let Some(high) = bytes.next() else {
                self.half = Some(low);
                return;
            };
            let sample = i16::from_le_bytes([low, high]);
            let weighted = self.filter.step(f64::from(sample) / 32_768.0);
            if self.settling > 0 {
                self.settling -= 1;
                continue;
            }
            self.sum += weighted * weighted;
            self.count += 1;
            self.clipped |= sample == i16::MAX || sample == i16::MIN;
            self.is_silent &= sample == 0;
        }
    }

    /// The level since the last time; `None` where no sample was heard.
    fn heard(&mut self) -> Option<Heard> {
        let (sum, count) = (std::mem::take(&mut self.sum), std::mem::take(&mut self.count));
        let is_silent = std::mem::replace(&mut self.is_silent, true);
        let is_clipped = std::mem::take(&mut self.clipped);
        if count == 0 {
            return None;
        }
        if is_silent {
            return Some(Heard::Nothing);
        }
        #[expect(clippy::cast_precision_loss, reason = "samples of an hour are far below 2^53")]
        let mean = sum / count as f64;
        Some(Heard::Level { dba: self.full_scale_dba + 10.0 * (mean / 0.5).log10(), is_clipped })
    }
}

/// Listens until the program ends; answers why.
pub(super) async fn session(settings: &SoundSettings, desk: &Desk) -> String {
    let mut running = match Running::start(&settings.command) {
        Ok(running) => running,
        Err(words) => return words,
    };
    let Some(mut stdout) = running.child.stdout.take() else { return "the program has no output".to_owned() };
    let mut level = Level::new(settings.rate_hz, settings.full_scale_dba);
    let patience = Duration::from_secs(u64::from(settings.silent_s));
    let interval = Duration::from_secs(u64::from(settings.interval_s));
    let bytes_per_s = f64::from(settings.rate_hz) * 2.0;
    // Woken when the pipe is some part full, instead of for each of the program's writes.
    let pause = Duration::from_secs_f64(PIPE as f64 * 0.4 / bytes_per_s);
    let mut buffer = vec![0; PIPE];
    let (begun, mut taken) = (Instant::now(), 0.0);
    let mut since = begun;
    loop {
        let count = match timeout_at(Instant::now() + patience, stdout.read(&mut buffer)).await {
            Err(_) => {
                return format!("{} wrote no sample for {} s; it is started anew", running.shown, settings.silent_s);
            }
            Ok(Ok(0)) => return running.end().await,
            Ok(Ok(count)) => count,
            Ok(Err(error)) => return format!("{}: {error}", running.shown),
        };
        level.take(&buffer[..count]);
        taken += count as f64;
        if taken > (begun.elapsed().as_secs_f64() + AHEAD_S) * bytes_per_s * FLOOD {
            return format!(
                "{} floods: more than {FLOOD} times {} samples a second; check rate_hz and the command's rate",
                running.shown, settings.rate_hz
            );
        }
        if since.elapsed() >= interval {
            since = Instant::now();
            match level.heard() {
                Some(Heard::Level { dba, is_clipped }) => {
                    desk.put_flagged([(Variable::Sound, dba, is_clipped.then_some(QcFlag::Clipped))]);
                }
                Some(Heard::Nothing) => {
                    return "every sample is zero: the microphone is muted or not connected".to_owned();
                }
                None => {}
            }
        }
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::settings::sensors::model::{Driver, SensorSettings};

    const RATE: u32 = 48_000;

    /// Samples of a sine whose level is `dbfs` below full scale.
    fn sine(hz: f64, dbfs: f64, seconds: f64) -> Vec<i16> {
        let amplitude = 32_767.0 * 10f64.powf(dbfs / 20.0);
        let count = (f64::from(RATE) * seconds) as u32;
        (0..count)
            .map(|i| (amplitude * (2.0 * PI * hz * f64::from(i) / f64::from(RATE)).sin()).round() as i16)
            .collect()
    }

    /// A WAV file as recorders write it: a header of 44 bytes, then the samples.
    fn wav(path: &Path, samples: &[i16]) {
        let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let length = data.len() as u32;
        let mut file = Vec::new();
        file.extend(b"RIFF");
        file.extend((36 + length).to_le_bytes());
        file.extend(b"WAVEfmt ");
        file.extend(16u32.to_le_bytes());
        file.extend([1u16, 1].into_iter().flat_map(u16::to_le_bytes));
        file.extend([RATE, RATE * 2].into_iter().flat_map(u32::to_le_bytes));
        file.extend([2u16, 16].into_iter().flat_map(u16::to_le_bytes));
        file.extend(b"data");
        file.extend(length.to_le_bytes());
        file.extend(data);
        std::fs::write(path, file).expect("written");
    }

    fn level(samples: &[i16]) -> Option<Heard> {
        let mut level = Level::new(RATE, 120.0);
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        // Cut anywhere, also between the two bytes of a sample.
        for part in bytes.chunks(777) {
            level.take(part);
        }
        level.heard()
    }

    fn dba(samples: &[i16]) -> f64 {
        match level(samples) {
            Some(Heard::Level { dba, .. }) => dba,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn tones_have_the_level_that_the_standards_weights_give() {
        // 94 dB at 1 kHz is 26 dB below full scale; at 100 Hz it weighs 19.1 dB less, at 4 kHz 1.0 more.
        assert!((dba(&sine(1000.0, -26.0, 2.0)) - 94.0).abs() < 0.05);
        assert!((dba(&sine(100.0, -26.0, 2.0)) - 74.9).abs() < 0.1);
        assert!((dba(&sine(3981.1, -26.0, 2.0)) - 95.0).abs() < 0.1);
        assert!((dba(&sine(1000.0, -80.0, 2.0)) - 40.0).abs() < 0.2);
    }

    #[test]
    fn the_level_is_of_the_mean_energy() {
        // After the settling: half a second at 94 dB, half a second at 84: 10·log10((1 + 0.1) / 2) = −2.6 dB.
        let samples = [sine(1000.0, -26.0, 1.0), sine(1000.0, -36.0, 0.5)].concat();
        assert!((dba(&samples) - 91.4).abs() < 0.05, "{}", dba(&samples));
    }

    #[test]
    fn silence_and_clipping_are_told() {
        assert_eq!(level(&vec![0; 48_000]), Some(Heard::Nothing));
        assert_eq!(level(&sine(1000.0, -26.0, 0.4)), None, "it still settles");
        assert!(matches!(level(&sine(1000.0, 0.0, 1.0)), Some(Heard::Level { is_clipped: true, .. })));
        assert!(matches!(level(&sine(1000.0, -1.0, 1.0)), Some(Heard::Level { is_clipped: false, .. })));
    }

    fn sensor(command: &str) -> (SoundSettings, Arc<Desk>) {
        let text = format!(
            "rank = 1\nretry_s = 60\nkind = \"sound\"\ncommand = '''{command}'''\nrate_hz = {RATE}\ninterval_s = 1\n\
             full_scale_dba = 120.0\nsilent_s = 3"
        );
        let settings: SensorSettings = toml::from_str(&text).expect("settings");
        let desk = Desk::new("mic", &settings, &Arc::new(tokio::sync::watch::Sender::new(None)));
        let Driver::Sound(sound) = settings.driver else { panic!("sound") };
        (sound, Arc::new(desk))
    }

    #[tokio::test]
    async fn a_recording_is_heard_from_its_program() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("tone.wav");
        wav(&file, &sine(1000.0, -46.0, 2.6));
        let (settings, desk) =
            sensor(&format!("sh -c 'tail -c +45 {}; sleep 1.2; tail -c +45 {}'", file.display(), file.display()));
        let ended = tokio::time::timeout(Duration::from_secs(30), session(&settings, &desk)).await.expect("it ends");
        assert_eq!(ended, "sh ended (exit code 0)");
        let taken = desk.take();
        assert!(
            taken.values.iter().any(|(of, dba, _)| *of == Variable::Sound && (dba - 74.0).abs() < 0.1),
            "{taken:?}"
        );
    }

    #[tokio::test]
    async fn what_is_muted_mute_flooding_or_gone_is_said_in_words() {
        for (command, words) in [
            ("sh -c 'head -c 192000 /dev/zero; sleep 1.2; head -c 9600 /dev/zero; sleep 5'", "every sample is zero"),
            ("sleep 30", "sleep wrote no sample for 3 s"),
            ("yes", "yes floods: more than 1.5 times 48000 samples a second"),
            ("sh -c 'echo no such card >&2; exit 1'", "sh ended (exit code 1): no such card"),
            ("/nowhere/arecord", "/nowhere/arecord can't be started"),
        ] {
            let (settings, desk) = sensor(command);
            let ended = tokio::time::timeout(Duration::from_secs(30), session(&settings, &desk)).await;
            let ended = ended.unwrap_or_else(|_| panic!("{command} goes on"));
            assert!(ended.starts_with(words), "{command}: {ended}");
        }
    }
}
