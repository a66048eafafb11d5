//! The filter line: what is typed filters at once; a fault is said and filters nothing new.

use super::Verdict;
use crate::console::Action;
use crate::console::app::App;
use crate::console::filter::Filter;

/// The filter line while it is edited.
#[derive(Debug)]
pub struct FilterLine {
    text: String,
    before: String,
    fault: Option<String>,
}

impl FilterLine {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), before: text.to_owned(), fault: None }
    }

    /// What is typed so far.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong with it.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    pub(super) fn update(&mut self, action: Action, app: &mut App) -> Verdict {
        match action {
            Action::Type(c) => self.text.push(c),
            Action::Erase if self.text.is_empty() => return Verdict::Close(Vec::new()),
            Action::Erase => drop(self.text.pop()),
            Action::EraseLine => self.text.clear(),
            Action::Open if self.fault.is_none() => return Verdict::Close(Vec::new()),
            Action::Back => {
                // What was there before could be read then.
                app.view.set_filter(app.up(), Filter::parse(&self.before).unwrap_or_default());
                return Verdict::Close(Vec::new());
            }
            _ => return Verdict::Stay(Vec::new()),
        }
        match Filter::parse(&self.text) {
            Ok(filter) => {
                self.fault = None;
                app.view.set_filter(app.up(), filter);
            }
            Err(error) => self.fault = Some(error.to_string()),
        }
        Verdict::Stay(Vec::new())
    }
}
