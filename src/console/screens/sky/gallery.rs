//! The pictures that a screen knows: their notes, and those that were handed over.

use std::collections::VecDeque;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};

use crate::console::pictures::{Graphics, PictureId};
use crate::owner::{Answer, AskError, PictureView, Request, ShownPicture};
use crate::station::text::printable;

/// Bytes of pictures that are kept beyond those that are wanted.
const KEPT: usize = 4 * 1024 * 1024;
/// Answers that are kept, refusals among them.
const MOST_KEPT: usize = 256;
/// After how long what was refused is asked for again.
const AGAIN: SignedDuration = SignedDuration::from_secs(60);
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
    /// When its file says that it was taken.
    pub taken_at: Option<Timestamp>,
}

/// Why a picture wasn't handed over.
#[derive(Debug)]
struct Refused {
    words: String,
    /// When, by the wall's clock.
    at: Timestamp,
}

/// The pictures that a screen knows.
#[derive(Debug, Default)]
pub struct Gallery {
    /// Newest first; absent until the owner has answered.
    pub notes: Option<Vec<PictureView>>,
    /// Why there is no list.
    pub failure: Option<String>,
    held: VecDeque<(PictureId, Result<Held, Refused>)>,
}

impl Gallery {
    /// The pictures' notes, newest first.
    pub fn notes(&self) -> &[PictureView] {
        self.notes.as_deref().unwrap_or_default()
    }

    /// The request for a picture that isn't there yet. One that was refused is asked for again after a while: a network that
    /// is down comes up again.
    pub fn missing(&self, id: &PictureId, now: Timestamp) -> Option<Request> {
        match self.held.iter().find(|(known, _)| known == id) {
            Some((_, Ok(_))) => return None,
            Some((_, Err(refused))) if now.duration_since(refused.at) < AGAIN => return None,
            _ => {}
        }
        Some(Request::Picture { blob_name: id.blob_name.clone(), max_px: id.max_px, overlay: id.overlay })
    }

    /// A picture that was handed over.
    pub fn held(&self, id: &PictureId) -> Option<&Held> {
        self.held.iter().find(|(known, _)| known == id)?.1.as_ref().ok()
    }

    /// Why a picture wasn't.
    pub fn refusal(&self, id: &PictureId) -> Option<&str> {
        self.held.iter().find(|(known, _)| known == id)?.1.as_ref().err().map(|refused| refused.words.as_str())
    }

    /// Takes an answer, if it is one of these; of what is kept, `wanted` goes last.
    pub fn receive(
        &mut self,
        request: &Request,
        answer: Result<&Answer, &AskError>,
        wanted: &[PictureId],
        now: Timestamp,
    ) {
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
                self.held.push_back((id, held.map_err(|words| Refused { words, at: now })));
                self.shrink(wanted);
            }
            _ => {}
        }
    }

    fn shrink(&mut self, wanted: &[PictureId]) {
        let size = |held: &Result<Held, Refused>| held.as_ref().map_or(0, |held| held.jpeg.len());
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
        taken_at: picture.taken_at,
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
