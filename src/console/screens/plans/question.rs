//! A question before something is done. Where something is at stake, a word is typed; where it is to be told why, a
//! reason is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::console::Action;
use crate::console::theme::Theme;
use crate::console::widgets::dialog;
use crate::console::widgets::table::Selection;
use crate::console::widgets::value::fit_end;
use crate::owner::Request;

/// Characters a reason has at most.
const LONGEST_REASON: usize = 1000;

/// How much weight a paragraph has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// What is asked.
    Plain,
    /// What is lost.
    Loss,
    /// What is to be looked at.
    Warning,
    /// What stands beside it.
    Aside,
}

/// What becomes of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It stays open.
    Stay,
    /// Nothing is done.
    No,
    /// This is asked of the owner.
    Yes(Request),
}

/// What is typed into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Reason,
    Word,
}

/// A question.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    title: String,
    paragraphs: Vec<(Weight, String)>,
    request: Request,
    scroll: Selection,
    /// Words of which one has to be typed; none: a key is enough.
    accepted: Vec<String>,
    typed: String,
    /// Whether a reason must be told; absent where none is asked for.
    needs_reason: Option<bool>,
    reason: String,
    at: Line,
    refused: bool,
}

impl Question {
    /// A question that a key answers.
    pub fn new(title: &str, paragraphs: Vec<(Weight, String)>, request: Request) -> Self {
        Self {
            title: title.to_owned(),
            paragraphs,
            request,
            scroll: Selection::default(),
            accepted: Vec::new(),
            typed: String::new(),
            needs_reason: None,
            reason: String::new(),
            at: Line::Word,
            refused: false,
        }
    }

    /// One that a typed word answers.
    #[must_use]
    pub fn typed(mut self, accepted: Vec<String>) -> Self {
        self.accepted = accepted;
        self
    }

    /// One that asks why, too: the reason of an approval, which has to be there where `needed`.
    #[must_use]
    pub const fn with_reason(mut self, needed: bool) -> Self {
        self.needs_reason = Some(needed);
        self.at = Line::Reason;
        self
    }

    /// Whether something is typed.
    pub const fn takes_text(&self) -> bool {
        !self.accepted.is_empty() || self.needs_reason.is_some()
    }

    fn line(&mut self) -> &mut String {
        match self.at {
            Line::Reason => &mut self.reason,
            Line::Word => &mut self.typed,
        }
    }

    fn lacks_reason(&self) -> bool {
        self.needs_reason == Some(true) && self.reason.trim().is_empty()
    }

    fn lacks_word(&self) -> bool {
        !self.accepted.is_empty() && !self.accepted.contains(&self.typed)
    }

    /// Enter: the next line, or yes.
    fn confirm(&mut self) -> Verdict {
        if self.lacks_reason() {
            (self.at, self.refused) = (Line::Reason, self.at == Line::Reason);
        } else if self.lacks_word() {
            // Enter behind the reason goes on to the word.
            (self.at, self.refused) = (Line::Word, self.at == Line::Word);
        } else {
            return Verdict::Yes(self.answered());
        }
        Verdict::Stay
    }

    /// The request, with the reason in it where it takes one.
    fn answered(&self) -> Request {
        let mut request = self.request.clone();
        if let Request::Approve { reason, .. } = &mut request {
            let told = self.reason.trim();
            *reason = (!told.is_empty()).then(|| told.to_owned());
        }
        request
    }

    /// Takes an action.
    pub fn update(&mut self, action: Action) -> Verdict {
        match action {
            Action::Open => return self.confirm(),
            Action::Back | Action::InterruptRun => return Verdict::No,
            Action::Type(c) if self.takes_text() => {
                self.refused = false;
                if self.line().chars().count() < LONGEST_REASON {
                    self.line().push(c);
                }
            }
            Action::Erase => {
                self.refused = false;
                self.line().pop();
            }
            Action::EraseLine => self.line().clear(),
            Action::FocusNext | Action::FocusPrevious if self.needs_reason.is_some() && !self.accepted.is_empty() => {
                self.refused = false;
                self.at = if self.at == Line::Reason { Line::Word } else { Line::Reason };
            }
            moves => {
                self.scroll.update(moves, 1000, 8);
            }
        }
        Verdict::Stay
    }

