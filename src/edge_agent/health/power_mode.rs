//! The power mode: what `nvpmodel` keeps in its files, or else what it answers when it is asked.

use std::path::Path;
use std::time::Duration;

use super::tree::Tree;
use crate::edge_agent::sensors::program::output;

/// Where it keeps the mode that was last chosen: `pmode:0002 fmode:quiet`.
const STATUS: &str = "/var/lib/nvpmodel/status";
/// The board's modes: `< POWER_MODEL ID=2 NAME=MAXN_SUPER >`; `< PM_CONFIG DEFAULT=1 >` holds before one is chosen.
const CONFIG: &str = "/etc/nvpmodel.conf";
const PROGRAM: &str = "/usr/sbin/nvpmodel";
/// How long it may take to answer.
const LIMIT: Duration = Duration::from_secs(4);
/// Bytes that it may answer.
const MAX_ANSWER: usize = 16 * 1024;

/// The mode's name, or its number where the board's file doesn't name it.
pub(super) fn read(tree: &Tree<'_>) -> Option<String> {
    let config = tree.text(CONFIG);
    let number = match tree.read(STATUS) {
        Ok(Some(status)) => chosen(&status)?,
        Ok(None) => default(config.as_deref()?)?,
        Err(error) => {
            tree.note(STATUS, &error);
            return None;
        }
    };
    Some(config.as_deref().and_then(|config| name(config, number)).unwrap_or_else(|| number.to_string()))
}

/// Whether there is a program that may be asked.
pub(super) fn can_ask(tree: &Tree<'_>) -> bool {
    tree.has(PROGRAM)
}

/// What the program answers. Without root it does on most boards.
pub(super) async fn ask(root: &Path) -> Option<String> {
    let program = root.join(PROGRAM.trim_start_matches('/'));
    let answer = output(&format!("{} -q", program.display()), LIMIT, MAX_ANSWER).await.ok()?;
    answered(&String::from_utf8_lossy(&answer))
}

fn chosen(status: &str) -> Option<u32> {
    let word = status.split_whitespace().find_map(|word| word.strip_prefix("pmode:"))?;
    word.parse().ok()
}

/// The value behind `key` in the line that holds `< KIND`.
fn values<'a>(config: &'a str, kind: &'a str, key: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let lines = config.lines().filter(move |line| {
        let mut words = line.split_whitespace();
        words.next() == Some("<") && words.next() == Some(kind)
    });
    lines.filter_map(move |line| {
        let value = line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))?;
        Some((line, value))
    })
}

fn default(config: &str) -> Option<u32> {
    values(config, "PM_CONFIG", "DEFAULT").find_map(|(_, value)| value.parse().ok())
}

fn name(config: &str, number: u32) -> Option<String> {
    let mut models = values(config, "POWER_MODEL", "ID");
    let (line, _) = models.find(|(_, id)| id.parse() == Ok(number))?;
    let name = line.split_whitespace().find_map(|word| word.strip_prefix("NAME="))?;
    Some(name.to_owned())
}

fn answered(answer: &str) -> Option<String> {
    let name = answer.lines().find_map(|line| line.trim().strip_prefix("NV Power Mode:"))?.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIN: &str = "< PARAM TYPE=FILE NAME=CPU_ONLINE >\nCORE_0 /sys/devices/system/cpu/cpu0/online\n\n\
                        < POWER_MODEL ID=0 NAME=15W >\nCPU_ONLINE CORE_0 1\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n\
                        # < POWER_MODEL ID=9 NAME=NONE >\n< PM_CONFIG DEFAULT=0 >\n";

    #[test]
    fn the_mode_is_the_chosen_one_by_its_name() {
        assert_eq!(
            (chosen("pmode:0002"), chosen("pmode:0008 fmode:quiet"), chosen("fmode:x")),
            (Some(2), Some(8), None)
        );
        assert_eq!((name(ORIN, 2).as_deref(), name(ORIN, 0).as_deref()), (Some("MAXN_SUPER"), Some("15W")));
        assert_eq!((name(ORIN, 9), name("", 0), default(ORIN), default("")), (None, None, Some(0), None));
    }

    #[test]
    fn the_program_answers_with_a_name_and_a_number() {
        assert_eq!(answered("NV Power Mode: MAXN\n0\n").as_deref(), Some("MAXN"));
        assert_eq!(
            answered("NV Fan Mode:quiet\nNV Power Mode: MODE_15W_6CORE\n2\n").as_deref(),
            Some("MODE_15W_6CORE")
        );
        assert_eq!((answered("NVPM ERROR: optMask is 1"), answered("NV Power Mode:")), (None, None));
    }
}
