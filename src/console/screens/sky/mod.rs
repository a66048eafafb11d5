//! Sky: the newest picture and what it shows, those before it, and the cloud cover of the last hours.
//!
//! `layout` – where things are · `gallery` – the pictures that are known · `facts` – a picture in words · `strip` – the
//! film strip · `cover` – the chart of the cloud cover, and exports.

mod cover;
pub(super) mod facts;
pub(super) mod gallery;
mod layout;
mod strip;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use serde_json::Value;

use self::gallery::{Gallery, worth_having};
use self::layout::Layout;
use super::devices::call;
use super::{Context, Effect, Outcome, Screen, ScreenName, note};
use crate::console::Action;
use crate::console::export::Exportable;
use crate::console::pictures::{PictureId, Shown};
use crate::console::widgets::chart::time_axis::TimeScale;
use crate::console::widgets::pane;
use crate::console::widgets::value::{fit, wrap};
use crate::owner::{Answer, AskError, CloudCover, HubAnswer, HubAsk, PictureView, Request};
use crate::settings::EnvironmentKind;
use crate::station::text::printable;

/// Pictures that are listed.
const PICTURES: usize = 144;
/// Hours of cloud cover.
const HOURS: i64 = 12;
/// How long a picture stands while the film is played.
const FRAME: Duration = Duration::from_millis(250);
/// Pictures that are asked for ahead of the film.
const AHEAD: usize = 3;
/// The large picture's place.
const MAIN: u16 = 0;

/// The screen's state.
#[derive(Debug, Default)]
pub struct Sky {
    gallery: Gallery,
    covers: Vec<CloudCover>,
    /// The blob of the picture that is shown; absent is the newest.
    chosen: Option<String>,
    overlay: bool,
    playing: bool,
    /// The device that was asked for a picture and hasn't answered.
    capturing: Option<String>,
}

impl Sky {
    /// The picture that is shown, by its place among the notes; the newest where the chosen one isn't listed any more.
    fn shown_index(&self) -> usize {
        let is_chosen = |note: &PictureView| Some(&note.blob_name) == self.chosen.as_ref();
        self.gallery.notes().iter().position(is_chosen).unwrap_or(0)
    }

    fn shown(&self) -> Option<&PictureView> {
        self.gallery.notes().get(self.shown_index())
    }

    fn choose(&mut self, index: usize) {
        let notes = self.gallery.notes();
        let chosen = notes.get(index.min(notes.len().saturating_sub(1))).filter(|_| index > 0);
        self.chosen = chosen.map(|note| note.blob_name.clone());
    }

    /// The large picture of `note`, as it is worth having here.
    fn main_id(&self, note: &PictureView, layout: &Layout, ctx: &Context<'_>) -> PictureId {
        let Rect { width, height, .. } = layout.picture;
        worth_having(note, self.overlay, (width, height), ctx.pictures.graphics())
    }

    /// Every picture that is to be had: the large one, those that the film comes to next, the strip's.
    fn ids(&self, ctx: &Context<'_>) -> Vec<PictureId> {
        let layout = Layout::new(ctx.area, ctx);
        let (notes, shown) = (self.gallery.notes(), self.shown_index());
        let ahead = if self.playing { AHEAD.min(shown) } else { 0 };
        let large = (0..=ahead).filter_map(|step| notes.get(shown - step)).map(|note| self.main_id(note, &layout, ctx));
        large.chain(strip::ids(self, &layout, ctx)).collect()
    }

    fn time_scale(ctx: &Context<'_>) -> TimeScale {
        // Whole five minutes, so that an idle screen asks for nothing new.
        let now = ctx.pipeline_now().as_second();
        let to = Timestamp::from_second(now.div_euclid(300).saturating_add(1).saturating_mul(300));
        let to = to.unwrap_or_else(|_| ctx.pipeline_now());
        TimeScale::new(to.checked_sub(SignedDuration::from_hours(HOURS)).unwrap_or(Timestamp::MIN), to)
    }

