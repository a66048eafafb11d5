//! What is asked before anything is done: what it does, what it can duplicate, what it costs. A refresh takes a prefix and
//! a time.

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::console::Action;
use crate::console::screens::Context;
use crate::console::widgets::dialog;
use crate::console::widgets::table::Selection;
use crate::console::widgets::value::{count, fit_end};
use crate::owner::{Pipe, Request, WarehouseAsk};
use crate::station::text::printable;

/// Characters that a line takes at most: a path in a stage.
const LONGEST: usize = 1024;
/// A refresh looks so far back at most.
const REACH: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A question that is open.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// Queue files again.
    Refresh(Box<Refresh>),
    /// Pause, or resume.
    Pause {
        /// The pipe.
        pipe: String,
        /// Which of the two.
        pause: bool,
    },
    /// Resume a stale pipe.
    ForceResume {
        /// The pipe.
        pipe: String,
    },
    /// Read a file as its pipe does.
    Validate {
        /// The file.
        file: String,
    },
    /// Read the failing line.
    Line {
        /// The file.
        file: String,
        /// The line.
        line: u64,
    },
    /// Ask for files and rows now.
    Look,
}

/// A refresh that is typed.
#[derive(Debug, Clone, PartialEq)]
pub struct Refresh {
    pipe: String,
    watched: bool,
    /// When it was made anew, and how many files it would load again.
    remade: Option<(Timestamp, u64)>,
    prefix: String,
    since: String,
    is_since: bool,
    refused: Option<&'static str>,
}

/// What came of an action.
pub enum Verdict {
    /// It stays open.
    Stay,
    /// No.
    No,
    /// Yes: this is to be asked.
    Yes(Request),
}

impl Question {
    /// Whether to refresh `pipe`.
    pub fn refresh(pipe: &Pipe) -> Self {
        let watch = pipe.watch.as_deref();
        Self::Refresh(Box::new(Refresh {
            pipe: pipe.name.clone(),
            watched: watch.is_some(),
            remade: watch.and_then(|watch| Some((watch.remade_at?, watch.repeats))).filter(|(_, repeats)| *repeats > 0),
            prefix: String::new(),
            since: String::new(),
            is_since: false,
            refused: None,
        }))
    }

    /// Whether something is typed.
    pub const fn takes_text(&self) -> bool {
        matches!(self, Self::Refresh(_))
    }

    /// Takes an action, as of `now` in the pipeline's time.
    pub fn update(&mut self, action: Action, now: Timestamp) -> Verdict {
        match (action, self) {
            (Action::Back, _) => Verdict::No,
            (action, Self::Refresh(refresh)) => refresh.update(action, now),
            (Action::Open, question) => Verdict::Yes(question.request()),
            _ => Verdict::Stay,
        }
    }

    fn request(&self) -> Request {
        match self.clone() {
            Self::Refresh(refresh) => Request::RefreshPipe { pipe: refresh.pipe },
            Self::Pause { pipe, pause } => Request::PausePipe { pipe, paused: pause },
            Self::ForceResume { pipe } => Request::Warehouse(WarehouseAsk::ForceResume { pipe }),
            Self::Validate { file } => Request::Warehouse(WarehouseAsk::Validate { file }),
            Self::Line { file, line } => Request::FileLine { file, line },
            Self::Look => Request::Warehouse(WarehouseAsk::LookNow),
        }
    }

    /// Draws it.
    pub fn render(&self, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        if let Self::Refresh(refresh) = self {
            return refresh.render(buf, area, ctx);
        }
        let (title, mut paragraphs) = self.words(ctx);
        paragraphs.push("enter: yes · q: no".to_owned());
        dialog::question(buf, area, title, &paragraphs, ctx.theme);
    }

    fn words(&self, ctx: &Context<'_>) -> (&'static str, Vec<String>) {
        let text = str::to_owned;
        match self {
            Self::Refresh(_) => ("", Vec::new()),
            Self::ForceResume { pipe } => (
                "Resume the stale pipe",
                vec![
                    format!("Resume {} by force?", printable(pipe)),
                    text(
                        "It was paused for over 14 days: Snowflake has forgotten its notices. What waits in its queue is \
                         loaded; refresh it afterwards for the files of the last 7 days, and load older ones with COPY INTO.",
                    ),
                ],
            ),
            Self::Pause { pipe, pause: true } => (
                "Pause the pipe",
                vec![
                    format!("Pause {}?", printable(pipe)),
                    text(
                        "Files go on arriving and wait in its queue; nothing is lost. Their rows come when it is resumed.",
                    ),
                ],
            ),
            Self::Pause { pipe, pause: false } => (
                "Resume the pipe",
                vec![
                    format!("Resume {}?", printable(pipe)),
                    text("The files that wait in its queue are loaded now, the oldest first."),
                ],
            ),
            Self::Validate { file } => (
                "Validate the file",
                [format!("Read {} as its pipe does, and count its lines?", printable(file))]
                    .into_iter()
                    .chain([text(
                        "Nothing is loaded, and the file isn't loaded by it later either: that takes a new name.",
                    )])
                    .chain(cost(ctx))
                    .collect(),
            ),
            Self::Line { file, line } => (
                "Read the failing line",
                [format!("Read line {line} of {} in its stage?", printable(file))]
                    .into_iter()
                    .chain(cost(ctx))
                    .collect(),
            ),
            Self::Look => (
                "Ask for files and rows",
                [text("Ask for the files and rows of every pipe as they are now?")]
                    .into_iter()
                    .chain(cost(ctx))
                    .collect(),
            ),
        }
    }
}

