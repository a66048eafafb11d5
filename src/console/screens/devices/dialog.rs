//! What is asked before a method is called, and what the device answered.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use serde_json::{Value, json};

use crate::console::Action;
use crate::console::screens::{Context, Effect, Outcome};
use crate::console::widgets::dialog;
use crate::console::widgets::table::Selection;
use crate::console::widgets::value::fit_end;
use crate::owner::{HubAsk, Request};
use crate::station::text::printable;

/// Bounds of an interval, seconds: those of agent.measure_every_s.
const INTERVAL_S: std::ops::RangeInclusive<u32> = 1..=3600;
/// Lines of a device's log that are asked for.
const LINES: u32 = 200;
/// Lines of an answer that are kept.
const MOST_LINES: usize = 2000;
/// Seconds that a device has to answer.
const TIMEOUT_S: u32 = 30;

/// A dialog that is open.
#[derive(Debug, Clone, PartialEq)]
pub enum Open {
    /// Whether the agent shall start anew.
    Restart {
        /// Whose.
        device: String,
    },
    /// How often it shall measure.
    Interval {
        /// Whose.
        device: String,
        /// What is typed.
        typed: String,
        /// What was typed can't be an interval.
        refused: bool,
    },
    /// A device is asked.
    Waiting {
        /// Which.
        device: String,
        /// The method.
        method: &'static str,
    },
    /// It has answered.
    Answered {
        /// What stands above it.
        title: String,
        /// The answer, to be copied.
        text: String,
        /// As it is shown, no line longer than the dialog is wide.
        lines: Vec<String>,
        /// Whether it is a failure.
        failed: bool,
        /// How far it is scrolled.
        scroll: Selection,
    },
}

/// The call of `method` on `device`.
pub fn call(device: &str, method: &str, payload: Value) -> Request {
    Request::Hub(HubAsk::Method { id: device.to_owned(), name: method.to_owned(), payload, timeout_s: TIMEOUT_S })
}

