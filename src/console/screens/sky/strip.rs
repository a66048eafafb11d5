//! The film strip: pictures of the last hours, evenly chosen, and which of them is shown.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Sky;
use super::gallery::worth_having;
use super::layout::Layout;
use crate::console::pictures::{PictureId, Shown};
use crate::console::screens::Context;
use crate::console::widgets::value::{fit, hour_minute, width};

/// Places of pictures on the strip begin after that of the large one.
const FIRST_SLOT: u16 = 1;

/// A picture on the strip.
pub struct Frame {
    slot: u16,
    /// Its place among the notes, which are newest first.
    pub note: usize,
    id: PictureId,
    /// Its place, the row of its time included.
    place: Rect,
    /// Whether it is the one that is shown.
    is_shown: bool,
}

impl Frame {
    /// Where its picture is.
    fn picture(&self) -> Rect {
        Rect { height: self.place.height - 1, ..self.place }
    }
}

/// Which of `count` notes stand on a strip of `places`, oldest first: the newest and the oldest, the others at equal
/// distances, and in place of the nearest one that which is `shown`.
pub fn chosen(count: usize, places: usize, shown: usize) -> Vec<usize> {
    let places = places.min(count);
    let mut chosen: Vec<usize> = match places {
        0 | 1 => (0..places).collect(),
        _ => (0..places).rev().map(|i| i * (count - 1) / (places - 1)).collect(),
    };
    if let Some(nearest) = chosen.iter_mut().min_by_key(|note| note.abs_diff(shown)) {
        *nearest = shown;
    }
    chosen
}

/// The pictures on the strip, oldest first.
pub fn frames(sky: &Sky, layout: &Layout, ctx: &Context<'_>) -> Vec<Frame> {
    let notes = sky.gallery.notes();
    let places = layout.frames();
    let shown = sky.shown_index();
    let chosen = chosen(notes.len(), places.len(), shown);
    (FIRST_SLOT..)
        .zip(places.into_iter().zip(chosen))
        .map(|(slot, (place, note))| {
            let room = (place.width, place.height - 1);
            let id = worth_having(&notes[note], false, room, ctx.pictures.graphics());
            Frame { slot, note, id, place, is_shown: note == shown }
        })
        .collect()
}

/// Their ids, to be asked for.
pub fn ids(sky: &Sky, layout: &Layout, ctx: &Context<'_>) -> Vec<PictureId> {
    frames(sky, layout, ctx).into_iter().map(|frame| frame.id).collect()
}

/// Those that were handed over.
pub fn pictures(sky: &Sky, layout: &Layout, ctx: &Context<'_>) -> Vec<Shown> {
    let shown = |frame: Frame| {
        let jpeg = sky.gallery.held(&frame.id)?.jpeg.clone();
        let area = frame.picture();
        Some(Shown { slot: frame.slot, id: frame.id, jpeg, area })
    };
    frames(sky, layout, ctx).into_iter().filter_map(shown).collect()
}

/// Draws the strip.
pub fn render(sky: &Sky, buffer: &mut Buffer, layout: &Layout, ctx: &Context<'_>) {
    let area = layout.strip;
    let frames = frames(sky, layout, ctx);
    if frames.is_empty() {
        return render_line(sky, buffer, area, ctx);
    }
    for frame in &frames {
        let place = frame.picture();
        if !ctx.pictures.draw(buffer, place, frame.slot, &frame.id, ctx.stale) {
            let failed =
                sky.gallery.refusal(&frame.id).or_else(|| ctx.pictures.failure(frame.slot, &frame.id)).is_some();
            let words = if failed { "✖" } else { "…" };
            let middle = place.x + place.width / 2;
            buffer.set_stringn(middle, place.y + place.height / 2, words, 1, ctx.theme.dim);
        }
        let time = hour_minute(sky.gallery.notes()[frame.note].taken_at, ctx.zone);
        let (text, style) = if frame.is_shown {
            (format!("▸{time}"), ctx.theme.selection)
        } else {
            (format!(" {time}"), ctx.theme.dim)
        };
        let room = usize::from(frame.place.width);
        buffer.set_stringn(frame.place.x, place.bottom(), fit(&text, room), room, style);
    }
}

/// Where there is no room for pictures: the times around the one that is shown, and how many there are.
fn render_line(sky: &Sky, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
    let notes = sky.gallery.notes();
    if area.is_empty() || notes.is_empty() {
        return;
    }
    let shown = sky.shown_index();
    let count = format!("  {} of {}", notes.len() - shown, notes.len());
    let room = usize::from(area.width).saturating_sub(width(&count));
    // Six columns a time, with its gap; the one that is shown is in the middle where there are so many.
    let places = (room / 7).max(1);
    let newest = shown.saturating_sub(places / 2).min(notes.len().saturating_sub(places));
    let mut x = area.x;
    for note in (newest..(newest + places).min(notes.len())).rev() {
        let time = hour_minute(notes[note].taken_at, ctx.zone);
        let style = if note == shown { ctx.theme.selection } else { ctx.theme.dim };
        let text = if note == shown { format!("▸{time}") } else { format!(" {time}") };
        (x, _) = buffer.set_stringn(x, area.y, text, room, style);
        x += 1;
    }
    let at = area.right().saturating_sub(u16::try_from(width(&count)).unwrap_or(0));
    buffer.set_stringn(at.max(area.x), area.y, count, area.width.into(), ctx.theme.dim);
}

/// The picture at a cell, by its place among the notes.
pub fn at(sky: &Sky, layout: &Layout, ctx: &Context<'_>, (column, row): (u16, u16)) -> Option<usize> {
    frames(sky, layout, ctx)
        .into_iter()
        .find(|frame| frame.place.contains((column, row).into()))
        .map(|frame| frame.note)
}

#[cfg(test)]
mod tests {
    use super::chosen;

    #[test]
    fn a_strip_spans_all_of_the_time_and_has_the_one_that_is_shown() {
        assert_eq!(chosen(0, 8, 0), Vec::<usize>::new());
        assert_eq!(chosen(1, 8, 0), [0]);
        assert_eq!(chosen(3, 8, 0), [2, 1, 0]);
        assert_eq!(chosen(144, 4, 0), [143, 95, 47, 0]);
        assert_eq!(chosen(144, 4, 60), [143, 95, 60, 0]);
        assert_eq!(chosen(5, 0, 0), Vec::<usize>::new());
        assert_eq!(chosen(5, 1, 3), [3]);
    }
}
