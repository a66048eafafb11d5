//! A device over SSH: where to, and then what `skydeck diag` says there, live.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Clear, Widget as _};

use super::detail;
use crate::console::Action;
use crate::console::screens::{Context, Effect, Outcome};
use crate::console::widgets::dialog;
use crate::console::widgets::table::Selection;
use crate::console::widgets::value::fit_end;
use crate::owner::remote::{RemoteState, is_destination};
use crate::owner::{Diagnosis, Fact, Lamp, LinkTest, StepOutcome, agent_facts, machine_facts};
use crate::station::text::printable;

/// Where to, or what is seen there.
#[derive(Debug, Clone, PartialEq)]
pub enum Ssh {
    /// The destination is typed.
    Typing {
        /// What is typed.
        typed: String,
        /// What was typed can't be a destination.
        refused: bool,
    },
    /// It is looked at.
    Looking {
        /// The destination.
        destination: String,
        /// How that stands.
        state: RemoteState,
        /// What was heard before it ended.
        last: Option<Box<Diagnosis>>,
        /// How far it is scrolled.
        scroll: Selection,
    },
}

impl Ssh {
    /// Asks where to; the device's name is what an SSH configuration would call it.
    pub fn ask(device: &str) -> Self {
        Self::Typing { typed: device.to_owned(), refused: false }
    }

    /// Whether something is typed.
    pub const fn takes_text(&self) -> bool {
        matches!(self, Self::Typing { .. })
    }

    /// Takes an action; answers with what stays open.
    pub fn update(mut self, action: Action, height: u16) -> (Option<Self>, Outcome) {
        match &mut self {
            Self::Typing { typed, refused } => match action {
                Action::Back => return (None, Outcome::done()),
                Action::Open if is_destination(typed) => {
                    let destination = typed.clone();
                    let effect = Effect::LookOverSsh(Some(destination.clone()));
                    let state = RemoteState::Connecting;
                    let looking = Self::Looking { destination, state, last: None, scroll: Selection::default() };
                    return (Some(looking), Outcome::effect(effect));
                }
                Action::Open => *refused = true,
                Action::Type(c) => {
                    typed.push(c);
                    *refused = false;
                }
                Action::Erase => drop(typed.pop()),
                Action::EraseLine => typed.clear(),
                _ => {}
            },
            Self::Looking { destination, scroll, state, last } => match action {
                Action::Back => return (None, Outcome::effect(Effect::LookOverSsh(None))),
                // Anew, where it has ended.
                Action::Open if matches!(state, RemoteState::Ended(_)) => {
                    *state = RemoteState::Connecting;
                    let effect = Effect::LookOverSsh(Some(destination.clone()));
                    return (Some(self), Outcome::effect(effect));
                }
                action => {
                    let lines = facts(state, last.as_deref(), Timestamp::UNIX_EPOCH).len();
                    scroll.update(action, lines, usize::from(height));
                }
            },
        }
        (Some(self), Outcome::done())
    }

    /// Takes what was heard from there.
    pub fn hear(&mut self, heard: RemoteState) {
        let Self::Looking { state, last, .. } = self else { return };
        if let RemoteState::Live(diagnosis) = &heard {
            *last = Some(Box::new((**diagnosis).clone()));
        }
        *state = heard;
    }

    /// Draws it over the screen.
    pub fn render(&self, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        match self {
            Self::Typing { typed, refused } => {
                let body = [
                    (
                        "Runs skydeck diag there and shows it, by your own ssh and its configuration.".to_owned(),
                        Style::new(),
                    ),
                    ("A key or an agent signs in; nothing is asked for.".to_owned(), ctx.theme.dim),
                ];
                // Not by its colour alone.
                let words = if *refused {
                    "that can't be one: a host of the SSH configuration, or [user@]host[:port]"
                } else {
                    "a host of the SSH configuration, or [user@]host; enter: connect · esc: no"
                };
                let style = if *refused { ctx.theme.fail } else { Style::new() };
                let foot =
                    [(words.to_owned(), style), (format!("> {}▏", fit_end(&printable(typed), 60)), ctx.theme.key)];
                dialog::scrolled(buffer, area, "A device over SSH", &body, &foot, Selection::default(), ctx.theme);
            }
            Self::Looking { destination, state, last, scroll } => {
                let title = format!("{} over SSH · esc closes", printable(destination));
                let facts = facts(state, last.as_deref(), ctx.now);
                Clear.render(area, buffer);
                detail::render_facts(buffer, area, &title, &facts, scroll.row, ctx);
            }
        }
    }
}

fn fact(label: &'static str, lamp: Lamp, text: String) -> Fact {
    Fact { label, text: printable(&text), lamp, share: None }
}

/// What is known of the device, worst first.
fn facts(state: &RemoteState, last: Option<&Diagnosis>, now: Timestamp) -> Vec<Fact> {
    let mut found = vec![match state {
        RemoteState::Connecting => fact("ssh", Lamp::Unknown, "connecting …".to_owned()),
        RemoteState::Live(diagnosis) => {
            fact("ssh", Lamp::Ok, format!("live; heard {}", diagnosis.at.strftime("%H:%M:%SZ")))
        }
        RemoteState::Ended(words) => fact("ssh", Lamp::Failed, format!("{words}; enter: again")),
    }];
    let Some(diagnosis) = last else { return found };
    if diagnosis.version != env!("CARGO_PKG_VERSION") {
        let words = format!("skydeck there is {}, this one {}", diagnosis.version, env!("CARGO_PKG_VERSION"));
        found.push(fact("version", Lamp::Unknown, words));
    }
    if diagnosis.findings.is_empty() {
        found.push(fact("findings", Lamp::Ok, "nothing is the matter".to_owned()));
    }
    for finding in &diagnosis.findings {
        let label = match finding.lamp {
            Lamp::Failed => "failed",
            Lamp::Warning => "warning",
            Lamp::Ok | Lamp::Unknown => "note",
        };
        found.push(fact(label, finding.lamp, format!("{} → {}", finding.trouble(), finding.step)));
    }
    found.extend(diagnosis.link_test.as_ref().map(link_fact));
    found.extend(diagnosis.machine().map(machine_facts).unwrap_or_default());
    found.extend(diagnosis.agent.as_ref().map(|report| agent_facts(report, now)).unwrap_or_default());
    let errors = diagnosis.errors.iter().rev().map(|line| {
        let lamp = if line.level == "ERROR" { Lamp::Failed } else { Lamp::Warning };
        fact("log", lamp, format!("{} {}: {}", line.at.strftime("%m-%d %H:%M:%SZ"), line.target, line.message))
    });
    found.extend(errors);
    found
}

fn link_fact(test: &LinkTest) -> Fact {
    match test.failed() {
        Some(step) => fact("link test", Lamp::Failed, format!("{}: {}", step.step.name(), step.words)),
        None => {
            let ok = test.steps.iter().filter(|step| step.outcome == StepOutcome::Ok).count();
            fact("link test", Lamp::Ok, format!("{ok} steps went well at {}", test.at.strftime("%H:%M:%SZ")))
        }
    }
}
