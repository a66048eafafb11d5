//! What each pane says, line by line, broken at the pane's width.

use std::borrow::Cow;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::draw::{Colors, sign};
use super::picture::{self, Pixels};
use super::state::{Pane, State};
use crate::owner::{Diagnosis, Fact, Lamp, LinkTest, NO_CAMERA, StepOutcome, agent_facts};
use crate::station::text::printable;

/// Columns of a fact's label.
const LABEL: usize = 14;
/// Cells of a bar.
const BAR: usize = 10;

/// The lines of a pane `width` columns wide.
pub fn lines(pane: Pane, state: &State, width: u16, colors: Colors) -> Vec<Line<'static>> {
    let Some(diagnosis) = &state.diagnosis else { return vec![Line::from("nothing is known yet")] };
    let mut page = Page { lines: Vec::new(), width: usize::from(width), colors };
    match pane {
        Pane::Findings => findings(&mut page, diagnosis),
        Pane::Device => device(&mut page, diagnosis),
        Pane::Agent => agent(&mut page, diagnosis),
        Pane::Link => link(&mut page, diagnosis, state),
        Pane::Log => log(&mut page, diagnosis),
        // It is drawn by itself.
        Pane::Camera => {}
    }
    page.lines
}

/// Lines that are being written.
struct Page {
    lines: Vec<Line<'static>>,
    width: usize,
    colors: Colors,
}

impl Page {
    /// A paragraph whose first line begins with `head`, and the others with as many spaces.
    fn hanging(&mut self, head: &[Span<'static>], text: &str, style: Style) {
        let indent: usize = head.iter().map(Span::width).sum();
        let room = self.width.saturating_sub(indent).max(1);
        for (index, part) in wrapped(text, room).into_iter().enumerate() {
            let mut spans = if index == 0 { head.to_vec() } else { vec![Span::raw(" ".repeat(indent))] };
            spans.push(Span::styled(part, style));
            self.lines.push(Line::from(spans));
        }
    }

    fn plain(&mut self, text: &str) {
        self.hanging(&[], text, Style::new());
    }

    fn facts(&mut self, facts: &[Fact]) {
        for fact in facts {
            let label = Span::styled(format!("{:<LABEL$}", fact.label), self.colors.dim());
            let text = match fact.share {
                Some(share) => format!("{} {}", bar(share), fact.text),
                None => fact.text.clone(),
            };
            let (head, style) = match fact.lamp {
                Lamp::Unknown => (vec![label, Span::raw("  ")], Style::new()),
                lamp => (vec![label, Span::styled(format!("{} ", sign(lamp)), self.colors.lamp(lamp))], Style::new()),
            };
            self.hanging(&head, &text, style);
        }
    }
}

/// `text` in lines of at most `width` columns, broken between words, and in words that are longer.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let columns = |text: &str| Span::raw(Cow::Borrowed(text)).width();
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && columns(&line) + 1 + columns(word) > width {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() {
            line.push(' ');
        }
        for character in word.chars() {
            let mut buffer = [0; 4];
            if !line.is_empty() && columns(&line) + columns(character.encode_utf8(&mut buffer)) > width {
                lines.push(std::mem::take(&mut line));
            }
            line.push(character);
        }
    }
    lines.push(line);
    lines
}

/// `text` in at most `width` columns; `…` says where something is cut.
pub fn fit(text: &str, width: usize) -> String {
    let mut lines = wrapped(text, width).into_iter();
    let first = lines.next().unwrap_or_default();
    if lines.next().is_none() {
        return first;
    }
    let mut short: String = wrapped(text, width.saturating_sub(1)).into_iter().next().unwrap_or_default();
    short.push('…');
    short
}

fn bar(share: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 10")]
    let full = (share.clamp(0.0, 1.0) * BAR as f64).round() as usize;
    format!("{}{}", "█".repeat(full), "░".repeat(BAR - full))
}

fn findings(page: &mut Page, diagnosis: &Diagnosis) {
    if diagnosis.findings.is_empty() {
        page.hanging(
            &[Span::styled(format!("{} ", sign(Lamp::Ok)), page.colors.lamp(Lamp::Ok))],
            "nothing is the matter",
            Style::new(),
        );
        return;
    }
    for finding in &diagnosis.findings {
        let style = page.colors.lamp(finding.lamp);
        page.hanging(&[Span::styled(format!("{} ", sign(finding.lamp)), style)], &printable(&finding.trouble()), style);
        page.hanging(&[Span::raw("  → ")], &printable(&finding.step), Style::new());
    }
}

fn device(page: &mut Page, diagnosis: &Diagnosis) {
    match diagnosis.machine() {
        Some(machine) => page.facts(&crate::owner::machine_facts(machine)),
        None => page.plain("the hardware hasn't been read yet"),
    }
}