/// What waking a watched warehouse costs; nothing where the warehouse is the environment's own.
fn cost(ctx: &Context<'_>) -> Option<String> {
    let warehouse = ctx.snapshot.warehouse.as_ref()?;
    let known = |credits: Option<f64>| credits.map_or_else(|| "an unknown number of".to_owned(), |c| format!("{c:.3}"));
    Some(format!(
        "It wakes the warehouse: {} credits at least, unless it is awake. Today {} of {} are spent, in {} of {} wakes.",
        known(warehouse.credits_per_wake),
        known(warehouse.credits_today),
        warehouse.credits_per_day,
        warehouse.wakes_today,
        warehouse.wakes_per_day
    ))
}

impl Refresh {
    fn update(&mut self, action: Action, now: Timestamp) -> Verdict {
        let line = if self.is_since { &mut self.since } else { &mut self.prefix };
        match action {
            Action::Open => match since(&self.since, now) {
                Ok(since) => return Verdict::Yes(self.request(since)),
                Err(words) => (self.is_since, self.refused) = (true, Some(words)),
            },
            Action::FocusNext | Action::FocusPrevious | Action::Up | Action::Down => self.is_since = !self.is_since,
            Action::Type(c) if line.chars().count() < LONGEST => {
                line.push(c);
                self.refused = None;
            }
            Action::Erase => drop(line.pop()),
            Action::EraseLine => line.clear(),
            _ => {}
        }
        Verdict::Stay
    }

    fn request(&self, since: Option<Timestamp>) -> Request {
        let (pipe, prefix) = (self.pipe.clone(), (!self.prefix.is_empty()).then(|| self.prefix.clone()));
        if prefix.is_none() && since.is_none() {
            return Request::RefreshPipe { pipe };
        }
        Request::Warehouse(WarehouseAsk::Refresh { pipe, prefix, since })
    }

    fn duplicates(&self) -> String {
        match (self.remade, self.watched) {
            (Some((at, repeats)), _) => format!(
                "What it can duplicate: {} files. The pipe was made anew at {}, and has forgotten what the one before loaded \
                 of the last 7 days.",
                count(repeats),
                at.strftime("%Y-%m-%d %H:%MZ")
            ),
            (None, true) => {
                "What it can duplicate: nothing, unless the pipe was made anew before skydeck watched it. A path is \
                             loaded once in 14 days."
                    .to_owned()
            }
            (None, false) => {
                "What it can duplicate: nothing. Files in the copy history are skipped, and a message that is in \
                              the table already is counted as a duplicate and not stored again."
                    .to_owned()
            }
        }
    }

    fn render(&self, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        let warned = if self.remade.is_some() { ctx.theme.warn } else { Style::new() };
        let body = [
            (format!("Queue again the files that {} hasn't seen?", printable(&self.pipe)), Style::new()),
            (String::new(), Style::new()),
            (self.duplicates(), warned),
            (String::new(), Style::new()),
            (
                "A file that failed is in the history too: to load it, put it back mended under a new name.".to_owned(),
                Style::new(),
            ),
        ];
        let room = usize::from(area.width.min(dialog::WIDEST)).saturating_sub(16);
        let input = |name: &str, text: &str, is_here: bool| {
            let (block, style) = if is_here { ("▏", ctx.theme.key) } else { ("", ctx.theme.dim) };
            (format!("{name:<8}> {}{block}", fit_end(&printable(text), room)), style)
        };
        let words = self.refused.unwrap_or("both may be empty; since: 6h, 3d or 2026-06-01T06:00:00Z, 7 days at most");
        let said = if self.refused.is_some() { ctx.theme.fail } else { ctx.theme.dim };
        let foot = [
            input("prefix", &self.prefix, !self.is_since),
            input("since", &self.since, self.is_since),
            (words.to_owned(), said),
            ("enter: yes · tab: the other line · esc: no".to_owned(), Style::new()),
        ];
        dialog::scrolled(buf, area, "Refresh the pipe", &body, &foot, Selection::default(), ctx.theme);
    }
}

/// The time that is typed: nothing, how long ago, or when.
fn since(text: &str, now: Timestamp) -> Result<Option<Timestamp>, &'static str> {
    const NO_TIME: &str = "that is no time: give 6h, 3d or 2026-06-01T06:00:00Z, or leave it empty";
    const TOO_OLD: &str = "a refresh looks at the last 7 days; load older files with COPY INTO";
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let ago = || {
        let span: Span = text.parse().ok()?;
        let ago = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?.abs();
        now.checked_sub(ago).ok()
    };
    let at = text.parse().ok().or_else(ago).ok_or(NO_TIME)?;
    if now.duration_since(at) > REACH { Err(TOO_OLD) } else { Ok(Some(at)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_typed_as_an_age_or_as_itself() {
        let now: Timestamp = "2026-06-08T12:00:00Z".parse().expect("a time");
        let read = |text: &str| since(text, now).map(|at| at.map(|at| at.to_string()));
        assert_eq!(read(" "), Ok(None));
        assert_eq!(read("6h"), Ok(Some("2026-06-08T06:00:00Z".to_owned())));
        assert_eq!(read("3d"), Ok(Some("2026-06-05T12:00:00Z".to_owned())));
        assert_eq!(read("2026-06-08T06:00:00Z"), Ok(Some("2026-06-08T06:00:00Z".to_owned())));
        assert!(read("8d").is_err_and(|words| words.contains("7 days")));
        assert!(read("yesterday").is_err_and(|words| words.contains("no time")));
    }
}
