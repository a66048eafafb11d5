//! Overview: is the pipeline healthy, and what is the weather?
//!
//! - `layout` – where the panes are, for drawing and for clicks
//! - `pipeline` – the eight stages, and what is to be said of the selected one
//! - `weather` – Now, the next four hours, the sky
//! - `alarms` – what is raised

mod alarms;
mod layout;
mod pipeline;
mod weather;

use jiff::SignedDuration;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::layout::{Layout, Pane};
use super::sky::gallery::{Gallery, worth_having};
use super::{Context, Effect, Outcome, Screen, ScreenName};
use crate::console::Action;
use crate::console::export::{Cell, Exportable, Table};
use crate::console::pictures::{PictureId, Shown, Way};
use crate::console::widgets::table::Selection;
use crate::owner::{Answer, AskError, NowcastView, Request, Series, StageName};
use crate::settings::EnvironmentKind;
use crate::station::Variable;

/// Hours that the sparklines go back.
const HOURS_BACK: i64 = 6;
/// Points a sparkline is made of: one a quarter of an hour.
const SPARK_POINTS: usize = 24;
/// Variables with a sparkline.
const SPARKED: [Variable; 4] = [Variable::Temperature, Variable::Humidity, Variable::Pressure, Variable::Light];

/// The screen's state.
#[derive(Debug, Default)]
pub struct Overview {
    focus: Pane,
    stage: usize,
    alarm: Selection,
    /// Which of the nowcast's variables the fan shows.
    shown: usize,
    series: Vec<Series>,
    nowcast: Option<Box<NowcastView>>,
    /// The newest picture.
    gallery: Gallery,
}

impl Overview {
    fn selected_stage(&self) -> StageName {
        StageName::ALL[self.stage.min(StageName::ALL.len() - 1)]
    }

    fn open(&self, ctx: &Context<'_>) -> Outcome {
        let screen = match self.focus {
            Pane::Pipeline => explains(self.selected_stage()),
            Pane::Now => ScreenName::Telemetry,
            Pane::Next => ScreenName::Nowcast,
            Pane::Sky => ScreenName::Sky,
            Pane::Alarms => match self.selected_alarm(ctx) {
                Some(alarm) => explains(alarm.stage),
                None => return Outcome::done(),
            },
        };
        Outcome::effect(Effect::Goto(screen))
    }

    /// The newest picture, as it is worth having here; absent where there is none, or no room.
    fn picture_id(&self, ctx: &Context<'_>) -> Option<PictureId> {
        let place = weather::sky_picture(Layout::of(ctx).sky);
        let note = self.gallery.notes().first()?;
        (!place.is_empty() && ctx.pictures.graphics().way != Way::Words)
            .then(|| worth_having(note, false, (place.width, place.height), ctx.pictures.graphics()))
    }

    fn selected_alarm<'a>(&self, ctx: &Context<'a>) -> Option<&'a crate::owner::Alarm> {
        let alarms = alarms::shown(ctx);
        alarms.get(self.alarm.row.min(alarms.len().saturating_sub(1))).copied()
    }

    fn sideways(&mut self, right: bool) -> Outcome {
        let step = |at: usize, count: usize| if right { (at + 1).min(count - 1) } else { at.saturating_sub(1) };
        match self.focus {
            Pane::Pipeline => self.stage = step(self.stage, StageName::ALL.len()),
            Pane::Next => {
                let count = self.nowcast.as_ref().map_or(1, |view| view.prediction.forecasts.len().max(1));
                self.shown = step(self.shown, count);
            }
            _ => return Outcome::Ignored,
        }
        Outcome::done()
    }

    fn click(&mut self, column: u16, row: u16, ctx: &Context<'_>) -> Outcome {
        let layout = Layout::of(ctx);
        let Some(pane) = layout.pane_at(column, row) else { return Outcome::Ignored };
        let again = self.focus == pane;
        self.focus = pane;
        match pane {
            Pane::Pipeline => {
                if let Some(stage) = pipeline::stage_at(layout.pipeline, column) {
                    if again && self.stage == stage {
                        return self.open(ctx);
                    }
                    self.stage = stage;
                }
            }
            Pane::Alarms => {
                let inner = layout.alarms.inner(ratatui::layout::Margin::new(1, 1));
                self.alarm.click(column, row, inner, alarms::shown(ctx).len());
            }
            _ if again => return self.open(ctx),
            _ => {}
        }
        Outcome::done()
    }
}

/// The screen that explains a stage.
const fn explains(stage: StageName) -> ScreenName {
    match stage {
        StageName::Roof => ScreenName::Telemetry,
        StageName::Hub => ScreenName::Devices,
        StageName::Route | StageName::Blob | StageName::Event | StageName::Pipe | StageName::Table => ScreenName::Loads,
        StageName::Nowcast => ScreenName::Nowcast,
    }
}

impl Screen for Overview {
    fn name(&self) -> ScreenName {
        ScreenName::Overview
    }

    fn update(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        match action {
            Action::FocusNext => self.focus = Layout::of(ctx).after(self.focus, 1),
            Action::FocusPrevious => self.focus = Layout::of(ctx).after(self.focus, -1),
            Action::Left => return self.sideways(false),
            Action::Right => return self.sideways(true),
            Action::Open => return self.open(ctx),
            Action::Click { column, row } => return self.click(column, row, ctx),
            Action::AcknowledgeAlarm => {
                return match self.selected_alarm(ctx) {
                    Some(alarm) => Outcome::effect(Effect::Ask(Request::AcknowledgeAlarm { rule: alarm.rule.clone() })),
                    None => Outcome::done(),
                };
            }
            moves => {
                let page = usize::from(Layout::of(ctx).alarms.height.saturating_sub(3));
                if !self.alarm.update(moves, alarms::shown(ctx).len(), page) {
                    return Outcome::Ignored;
                }
                self.focus = Pane::Alarms;
            }
        }
        Outcome::done()
    }

