//! A tipping-bucket gauge on a GPIO line.
//!
//! Its tips are counted for good, in a file of the agent's folder that is written at most once a second. A measurement
//! takes the tips since the last one whose position is stored; so a crash loses the tips of the last second and those
//! of the time in which nobody counted, nothing else.

use std::path::{Path, PathBuf};

use tokio::time::Instant;

use super::board::Desk;
use super::pulses::{Debounced, GpioLine, Pulses, SAVE_AFTER};
use crate::settings::sensors::model::RainSettings;

/// Counts tips until the line fails; answers why.
pub(super) async fn session(settings: &RainSettings, desk: &Desk, folder: &Path) -> String {
    match GpioLine::open(&settings.pulses) {
        Ok(line) => count(line, settings, desk, folder).await,
        Err(words) => words,
    }
}

async fn count(line: impl Pulses, settings: &RainSettings, desk: &Desk, folder: &Path) -> String {
    let file = folder.join(format!("{}.tips", desk.name));
    let mut tips = match begin(&file, desk) {
        Ok(tips) => tips,
        Err(error) => return format!("{}: {error}; check the agent's folder", file.display()),
    };
    let mut line = Debounced::new(line, settings.pulses.debounce_ms);
    let mut saved = (Instant::now(), tips);
    #[expect(clippy::cast_precision_loss, reason = "tips of a life are far below 2^53")]
    let tell = |tips: u64| desk.put_total(tips as f64, settings.mm_per_tip);
    // A gauge that is there says that nothing fell, until something does.
    desk.let_total_stand();
    tell(tips);
    loop {
        let due = saved.0 + SAVE_AFTER;
        tokio::select! {
            tipped = line.next() => match tipped {
                Ok(()) => {
                    tips += 1;
                    tell(tips);
                }
                Err(words) => {
                    // What was counted is kept, whatever became of the line.
                    let kept = save(&file, tips).await.err().map(|error| format!("; {}: {error}", file.display()));
                    return words + &kept.unwrap_or_default();
                }
            },
            () = tokio::time::sleep_until(due), if tips != saved.1 => {
                match save(&file, tips).await {
                    Ok(()) => saved = (Instant::now(), tips),
                    Err(error) => {
                        desk.note(&format!("{}: {error}; its tips hold until the agent ends", file.display()));
                        saved.0 = Instant::now();
                    }
                }
            }
        }
    }
}

/// The tips counted so far. Where no position is stored yet, those of before are no news.
fn begin(file: &Path, desk: &Desk) -> std::io::Result<u64> {
    let stored = match std::fs::read_to_string(file) {
        Ok(text) => text.trim().parse::<u64>().ok(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of tips")]
    let marked = desk.mark().map(|mark| mark.max(0.0) as u64);
    // A file that is gone or damaged counted no more than what is in measurements, as far as anybody knows.
    let tips = stored.unwrap_or(0).max(marked.unwrap_or(0));
    if marked.is_none() {
        #[expect(clippy::cast_precision_loss, reason = "tips of a life are far below 2^53")]
        desk.set_mark(tips as f64);
    }
    Ok(tips)
}

/// Writes the count whole: beside it, to the disk, then in its place.
async fn save(file: &Path, tips: u64) -> std::io::Result<()> {
    let file: PathBuf = file.to_owned();
    let saving = tokio::task::spawn_blocking(move || {
        use std::io::Write as _;
        let folder = file.parent().unwrap_or_else(|| Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut draft = tempfile::NamedTempFile::new_in(folder)?;
        writeln!(draft, "{tips}")?;
        draft.as_file().sync_all()?;
        draft.persist(&file)?;
        Ok(())
    });
    saving.await.map_err(std::io::Error::other)?
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::sync::mpsc;
    use tokio::task::JoinHandle;

    use super::super::pulses::tests::Given;
    use super::*;
    use crate::settings::sensors::model::{Driver, SensorSettings};
    use crate::station::Variable;

    struct Gauge {
        desk: Arc<Desk>,
        tip: mpsc::UnboundedSender<u64>,
        at_ns: u64,
        running: JoinHandle<String>,
        folder: PathBuf,
    }

    impl Gauge {
        fn start(folder: &Path, mark: Option<f64>) -> Self {
            let text = "rank = 1\nretry_s = 1\nkind = \"rain\"\nchip = \"x\"\nline = 1\nedge = \"falling\"\nbias = \"pull-up\"\n\
                        debounce_ms = 100\nmm_per_tip = 0.25";
            let settings: SensorSettings = toml::from_str(text).expect("settings");
            let desk = Arc::new(Desk::new("gauge", &settings, &Arc::new(tokio::sync::watch::Sender::new(None))));
            if let Some(mark) = mark {
                desk.set_mark(mark);
            }
            let (tip, line) = mpsc::unbounded_channel();
            let Driver::Rain(rain) = settings.driver else { panic!("rain") };
            let running = tokio::spawn({
                let (desk, folder) = (Arc::clone(&desk), folder.to_owned());
                async move { count(Given(line), &rain, &desk, &folder).await }
            });
            Self { desk, tip, at_ns: 0, running, folder: folder.to_owned() }
        }

        async fn begun(&self) {
            let begun = async {
                while self.desk.report().reads == 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), begun).await.expect("begun");
        }

        fn tips(&mut self, count: u64) {
            for _ in 0..count {
                self.at_ns += 1_000_000_000;
                self.tip.send(self.at_ns).expect("taken");
                self.tip.send(self.at_ns + 20_000_000).expect("taken");
            }
        }

        async fn saved(&self, tips: &str) {
            let file = self.folder.join("gauge.tips");
            let saving = async {
                while std::fs::read_to_string(&file).map_or(true, |text| text.trim() != tips) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), saving).await.expect("saved");
        }

        fn rain(&self) -> Option<f64> {
            self.desk.take().values.first().map(|(variable, mm, _)| {
                assert_eq!(*variable, Variable::Rain);
                *mm
            })
        }
    }

    #[tokio::test]
    async fn tips_are_rain_since_the_last_measurement_and_survive_a_crash() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut gauge = Gauge::start(folder.path(), None);
        gauge.tips(4);
        gauge.saved("4").await;
        assert_eq!(gauge.rain(), Some(1.0));
        assert_eq!(gauge.rain(), Some(0.0), "it is there, and nothing fell");
        gauge.tips(3);
        gauge.saved("7").await;
        // It crashes before a measurement took the three.
        gauge.running.abort();
        let gauge = Gauge::start(folder.path(), Some(4.0));
        gauge.begun().await;
        assert_eq!(gauge.rain(), Some(0.75));
        assert_eq!(gauge.desk.mark(), Some(7.0));
        gauge.running.abort();
        // Without a stored position what was counted before is no news; a damaged file takes nothing away.
        let gauge = Gauge::start(folder.path(), None);
        gauge.begun().await;
        assert_eq!(gauge.rain(), Some(0.0));
        gauge.running.abort();
        std::fs::write(folder.path().join("gauge.tips"), "\u{0}\u{0}").expect("damaged");
        let mut gauge = Gauge::start(folder.path(), Some(7.0));
        gauge.tips(1);
        gauge.saved("8").await;
        assert_eq!(gauge.rain(), Some(0.25));
    }

    #[tokio::test]
    async fn a_line_that_fails_keeps_what_was_counted() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut gauge = Gauge::start(folder.path(), None);
        gauge.tips(2);
        drop(gauge.tip);
        assert_eq!(gauge.running.await.expect("ends"), "the line is gone");
        assert_eq!(std::fs::read_to_string(folder.path().join("gauge.tips")).expect("saved").trim(), "2");
    }
}