fn agent(page: &mut Page, diagnosis: &Diagnosis) {
    match &diagnosis.agent {
        Some(report) => page.facts(&agent_facts(report, diagnosis.at)),
        None => page.plain("no agent runs; Findings says how to start it"),
    }
}

fn link(page: &mut Page, diagnosis: &Diagnosis, state: &State) {
    if let Some(seconds) = state.testing_s {
        page.plain(&format!("trying, {seconds} s …"));
    }
    match (&diagnosis.link_test, &diagnosis.no_hub) {
        (Some(test), _) => link_steps(page, test),
        (None, Some(words)) => page.plain(&printable(words)),
        (None, None) if state.testing_s.is_none() => {
            page.plain("not tried yet: t tries the way to the hub, step by step")
        }
        (None, None) => {}
    }
}

fn link_steps(page: &mut Page, test: &LinkTest) {
    page.plain(&format!("{} at {}, {}", printable(&test.hub), printable(&test.host), test.at.strftime("%H:%M:%SZ")));
    for step in &test.steps {
        let lamp = step_lamp(step.outcome);
        let style = page.colors.lamp(lamp);
        let took = step.took_ms.map(|ms| format!("{ms:.0} ms")).unwrap_or_default();
        let head = [
            Span::styled(format!("{} ", sign(lamp)), style),
            Span::raw(format!("{:<11}{took:>8}  ", step.step.name())),
        ];
        page.hanging(&head, &printable(&step.words), Style::new());
    }
}

/// How a step of a link test is shown.
pub const fn step_lamp(outcome: StepOutcome) -> Lamp {
    match outcome {
        StepOutcome::Ok => Lamp::Ok,
        StepOutcome::Warning => Lamp::Warning,
        StepOutcome::Failed => Lamp::Failed,
        StepOutcome::Skipped => Lamp::Unknown,
    }
}

fn log(page: &mut Page, diagnosis: &Diagnosis) {
    if diagnosis.errors.is_empty() {
        page.plain(match diagnosis.agent {
            Some(_) => "no warning and no error since the agent started",
            None => "no agent runs",
        });
    }
    // The newest is what is looked for.
    for line in diagnosis.errors.iter().rev() {
        let lamp = if line.level == "ERROR" { Lamp::Failed } else { Lamp::Warning };
        let head = [
            Span::styled(format!("{} ", line.at.strftime("%m-%d %H:%M:%S")), page.colors.dim()),
            Span::styled(format!("{} ", sign(lamp)), page.colors.lamp(lamp)),
        ];
        page.hanging(&head, &format!("{}: {}", printable(&line.target), printable(&line.message)), Style::new());
    }
    if let Some(file) = &diagnosis.log_file {
        page.plain(&format!("all of them, also of before: {}", printable(&file.to_string_lossy())));
    }
}

/// The newest picture, with its time beneath.
pub fn camera(frame: &mut Frame<'_>, area: Rect, state: &State, colors: Colors) {
    let Some(diagnosis) = &state.diagnosis else { return };
    let report = diagnosis.agent.as_ref().and_then(|agent| agent.camera.as_ref());
    let mut page = Page { lines: Vec::new(), width: usize::from(area.width), colors };
    match (report, &state.preview) {
        (None, _) if diagnosis.agent.is_none() => page.plain("no agent runs"),
        (None, _) => page.plain(NO_CAMERA),
        (Some(_), None) => page.plain("no picture since the agent started"),
        (Some(_), Some(preview)) => {
            page.hanging(
                &[],
                &format!("taken {}", preview.taken_at.strftime("%Y-%m-%d %H:%M:%SZ")),
                Style::new().add_modifier(Modifier::BOLD),
            );
        }
    }
    if let Some(error) = report.and_then(|camera| camera.last_error.as_ref()) {
        let style = colors.lamp(Lamp::Warning);
        page.hanging(&[Span::styled(format!("{} ", sign(Lamp::Warning)), style)], &printable(error), style);
    }
    let words = u16::try_from(page.lines.len()).unwrap_or(u16::MAX).min(area.height);
    let [above, below] = ratatui::layout::Layout::vertical([
        ratatui::layout::Constraint::Min(0),
        ratatui::layout::Constraint::Length(words),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(page.lines), below);
    if let Some((preview, pixels)) = state.preview.as_ref().and_then(|preview| Some((preview, preview.pixels()?))) {
        let pixels = Pixels { rgb: &pixels, width: preview.width as usize, height: preview.height as usize };
        picture::draw(&pixels, above, colors, frame.buffer_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn text_is_broken_between_words_and_nothing_is_lost() {
        assert_eq!(wrapped("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(wrapped("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("温度温度", 5), ["温度", "温度"]);
        assert_eq!(wrapped("x 温度", 1), ["x", "温", "度"], "a wide sign has its line even where it doesn't fit");
    }
}
