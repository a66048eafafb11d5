//! What screens are drawn with: pure functions of data, area and theme.
//!
//! - `pane` – a titled frame, bright where it has the focus
//! - `table` – rows and columns with a selection; columns give way where it is narrow
//! - `value` – figures, sizes, times and ages as text, cut with `…`
//! - `lamp` – a stage's lamp: a glyph and a colour, never a colour alone
//! - `chart` – a time-series line chart in braille
//! - `dialog` – a question or a choice in the middle of a screen
//! - `fan` – a forecast's median and bands beside what was measured
//! - `histogram` – horizontal bars with counts
//! - `sparkline` – a series as one line of text

pub mod chart;
pub mod dialog;
pub mod fan;
pub mod histogram;
pub mod lamp;
pub mod pane;
pub mod sparkline;
pub mod table;
pub mod value;
