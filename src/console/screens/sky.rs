//! Sky: the newest picture; without a camera, what is known of the sun.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Context, Outcome, Screen, ScreenName, note, overview};
use crate::console::Action;
use crate::owner::{Answer, AskError, Request};
use crate::station::text::printable;

/// The screen; it has no state.
#[derive(Debug, Default)]
pub struct Sky;

impl Screen for Sky {
    fn name(&self) -> ScreenName {
        ScreenName::Sky
    }

    fn update(&mut self, _action: Action, _ctx: &Context<'_>) -> Outcome {
        Outcome::Ignored
    }

    fn wants(&self, _ctx: &Context<'_>) -> Vec<Request> {
        Vec::new()
    }

    fn receive(&mut self, _request: &Request, _answer: Result<&Answer, &AskError>, _ctx: &Context<'_>) {}

    fn render(&self, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        let station = &ctx.snapshot.station;
        let sun = format!(
            "{} ({:.3}° N, {:.3}° E, {:.0} m): {}",
            printable(&station.name),
            station.latitude_deg,
            station.longitude_deg,
            station.altitude_m,
            overview::sun(ctx)
        );
        let text = [
            sun.as_str(),
            "No camera is set up, so there is no picture and no cloud cover. Pictures come with a camera source on the \
             device, which this release doesn't have yet.",
        ];
        note::render(buffer, area, "Sky", &text, ctx.theme);
    }
}
