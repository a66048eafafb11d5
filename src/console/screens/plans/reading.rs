//! One thing read whole: a change with its diagnostic, a failure, a line, a resource of the state.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Widget as _;

use super::words;
use crate::console::Action;
use crate::console::screens::Context;
use crate::console::theme::Theme;
use crate::console::widgets::pane;
use crate::console::widgets::table::Selection;
use crate::console::widgets::value::{fit_end, wrap};
use crate::owner::{Answer, AskError, Diagnostic, Progress, Request, ResourceChange, Run};
use crate::settings::EnvironmentName;
use crate::station::text::printable;

/// Lines one paragraph is broken into at most.
const MOST_LINES: usize = 400;

/// A text to be read, with its scroll.
#[derive(Debug)]
pub struct Reading {
    title: String,
    paragraphs: Vec<(String, Style)>,
    scroll: Selection,
    /// The resource of the state whose text is still to come.
    wanted: Option<(EnvironmentName, String)>,
}

impl Reading {
    fn new(title: String, paragraphs: Vec<(String, Style)>) -> Self {
        Self { title: printable(&title), paragraphs, scroll: Selection::default(), wanted: None }
    }

    /// Any text; its line breaks stay.
    pub fn text(title: String, text: &str, style: Style) -> Self {
        Self::new(title, lines(text, style))
    }

    /// A change, how far it is, and what Terraform said about it.
    pub fn change(run: &Run, change: &ResourceChange, drifted: bool, ctx: &Context<'_>) -> Self {
        let theme = ctx.theme;
        let mut text = Vec::new();
        let does = if drifted { "changed behind Terraform, which would".to_owned() } else { "to".to_owned() };
        text.push((
            format!("{}  {does} {}", change.action.sign(), change.action.label()),
            words::action_style(change.action, theme),
        ));
        text.push((format!("type {}", printable(&change.kind)), theme.dim));
        text.extend(change.why().map(|why| (printable(&why), theme.text)));
        if !drifted {
            let (progress, style) = words::progress(&change.progress, ctx.now, theme);
            text.push((progress, style));
        }
        let diagnostics = run.failure.iter().flat_map(|failure| &failure.diagnostics);
        let about: Vec<_> = diagnostics.filter(|d| d.address.as_deref() == Some(&change.address)).collect();
        // A diagnostic says the same and more.
        if let (Progress::Failed { error }, true) = (&change.progress, about.is_empty()) {
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
        Self::new(format!("{} · {}", run.title(), change.address), text)
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
        let height = usize::from(inner.height);
        let first = self.scroll.row.min(lines.len().saturating_sub(height));
        for (y, line) in (inner.y..inner.bottom()).zip(&lines[first..]) {
            line.render(Rect { y, height: 1, ..inner }, buf);
        }
        if first + height < lines.len() && !inner.is_empty() {
            buf.set_stringn(inner.right() - 1, inner.bottom() - 1, "↓", 1, ctx.theme.dim);
        }
    }

    /// What `y` copies: all of it.
    pub fn copy(&self) -> String {
        let lines: Vec<&str> = self.paragraphs.iter().map(|(text, _)| text.as_str()).collect();
        format!("{}\n{}", self.title, lines.join("\n"))
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
