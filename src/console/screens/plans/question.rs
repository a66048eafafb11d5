//! A question before something is done. Where something is at stake, a word is typed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::console::Action;
use crate::console::theme::Theme;
use crate::console::widgets::dialog;
use crate::console::widgets::table::Selection;
use crate::owner::Request;

/// How much weight a paragraph has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// What is asked.
    Plain,
    /// What is lost.
    Loss,
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
            refused: false,
        }
    }

    /// One that a typed word answers.
    #[must_use]
    pub fn typed(mut self, accepted: Vec<String>) -> Self {
        self.accepted = accepted;
        self
    }

    /// Whether a word is typed.
    pub const fn takes_text(&self) -> bool {
        !self.accepted.is_empty()
    }

    /// Takes an action.
    pub fn update(&mut self, action: Action) -> Verdict {
        match action {
            Action::Open if self.accepted.is_empty() || self.accepted.contains(&self.typed) => {
                return Verdict::Yes(self.request.clone());
            }
            Action::Open => self.refused = true,
            Action::Back | Action::InterruptRun => return Verdict::No,
            Action::Type(c) if self.takes_text() => {
                self.refused = false;
                self.typed.push(c);
            }
            Action::Erase => {
                self.refused = false;
                self.typed.pop();
            }
            Action::EraseLine => self.typed.clear(),
            moves => {
                self.scroll.update(moves, 1000, 8);
            }
        }
        Verdict::Stay
    }

    /// Draws it.
    pub fn render(&self, buf: &mut Buffer, area: Rect, theme: &Theme) {
        let style = |weight: Weight| match weight {
            Weight::Plain => Style::new(),
            Weight::Loss => theme.fail,
            Weight::Aside => theme.dim,
        };
        let body: Vec<(String, Style)> = self.paragraphs.iter().map(|(w, text)| (text.clone(), style(*w))).collect();
        let mut foot = Vec::new();
        if self.takes_text() {
            let words: Vec<String> = self.accepted.iter().map(|word| format!("`{word}`")).collect();
            let style = if self.refused { theme.fail } else { Style::new() };
            let first = if self.refused { "not the same: type" } else { "type" };
            foot.push((format!("{first} {}, then enter; esc: no", words.join(" or ")), style));
            foot.push((format!("> {}▏", self.typed), theme.key));
        } else {
            foot.push(("enter: yes · q: no".to_owned(), Style::new()));
        }
        dialog::scrolled(buf, area, &self.title, &body, &foot, self.scroll, theme);
    }
}
