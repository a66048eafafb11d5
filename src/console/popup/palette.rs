//! The palette: every action by its name, found by a few letters of it.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher};
use ratatui::buffer::Buffer;
use ratatui::layout::{Margin, Rect};

use super::{Verdict, open, place, typed};
use crate::console::Action;
use crate::console::action::{ACTIONS, ActionInfo, Scope};
use crate::console::app::App;
use crate::console::widgets::table::{self, Cell, Column, Selection};

/// The palette.
#[derive(Debug)]
pub struct Palette {
    query: String,
    found: Vec<&'static ActionInfo>,
    selection: Selection,
}

impl Palette {
    pub(super) fn new(app: &App) -> Self {
        let mut palette = Self { query: String::new(), found: Vec::new(), selection: Selection::default() };
        palette.search(app);
        palette
    }

    /// The actions found, best first.
    #[must_use]
    pub fn found(&self) -> &[&'static ActionInfo] {
        &self.found
    }

    fn search(&mut self, app: &App) {
        self.found = find(&self.query, app);
        self.selection = Selection::default();
    }

    pub(super) fn update(&mut self, action: Action, app: &mut App) -> Verdict {
        let place = Self::place(Rect::new(0, 0, app.view.size.width, app.view.size.height));
        match action {
            Action::Type(c) => self.query.push(c),
            Action::Erase if self.query.is_empty() => return Verdict::Close(Vec::new()),
            Action::Erase => drop(self.query.pop()),
            Action::EraseLine => self.query.clear(),
            Action::Open => return self.chosen(),
            Action::Back => return Verdict::Close(Vec::new()),
            Action::Click { column, row } if !place.contains((column, row).into()) => {
                return Verdict::Close(Vec::new());
            }
            Action::Click { column, row } => {
                let rows = Self::rows(place.inner(Margin::new(1, 1)));
                let hit = self.selection.click(column, row, rows, self.found.len());
                return if hit { self.chosen() } else { Verdict::Stay(Vec::new()) };
            }
            other => {
                self.selection.update(other, self.found.len(), 10);
                return Verdict::Stay(Vec::new());
            }
        }
        self.search(app);
        Verdict::Stay(Vec::new())
    }

    fn chosen(&self) -> Verdict {
        match self.found.get(self.selection.row) {
            Some(info) => Verdict::Do(info.action),
            None => Verdict::Stay(Vec::new()),
        }
    }

    fn place(area: Rect) -> Rect {
        place(area, 84, 20)
    }

    /// The list's part of the room inside.
    const fn rows(inner: Rect) -> Rect {
        Rect { x: inner.x, y: inner.y + 1, width: inner.width, height: inner.height.saturating_sub(1) }
    }

    pub(super) fn render(&self, buffer: &mut Buffer, area: Rect, app: &App) {
        let theme = &app.view.theme;
        let inner = open(buffer, Self::place(area), "Palette", "enter does it, esc closes", theme);
        typed(buffer, Rect { height: inner.height.min(1), ..inner }, ": ", &self.query, theme);
        let columns = [
            Column::text("action", 18),
            Column::text("what it does", 20).fill(),
            Column::text("keys", 12).gives_way(1),
        ];
        let row = |i: usize| {
            let info = self.found[i];
            let keys: Vec<String> = app.keymap().keys(app.up(), info.action).iter().map(ToString::to_string).collect();
            let elsewhere = match info.scope {
                Scope::On(screens) if !screens.contains(&app.up()) => screens.first(),
                _ => None,
            };
            if let Some(screen) = elsewhere {
                let text = format!("on {}: {}", screen.label(), info.description);
                return vec![info.name.into(), text.into(), Cell::styled(keys.join(" "), theme.key)];
            }
            match app.disabled(info.action) {
                Some(reason) => vec![
                    Cell::styled(info.name, theme.dim),
                    Cell::styled(reason, theme.dim),
                    Cell::styled(keys.join(" "), theme.dim),
                ],
                None => vec![info.name.into(), info.description.into(), Cell::styled(keys.join(" "), theme.key)],
            }
        };
        table::render(buffer, Self::rows(inner), &columns, self.found.len(), row, Some(self.selection), theme);
        if self.found.is_empty() && inner.height > 2 {
            buffer.set_stringn(inner.x, inner.y + 2, "no action is called so", inner.width.into(), theme.dim);
        }
    }
}

/// Actions whose name or description has the query's letters in their order, the best match first; all of them for an
/// empty query, those of the screen that is up before the others.
fn find(query: &str, app: &App) -> Vec<&'static ActionInfo> {
    let mut matcher = Matcher::new(Config::DEFAULT);
    let pattern = Pattern::parse(query, CaseMatching::Ignore, Normalization::Smart);
    let mut buffer = Vec::new();
    let mut score = |text: &str| {
        let text = nucleo_matcher::Utf32Str::new(text, &mut buffer);
        pattern.score(text, &mut matcher)
    };
    let mut found: Vec<(u32, bool, &'static ActionInfo)> = ACTIONS
        .iter()
        .filter_map(|info| {
            // A match in the name is worth more than one in the description.
            let by_name = score(info.name).map(|points| points * 2);
            let points = by_name.max(score(info.description))?;
            Some((points, info.scope.includes(app.up()), info))
        })
        .collect();
    found.sort_by_key(|(points, here, _)| (std::cmp::Reverse(*points), !here));
    found.into_iter().map(|(_, _, info)| info).collect()
}
