//! Which revision of a run an answer is of, so that nothing is asked for twice and nothing old is taken for new.

use std::cell::RefCell;

use crate::settings::EnvironmentName;

/// What is known of one thing at a time, named by an environment and a number.
#[derive(Debug, Default)]
pub struct Fresh {
    held: Option<(Key, u64)>,
    /// The oldest revision that was asked for since the last answer: an answer is at least as new.
    asked: RefCell<Option<(Key, u64)>>,
}

type Key = (EnvironmentName, u64);

impl Fresh {
    /// Whether `of` is to be asked for at `revision`; remembers that it was.
    pub fn is_wanted(&self, of: (&EnvironmentName, u64), revision: u64) -> bool {
        let is_it = |(known, _): &(Key, u64)| (&known.0, known.1) == of;
        if self.held.as_ref().is_some_and(|held| is_it(held) && held.1 == revision) {
            return false;
        }
        let mut asked = self.asked.borrow_mut();
        if !asked.as_ref().is_some_and(&is_it) {
            *asked = Some(((of.0.clone(), of.1), revision));
        }
        true
    }

    /// Takes an answer to `of`; `false` where something else was asked for meanwhile.
    pub fn received(&mut self, of: (&EnvironmentName, u64)) -> bool {
        let asked = self.asked.get_mut();
        if asked.as_ref().is_none_or(|(known, _)| (&known.0, known.1) != of) {
            return false;
        }
        self.held = asked.take();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_only_as_new_as_what_was_asked_for() {
        let (demo, mut fresh) = (EnvironmentName::demo(), Fresh::default());
        assert!(fresh.is_wanted((&demo, 7), 1));
        assert!(fresh.is_wanted((&demo, 7), 2), "not answered yet");
        assert!(fresh.received((&demo, 7)));
        assert!(fresh.is_wanted((&demo, 7), 2), "the answer may be of the first");
        assert!(fresh.received((&demo, 7)));
        assert!(!fresh.is_wanted((&demo, 7), 2));
        assert!(fresh.is_wanted((&demo, 8), 2));
        assert!(!fresh.received((&demo, 7)), "something else is asked for");
    }
}