    fn play(&mut self) {
        self.playing = !self.playing;
        // From the newest on there is nothing to come.
        if self.playing && self.shown_index() == 0 {
            self.choose(self.gallery.notes().len().saturating_sub(1));
        }
    }

    fn capture(&mut self, ctx: &Context<'_>) -> Outcome {
        if let Some(reason) = self.disabled(Action::CapturePicture, ctx) {
            return Outcome::effect(Effect::Notify(reason));
        }
        let Some(device) = camera_device(ctx) else { return Outcome::done() };
        self.capturing = Some(device.clone());
        Outcome::Consumed(vec![
            Effect::Notify(format!("{} is asked for a picture …", printable(&device))),
            Effect::Ask(call(&device, "capture", Value::Null)),
        ])
    }

    fn captured(&mut self, id: &str, answer: Result<&Answer, &AskError>) -> Option<String> {
        self.capturing.take().filter(|device| device == id)?;
        let device = printable(id);
        Some(match answer {
            Ok(Answer::Hub(HubAnswer::Method { status: 200, payload })) => {
                let blob =
                    payload["blobName"].as_str().map_or_else(String::new, |blob| format!(": {}", printable(blob)));
                format!("{device} took a picture{blob}; it is shown once it is uploaded")
            }
            Ok(Answer::Hub(HubAnswer::Method { status, payload })) => {
                let why = payload["error"].as_str().map_or_else(|| payload.to_string(), str::to_owned);
                format!("{device} took no picture (status {status}): {}", printable(&why))
            }
            Ok(_) => "the owner answered what wasn't asked; restart it with this skydeck".to_owned(),
            Err(error) => format!("{device} took no picture: {}", printable(&error.to_string())),
        })
    }

    fn render_picture(&self, buffer: &mut Buffer, layout: &Layout, shown: &PictureView, ctx: &Context<'_>) {
        let id = self.main_id(shown, layout, ctx);
        let refusal = self.gallery.refusal(&id).or_else(|| ctx.pictures.failure(MAIN, &id));
        if let Some(words) = refusal {
            return say(buffer, layout.picture, words, ctx.theme.fail);
        }
        if !ctx.pictures.draw(buffer, layout.picture, MAIN, &id, ctx.stale) {
            let words = match ctx.pictures.graphics().way {
                crate::console::pictures::Way::Words => "pictures are off: set console.graphics to auto to see them",
                _ => "the picture is on its way …",
            };
            say(buffer, layout.picture, words, ctx.theme.dim);
        }
    }

    fn render_facts(&self, buffer: &mut Buffer, layout: &Layout, shown: &PictureView, ctx: &Context<'_>) {
        let area = layout.facts;
        let room = usize::from(area.width);
        let held = self.gallery.held(&self.main_id(shown, layout, ctx));
        let mut lines: Vec<(String, Style)> = Vec::new();
        let rendered =
            facts::is_rendered(shown).then(|| "RENDERED: drawn from sun and brightness, no photograph".to_owned());
        let unsure: Vec<String> = rendered.into_iter().chain(facts::warnings(shown)).collect();
        let height = usize::from(area.height);
        let spared = usize::from(!unsure.is_empty());
        for line in wrap(&facts::sky(shown, ctx).join(" · "), room, height.saturating_sub(spared).max(1)) {
            lines.push((line, ctx.theme.text));
        }
        let file = facts::file(shown, held, ctx.zone);
        if lines.len() + 2 > height && !unsure.is_empty() {
            // No line is left for the file: it shares the warnings' one.
            lines.push((unsure.into_iter().chain(file).collect::<Vec<_>>().join(" · "), ctx.theme.warn));
        } else {
            lines.extend((!unsure.is_empty()).then(|| (unsure.join(" · "), ctx.theme.warn)));
            lines.push((file.join(" · "), ctx.theme.dim));
        }
        for (y, (line, style)) in (area.y..area.bottom()).zip(lines) {
            buffer.set_stringn(area.x, y, fit(&line, room), room, style);
        }
    }
}

