//! One thing read whole: a change with its diagnostic, a failure, a line, a resource of the state.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::diff::DiffLine;
use super::{outcome, words};
use crate::console::Action;
use crate::console::screens::Context;
use crate::console::theme::Theme;
use crate::console::widgets::pane;
use crate::console::widgets::table::Selection;
use crate::console::widgets::value::{fit_end, split, width, wrap};
use crate::owner::{Answer, AskError, Diagnostic, PlanList, PlannedChange, Progress, Request, Run};
use crate::settings::EnvironmentName;
use crate::station::text::printable;

/// Lines one paragraph is broken into at most.
const MOST_LINES: usize = 400;

/// Between what was and what is.
const ARROW: &str = " → ";

/// A change, as far as it is known.
pub struct Changed<'a> {
    /// What is planned.
    pub change: &'a PlannedChange,
    /// Which list it is in.
    pub list: PlanList,
    /// How far the apply is with it.
    pub progress: Option<&'a Progress>,
    /// Whether its secrets stand in clear.
    pub revealed: bool,
}

/// A text to be read, with its scroll.
#[derive(Debug)]
pub struct Reading {
    title: String,
    paragraphs: Vec<(String, Style)>,
    scroll: Selection,
    /// Whether every blank stands: lines are broken at the edge and not at words.
    verbatim: bool,
    /// The resource of the state whose text is still to come.
    wanted: Option<(EnvironmentName, String)>,
}

impl Reading {
    fn new(title: String, paragraphs: Vec<(String, Style)>) -> Self {
        let title = printable(&title);
        Self { title, paragraphs, scroll: Selection::default(), verbatim: false, wanted: None }
    }

    /// Printable paragraphs, each in a style of its own.
    pub fn paragraphs(title: String, paragraphs: Vec<(String, Style)>) -> Self {
        Self::new(title, paragraphs)
    }

    /// Printable lines in which every blank stands, as values have them.
    pub fn verbatim(title: String, lines: Vec<(String, Style)>) -> Self {
        Self { verbatim: true, ..Self::new(title, lines) }
    }

    /// Any text; its line breaks stay.
    pub fn text(title: String, text: &str, style: Style) -> Self {
        Self::new(title, lines(text, style))
    }

    /// A change: why it is made, how far it is, what Terraform said about it, and its difference.
    pub fn change(run: &Run, of: &Changed<'_>, difference: &[DiffLine], ctx: &Context<'_>) -> Self {
        let theme = ctx.theme;
        let change = of.change;
        let mut text = Vec::new();
        let drifted = of.list == PlanList::Drift;
        let does = if drifted { "changed behind Terraform, which would".to_owned() } else { "to".to_owned() };
        let first = if change.create_first { ", the new one made before the old one is destroyed" } else { "" };
        text.push((
            format!("{}  {does} {}{first}", words::change_sign(change), change.action.label()),
            words::action_style(change.action, theme),
        ));
        let data = if change.data { ", a data source" } else { "" };
        text.push((format!("type {}{data}", printable(&change.kind)), theme.dim));
        text.extend(change.previous_address.as_ref().map(|was| (format!("was {}", printable(was)), theme.text)));
        text.extend(change.importing.as_ref().map(|id| (format!("imports {}", printable(id)), theme.text)));
        let deposed = |key: &String| format!("deposed {}: replaced before, and still to be destroyed", printable(key));
        text.extend(change.deposed.as_ref().map(|key| (deposed(key), theme.warn)));
        text.extend(change.cause.as_ref().map(|cause| (printable(cause), theme.text)));
        let paths = printable(&change.replace_paths.join(", "));
        // The cause names them mostly.
        if !paths.is_empty() && !change.cause.as_ref().is_some_and(|cause| cause.contains(&paths)) {
            text.push((format!("forces replacement: {paths}"), theme.fail));
        }
        if let (Some(progress), false) = (of.progress, drifted) {
            text.push(words::progress(progress, ctx.now, theme));
        }
        let diagnostics = run.failure.iter().flat_map(|failure| &failure.diagnostics);
        let about: Vec<_> = diagnostics.filter(|d| d.address.as_deref() == Some(&change.address)).collect();
        // A diagnostic says the same and more.
        if let (Some(Progress::Failed { error }), true) = (of.progress, about.is_empty()) {
            text.push((String::new(), theme.text));
            text.extend(lines(error, theme.fail));
        }
        if let Some(failure) = &run.failure {
            for diagnostic in about {
                text.push((String::new(), theme.text));
                text.extend(told(diagnostic, theme));
            }
            text.push((String::new(), theme.text));
            text.push((format!("→ {}", printable(&failure.advice)), theme.notice));
        }
        text.push((String::new(), theme.text));
        let tone = |line: &DiffLine| if line.forces { theme.fail } else { line.tone.style(theme) };
        text.extend(difference.iter().map(|line| (line.text(), tone(line))));
        let revealed = if of.revealed { " · REVEALED" } else { "" };
        Self::verbatim(format!("{} · {}{revealed}", run.title(), change.address), text)
    }

    /// Why a run's plan doesn't hold any more, whole.
    pub fn moved(run: &Run, theme: &Theme) -> Self {
        let mut text: Vec<_> = run.moved.iter().map(|line| (format!("≠ {}", printable(line)), theme.warn)).collect();
        text.push((String::new(), theme.text));
        text.push((outcome::moved_advice(run).to_owned(), theme.notice));
        Self::new(format!("{} · {}", run.title(), outcome::moved_title(run)), text)
    }

