//! The pictures that a screen knows: their notes, and those that were handed over.

use std::collections::VecDeque;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::console::pictures::{Graphics, PictureId};
use crate::owner::{Answer, AskError, PictureView, Request, ShownPicture};
use crate::station::text::printable;

/// Bytes of pictures that are kept beyond those that are wanted.
const KEPT: usize = 4 * 1024 * 1024;
/// Answers that are kept, refusals among them.
const MOST_KEPT: usize = 256;
/// What is asked for is a multiple of it, so that a pane that changes a little shows the same picture.
const STEP_PX: u32 = 64;
/// Bounds of what the owner hands over.
const SIDES_PX: (u32, u32) = (64, 2048);

/// A picture that was handed over.
#[derive(Debug, Clone)]
pub struct Held {
    /// The JPEG.
    pub jpeg: Arc<[u8]>,
    /// The picture's own size, pixels.
    pub original: (u32, u32),
    /// What the mask drawn over it shows.
    pub mask: Option<String>,
}

/// The pictures that a screen knows.
#[derive(Debug, Default)]
pub struct Gallery {
    /// Newest first; absent until the owner has answered.
    pub notes: Option<Vec<PictureView>>,
    /// Why there is no list.
    pub failure: Option<String>,
    held: VecDeque<(PictureId, Result<Held, String>)>,
}

impl Gallery {
    /// The pictures' notes, newest first.
    pub fn notes(&self) -> &[PictureView] {
        self.notes.as_deref().unwrap_or_default()
    }

    /// The request for a picture that isn't there yet.
    pub fn missing(&self, id: &PictureId) -> Option<Request> {
        if self.held.iter().any(|(known, _)| known == id) {
            return None;
        }
        Some(Request::Picture { blob_name: id.blob_name.clone(), max_px: id.max_px, overlay: id.overlay })
    }

    /// A picture that was handed over.
    pub fn held(&self, id: &PictureId) -> Option<&Held> {
        self.held.iter().find(|(known, _)| known == id)?.1.as_ref().ok()
    }

    /// Why a picture wasn't.
    pub fn refusal(&self, id: &PictureId) -> Option<&str> {
        self.held.iter().find(|(known, _)| known == id)?.1.as_ref().err().map(String::as_str)
    }

    /// Takes an answer, if it is one of these; of what is kept, `wanted` goes last.
    pub fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>, wanted: &[PictureId]) {
        match (request, answer) {
            (Request::Pictures { .. }, Ok(Answer::Pictures { pictures })) => {
                self.failure = None;
                if self.notes.as_ref() != Some(pictures) {
                    // What couldn't be had may have come.
                    self.held.retain(|(_, held)| held.is_ok());
                    self.notes = Some(pictures.clone());
                }
            }
            (Request::Pictures { .. }, Err(error)) => self.failure = Some(printable(&error.to_string())),
            (Request::Picture { blob_name, max_px, overlay }, answer) => {
                let id = PictureId { blob_name: blob_name.clone(), max_px: *max_px, overlay: *overlay };
                let held = match answer {
                    Ok(Answer::Picture(picture)) => handed_over(picture),
                    Ok(_) => return,
                    Err(error) => Err(printable(&error.to_string())),
                };
                self.held.retain(|(known, _)| *known != id);
                self.held.push_back((id, held));
                self.shrink(wanted);
            }
            _ => {}
        }
    }

    fn shrink(&mut self, wanted: &[PictureId]) {
        let size = |held: &Result<Held, String>| held.as_ref().map_or(0, |held| held.jpeg.len());
        let mut bytes: usize = self.held.iter().map(|(_, held)| size(held)).sum();
        let mut left = self.held.len();
        self.held.retain(|(id, held)| {
            let goes = (bytes > KEPT || left > MOST_KEPT) && !wanted.contains(id);
            if goes {
                bytes -= size(held);
                left -= 1;
            }
            !goes
        });
    }
}

fn handed_over(picture: &ShownPicture) -> Result<Held, String> {
    let jpeg = STANDARD.decode(&picture.jpeg).map_err(|error| format!("the owner's picture is broken: {error}"))?;
    Ok(Held {
        jpeg: jpeg.into(),
        original: (picture.original_width, picture.original_height),
        mask: picture.mask.as_deref().map(printable),
    })
}

/// The picture of `note` as it is worth having for a room of so many columns and rows. Its proportions aren't known
/// before: none is taken to be wider than 16:9.
pub fn worth_having(note: &PictureView, overlay: bool, (columns, rows): (u16, u16), graphics: &Graphics) -> PictureId {
    let (width, height) = graphics.pixels(columns, rows);
    let longer = width.min(height * 16 / 9).max(width.min(height));
    let max_px = longer.next_multiple_of(STEP_PX).clamp(SIDES_PX.0, SIDES_PX.1);
    PictureId { blob_name: note.blob_name.clone(), max_px, overlay }
}
