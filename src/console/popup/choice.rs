//! Choosing from a short list: a theme (shown at once), or what is written to a file.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Verdict, open, place};
use crate::console::Action;
use crate::console::app::App;
use crate::console::export::{Exportable, Format};
use crate::console::screens::Effect;
use crate::console::widgets::table::{self, Cell, Column, Selection};

/// Choosing a theme: each is shown as it is passed, and the old one comes back where none is chosen.
#[derive(Debug)]
pub struct ThemeChoice {
    names: Vec<String>,
    before: String,
    selection: Selection,
}

impl ThemeChoice {
    pub(super) fn new(names: &[String], current: &str) -> Self {
        let row = names.iter().position(|name| name == current).unwrap_or(0);
        Self { names: names.to_vec(), before: current.to_owned(), selection: Selection { row } }
    }

    pub(super) fn update(&mut self, action: Action, app: &mut App) -> Verdict {
        match step(&mut self.selection, action, self.names.len(), Self::place(whole(app), self.names.len())) {
            Step::Moved => Verdict::Stay(self.shown().into_iter().collect()),
            Step::Chosen => Verdict::Close(self.shown().into_iter().collect()),
            Step::Left => Verdict::Close(vec![Effect::Theme(self.before.clone())]),
            Step::Nothing => Verdict::Stay(Vec::new()),
        }
    }

    fn shown(&self) -> Option<Effect> {
        self.names.get(self.selection.row).cloned().map(Effect::Theme)
    }

    fn place(area: Rect, rows: usize) -> Rect {
        place(area, 44, rows_high(rows))
    }

    pub(super) fn render(&self, buffer: &mut Buffer, area: Rect, app: &App) {
        let theme = &app.view.theme;
        let inner = open(buffer, Self::place(area, self.names.len()), "Theme", "enter takes it", theme);
        let columns = [Column::text("shown as it is passed", 10).fill()];
        let row = |i: usize| vec![Cell::from(format!(" {}", self.names[i]))];
        table::render(buffer, inner, &columns, self.names.len(), row, Some(self.selection), theme);
    }
}

/// Choosing what is written to a file, and how.
#[derive(Debug)]
pub struct ExportChoice {
    choices: Vec<(Exportable, Format)>,
    selection: Selection,
}

impl ExportChoice {
    pub(super) const fn new(choices: Vec<(Exportable, Format)>) -> Self {
        Self { choices, selection: Selection { row: 0 } }
    }

    pub(super) fn update(&mut self, action: Action, app: &mut App) -> Verdict {
        let rows = self.choices.len();
        match step(&mut self.selection, action, rows, Self::place(whole(app), rows)) {
            Step::Chosen => {
                let chosen = self.choices.get(self.selection.row).cloned();
                Verdict::Close(chosen.map(|(item, format)| Effect::Write(Box::new(item), format)).into_iter().collect())
            }
            Step::Left => Verdict::Close(Vec::new()),
            Step::Moved | Step::Nothing => Verdict::Stay(Vec::new()),
        }
    }

    fn place(area: Rect, rows: usize) -> Rect {
        place(area, 60, rows_high(rows))
    }

    pub(super) fn render(&self, buffer: &mut Buffer, area: Rect, app: &App) {
        let theme = &app.view.theme;
        let inner = open(buffer, Self::place(area, self.choices.len()), "Export", "enter writes it", theme);
        let columns = [Column::text("what is shown", 20).fill(), Column::text("as", 5), Column::text("", 6)];
        let row = |i: usize| {
            let (item, format) = &self.choices[i];
            let kind = match item {
                Exportable::Table(_) => "table",
                Exportable::Chart(_) => "chart",
                Exportable::Plan(_) => "plan",
            };
            let name = crate::station::text::printable(item.name());
            vec![Cell::from(name), format.extension().to_uppercase().into(), Cell::styled(kind, theme.dim)]
        };
        table::render(buffer, inner, &columns, self.choices.len(), row, Some(self.selection), theme);
    }
}

/// What an action did to a list.
enum Step {
    Moved,
    Chosen,
    Left,
    Nothing,
}

fn step(selection: &mut Selection, action: Action, rows: usize, place: Rect) -> Step {
    match action {
        Action::Open => Step::Chosen,
        Action::Back => Step::Left,
        Action::Click { column, row } if !place.contains((column, row).into()) => Step::Left,
        Action::Click { column, row } => {
            let inner = place.inner(ratatui::layout::Margin::new(1, 1));
            if selection.click(column, row, inner, rows) { Step::Chosen } else { Step::Nothing }
        }
        action if selection.update(action, rows, 5) => Step::Moved,
        _ => Step::Nothing,
    }
}

/// Rows of a popup with a list of `rows`: its frame, its title line, and 16 rows at most.
fn rows_high(rows: usize) -> u16 {
    u16::try_from(rows.min(16)).unwrap_or(16) + 3
}

fn whole(app: &App) -> Rect {
    Rect::new(0, 0, app.view.size.width, app.view.size.height)
}