    /// Why a run failed, whole.
    pub fn failure(run: &Run, theme: &Theme) -> Self {
        let mut text = Vec::new();
        if let Some(failure) = &run.failure {
            let word = if failure.interrupted { "interrupted" } else { "failed" };
            text.push((format!("{word} while {}", failure.phase.label()), theme.fail));
            for diagnostic in &failure.diagnostics {
                text.push((String::new(), theme.text));
                text.extend(told(diagnostic, theme));
            }
            for line in &run.moved {
                text.push((format!("≠ {}", printable(line)), theme.warn));
            }
            if let Some(lock) = &failure.lock {
                let words = format!("lock {} held by {} for {}", lock.id, lock.who, lock.purpose());
                text.push((String::new(), theme.text));
                text.push((printable(&words), theme.warn));
            }
            text.push((String::new(), theme.text));
            text.push((format!("→ {}", printable(&failure.advice)), theme.notice));
        }
        Self::new(format!("{}: why it failed", run.title()), text)
    }

    /// A resource of the state, whose text is asked for.
    pub fn resource(environment: EnvironmentName, address: String, theme: &Theme) -> Self {
        let mut reading = Self::new(address.clone(), vec![("asking …".into(), theme.dim)]);
        reading.wanted = Some((environment, address));
        reading
    }

    /// Asks for the resource's text, once.
    pub fn wants(&self) -> Option<Request> {
        let (environment, address) = self.wanted.clone()?;
        Some(Request::StateShow { environment, address })
    }

    /// Takes the resource's text.
    pub fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>, theme: &Theme) {
        let Request::StateShow { environment, address } = request else { return };
        if !self.wanted.as_ref().is_some_and(|(of, wanted)| of == environment && wanted == address) {
            return;
        }
        self.paragraphs = match answer {
            Ok(Answer::StateShow { text }) => lines(text, theme.text),
            Err(error) => vec![(printable(&error.to_string()), theme.fail)],
            Ok(_) => return,
        };
        self.wanted = None;
    }

    /// Scrolls; `false` for any other action.
    pub fn update(&mut self, action: Action, ctx: &Context<'_>) -> bool {
        let height = usize::from(ctx.area.height.saturating_sub(2));
        let rows = self.lines(usize::from(ctx.area.width.saturating_sub(4))).len();
        self.scroll.update(action, rows.saturating_sub(height) + 1, height)
    }

    fn lines(&self, room: usize) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        for (text, style) in &self.paragraphs {
            let indent = text.len() - text.trim_start().len();
            if text.trim().is_empty() {
                lines.push(Line::default());
            }
            if self.verbatim {
                let broken = sides(text, room).into_iter().flat_map(|side| split(&side, room, MOST_LINES));
                lines.extend(broken.map(|part| Line::styled(part, *style)));
                continue;
            }
            // Breaking at words would lose the indent that Terraform writes.
            let blank = " ".repeat(indent.min(room / 2));
            let broken = wrap(text, room.saturating_sub(blank.len()), MOST_LINES);
            lines.extend(broken.into_iter().map(|part| Line::styled(format!("{blank}{part}"), *style)));
        }
        lines
    }

    /// Draws it.
    pub fn render(&self, buf: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        let title = fit_end(&self.title, usize::from(area.width.saturating_sub(22))).into_owned();
        let inner = pane::render_with_note(buf, area, &title, "esc returns", true, ctx.theme);
        let inner = Rect { x: inner.x.saturating_add(1), width: inner.width.saturating_sub(2), ..inner };
        let lines = self.lines(usize::from(inner.width));
        pane::scrolled(buf, inner, &lines, self.scroll.row, ctx.theme);
    }

    /// What `y` copies: all of it.
    pub fn copy(&self) -> String {
        let lines: Vec<&str> = self.paragraphs.iter().map(|(text, _)| text.as_str()).collect();
        format!("{}\n{}", self.title, lines.join("\n"))
    }
}

/// What was and what is, on a line each where both together are too wide; what is stands where its name does.
fn sides(text: &str, room: usize) -> Vec<String> {
    match text.split_once(ARROW) {
        Some((before, after)) if width(text) > room => {
            let indent = text.len() - text.trim_start().len();
            vec![before.to_owned(), format!("{:indent$} {ARROW}{after}", "")]
        }
        _ => vec![text.to_owned()],
    }
}

fn lines(text: &str, style: Style) -> Vec<(String, Style)> {
    text.lines().map(|line| (printable(line), style)).collect()
}

fn told(diagnostic: &Diagnostic, theme: &Theme) -> Vec<(String, Style)> {
    let style = if diagnostic.error { theme.fail } else { theme.warn };
    let word = if diagnostic.error { "Error" } else { "Warning" };
    let mut told = vec![(format!("{word}: {}", printable(&diagnostic.summary)), style)];
    let place = [&diagnostic.address, &diagnostic.place].into_iter().flatten().map(|text| printable(text));
    let place = place.collect::<Vec<_>>().join(", ");
    if !place.is_empty() {
        told.push((place, theme.dim));
    }
    told.extend(lines(&diagnostic.detail, theme.text));
    told
}