/// The device that can be asked for a picture: the station's own.
fn camera_device(ctx: &Context<'_>) -> Option<String> {
    ctx.snapshot.agent.as_ref().map(|agent| agent.device_id.clone()).filter(|id| !id.is_empty())
}

/// Words in the middle of an area.
fn say(buffer: &mut Buffer, area: Rect, words: &str, style: Style) {
    let room = usize::from(area.width.saturating_sub(2).min(80));
    let lines = wrap(words, room, area.height.into());
    let height = u16::try_from(lines.len()).unwrap_or(area.height);
    let first = area.y + area.height.saturating_sub(height) / 2;
    for (y, line) in (first..area.bottom()).zip(lines) {
        let indent = usize::from(area.width).saturating_sub(crate::console::widgets::value::width(&line)) / 2;
        buffer.set_stringn(area.x + u16::try_from(indent).unwrap_or(0), y, line, room, style);
    }
}

/// What is said where there is no picture at all.
fn nothing(sky: &Sky, ctx: &Context<'_>) -> Vec<String> {
    let station = &ctx.snapshot.station;
    let place = format!(
        "{} ({:.3}° N, {:.3}° E, {:.0} m): {}",
        printable(&station.name),
        station.latitude_deg,
        station.longitude_deg,
        station.altitude_m,
        facts::sun(ctx.snapshot.now.sun_elevation_deg)
    );
    let camera = ctx.snapshot.agent.as_ref().map(|agent| agent.camera.as_ref());
    let why = match (&sky.gallery.notes, &sky.gallery.failure, camera) {
        (_, Some(failure), _) => failure.clone(),
        (None, ..) => "The owner is asked for its pictures …".to_owned(),
        (Some(_), _, Some(None)) => {
            "No camera is set up, so there is no picture and no cloud cover. Pictures come with a camera on the device: set \
             [camera] in its settings."
                .to_owned()
        }
        (Some(_), _, Some(Some(camera))) if camera.last_error.is_some() => {
            format!("No picture yet. The camera: {}", printable(camera.last_error.as_deref().unwrap_or_default()))
        }
        (Some(_), ..) if ctx.snapshot.environment_kind == EnvironmentKind::Cloud => match ctx.snapshot.pictures {
            Some(_) => "No picture of the last three days is in the container, and no note of one was seen.".to_owned(),
            None => "No note of a picture was seen, and no container of pictures is watched: set azure.pictures_account."
                .to_owned(),
        },
        (Some(_), ..) => "No picture has come yet. C asks the device for one.".to_owned(),
    };
    vec![place, why]
}

impl Screen for Sky {
    fn name(&self) -> ScreenName {
        ScreenName::Sky
    }

    fn update(&mut self, action: Action, ctx: &Context<'_>) -> Outcome {
        let (shown, last) = (self.shown_index(), self.gallery.notes().len().saturating_sub(1));
        match action {
            Action::TimeBack | Action::WheelDown { .. } => self.choose((shown + 1).min(last)),
            Action::TimeForward | Action::WheelUp { .. } => self.choose(shown.saturating_sub(1)),
            Action::PageUp => self.choose((shown + 10).min(last)),
            Action::PageDown => self.choose(shown.saturating_sub(10)),
            Action::Top => self.choose(last),
            Action::TimeNow | Action::Bottom => self.chosen = None,
            Action::CloudMask => self.overlay = !self.overlay,
            Action::PlayFilm => {
                self.play();
                return Outcome::done();
            }
            Action::CapturePicture => return self.capture(ctx),
            Action::Click { column, row } => {
                let layout = Layout::new(ctx.area, ctx);
                let Some(note) = strip::at(self, &layout, ctx, (column, row)) else { return Outcome::Ignored };
                self.choose(note);
            }
            Action::Back if self.playing => {}
            Action::Back if self.chosen.is_some() => self.chosen = None,
            _ => return Outcome::Ignored,
        }
        // Whoever chooses a picture wants to look at it; the mask is looked at while the film goes on.
        self.playing &= action == Action::CloudMask;
        Outcome::done()
    }

