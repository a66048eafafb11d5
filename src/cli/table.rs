//! Columns of text, as wide as their widest cell.

use unicode_width::UnicodeWidthStr;

/// A cell's place in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Figures.
    Right,
}

/// Rows under a heading, each column aligned, two blanks between. No line ends in a blank.
pub fn table(columns: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let heading: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let width = |index: usize| {
        let cells = rows.iter().chain(std::iter::once(&heading)).filter_map(|row| row.get(index));
        cells.map(|cell| cell.width()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for row in std::iter::once(&heading).chain(rows) {
        let mut line = String::new();
        for ((cell, (_, align)), width) in row.iter().zip(columns).zip(&widths) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            let blanks = " ".repeat(width.saturating_sub(cell.width()));
            match align {
                Align::Left => line.extend([cell.as_str(), &blanks]),
                Align::Right => line.extend([blanks.as_str(), cell]),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_width_and_not_by_bytes() {
        let rows = vec![vec!["°C".into(), "7".into()], vec!["hPa, lx".into(), "1013.2".into()]];
        let text = table(&[("unit", Align::Left), ("value", Align::Right)], &rows);
        assert_eq!(text, "unit      value\n°C            7\nhPa, lx  1013.2\n");
    }

    #[test]
    fn no_line_ends_in_a_blank_and_no_rows_leave_the_heading() {
        let text = table(&[("a", Align::Left), ("b", Align::Left)], &[vec!["x".into(), String::new()]]);
        assert_eq!(text, "a  b\nx\n");
        assert_eq!(table(&[("a", Align::Left)], &[]), "a\n");
    }
}
