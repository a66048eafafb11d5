//! Plans: Terraform's plans, their approval and their runs; not in this release.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Context, Outcome, Screen, ScreenName, note};
use crate::console::Action;
use crate::owner::{Answer, AskError, Request};
use crate::settings::EnvironmentKind;

/// The screen; it has no state.
#[derive(Debug, Default)]
pub struct Plans;

impl Screen for Plans {
    fn name(&self) -> ScreenName {
        ScreenName::Plans
    }

    fn update(&mut self, _action: Action, _ctx: &Context<'_>) -> Outcome {
        Outcome::Ignored
    }

    fn wants(&self, _ctx: &Context<'_>) -> Vec<Request> {
        Vec::new()
    }

    fn receive(&mut self, _request: &Request, _answer: Result<&Answer, &AskError>, _ctx: &Context<'_>) {}

    fn render(&self, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        let name = ctx.snapshot.environment.as_str();
        let stands = match ctx.snapshot.environment_kind {
            EnvironmentKind::Demo | EnvironmentKind::Local => {
                format!("{name} runs on the built-in topology; nothing needs to be planned or applied.")
            }
            EnvironmentKind::Cloud => format!("{name} is provisioned outside of skydeck in this release."),
        };
        let text = [
            stands.as_str(),
            "Here Terraform plans will be read, approved and applied. This release sets up no Terraform runs.",
        ];
        note::render(buffer, area, "Plans", &text, ctx.theme);
    }
}