    fn wants(&self, ctx: &Context<'_>) -> Vec<Request> {
        let scale = Self::time_scale(ctx);
        let mut wants = vec![
            Request::Pictures { before: None, limit: PICTURES },
            Request::CloudCover { from: scale.from, to: scale.to },
        ];
        if ctx.pictures.graphics().way != crate::console::pictures::Way::Words {
            wants.extend(self.ids(ctx).iter().filter_map(|id| self.gallery.missing(id, ctx.now)));
        }
        wants
    }

    fn receive(&mut self, request: &Request, answer: Result<&Answer, &AskError>, ctx: &Context<'_>) {
        match (request, answer) {
            (Request::CloudCover { .. }, Ok(Answer::CloudCover { covers })) => self.covers.clone_from(covers),
            (Request::Pictures { .. } | Request::Picture { .. }, answer) => {
                let wanted = self.ids(ctx);
                self.gallery.receive(request, answer, &wanted, ctx.now);
            }
            _ => {}
        }
    }

    fn said(&mut self, request: &Request, answer: Result<&Answer, &AskError>) -> Option<String> {
        match request {
            Request::Hub(HubAsk::Method { id, name, .. }) if name == "capture" => self.captured(id, answer),
            _ => None,
        }
    }

    fn render(&self, buffer: &mut Buffer, area: Rect, ctx: &Context<'_>) {
        let Some(shown) = self.shown() else {
            let text = nothing(self, ctx);
            let text: Vec<&str> = text.iter().map(String::as_str).collect();
            return note::render(buffer, area, "Sky", &text, ctx.theme);
        };
        let layout = Layout::new(area, ctx);
        let (place, count) = (self.shown_index(), self.gallery.notes().len());
        let title = match place {
            0 => "Sky · newest picture".to_owned(),
            _ => format!("Sky · picture {} of {count}", count - place),
        };
        // What gives way first stands first.
        let held = self.gallery.held(&self.main_id(shown, &layout, ctx));
        let legend = if ctx.pictures.graphics().has_colours() {
            "red: cloud, yellow: glare, dark: no sky"
        } else {
            "its colours can't be told apart here"
        };
        let mask = held.and_then(|held| held.mask.as_ref()).map(|words| format!("{words} ({legend})"));
        let mask = mask.as_deref().or(self.overlay.then_some("cloud mask"));
        let playing = self.playing.then_some("▶ playing");
        let watched = ctx.snapshot.pictures.as_ref().and_then(|pictures| pictures.trouble.as_deref());
        let failure = self.gallery.failure.as_deref().or(watched);
        let note: Vec<&str> =
            [ctx.pictures.graphics().shortfall(), failure, mask, playing].into_iter().flatten().collect();
        pane::render_with_note(buffer, layout.pane, &title, &note.join(" · "), false, ctx.theme);
        self.render_picture(buffer, &layout, shown, ctx);
        self.render_facts(buffer, &layout, shown, ctx);
        strip::render(self, buffer, &layout, ctx);
        cover::render(self, buffer, layout.cover, ctx);
    }

    fn pictures(&self, ctx: &Context<'_>) -> Vec<Shown> {
        let layout = Layout::new(ctx.area, ctx);
        let Some(note) = self.shown() else { return Vec::new() };
        // The one before stays until it is there.
        let before = self.gallery.notes().get(self.shown_index() + 1);
        let large = [Some(note), before].into_iter().flatten().find_map(|note| {
            let id = self.main_id(note, &layout, ctx);
            let jpeg = self.gallery.held(&id)?.jpeg.clone();
            Some(Shown { slot: MAIN, id, jpeg, area: layout.picture })
        });
        large.into_iter().chain(strip::pictures(self, &layout, ctx)).collect()
    }