    /// The line of what is typed, with a block for the cursor where it goes.
    fn input(&self, line: Line, text: &str, room: usize, theme: &Theme) -> (String, Style) {
        let is_here = self.at == line;
        let (mark, block) = (">", if is_here { "▏" } else { "" });
        let style = if is_here { theme.key } else { theme.dim };
        (format!("{mark} {}{block}", fit_end(text, room)), style)
    }

    /// Draws it.
    pub fn render(&self, buf: &mut Buffer, area: Rect, theme: &Theme) {
        let style = |weight: Weight| match weight {
            Weight::Plain => Style::new(),
            Weight::Loss => theme.fail,
            Weight::Warning => theme.warn,
            Weight::Aside => theme.dim,
        };
        let body: Vec<(String, Style)> = self.paragraphs.iter().map(|(w, text)| (text.clone(), style(*w))).collect();
        let room = usize::from(area.width.min(dialog::WIDEST)).saturating_sub(8);
        let said = |line: Line| if self.refused && self.at == line { theme.fail } else { Style::new() };
        let mut foot = Vec::new();
        if let Some(needed) = self.needs_reason {
            let words = match (needed, self.refused && self.at == Line::Reason) {
                (true, true) => "a reason must be there: why it is approved all the same",
                (true, false) => "why it is approved all the same (must be there)",
                (false, _) => "why (may be left empty)",
            };
            foot.push((words.to_owned(), said(Line::Reason)));
            foot.push(self.input(Line::Reason, &self.reason, room, theme));
        }
        if !self.accepted.is_empty() {
            let words: Vec<String> = self.accepted.iter().map(|word| format!("`{word}`")).collect();
            let first = if self.refused && self.at == Line::Word { "not the same: type" } else { "type" };
            let next = if self.needs_reason.is_some() { "; tab: the other line" } else { "" };
            let words = format!("{first} {}, then enter; esc: no{next}", words.join(" or "));
            foot.push((words, said(Line::Word)));
            foot.push(self.input(Line::Word, &self.typed, room, theme));
        } else if self.needs_reason.is_some() {
            foot.push(("enter: yes · esc: no".to_owned(), Style::new()));
        } else {
            foot.push(("enter: yes · q: no".to_owned(), Style::new()));
        }
        dialog::scrolled(buf, area, &self.title, &body, &foot, self.scroll, theme);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::EnvironmentName;

    fn approve() -> Request {
        Request::Approve { environment: EnvironmentName::demo(), number: 3, reason: None, override_denials: true }
    }

    fn types(question: &mut Question, text: &str) {
        text.chars().for_each(|c| drop(question.update(Action::Type(c))));
    }

    #[test]
    fn a_reason_that_must_be_there_and_a_word_are_both_asked_for() {
        let mut question = Question::new("Approve", Vec::new(), approve()).typed(vec!["prod".into()]).with_reason(true);
        types(&mut question, "  ");
        assert_eq!(question.update(Action::Open), Verdict::Stay);
        types(&mut question, "it is meant ");
        assert_eq!(question.update(Action::Open), Verdict::Stay, "goes on to the word");
        types(&mut question, "prod");
        question.update(Action::FocusNext);
        types(&mut question, "so");
        let Verdict::Yes(Request::Approve { reason, override_denials, .. }) = question.update(Action::Open) else {
            panic!("answered")
        };
        assert_eq!((reason.as_deref(), override_denials), (Some("it is meant so"), true));
    }

    #[test]
    fn a_reason_may_be_left_empty_where_nothing_is_overridden() {
        let mut question = Question::new("Approve", Vec::new(), approve()).with_reason(false);
        assert!(matches!(question.update(Action::Open), Verdict::Yes(Request::Approve { reason: None, .. })));
        let mut question = Question::new("Approve", Vec::new(), approve()).with_reason(false);
        types(&mut question, &"x".repeat(1200));
        assert_eq!(question.reason.len(), 1000);
        assert_eq!(question.update(Action::Back), Verdict::No);
    }
}