impl Open {
    /// What the action opens for `device`, and what is asked at once.
    pub fn by(action: Action, device: &str) -> Option<(Self, Option<Request>)> {
        let waits = |method: &'static str, payload: Value| {
            (Self::Waiting { device: device.to_owned(), method }, Some(call(device, method, payload)))
        };
        Some(match action {
            Action::CapturePicture => waits("capture", Value::Null),
            Action::Diagnose => waits("diagnose", Value::Null),
            Action::TailLog => waits("tail_log", json!({ "lines": LINES })),
            Action::SetInterval => {
                (Self::Interval { device: device.to_owned(), typed: String::new(), refused: false }, None)
            }
            Action::RestartAgent => (Self::Restart { device: device.to_owned() }, None),
            _ => return None,
        })
    }

    /// The answer of `device`, as it is shown.
    pub fn answered(device: &str, method: &str, status: u16, payload: &Value) -> Self {
        let title = format!("{method} of {}: status {status}", printable(device));
        let mut open = Self::shown(title, &lines(payload), status >= 300);
        // Of a log the end is what is asked for.
        if let (Self::Answered { lines, scroll, .. }, true) = (&mut open, payload["lines"].is_array()) {
            scroll.row = lines.len().saturating_sub(1);
        }
        open
    }

    /// Why there is no answer.
    pub fn failed(device: &str, method: &str, error: &str) -> Self {
        let title = format!("{method} of {}", printable(device));
        Self::shown(title, &[printable(error)], true)
    }

    fn shown(title: String, answer: &[String], failed: bool) -> Self {
        let mut lines: Vec<String> = answer.iter().flat_map(|line| dialog::lines_of(line)).collect();
        if lines.len() > MOST_LINES {
            lines.truncate(MOST_LINES);
            lines.push("… more isn't shown; y copies all of it".to_owned());
        }
        Self::Answered { title, text: answer.join("\n"), lines, failed, scroll: Selection::default() }
    }

    /// Whether something is typed.
    pub const fn takes_text(&self) -> bool {
        matches!(self, Self::Interval { .. })
    }

    /// The text that is shown, to be copied.
    pub fn copied(&self) -> Option<String> {
        match self {
            Self::Answered { text, .. } => Some(text.clone()),
            _ => None,
        }
    }

    /// Takes an action; answers with what stays open.
    pub fn update(mut self, action: Action) -> (Option<Self>, Outcome) {
        if action == Action::Back {
            return (None, Outcome::done());
        }
        match &mut self {
            Self::Restart { device } if action == Action::Open => {
                let request = call(device, "restart", Value::Null);
                let waiting = Self::Waiting { device: device.clone(), method: "restart" };
                return (Some(waiting), Outcome::effect(Effect::Ask(request)));
            }
            Self::Interval { device, typed, refused } => match action {
                Action::Open => match typed.parse::<u32>().ok().filter(|seconds| INTERVAL_S.contains(seconds)) {
                    Some(seconds) => {
                        let request = call(device, "set_interval", json!({ "seconds": seconds }));
                        let waiting = Self::Waiting { device: device.clone(), method: "set_interval" };
                        return (Some(waiting), Outcome::effect(Effect::Ask(request)));
                    }
                    None => *refused = true,
                },
                Action::Type(digit) if digit.is_ascii_digit() && typed.len() < 4 => {
                    *refused = false;
                    typed.push(digit);
                }
                Action::Erase => {
                    typed.pop();
                }
                Action::EraseLine => typed.clear(),
                _ => {}
            },
            Self::Answered { text, lines, scroll, .. } => {
                if action == Action::Open {
                    return (None, Outcome::done());
                }
                if action == Action::Copy {
                    let text = text.clone();
                    return (Some(self), Outcome::effect(Effect::Copy(text)));
                }
                scroll.update(action, lines.len(), 10);
            }
            Self::Restart { .. } | Self::Waiting { .. } => {}
        }
        (Some(self), Outcome::done())
    }

    /// Draws it.
    pub fn render(&self, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        let theme = ctx.theme;
        match self {
            Self::Restart { device } => dialog::question(
                buffer,
                area,
                "Restart the agent",
                &[
                    format!("Start the agent of {} anew?", printable(device)),
                    "It answers, ends in order and comes back within seconds; what isn't sent waits in its outbox."
                        .to_owned(),
                    "enter: yes · q: no".to_owned(),
                ],
                theme,
            ),
            Self::Interval { device, typed, refused } => {
                let body = [
                    (format!("How often shall {} measure?", printable(device)), Style::new()),
                    (
                        "It holds until the twin's measureEveryS says otherwise, over a restart too.".to_owned(),
                        theme.dim,
                    ),
                ];
                // Not by its colour alone.
                let words = if *refused {
                    "that can't be one: seconds, 1 to 3600, then enter; esc: no"
                } else {
                    "seconds, 1 to 3600, then enter; esc: no"
                };
                let style = if *refused { theme.fail } else { Style::new() };
                let foot = [(words.to_owned(), style), (format!("> {}▏", fit_end(typed, 8)), theme.key)];
                dialog::scrolled(buffer, area, "Set the interval", &body, &foot, Selection::default(), theme);
            }
            Self::Waiting { device, method } => dialog::question(
                buffer,
                area,
                method,
                &[
                    format!("{} is asked, over the hub …", printable(device)),
                    format!("It has {TIMEOUT_S} s to answer. esc: don't wait; the answer is dropped."),
                ],
                theme,
            ),
            Self::Answered { title, lines, failed, scroll, .. } => {
                let style = if *failed { theme.fail } else { Style::new() };
                let body: Vec<_> = lines.iter().map(|line| (line.clone(), style)).collect();
                let foot = [("enter: close · y: copy · j k: scroll".to_owned(), theme.dim)];
                dialog::scrolled(buffer, area, title, &body, &foot, *scroll, theme);
            }
        }
    }
}