    fn pace(&self) -> Option<Duration> {
        self.playing.then_some(FRAME)
    }

    fn step(&mut self, ctx: &Context<'_>) {
        let shown = self.shown_index();
        let layout = Layout::new(ctx.area, ctx);
        let Some(note) = self.gallery.notes().get(shown) else { return };
        let id = self.main_id(note, &layout, ctx);
        // No picture of the film is left out: one that isn't there yet is waited for, one that can't be had isn't.
        let is_seen = ctx.pictures.is_made(MAIN, &id) || self.gallery.refusal(&id).is_some();
        if self.playing && is_seen {
            self.choose(shown.saturating_sub(1));
            self.playing = shown > 1;
        }
    }

    fn exports(&self, ctx: &Context<'_>) -> Vec<Exportable> {
        cover::exports(self, ctx)
    }

    fn copy(&self, ctx: &Context<'_>) -> Option<String> {
        let shown = self.shown()?;
        Some(format!("{} ({}): {}", shown.blob_name, shown.taken_at, facts::sky(shown, ctx)[1..].join(", ")))
    }

    fn hints(&self, _ctx: &Context<'_>) -> Vec<Action> {
        vec![
            Action::TimeBack,
            Action::TimeForward,
            Action::PlayFilm,
            Action::CloudMask,
            Action::CapturePicture,
            Action::Export,
        ]
    }

    fn meaning(&self, action: Action, _ctx: &Context<'_>) -> Option<(&'static str, &'static str)> {
        match action {
            Action::TimeBack => Some(("earlier", "The picture before")),
            Action::TimeForward => Some(("later", "The next picture, to the newest at the end")),
            Action::TimeNow => Some(("newest", "Return to the newest picture")),
            Action::PlayFilm if self.playing => Some(("stop", "Stop the film")),
            _ => None,
        }
    }

    fn disabled(&self, action: Action, ctx: &Context<'_>) -> Option<String> {
        let count = self.gallery.notes().len();
        match action {
            Action::TimeBack | Action::CloudMask if count == 0 => Some("there is no picture yet".to_owned()),
            Action::TimeBack if self.shown_index() + 1 == count => {
                Some(format!("this is the oldest of the {count} pictures listed"))
            }
            Action::TimeForward | Action::TimeNow if self.shown_index() == 0 => {
                Some("this is the newest picture".to_owned())
            }
            Action::PlayFilm if count < 2 => Some("a film needs two pictures; there are fewer yet".to_owned()),
            Action::PlayFilm if ctx.stale => {
                Some("the owner of this environment has ended: its pictures can't be had".to_owned())
            }
            Action::CapturePicture => cannot_capture(self, ctx),
            _ => None,
        }
    }
}

/// Why no picture can be asked for; absent where one can.
fn cannot_capture(sky: &Sky, ctx: &Context<'_>) -> Option<String> {
    if ctx.read_only {
        return Some("this console is read-only; start it without --read-only to ask for a picture".to_owned());
    }
    if ctx.stale {
        return Some("the owner of this environment has ended, so no device can be called".to_owned());
    }
    if ctx.snapshot.environment_kind == EnvironmentKind::Cloud {
        return Some(
            "the hub is Azure's: az iot hub invoke-device-method --method-name capture asks a device".to_owned(),
        );
    }
    let Some(agent) = ctx.snapshot.agent.as_deref().filter(|agent| !agent.device_id.is_empty()) else {
        return Some("the station's agent isn't there yet".to_owned());
    };
    if agent.camera.is_none() {
        return Some("this device has no camera; set [camera] in its settings".to_owned());
    }
    let is_connected = ctx.snapshot.devices.iter().any(|device| device.id == agent.device_id && device.connected);
    if !is_connected {
        let id = printable(&agent.device_id);
        return Some(format!("{id} isn't connected, so it can't be asked; see its last error on Devices"));
    }
    sky.capturing.as_ref().map(|device| format!("{} is taking a picture already", printable(device)))
}

#[cfg(test)]
mod tests;
