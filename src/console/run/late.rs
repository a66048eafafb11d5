//! What a terminal says after nobody waits for its answer any more, and asking the one around tmux again.
//!
//! A late answer comes among the keys, and kitty's would be taken for some, from `Alt-_` and `G` to `Alt-\`: it is heard
//! instead. tmux passes nothing through before a terminal is attached to it, and drops without a word what it was asked to:
//! so the terminal around it is asked again.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use tokio::time::Instant;

use crate::console::pictures::Abilities;

/// Keys that a late answer is taken for at most.
const MOST_KEYS: usize = 128;
/// How long after one question the next is put: tmux and its terminal find each other within seconds.
const AGAIN: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
];
/// How long after a question a key, or another size, brings another: it says that somebody is attached.
const APART: Duration = Duration::from_secs(5);
/// Questions at most: one that doesn't answer to so many never will.
const MOST_QUESTIONS: usize = 32;

/// Hears late answers.
#[derive(Debug, Default)]
pub(super) struct Late {
    expected: bool,
    tmux: bool,
    told: Abilities,
    has_news: bool,
    /// The keys of an answer that has begun.
    open: Option<String>,
    asked: usize,
    asked_at: Option<Instant>,
}

impl Late {
    /// What has been told so far, and whether everybody has answered; `tmux` where there is another terminal around.
    pub fn new(told: Abilities, complete: bool, tmux: bool, now: Instant) -> Self {
        Self { expected: !complete, tmux, told, asked_at: Some(now), ..Self::default() }
    }

    /// Whether the event is a part of an answer.
    pub fn is_answer(&mut self, event: &Event) -> bool {
        let Event::Key(KeyEvent { code: KeyCode::Char(key), modifiers, .. }) = event else { return false };
        let alt = modifiers.contains(KeyModifiers::ALT);
        match (self.open.take(), key) {
            _ if !self.expected => false,
            (None, '_') if alt => {
                self.open = Some(String::new());
                true
            }
            (None, _) => false,
            // Somebody has pressed Alt-_, which is no key of ours.
            (Some(said), other) if said.is_empty() && *other != 'G' => false,
            (Some(said), '\\') if alt => {
                let before = self.told;
                self.told.hear_kitty(&said[1..]);
                self.has_news |= self.told != before;
                true
            }
            (Some(mut said), key) => {
                said.push(*key);
                self.open = (said.len() < MOST_KEYS).then_some(said);
                true
            }
        }
    }

    /// All that was told, once there is news.
    pub fn news(&mut self) -> Option<Abilities> {
        std::mem::take(&mut self.has_news).then_some(self.told)
    }

    fn is_to_be_asked(&self) -> bool {
        self.expected && self.tmux && !self.told.kitty && self.asked < MOST_QUESTIONS
    }

    /// When the terminal around tmux is to be asked next, whatever happens.
    pub fn due(&self) -> Option<Instant> {
        let after = AGAIN.get(self.asked).filter(|_| self.is_to_be_asked())?;
        Some(self.asked_at? + *after)
    }

    /// Whether it is to be asked now that there is a sign of somebody.
    pub fn is_due_by_sign(&self, now: Instant) -> bool {
        self.is_to_be_asked() && self.asked_at.is_some_and(|at| now.duration_since(at) >= APART)
    }

    /// It is asked.
    pub fn ask(&mut self, now: Instant) {
        self.asked += 1;
        self.asked_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(late: &mut Late, c: char, modifiers: KeyModifiers) -> bool {
        late.is_answer(&Event::Key(KeyEvent::new(KeyCode::Char(c), modifiers)))
    }

    /// Types an answer of kitty's; all of it is one.
    fn answer(late: &mut Late, words: &str) {
        assert!(key(late, '_', KeyModifiers::ALT));
        for c in words.chars() {
            assert!(key(late, c, KeyModifiers::NONE), "{c}");
        }
        assert!(key(late, '\\', KeyModifiers::ALT));
    }

    #[test]
    fn a_late_answer_is_no_key_and_is_heard() {
        let told = Abilities { sixel: true, ..Abilities::default() };
        let mut late = Late::new(told, false, false, Instant::now());
        assert!(!key(&mut late, 'q', KeyModifiers::NONE));
        answer(&mut late, "Gi=31;ENOTSUPPORTED:no");
        assert_eq!(late.news(), None);
        answer(&mut late, "Gi=31;OK");
        answer(&mut late, "Gi=32;OK");
        assert!(!key(&mut late, 'G', KeyModifiers::NONE));
        assert_eq!(late.news(), Some(Abilities { kitty: true, deflate: true, ..told }));
        assert_eq!(late.news(), None, "once");
        assert!(key(&mut late, '_', KeyModifiers::ALT) && !key(&mut late, 'q', KeyModifiers::NONE));
        assert!(!key(&mut late, 'G', KeyModifiers::NONE), "one key is swallowed at most");
        let mut complete = Late::new(told, true, false, Instant::now());
        assert!(!key(&mut complete, '_', KeyModifiers::ALT), "nothing comes late");
    }

    #[test]
    fn an_answer_without_an_end_takes_no_more_keys_than_one_has() {
        let mut late = Late::new(Abilities::default(), false, false, Instant::now());
        key(&mut late, '_', KeyModifiers::ALT);
        let swallowed = (0..1000).take_while(|_| key(&mut late, 'G', KeyModifiers::NONE)).count();
        assert_eq!(swallowed, MOST_KEYS);
    }

    #[test]
    fn the_terminal_around_tmux_is_asked_until_it_answers() {
        let start = Instant::now();
        let mut late = Late::new(Abilities::default(), false, true, start);
        let mut now = start;
        for after in AGAIN {
            assert_eq!(late.due(), Some(now + after));
            now += after;
            late.ask(now);
        }
        assert_eq!(late.due(), None, "from now on it needs a sign of somebody");
        assert!(!late.is_due_by_sign(now + APART / 2) && late.is_due_by_sign(now + APART));
        answer(&mut late, "Gi=31;OK");
        assert!(!late.is_due_by_sign(now + APART));
        let mut mute = Late::new(Abilities::default(), false, true, start);
        (0..MOST_QUESTIONS).for_each(|_| mute.ask(start));
        assert!(mute.due().is_none() && !mute.is_due_by_sign(start + APART));
        for late in
            [Late::new(Abilities::default(), true, true, start), Late::new(Abilities::default(), false, false, start)]
        {
            assert!(late.due().is_none() && !late.is_due_by_sign(start + APART), "{late:?}");
        }
    }
}
