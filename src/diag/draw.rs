//! From what is known to cells: the head, the panes beside each other or one by one, the foot.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::panes;
use super::state::{KEYS, PANES, Pane, State};
use crate::owner::{Diagnosis, Lamp};
use crate::station::text::printable;

/// Columns and rows from which panes stand beside each other.
const WIDE: (u16, u16) = (118, 30);
/// Columns from which there are three beside each other.
const VERY_WIDE: u16 = 190;

/// The colours that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colors {
    /// None: signs and words tell.
    None,
    /// The terminal's sixteen.
    Sixteen,
    /// 256.
    Indexed,
    /// All of them, for pictures.
    True,
}

impl Colors {
    /// What the terminal has, by its environment; none where `forbidden`.
    pub fn of(forbidden: bool, variable: impl Fn(&str) -> Option<String>) -> Self {
        let term = variable("TERM").unwrap_or_default();
        if forbidden || term == "dumb" {
            return Self::None;
        }
        match variable("COLORTERM").as_deref() {
            Some("truecolor" | "24bit") => Self::True,
            _ if term.contains("256color") => Self::Indexed,
            _ => Self::Sixteen,
        }
    }

    pub const fn lamp(self, lamp: Lamp) -> Style {
        match (self, lamp) {
            (Self::None, Lamp::Failed) => Style::new().add_modifier(Modifier::BOLD),
            (Self::None, _) => Style::new(),
            (_, Lamp::Ok) => Style::new().fg(Color::Green),
            (_, Lamp::Warning) => Style::new().fg(Color::Yellow),
            (_, Lamp::Failed) => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
            (_, Lamp::Unknown) => self.dim(),
        }
    }

    pub const fn dim(self) -> Style {
        match self {
            Self::None => Style::new(),
            _ => Style::new().fg(Color::DarkGray),
        }
    }
}

/// A lamp's sign, one cell wide.
pub const fn sign(lamp: Lamp) -> &'static str {
    match lamp {
        Lamp::Ok => "●",
        Lamp::Warning => "▲",
        Lamp::Failed => "✖",
        Lamp::Unknown => "○",
    }
}

/// Draws everything. Scrolls that lead beyond a pane's end are brought back to it.
pub fn draw(frame: &mut Frame<'_>, state: &mut State, colors: Colors) {
    let [head, tabs, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)])
            .areas(frame.area());
    frame.render_widget(Paragraph::new(head_line(state, colors, head.width)), head);
    frame.render_widget(Paragraph::new(tab_line(state)), tabs);
    for (pane, area) in places(body, state.pane()) {
        pane_in(frame, area, pane, state, colors);
    }
    frame.render_widget(Paragraph::new(foot_line(state, colors, foot.width)), foot);
    if state.help {
        help(frame, body);
    }
}

/// Which panes are seen, and where.
fn places(body: Rect, front: Pane) -> Vec<(Pane, Rect)> {
    if body.width < WIDE.0 || body.height < WIDE.1 - 3 {
        return vec![(front, body)];
    }
    let halves = |area: Rect, parts: [u16; 2]| Layout::vertical(parts.map(Constraint::Fill)).areas::<2>(area);
    if body.width < VERY_WIDE {
        let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(body);
        let [findings, agent] = halves(left, [2, 3]);
        let [device, lower] = halves(right, [3, 2]);
        // Of three the one in front is seen.
        let last = if matches!(front, Pane::Camera | Pane::Log) { front } else { Pane::Link };
        return vec![(Pane::Findings, findings), (Pane::Agent, agent), (Pane::Device, device), (last, lower)];
    }
    let [left, middle, right] =
        Layout::horizontal([Constraint::Fill(5), Constraint::Fill(5), Constraint::Fill(6)]).areas(body);
    let [findings, log] = halves(left, [3, 2]);
    let [link, agent] = halves(middle, [2, 3]);
    let [device, camera] = halves(right, [1, 1]);
    vec![
        (Pane::Findings, findings),
        (Pane::Log, log),
        (Pane::Link, link),
        (Pane::Agent, agent),
        (Pane::Device, device),
        (Pane::Camera, camera),
    ]
}

