//! Where the overview's panes are: the same for drawing and for clicks.

use ratatui::layout::{Constraint, Layout as Split, Rect};

use crate::console::screens::{Context, SizeClass};

/// A pane that can have the focus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Pane {
    #[default]
    Pipeline,
    Now,
    Next,
    Sky,
    Alarms,
}

/// The panes' places; an empty one isn't drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub pipeline: Rect,
    pub now: Rect,
    pub next: Rect,
    pub sky: Rect,
    pub alarms: Rect,
    /// Newest warnings of the log, where there is room to spare.
    pub warnings: Rect,
}

impl Layout {
    /// In the screen's own area.
    pub fn of(ctx: &Context<'_>) -> Self {
        Self::new(ctx.area, ctx)
    }

    /// In `area`. A small terminal has no pane for the sky: a line of Now tells it. One too low for everything
    /// gives up the weather before the pipeline and the alarms.
    pub fn new(area: Rect, ctx: &Context<'_>) -> Self {
        let small = ctx.size == SizeClass::Small;
        let raised = u16::try_from(ctx.snapshot.alarms.len()).unwrap_or(u16::MAX);
        let pipeline_height = if small { 7 } else { 10 };
        let alarms_height = raised.clamp(1, if small { 2 } else { 5 }) + 3;
        let warnings_height = if ctx.size == SizeClass::Large { 11 } else { 0 };
        let [pipeline, weather, alarms, warnings] = Split::vertical([
            Constraint::Length(pipeline_height.min(area.height)),
            Constraint::Fill(1),
            Constraint::Length(alarms_height),
            Constraint::Length(warnings_height),
        ])
        .areas(area);
        let widths = match ctx.size {
            SizeClass::Small => [Constraint::Length(36), Constraint::Fill(1), Constraint::Length(0)],
            SizeClass::Medium => [Constraint::Length(44), Constraint::Fill(1), Constraint::Length(22)],
            SizeClass::Large => [Constraint::Length(56), Constraint::Fill(1), Constraint::Length(48)],
        };
        let [now, next, sky] = Split::horizontal(widths).areas(weather);
        Self { pipeline, now, next, sky, alarms, warnings }
    }

    fn panes(&self) -> Vec<(Pane, Rect)> {
        let all = [
            (Pane::Pipeline, self.pipeline),
            (Pane::Now, self.now),
            (Pane::Next, self.next),
            (Pane::Sky, self.sky),
            (Pane::Alarms, self.alarms),
        ];
        all.into_iter().filter(|(_, place)| !place.is_empty()).collect()
    }

    /// The pane `step` places after `pane`, going round.
    pub fn after(&self, pane: Pane, step: isize) -> Pane {
        let panes = self.panes();
        let at = panes.iter().position(|(one, _)| *one == pane).unwrap_or(0);
        let count = panes.len().max(1);
        let next = at.checked_add_signed(step).unwrap_or(count - 1) % count;
        panes.get(next).map_or(pane, |(pane, _)| *pane)
    }

    /// The pane at a cell.
    pub fn pane_at(&self, column: u16, row: u16) -> Option<Pane> {
        self.panes().into_iter().find(|(_, place)| place.contains((column, row).into())).map(|(pane, _)| pane)
    }
}
