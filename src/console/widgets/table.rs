//! Rows and columns with a selection. Where it is narrow, columns give way in their stated order.

use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::{Color, Modifier, Style};

use super::value::{fit, fit_end, width};
use crate::console::Action;
use crate::console::theme::Theme;

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its title.
    pub title: &'static str,
    /// Columns it takes; the widest [`Column::fill`] gets what is left.
    pub width: u16,
    /// Whether it takes what is left, being at least `width` wide.
    pub fill: bool,
    /// Left for words, right for figures.
    pub alignment: Alignment,
    /// 0 stays; where there is no room the highest goes first.
    pub gives_way: u8,
    /// Whether a long text loses its beginning and not its end, as a path does.
    pub keep_end: bool,
}

impl Column {
    /// A column of words.
    #[must_use]
    pub const fn text(title: &'static str, width: u16) -> Self {
        Self { title, width, fill: false, alignment: Alignment::Left, gives_way: 0, keep_end: false }
    }

    /// A column of figures.
    #[must_use]
    pub const fn number(title: &'static str, width: u16) -> Self {
        Self { alignment: Alignment::Right, ..Self::text(title, width) }
    }

    /// Takes what is left.
    #[must_use]
    pub const fn fill(self) -> Self {
        Self { fill: true, ..self }
    }

    /// Gives way where there is no room; the highest order goes first.
    #[must_use]
    pub const fn gives_way(self, order: u8) -> Self {
        Self { gives_way: order, ..self }
    }

    /// A long text loses its beginning and not its end.
    #[must_use]
    pub const fn keep_end(self) -> Self {
        Self { keep_end: true, ..self }
    }
}

/// A cell: its text and how it is drawn.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Printable text.
    pub text: String,
    /// Its style; the default takes the table's.
    pub style: Style,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), style: Style::new() }
    }
}

impl Cell {
    /// A cell in a style of its own.
    #[must_use]
    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

/// Which row is selected. The rows in view follow from it, so that drawing needs no memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Selection {
    /// The selected row, from 0.
    pub row: usize,
}

impl Selection {
    /// Moves by an action over `rows` rows, `page` of them in view; `false` where the action moves nothing.
    pub fn update(&mut self, action: Action, rows: usize, page: usize) -> bool {
        let last = rows.saturating_sub(1);
        self.row = self.row.min(last);
        match action {
            Action::Up | Action::WheelUp { .. } => self.row = self.row.saturating_sub(1),
            Action::Down | Action::WheelDown { .. } => self.row = (self.row + 1).min(last),
            Action::PageUp => self.row = self.row.saturating_sub(page.max(1)),
            Action::PageDown => self.row = (self.row + page.max(1)).min(last),
            Action::Top => self.row = 0,
            Action::Bottom => self.row = last,
            _ => return false,
        }
        true
    }

    /// The first row in view where `height` of `rows` rows are.
    #[must_use]
    pub fn first(self, rows: usize, height: usize) -> usize {
        let row = self.row.min(rows.saturating_sub(1));
        row.saturating_sub(height / 2).min(rows.saturating_sub(height))
    }

    /// Selects the row at a click, where `area` is the table's, its title line included; `false` beside the rows.
    pub fn click(&mut self, column: u16, row: u16, area: Rect, rows: usize) -> bool {
        let body = Rect { y: area.y.saturating_add(1), height: area.height.saturating_sub(1), ..area };
        if !body.contains((column, row).into()) {
            return false;
        }
        let clicked = self.first(rows, usize::from(body.height)) + usize::from(row - body.y);
        if clicked >= rows {
            return false;
        }
        self.row = clicked;
        true
    }
}

/// Draws a title line and as many rows as there is room for around the selected one. `rows` are asked for by number,
/// so that only those in view are made. Without a selection the first rows are shown.
pub fn render(
    buffer: &mut Buffer,
    area: Rect,
    columns: &[Column],
    count: usize,
    rows: impl Fn(usize) -> Vec<Cell>,
    selection: Option<Selection>,
    theme: &Theme,
) {
    let area = area.intersection(buffer.area);
    if area.is_empty() {
        return;
    }
    let widths = widths(columns, area.width);
    let titles: Vec<Cell> = columns.iter().map(|column| Cell::styled(column.title, theme.dim)).collect();
    line(buffer, Rect { height: 1, ..area }, columns, &widths, &titles, theme);
    let height = usize::from(area.height) - 1;
    let first = selection.map_or(0, |selection| selection.first(count, height));
    for (i, row) in (first..count).take(height).enumerate() {
        let Ok(offset) = u16::try_from(i + 1) else { break };
        let place = Rect { y: area.y + offset, height: 1, ..area };
        let selected = selection.is_some_and(|selection| selection.row.min(count.saturating_sub(1)) == row);
        line(buffer, place, columns, &widths, &rows(row), theme);
        if selected {
            mark(buffer, place, theme);
        }
    }
    say_more(buffer, area, first > 0, first + height < count, theme);
}