fn head_line(state: &State, colors: Colors, width: u16) -> Line<'static> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut spans = vec![Span::styled(" skydeck diag  ", bold)];
    let Some(diagnosis) = &state.diagnosis else {
        spans.push("asking the agent …".into());
        return Line::from(spans);
    };
    let (lamp, words) = standing(diagnosis);
    let agent = diagnosis.agent.as_deref();
    let device = agent.map_or_else(|| "no agent".to_owned(), |agent| printable(&agent.device_id));
    spans.push(Span::styled(device, bold));
    spans.push(format!("  {}  ", printable(&diagnosis.environment)).into());
    spans.push(Span::styled(format!("{} {words}", sign(lamp)), colors.lamp(lamp)));
    let paused = if state.paused { "paused  " } else { "" };
    let right = format!("{paused}{}  ? help ", diagnosis.at.strftime("%H:%M:%SZ"));
    let room = |spans: &[Span<'_>]| {
        let used: usize = spans.iter().map(Span::width).sum();
        usize::from(width).saturating_sub(used + right.chars().count())
    };
    // The version is the first to go where there is little room.
    let version = agent.map(|agent| Span::from(format!("  agent {}", printable(&agent.version))));
    spans.extend(version.filter(|version| room(&spans) > version.width()));
    let room = room(&spans);
    if room > 0 {
        spans.push(" ".repeat(room).into());
        spans.push(right.into());
    }
    Line::from(spans)
}

/// How the device is, in a word or two.
fn standing(diagnosis: &Diagnosis) -> (Lamp, String) {
    let count = |lamp| diagnosis.findings.iter().filter(|finding| finding.lamp == lamp).count();
    match (count(Lamp::Failed), count(Lamp::Warning)) {
        (0, 0) => (Lamp::Ok, "well".to_owned()),
        (0, warnings) => (Lamp::Warning, format!("{warnings} to look at")),
        (failed, warnings) => (Lamp::Failed, format!("{failed} failed, {warnings} to look at")),
    }
}

fn tab_line(state: &State) -> Line<'static> {
    let tab = |pane: Pane| {
        let text = format!(" {} {} ", pane.index() + 1, pane.name());
        if pane == state.pane() {
            Span::styled(text, Style::new().add_modifier(Modifier::REVERSED))
        } else {
            text.into()
        }
    };
    Line::from(PANES.into_iter().map(tab).collect::<Vec<_>>())
}

fn foot_line(state: &State, colors: Colors, width: u16) -> Line<'static> {
    let room = usize::from(width).saturating_sub(1);
    if let Some(words) = &state.failed {
        return Line::styled(
            format!(" {}", panes::fit(&format!("{} {words}", sign(Lamp::Failed)), room)),
            colors.lamp(Lamp::Failed),
        );
    }
    if let Some(words) = &state.said {
        return Line::from(format!(" {}", panes::fit(words, room)));
    }
    if let Some(seconds) = state.testing_s {
        return Line::from(format!(" trying the way to the hub, {seconds} s …"));
    }
    let has_hub = state.diagnosis.as_ref().is_none_or(|diagnosis| diagnosis.no_hub.is_none());
    let test = if has_hub { " t try the link  " } else { "" };
    Line::styled(format!("{test} w write a bundle   p pause   j/k scroll   q quit"), colors.dim())
}

fn pane_in(frame: &mut Frame<'_>, area: Rect, pane: Pane, state: &mut State, colors: Colors) {
    let is_front = pane == state.pane();
    let border = if is_front { Style::new().add_modifier(Modifier::BOLD) } else { colors.dim() };
    let block = Block::bordered().border_style(border).title(format!(" {} ", pane.name()));
    let inner = block.inner(area);
    if pane == Pane::Camera {
        frame.render_widget(block, area);
        panes::camera(frame, inner, state, colors);
        return;
    }
    let text = panes::lines(pane, state, inner.width, colors);
    let lines = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let scroll = &mut state.scroll[pane.index()];
    *scroll = (*scroll).min(lines.saturating_sub(inner.height));
    // What doesn't fit is told, not cut without a sign.
    let below = lines.saturating_sub(*scroll + inner.height);
    let more = match (*scroll, below) {
        (0, 0) => String::new(),
        (above, 0) => format!(" ↑{above} "),
        (0, below) => format!(" ↓{below} "),
        (above, below) => format!(" ↑{above} ↓{below} "),
    };
    let paragraph = Paragraph::new(text).scroll((*scroll, 0));
    frame.render_widget(paragraph.block(block.title_bottom(Line::from(more).right_aligned())), area);
}

fn help(frame: &mut Frame<'_>, body: Rect) {
    let width = 62.min(body.width);
    let height = (u16::try_from(KEYS.len()).unwrap_or(u16::MAX).saturating_add(2)).min(body.height);
    let area = Rect { x: body.x + (body.width - width) / 2, y: body.y + (body.height - height) / 2, width, height };
    let lines: Vec<_> = KEYS.iter().map(|(keys, words)| Line::from(format!(" {keys:<16}{words}"))).collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" Keys ")), area);
}