    fn wants(&self, ctx: &Context<'_>) -> Vec<Request> {
        // Whole minutes, so that the list only changes when there may be news.
        let mut wants = Vec::new();
        if let Some(measurement) = &ctx.snapshot.now.measurement {
            let to = measurement.measured_at;
            let from = to.checked_sub(SignedDuration::from_hours(HOURS_BACK)).unwrap_or(to);
            let device = (ctx.snapshot.devices.len() > 1).then(|| measurement.device_id.clone());
            let series =
                |variable| Request::Series { device: device.clone(), variable, from, to, max_points: SPARK_POINTS };
            wants.extend(SPARKED.into_iter().map(series));
            wants.extend(ctx.snapshot.nowcast.is_some().then_some(Request::Nowcast { at: None }));
        }
        // In the cloud, pictures may be there where no telemetry is.
        if !wants.is_empty() || ctx.snapshot.environment_kind == EnvironmentKind::Cloud {
            wants.push(Request::Pictures { before: None, limit: 1 });
            wants.extend(self.picture_id(ctx).and_then(|id| self.gallery.missing(&id, ctx.now)));
        }
        wants
    }

    fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>, ctx: &Context<'_>) {
        let wanted: Vec<PictureId> = self.picture_id(ctx).into_iter().collect();
        self.gallery.receive(request, answer, &wanted, ctx.now);
        match answer {
            Ok(Answer::Series(series)) => {
                self.series.retain(|known| known.variable != series.variable);
                self.series.push(series.clone());
            }
            Ok(Answer::Nowcast { nowcast }) => self.nowcast.clone_from(nowcast),
            // What was there stays: an owner that is gone is said in the header.
            _ => {}
        }
    }

    fn render(&self, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        let layout = Layout::new(area, ctx);
        let focused = |pane| self.focus == pane;
        pipeline::render(buffer, layout.pipeline, self.stage, focused(Pane::Pipeline), ctx);
        let tells_sky = layout.sky.is_empty().then_some(&self.gallery);
        weather::render_now(buffer, layout.now, &self.series, focused(Pane::Now), tells_sky, ctx);
        weather::render_next(buffer, layout.next, self.nowcast.as_deref(), self.shown, focused(Pane::Next), ctx);
        weather::render_sky(buffer, layout.sky, &self.gallery, focused(Pane::Sky), ctx);
        alarms::render(buffer, layout.alarms, self.alarm, focused(Pane::Alarms), ctx);
        alarms::render_warnings(buffer, layout.warnings, ctx);
    }

    fn pictures(&self, ctx: &Context<'_>) -> Vec<Shown> {
        let area = weather::sky_picture(Layout::of(ctx).sky);
        let shown = self.picture_id(ctx).and_then(|id| {
            let jpeg = self.gallery.held(&id)?.jpeg.clone();
            Some(Shown { slot: 0, id, jpeg, area })
        });
        shown.into_iter().collect()
    }

    fn exports(&self, ctx: &Context<'_>) -> Vec<Exportable> {
        let text = |text: &str| Cell::Text(text.to_owned());
        let number = |value: Option<f64>| value.map_or(Cell::Absent, Cell::Number);
        let rows = ctx.snapshot.stages.iter().map(|stage| {
            vec![
                text(stage.name.label()),
                text(crate::console::widgets::lamp::word(stage.lamp)),
                text(&stage.headline),
                text(&stage.detail),
                number(stage.rate_per_s),
                number(stage.lag_s),
                stage.last_error.as_deref().map_or(Cell::Absent, text),
            ]
        });
        let columns = ["stage", "state", "headline", "detail", "rate_per_s", "lag_s", "last_error"];
        let pipeline =
            Table { name: "pipeline".into(), columns: columns.map(str::to_owned).to_vec(), rows: rows.collect() };
        let mut items = vec![Exportable::Table(pipeline)];
        items.extend(alarms::export(ctx));
        items
    }

    fn copy(&self, ctx: &Context<'_>) -> Option<String> {
        match self.focus {
            Pane::Alarms => self.selected_alarm(ctx).map(|alarm| format!("{}: {}", alarm.rule, alarm.message)),
            Pane::Pipeline => ctx.snapshot.stages.get(self.stage).map(pipeline::sentence),
            Pane::Now | Pane::Next | Pane::Sky => weather::sentence(ctx),
        }
    }

    fn hints(&self, ctx: &Context<'_>) -> Vec<Action> {
        let open = self.selected_alarm(ctx).is_some_and(|alarm| alarm.acknowledged_at.is_none());
        let acknowledge = (open && !ctx.read_only).then_some(Action::AcknowledgeAlarm);
        [Action::Open].into_iter().chain(acknowledge).chain([Action::FocusNext]).collect()
    }

    fn disabled(&self, action: Action, ctx: &Context<'_>) -> Option<String> {
        if action != Action::AcknowledgeAlarm {
            return None;
        }
        if ctx.read_only {
            return Some("this console is read-only; it can't acknowledge an alarm".into());
        }
        match self.selected_alarm(ctx) {
            None => Some("no alarm is raised".into()),
            Some(alarm) if alarm.acknowledged_at.is_some() => Some(format!("{} is acknowledged already", alarm.rule)),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
