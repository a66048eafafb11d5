//! The help: every key and what it does, searchable by key and by word; what can't be done now says why.

use ratatui::buffer::Buffer;
use ratatui::layout::{Margin, Rect};

use super::{Verdict, open, place, typed};
use crate::console::Action;
use crate::console::action::{ACTIONS, ActionInfo, Scope};
use crate::console::app::App;
use crate::console::widgets::table::{self, Cell, Column, Selection};
use crate::console::widgets::value::wrap;

const COLUMNS: [Column; 4] = [
    Column::text("keys", 19),
    Column::text("what it does", 30).fill(),
    Column::text("where", 18).gives_way(2),
    Column::text("name", 17).gives_way(1),
];

/// The help.
#[derive(Debug, Default)]
pub struct Help {
    query: String,
    selection: Selection,
}

impl Help {
    pub(super) fn update(&mut self, action: Action, app: &mut App) -> Verdict {
        let area = Rect::new(0, 0, app.view.size.width, app.view.size.height);
        let rows = lines(&self.query, app, Self::place(area).width.saturating_sub(2));
        match action {
            Action::Type(c) => self.query.push(c),
            Action::Erase => drop(self.query.pop()),
            Action::EraseLine => self.query.clear(),
            Action::Back | Action::Open => return Verdict::Close(Vec::new()),
            Action::Click { column, row } if !Self::place(area).contains((column, row).into()) => {
                return Verdict::Close(Vec::new());
            }
            Action::Click { column, row } => {
                let list = Self::list(Self::place(area).inner(Margin::new(1, 1)));
                self.selection.click(column, row, list, rows.len());
                return Verdict::Stay(Vec::new());
            }
            other => {
                self.selection.update(other, rows.len(), 10);
                return Verdict::Stay(Vec::new());
            }
        }
        self.selection = Selection::default();
        Verdict::Stay(Vec::new())
    }

    fn place(area: Rect) -> Rect {
        place(area, area.width.saturating_sub(4).clamp(96, 150), area.height.saturating_sub(2).min(46))
    }

    const fn list(inner: Rect) -> Rect {
        Rect { x: inner.x, y: inner.y + 1, width: inner.width, height: inner.height.saturating_sub(1) }
    }

    pub(super) fn render(&self, buffer: &mut Buffer, area: Rect, app: &App) {
        let theme = &app.view.theme;
        let title = format!("Help: {}", app.up().label());
        let inner = open(buffer, Self::place(area), &title, "type a key or a word, esc closes", theme);
        typed(buffer, Rect { height: inner.height.min(1), ..inner }, "? ", &self.query, theme);
        let found = lines(&self.query, app, inner.width);
        let row = |i: usize| found[i].clone();
        table::render(buffer, Self::list(inner), &COLUMNS, found.len(), row, Some(self.selection), theme);
        if found.is_empty() && inner.height > 2 {
            buffer.set_stringn(inner.x, inner.y + 2, "no key and no word like this", inner.width.into(), theme.dim);
        }
    }
}

/// The help's lines in `width` columns: an action's words take as many as they need.
fn lines(query: &str, app: &App, width: u16) -> Vec<Vec<Cell>> {
    let theme = &app.view.theme;
    let room = usize::from(table::widths(&COLUMNS, width)[1]);
    let mut lines = Vec::new();
    for info in rows(query, app) {
        let is_here = info.scope.includes(app.up());
        let here = app.screen().meaning(info.action, &app.context()).filter(|_| is_here);
        let description = here.map_or(info.description, |(_, description)| description);
        let (text, style) = match app.disabled(info.action).filter(|_| is_here) {
            Some(reason) => (format!("{description}; now: {reason}"), theme.dim),
            None => (description.to_owned(), theme.text),
        };
        let keys = keys(info, app);
        // Without a key an action is reached by its name.
        let keys = if keys.is_empty() { format!(": {}", info.name) } else { keys.join(" ") };
        let mut first = [
            Cell::styled(keys, theme.key),
            Cell::from(""),
            Cell::styled(place_of(info.scope), theme.dim),
            Cell::styled(info.name, theme.dim),
        ];
        for part in wrap(&text, room, 6) {
            first[1] = Cell::styled(part, style);
            lines.push(first.to_vec());
            first = std::array::from_fn(|_| Cell::from(""));
        }
    }
    lines
}

/// The keys that do an action where it means something.
fn keys(info: &ActionInfo, app: &App) -> Vec<String> {
    let screen = match info.scope {
        Scope::On(screens) if !screens.contains(&app.up()) => screens.first().copied().unwrap_or(app.up()),
        _ => app.up(),
    };
    app.keymap().keys(screen, info.action).iter().map(ToString::to_string).collect()
}

fn place_of(scope: Scope) -> String {
    match scope {
        Scope::Global => "everywhere".into(),
        Scope::On(screens) => screens.iter().map(|screen| screen.label()).collect::<Vec<_>>().join(", "),
    }
}

/// The rows for a query: an action that has the query for a key comes first, then those with it in their words. The
/// actions of the screen that is up come before the global ones, and those of other screens last.
fn rows(query: &str, app: &App) -> Vec<&'static ActionInfo> {
    let word = query.to_lowercase();
    let mut found: Vec<((bool, u8), &'static ActionInfo)> = ACTIONS
        .iter()
        .filter_map(|info| {
            let by_key = keys(info, app).iter().any(|key| key == query);
            let by_word = info.name.contains(&word)
                || info.description.to_lowercase().contains(&word)
                || place_of(info.scope).to_lowercase().contains(&word);
            let nearness = match info.scope {
                Scope::On(screens) if screens.contains(&app.up()) => 0,
                Scope::Global => 1,
                Scope::On(_) => 2,
            };
            (by_key || by_word).then_some(((!by_key, nearness), info))
        })
        .collect();
    found.sort_by_key(|(order, _)| *order);
    found.into_iter().map(|(_, info)| info).collect()
}