/// On the frame beside the rows: that there are more of them above, or below.
fn say_more(buffer: &mut Buffer, area: Rect, above: bool, below: bool, theme: &Theme) {
    for (is_so, y, sign) in [(above, area.y + 1, "↑"), (below, area.bottom() - 1, "↓")] {
        if let Some(cell) = buffer.cell_mut((area.right(), y)).filter(|_| is_so)
            && matches!(cell.symbol(), "│" | "║")
        {
            cell.set_symbol(sign).set_style(theme.key);
        }
    }
}

/// Says in a pane's note that columns gave way in `room` columns of the terminal; nothing where all are shown.
#[must_use]
pub fn hidden(columns: &[Column], room: u16) -> Option<String> {
    match widths(columns, room).iter().filter(|width| **width == 0).count() {
        0 => None,
        1 => Some("1 column hidden, widen".to_owned()),
        count => Some(format!("{count} columns hidden, widen")),
    }
}

/// Each column's width; 0 where it gave way. Between two columns there is one space.
#[must_use]
pub fn widths(columns: &[Column], room: u16) -> Vec<u16> {
    let mut widths: Vec<u16> = columns.iter().map(|column| column.width).collect();
    let total = |widths: &[u16]| -> u16 {
        let shown = u16::try_from(widths.iter().filter(|w| **w > 0).count()).unwrap_or(u16::MAX);
        widths.iter().fold(shown.saturating_sub(1), |sum, w| sum.saturating_add(*w))
    };
    let mut order: Vec<usize> = (0..columns.len()).filter(|i| columns[*i].gives_way > 0).collect();
    order.sort_by_key(|i| columns[*i].gives_way);
    while total(&widths) > room {
        let Some(goes) = order.pop() else { break };
        widths[goes] = 0;
    }
    let used = total(&widths);
    if let Some(fill) = columns.iter().zip(&widths).position(|(column, width)| column.fill && *width > 0) {
        if used <= room {
            widths[fill] += room - used;
        } else {
            widths[fill] = widths[fill].saturating_sub(used - room);
        }
    }
    widths
}

/// Marks a row. Where the mark swaps ink and ground, the whole row has one ink first: each cell's own would leave
/// patches of ground.
pub fn mark(buffer: &mut Buffer, place: Rect, theme: &Theme) {
    if theme.selection.add_modifier.contains(Modifier::REVERSED) {
        let plain = Style::new().fg(theme.text.fg.unwrap_or(Color::Reset)).bg(theme.text.bg.unwrap_or(Color::Reset));
        buffer.set_style(place, plain.remove_modifier(Modifier::all()));
    }
    buffer.set_style(place, theme.selection);
}

fn line(buffer: &mut Buffer, area: Rect, columns: &[Column], widths: &[u16], cells: &[Cell], theme: &Theme) {
    let mut x = area.x;
    for ((column, cell_width), cell) in columns.iter().zip(widths).zip(cells) {
        if *cell_width == 0 || x >= area.right() {
            continue;
        }
        let room = usize::from((*cell_width).min(area.right() - x));
        let text = if column.keep_end { fit_end(&cell.text, room) } else { fit(&cell.text, room) };
        let free = room - width(&text);
        let indent = match column.alignment {
            Alignment::Left => 0,
            Alignment::Center => free / 2,
            Alignment::Right => free,
        };
        let at = x + u16::try_from(indent).unwrap_or(0);
        let mut style = theme.text.patch(cell.style);
        // What lies beneath keeps its ground: a popup's isn't the screen's.
        style.bg = style.bg.filter(|ground| theme.text.bg != Some(*ground));
        buffer.set_stringn(at, area.y, &text, room, style);
        x = x.saturating_add(*cell_width).saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] =
        [Column::text("name", 6).fill(), Column::number("rows", 6).gives_way(1), Column::text("state", 7).gives_way(2)];

    #[test]
    fn columns_give_way_in_their_order_and_one_fills() {
        assert_eq!(widths(&COLUMNS, 30), [15, 6, 7]);
        assert_eq!(widths(&COLUMNS, 20), [13, 6, 0]);
        assert_eq!(widths(&COLUMNS, 10), [10, 0, 0]);
        assert_eq!(widths(&COLUMNS, 3), [3, 0, 0]);
        assert_eq!(hidden(&COLUMNS, 30), None);
        assert_eq!(hidden(&COLUMNS, 20).as_deref(), Some("1 column hidden, widen"));
        assert_eq!(hidden(&COLUMNS, 3).as_deref(), Some("2 columns hidden, widen"));
    }

    #[test]
    fn the_selected_row_is_in_view_and_a_click_finds_it() {
        let mut selection = Selection { row: 50 };
        assert_eq!(selection.first(100, 10), 45);
        assert!(selection.click(3, 1, Rect::new(0, 0, 20, 11), 100));
        assert_eq!(selection.row, 45);
        assert!(!selection.click(3, 0, Rect::new(0, 0, 20, 11), 100));
        assert!(selection.update(Action::Bottom, 100, 10));
        assert_eq!((selection.row, selection.first(100, 10)), (99, 90));
        assert!(selection.update(Action::PageUp, 100, 10));
        assert_eq!(selection.row, 89);
        assert!(!selection.update(Action::Quit, 100, 10));
        assert!(selection.update(Action::Down, 0, 10));
        assert_eq!(selection.row, 0);
    }
}
