//! A program that prints a line: run each interval, its last line is taken.

use std::time::Duration;

use super::board::Desk;
use super::intake::MAX_RATE;
use super::mapped::LineMap;
use super::{program, tend};
use crate::settings::sensors::model::CommandSettings;

/// Runs the program each interval until a run fails; answers why.
pub(super) async fn session(settings: &CommandSettings, desk: &Desk) -> String {
    let map = LineMap::new(settings.format, settings.rain_is, &settings.mapped);
    let mut interval = tend::every(settings.interval_s);
    loop {
        interval.tick().await;
        let limit = Duration::from_secs(u64::from(settings.timeout_s));
        let written = match program::output(&settings.command, limit, MAX_RATE).await {
            Ok(written) => written,
            Err(words) => return words,
        };
        // Programs print headings before what they have to say.
        let last = written.split(|byte| *byte == b'\n').rev().map(<[u8]>::trim_ascii).find(|line| !line.is_empty());
        match last {
            Some(line) => {
                map.take(line, desk);
            }
            None => return "the program printed nothing".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::settings::sensors::model::{Driver, SensorSettings};
    use crate::station::Variable;

    fn sensor(command: &str, timeout_s: u32) -> (CommandSettings, Arc<Desk>) {
        let text = format!(
            "rank = 1\nretry_s = 60\nkind = \"command\"\ncommand = '''{command}'''\ninterval_s = 3600\ntimeout_s = {timeout_s}\n\
             format = \"json\"\nrain_is = \"amount\"\ntemperature = \"t\""
        );
        let settings: SensorSettings = toml::from_str(&text).expect("settings");
        let desk = Desk::new("program", &settings, &Arc::new(tokio::sync::watch::Sender::new(None)));
        let Driver::Command(command) = settings.driver else { panic!("a command") };
        (command, Arc::new(desk))
    }

    async fn fails(command: &str, timeout_s: u32) -> String {
        let (settings, desk) = sensor(command, timeout_s);
        let failed = tokio::time::timeout(Duration::from_secs(30), session(&settings, &desk));
        failed.await.unwrap_or_else(|_| panic!("{command} goes on"))
    }

    #[tokio::test]
    async fn the_last_line_is_taken() {
        let (settings, desk) = sensor(r#"printf "a heading\n{\"t\":12.5}\n\n""#, 10);
        let running = tokio::spawn({
            let desk = Arc::clone(&desk);
            async move { session(&settings, &desk).await }
        });
        while desk.report().reads == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        running.abort();
        assert_eq!(desk.take().values, [(Variable::Temperature, 12.5, None)]);
    }

    #[tokio::test]
    async fn what_fails_hangs_floods_or_is_not_there_is_said_in_words() {
        assert_eq!(fails("sh -c 'echo no bus >&2; exit 3'", 10).await, "sh failed (exit code 3): no bus");
        assert_eq!(fails("sleep 60", 1).await, "sleep took longer than 1 s and was ended");
        assert_eq!(fails("yes", 10).await, "yes floods: it wrote more than 65536 bytes, and was ended");
        assert_eq!(fails("true", 10).await, "the program printed nothing");
        let missing = fails("/nowhere/sensor -v", 10).await;
        assert!(missing.starts_with("/nowhere/sensor can't be started: No such file"), "{missing}");
    }

    #[tokio::test]
    async fn what_it_started_is_ended_with_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let pid = folder.path().join("pid");
        let command = format!("sh -c 'sleep 300 & echo $! > {}; wait'", pid.display());
        assert!(fails(&command, 1).await.contains("took longer"));
        let id = std::fs::read_to_string(&pid).expect("written");
        let gone = async {
            while std::fs::read_to_string(format!("/proc/{}/stat", id.trim())).is_ok_and(|stat| !stat.contains(") Z "))
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone).await.expect("it is gone");
    }

    #[tokio::test]
    async fn garbage_is_kept_aside() {
        let (settings, desk) = sensor("echo }{", 10);
        let _ = tokio::time::timeout(Duration::from_secs(2), session(&settings, &desk)).await;
        let taken = desk.take();
        assert!(taken.values.is_empty());
        assert_eq!(taken.aside[0].raw, "}{");
        assert!(taken.aside[0].reason.starts_with("sensors.program: no JSON: "), "{}", taken.aside[0].reason);
    }
}
