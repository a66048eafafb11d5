//! Where things are on the screen, for drawing, for clicks and for pictures.

use ratatui::layout::{Constraint, Layout as Split, Margin, Rect};

use crate::console::screens::{Context, SizeClass};

/// The parts of the screen; an empty one isn't drawn.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// The pane of the picture, with its frame.
    pub pane: Rect,
    /// The picture.
    pub picture: Rect,
    /// What is known of it.
    pub facts: Rect,
    /// The film strip: pictures and their times, or one line of times.
    pub strip: Rect,
    /// The pane of the cloud cover, with its frame.
    pub cover: Rect,
}

impl Layout {
    /// In the screen's own area. What is low gives up the chart first, then the strip's pictures.
    pub fn new(area: Rect, ctx: &Context<'_>) -> Self {
        let (facts, strip, cover) = match ctx.size {
            SizeClass::Small if area.height < 18 => (2, 1, 0),
            SizeClass::Small => (3, 1, 6),
            SizeClass::Medium => (3, 4, 7),
            SizeClass::Large => (3, 9, 13),
        };
        let [pane, cover] = Split::vertical([Constraint::Fill(1), Constraint::Length(cover)]).areas(area);
        let rows = [Constraint::Fill(1), Constraint::Length(facts), Constraint::Length(strip)];
        let [picture, facts, strip] = Split::vertical(rows).areas(pane.inner(Margin::new(1, 1)));
        Self { pane, picture, facts, strip, cover }
    }

    /// Places of the film strip's pictures from left to right, each with the row of its time beneath; none where it is one
    /// line.
    pub fn frames(&self) -> Vec<Rect> {
        if self.strip.height < 3 {
            return Vec::new();
        }
        // 4:3 in cells of one to two, and a column between.
        let width = (self.strip.height - 1) * 8 / 3;
        let count = (self.strip.width + 1) / (width + 1);
        (0..count).map(|i| Rect { x: self.strip.x + i * (width + 1), width, ..self.strip }).collect()
    }
}