/// An answer in lines: a text by its own breaks, a log entry a line, anything else as indented JSON.
fn lines(payload: &Value) -> Vec<String> {
    let entries = payload.get("lines").and_then(Value::as_array);
    match (payload, entries) {
        (Value::String(text), _) => text.lines().map(printable).collect(),
        (_, Some(entries)) => entries.iter().map(log_line).collect(),
        (other, None) => serde_json::to_string_pretty(other).unwrap_or_default().lines().map(printable).collect(),
    }
}

fn log_line(entry: &Value) -> String {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    match entry {
        Value::String(line) => printable(line),
        _ => {
            // To the second, so that the message has room; the whole time is in the device's own log.
            let at = text("at").parse::<jiff::Timestamp>();
            let at = at.map_or_else(|_| text("at").to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string());
            printable(&format!("{at} {:<5} {}: {}", text("level"), text("target"), text("message")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_typed_and_only_one_within_bounds_is_asked() {
        let (open, asked) = Open::by(Action::SetInterval, "roof-01").expect("opens");
        assert!(asked.is_none() && open.takes_text());
        let typed = |open: Open, text: &str| {
            text.chars().fold(open, |open, c| open.update(Action::Type(c)).0.expect("stays open"))
        };
        let (open, outcome) = typed(open, "x0").update(Action::Open);
        assert_eq!(outcome, Outcome::done(), "0 is no interval");
        let open = open.expect("stays open").update(Action::EraseLine).0.expect("stays open");
        let (open, outcome) = typed(open, "60").update(Action::Open);
        assert_eq!(outcome, Outcome::effect(Effect::Ask(call("roof-01", "set_interval", json!({"seconds": 60})))));
        assert!(matches!(open, Some(Open::Waiting { method: "set_interval", .. })));
    }

    #[test]
    fn a_restart_is_confirmed_first() {
        let (open, asked) = Open::by(Action::RestartAgent, "roof-01").expect("opens");
        assert!(asked.is_none());
        assert_eq!(open.clone().update(Action::Back), (None, Outcome::done()));
        let (_, outcome) = open.update(Action::Open);
        assert_eq!(outcome, Outcome::effect(Effect::Ask(call("roof-01", "restart", Value::Null))));
    }

    #[test]
    fn a_log_opens_at_its_end_and_its_beginning_can_be_reached() {
        let entry = |n: usize| json!({"at": "2026-03-02T13:04:31Z", "level": "INFO", "target": "agent", "message": format!("{n} {}", "word ".repeat(20))});
        let log = json!({"lines": (0..200).map(entry).collect::<Vec<_>>()});
        let open = Open::answered("roof-01", "tail_log", 200, &log);
        let row = |open: &Open| match open {
            Open::Answered { lines, scroll, .. } => (scroll.row, lines.len()),
            other => panic!("{other:?}"),
        };
        let (at, of) = row(&open);
        assert!(of >= 400 && at == of - 1, "each entry takes two lines or more, and all are scrolled: {at} of {of}");
        assert_eq!(open.copied().map_or(0, |text| text.lines().count()), 200, "copied as it was said");
        let top = open.update(Action::Top).0.expect("stays open");
        assert_eq!(row(&top).0, 0);
    }

    #[test]
    fn answers_are_lines_without_control_characters() {
        assert_eq!(lines(&json!("a\n\u{1b}[31mb")), ["a", "[31mb"]);
        let log =
            json!({"lines": [{"at": "2026-03-02T13:04:31Z", "level": "WARN", "target": "agent", "message": "x"}]});
        assert_eq!(lines(&log), ["2026-03-02 13:04:31Z WARN  agent: x"]);
        assert_eq!(lines(&json!({"a": 1})), ["{", "  \"a\": 1", "}"]);
    }
}
