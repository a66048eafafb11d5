//! Pictures on a terminal: by its own graphics where it has some, in half blocks or shades elsewhere.
//!
//! A screen says which pictures it shows and where ([`Shown`]); the runner has a [`Tile`] made of each on another thread,
//! and drawing copies its cells. What no cell can hold, the picture itself, is [`Ink`]: the painter writes it where the
//! frame left its [`Placement`] free. Whatever lies over a picture takes its cells, and the rest of it is blocks then.
//!
//! - `graphics` – what the terminal can
//! - `tile` – one picture made for one place
//! - `blocks` – half blocks and shades in the colours there are
//! - `kitty` – kitty's placeholders

mod blocks;
mod graphics;
mod kitty;
mod tile;

use std::collections::BTreeMap;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};

pub use graphics::{Abilities, Graphics, Surroundings, Way};
pub use tile::{Ink, Placement, Tile};

/// One picture as the owner answered it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PictureId {
    /// Its blob.
    pub blob_name: String,
    /// Pixels of its longer side that were asked for.
    pub max_px: u32,
    /// Whether the cloud mask is drawn over it.
    pub overlay: bool,
}

/// A picture that a screen shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Which of the screen's places for pictures; a place shows one at a time.
    pub slot: u16,
    /// Which picture.
    pub id: PictureId,
    /// The owner's JPEG of it.
    pub jpeg: Arc<[u8]>,
    /// Where there is room for it, in cells of the terminal.
    pub area: Rect,
}

/// What is in a slot.
#[derive(Debug)]
struct Made {
    id: PictureId,
    room: Size,
    tile: Result<Tile, String>,
}

/// The pictures that were made for the screen that is up, and what the terminal can.
#[derive(Debug, Default)]
pub struct Pictures {
    graphics: Graphics,
    made: BTreeMap<u16, Made>,
}

impl Pictures {
    /// Nothing made yet, for a terminal that can do this.
    #[must_use]
    pub fn new(graphics: Graphics) -> Self {
        Self { graphics, made: BTreeMap::new() }
    }

    /// What the terminal can.
    #[must_use]
    pub const fn graphics(&self) -> &Graphics {
        &self.graphics
    }

    /// The terminal can something else: every picture is made anew.
    pub fn set_graphics(&mut self, graphics: Graphics) {
        if self.graphics != graphics {
            *self = Self::new(graphics);
        }
    }

    /// Forgets what isn't among `shown` any more; answers the first one that has to be made.
    pub fn next<'a>(&mut self, shown: &'a [Shown]) -> Option<&'a Shown> {
        self.made.retain(|slot, _| shown.iter().any(|shown| shown.slot == *slot));
        if self.graphics.way == Way::Words {
            return None;
        }
        shown.iter().find(|shown| {
            let is_made = |made: &Made| made.id == shown.id && made.room == shown.area.as_size();
            !shown.area.is_empty() && !self.made.get(&shown.slot).is_some_and(is_made)
        })
    }

    /// Takes what was made of a picture, or why it couldn't be.
    pub fn take(&mut self, shown: &Shown, tile: Result<Tile, String>) {
        let made = Made { id: shown.id.clone(), room: shown.area.as_size(), tile };
        self.made.insert(shown.slot, made);
    }

    /// Whether a picture was made, or couldn't be.
    #[must_use]
    pub fn is_made(&self, slot: u16, id: &PictureId) -> bool {
        self.made.get(&slot).is_some_and(|made| made.id == *id)
    }

    /// Draws a picture into the middle of `area`; answers whether it is there. In the first slot the one before it stays
    /// until its follower is made, so that nothing flickers. With `plain` it is drawn in cells only.
    pub fn draw(&self, buffer: &mut Buffer, area: Rect, slot: u16, id: &PictureId, plain: bool) -> bool {
        let is_it = |made: &&Made| made.room == area.as_size() && (slot == 0 || made.id == *id);
        let made = self.made.get(&slot).filter(is_it);
        let Some(Ok(tile)) = made.map(|made| &made.tile) else { return false };
        tile.draw(buffer, tile.place(area), plain);
        true
    }

    /// Why a picture couldn't be made.
    #[must_use]
    pub fn failure(&self, slot: u16, id: &PictureId) -> Option<&str> {
        let made = self.made.get(&slot).filter(|made| made.id == *id)?;
        made.tile.as_ref().err().map(String::as_str)
    }

    /// What the painter has to write for `shown` after the cells of `buffer`. Cells that a picture takes for itself are
    /// marked in it.
    pub fn placements(&self, buffer: &mut Buffer, shown: &[Shown]) -> Vec<Placement> {
        let place = |shown: &Shown| {
            let made = self.made.get(&shown.slot).filter(|made| made.room == shown.area.as_size())?;
            let tile = made.tile.as_ref().ok()?;
            tile.put(buffer, tile.place(shown.area))
        };
        shown.iter().filter_map(place).collect()
    }
}

#[cfg(test)]
mod tests;
