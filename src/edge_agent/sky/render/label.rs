//! The word RENDERED, in pixels.

const WORD: &str = "RENDERED";
const ROWS: u32 = 7;
const COLUMNS: u32 = 5;

/// Rows of a letter from the top, five bits each.
const fn letter(letter: char) -> [u8; ROWS as usize] {
    match letter {
        'R' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001],
        'E' => [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111],
        'N' => [0b10001, 0b11001, 0b10101, 0b10011, 0b10001, 0b10001, 0b10001],
        'D' => [0b11110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b11110],
        _ => [0; ROWS as usize],
    }
}

/// Whether the word's point at a column and row is lit; the word is 48 by 9 with its margin.
fn is_lit(column: u32, row: u32) -> bool {
    let (Some(column), Some(row)) = (column.checked_sub(1), row.checked_sub(1)) else { return false };
    let (index, within) = (column / (COLUMNS + 1), column % (COLUMNS + 1));
    let bits = WORD.chars().nth(index as usize).map_or([0; ROWS as usize], letter);
    within < COLUMNS && row < ROWS && bits[row as usize] >> (COLUMNS - 1 - within) & 1 == 1
}

/// The word's colour at a pixel of a picture of a size, and `None` beside it: it stands in the bottom left corner, white
/// on black, some quarter of the width wide.
pub(super) fn at((x, y): (u32, u32), (width, height): (u32, u32)) -> Option<[u8; 3]> {
    let (columns, rows) = (WORD.len() as u32 * (COLUMNS + 1) + 1, ROWS + 2);
    let scale = (width / (4 * columns)).max(1);
    let row = y.checked_sub(height.saturating_sub(rows * scale))?;
    let is_lit = || if is_lit(x / scale, row / scale) { [255; 3] } else { [0; 3] };
    (x < columns * scale).then(is_lit)
}
