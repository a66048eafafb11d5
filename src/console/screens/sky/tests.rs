use std::sync::Arc;

use ratatui::style::Color;

use super::*;
use crate::console::fixture::{
    answer, body, drawn, drawn_in, empty_snapshot, feed, snapshot, styles_of, text_of, with_context, with_pictures,
};
use crate::console::pictures::{Graphics, Pictures, Way};
use crate::console::theme::{ColorDepth, Theme};
use crate::owner::{AgentReport, KnownBy, PictureWatch, Snapshot};

/// The fixture's state with the screen fed, on 100×30.
fn with_fed<T>(snapshot: &Snapshot, then: impl FnOnce(&mut Sky, &Context<'_>) -> T) -> T {
    let mut sky = Sky::default();
    with_context(snapshot, 100, 30, |ctx| {
        feed(&mut sky, ctx);
        then(&mut sky, ctx)
    })
}

#[test]
fn the_sky_at_three_sizes() {
    for (columns, rows) in [(80, 24), (100, 30), (250, 80)] {
        let text = body(&mut Sky::default(), &snapshot(), columns, rows);
        insta::assert_snapshot!(format!("sky_{columns}x{rows}"), text);
    }
}

#[test]
fn without_colours_it_is_shades_and_words() {
    let plain = Graphics::cells(ColorDepth::None, false);
    let buffer = drawn(&mut Sky::default(), &snapshot(), (100, 30), plain);
    insta::assert_snapshot!("sky_shades", text_of(&buffer));
}

#[test]
fn in_a_light_theme_what_is_dark_is_ink() {
    let daylight = Theme::load("daylight", None, ColorDepth::True).expect("it is carried");
    // In shades: half blocks have more colours than a snapshot can name.
    let shades = Graphics::cells(ColorDepth::None, daylight.light);
    let buffer = drawn_in(&daylight, &mut Sky::default(), &snapshot(), (100, 30), shades);
    insta::assert_snapshot!("sky_daylight", format!("{}\n{}", text_of(&buffer), styles_of(&buffer)));
}

#[test]
fn with_sixteen_colours_the_brightness_is_shown_and_that_is_said() {
    let sixteen = Graphics::cells(ColorDepth::Sixteen, false);
    let buffer = drawn(&mut Sky::default(), &snapshot(), (100, 30), sixteen);
    assert!(text_of(&buffer).contains("16 colours: brightness only"));
    let layout = with_context(&snapshot(), 100, 30, |ctx| Layout::new(ctx.area, ctx));
    let greys = [Color::Black, Color::DarkGray, Color::Gray, Color::White, Color::Reset];
    for position in layout.picture.positions() {
        let cell = &buffer[position];
        assert!(greys.contains(&cell.fg) && greys.contains(&cell.bg), "{cell:?}");
    }
}

#[test]
fn pictures_that_are_off_are_told_in_words_and_not_asked_for() {
    let words = Graphics { way: Way::Words, ..Graphics::default() };
    let mut sky = Sky::default();
    let text = text_of(&drawn(&mut sky, &snapshot(), (100, 30), words));
    assert!(text.contains("set console.graphics to auto") && text.contains("cloud cover"), "{text}");
    with_pictures(&snapshot(), (100, 30), &Pictures::new(words), |ctx| {
        assert!(sky.wants(ctx).iter().all(|request| !matches!(request, Request::Picture { .. })));
    });
}

#[test]
fn without_a_picture_it_says_why() {
    let mut without_camera = snapshot();
    let report = AgentReport { camera: None, ..(**without_camera.agent.as_ref().expect("an agent")).clone() };
    without_camera.agent = Some(Arc::new(report));
    let said = |snapshot: &Snapshot| {
        let mut sky = Sky::default();
        with_context(snapshot, 100, 30, |ctx| {
            sky.receive(
                &Request::Pictures { before: None, limit: PICTURES },
                Ok(&Answer::Pictures { pictures: Vec::new() }),
                ctx,
            );
            let mut buffer = Buffer::empty(ctx.area);
            sky.render(&mut buffer, ctx.area, ctx);
            text_of(&buffer)
        })
    };
    assert!(said(&without_camera).contains("No camera is set up"));
    assert!(said(&snapshot()).contains("No picture has come yet. C asks the device for one."));
    assert!(said(&empty_snapshot()).contains("No picture has come yet"));
    let text = body(&mut Sky::default(), &empty_snapshot(), 60, 15);
    assert!(!text.is_empty());
}

#[test]
fn a_picture_that_cannot_be_shown_is_told_in_the_owners_words() {
    with_fed(&snapshot(), |sky, ctx| {
        let layout = Layout::new(ctx.area, ctx);
        let id = sky.main_id(sky.shown().expect("a picture"), &layout, ctx);
        let request = Request::Picture { blob_name: id.blob_name.clone(), max_px: id.max_px, overlay: false };
        let error = AskError::Refused("picture a.jpg: it has 20000×10000 pixels, 200 megapixels".into());
        sky.receive(&request, Err(&error), ctx);
        let mut buffer = Buffer::empty(ctx.area);
        sky.render(&mut buffer, ctx.area, ctx);
        assert!(text_of(&buffer).contains("it has 20000×10000 pixels, 200 megapixels"));
        let after = |seconds| ctx.now + SignedDuration::from_secs(seconds);
        assert_eq!(sky.gallery.missing(&id, after(59)), None, "it isn't asked for again and again");
        assert!(sky.gallery.missing(&id, after(60)).is_some(), "what was in the way may be gone after a minute");
        // Another picture came: what couldn't be had is tried again.
        let mut newer = sky.gallery.notes().to_vec();
        newer.remove(3);
        let list = Request::Pictures { before: None, limit: PICTURES };
        sky.receive(&list, Ok(&Answer::Pictures { pictures: newer }), ctx);
        assert!(sky.gallery.missing(&id, ctx.now).is_some());
    });
}

#[test]
fn in_the_cloud_it_says_what_is_watched_and_what_is_known_without_a_note() {
    let mut cloud = empty_snapshot();
    (cloud.environment_kind, cloud.agent) = (EnvironmentKind::Cloud, None);
    let said = |snapshot: &Snapshot, pictures: Vec<PictureView>| {
        with_context(snapshot, 100, 30, |ctx| {
            let mut sky = Sky::default();
            sky.receive(&Request::Pictures { before: None, limit: PICTURES }, Ok(&Answer::Pictures { pictures }), ctx);
            assert!(sky.disabled(Action::CapturePicture, ctx).is_some_and(|words| words.contains("az iot hub")));
            let mut buffer = Buffer::empty(ctx.area);
            sky.render(&mut buffer, ctx.area, ctx);
            let text = text_of(&buffer);
            // What is wrapped is one line again.
            let words = text.split(|c: char| c.is_whitespace() || c == '│').filter(|word| !word.is_empty());
            words.collect::<Vec<_>>().join(" ")
        })
    };
    assert!(said(&cloud, Vec::new()).contains("set azure.pictures_account"));
    cloud.pictures = Some(PictureWatch::default());
    assert!(said(&cloud, Vec::new()).contains("No picture of the last three days is in the container"));
    let trouble = "container pictures of sky: AuthenticationFailed: the signature";
    cloud.pictures = Some(PictureWatch { trouble: Some(trouble.to_owned()), ..PictureWatch::default() });
    let note = crate::console::fixture::pictures::notes(1).remove(0);
    let unnoted = PictureView { analysis: None, known_by: KnownBy::Writing, device_id: String::new(), ..note };
    let text = said(&cloud, vec![unnoted]);
    for words in ["written ", "no analysis: its note wasn't seen", "AuthenticationFailed"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn the_strip_is_walked_and_ends_at_both_ends() {
    with_fed(&snapshot(), |sky, ctx| {
        assert_eq!(sky.disabled(Action::TimeForward, ctx).as_deref(), Some("this is the newest picture"));
        for expected in [1, 2] {
            sky.update(Action::TimeBack, ctx);
            assert_eq!(sky.shown_index(), expected);
        }
        sky.update(Action::PageUp, ctx);
        assert_eq!(sky.shown_index(), 12);
        sky.update(Action::Top, ctx);
        assert_eq!(sky.shown_index(), 99);
        let reason = sky.disabled(Action::TimeBack, ctx).expect("it is the oldest");
        assert_eq!(reason, "this is the oldest of the 100 pictures listed");
        sky.update(Action::Back, ctx);
        assert_eq!(sky.shown_index(), 0);
        assert_eq!(sky.update(Action::Back, ctx), Outcome::Ignored);
        // The middle of the strip is clicked.
        let layout = Layout::new(ctx.area, ctx);
        let place = layout.frames()[4];
        sky.update(Action::Click { column: place.x + 1, row: place.y + 1 }, ctx);
        assert_eq!(Some(sky.shown_index()), strip::at(sky, &layout, ctx, (place.x, place.y)));
        assert!(sky.shown_index() > 0);
    });
}

#[test]
fn a_chosen_picture_stays_when_a_newer_one_comes() {
    with_fed(&snapshot(), |sky, ctx| {
        sky.update(Action::TimeBack, ctx);
        let chosen = sky.shown().expect("a picture").blob_name.clone();
        let mut newer = sky.gallery.notes().to_vec();
        newer.insert(0, PictureView { blob_name: "roof-01/new.jpg".into(), ..newer[0].clone() });
        let list = Request::Pictures { before: None, limit: PICTURES };
        sky.receive(&list, Ok(&Answer::Pictures { pictures: newer }), ctx);
        assert_eq!((sky.shown_index(), sky.shown().map(|note| &note.blob_name)), (2, Some(&chosen)));
    });
}

#[test]
fn the_film_runs_to_the_newest_picture_and_waits_for_each() {
    let snapshot = snapshot();
    let mut sky = Sky::default();
    let mut pictures = Pictures::new(Graphics::default());
    with_pictures(&snapshot, (100, 30), &pictures, |ctx| {
        feed(&mut sky, ctx);
        sky.choose(3);
        sky.update(Action::PlayFilm, ctx);
        assert_eq!(sky.pace(), Some(FRAME));
        // What comes next is asked for before it is due.
        let asked: Vec<_> = sky.wants(ctx).into_iter().filter(|r| matches!(r, Request::Picture { .. })).collect();
        assert!(asked.len() >= 3, "{asked:?}");
        sky.step(ctx);
        assert_eq!(sky.shown_index(), 3, "the first isn't drawn yet");
        feed(&mut sky, ctx);
    });
    for expected in [2, 1, 0] {
        let shown = with_pictures(&snapshot, (100, 30), &pictures, |ctx| {
            feed(&mut sky, ctx);
            sky.pictures(ctx)
        });
        crate::console::fixture::make(&mut pictures, &shown);
        with_pictures(&snapshot, (100, 30), &pictures, |ctx| sky.step(ctx));
        assert_eq!(sky.shown_index(), expected);
    }
    assert_eq!(sky.pace(), None, "at the newest it stops");
    with_pictures(&snapshot, (100, 30), &pictures, |ctx| {
        sky.update(Action::PlayFilm, ctx);
        assert_eq!((sky.shown_index(), sky.pace()), (99, Some(FRAME)), "from the newest on it begins with the oldest");
        sky.update(Action::CloudMask, ctx);
        assert!(sky.pace().is_some() && sky.overlay);
        sky.update(Action::TimeForward, ctx);
        assert_eq!((sky.shown_index(), sky.pace()), (98, None), "whoever chooses one wants to look at it");
    });
}

#[test]
fn the_mask_is_another_picture_and_says_what_it_shows() {
    let mut sky = Sky::default();
    let shot = snapshot();
    with_context(&shot, 100, 30, |ctx| {
        feed(&mut sky, ctx);
        sky.update(Action::CloudMask, ctx);
    });
    let text = body(&mut sky, &shot, 100, 30);
    assert!(text.contains("mask by hyta: 43 % cloud (red: cloud, yellow: glare, dark: no sky)"), "{text}");
}

#[test]
fn a_picture_is_asked_for_only_where_one_can_be_had() {
    with_fed(&snapshot(), |sky, ctx| {
        let outcome = sky.update(Action::CapturePicture, ctx);
        let Outcome::Consumed(effects) = outcome else { panic!("it is dealt with") };
        let asked = Effect::Ask(call("roof-01", "capture", Value::Null));
        assert!(matches!(&effects[..], [Effect::Notify(_), ask] if *ask == asked), "{effects:?}");
        assert_eq!(sky.disabled(Action::CapturePicture, ctx).as_deref(), Some("roof-01 is taking a picture already"));
        let Effect::Ask(request) = &asked else { panic!("a request") };
        let taken =
            Answer::Hub(HubAnswer::Method { status: 200, payload: serde_json::json!({"blobName": "roof-01/n.jpg"}) });
        let said = sky.said(request, Ok(&taken)).expect("it is said");
        assert_eq!(said, "roof-01 took a picture: roof-01/n.jpg; it is shown once it is uploaded");
        assert_eq!(sky.said(request, Ok(&taken)), None, "nobody waits any more");
        sky.update(Action::CapturePicture, ctx);
        let refused =
            Answer::Hub(HubAnswer::Method { status: 409, payload: serde_json::json!({"error": "no camera"}) });
        assert_eq!(sky.said(request, Ok(&refused)).as_deref(), Some("roof-01 took no picture (status 409): no camera"));
        let read_only = Context { read_only: true, ..*ctx };
        assert!(sky.disabled(Action::CapturePicture, &read_only).is_some_and(|why| why.contains("read-only")));
        let gone = Context { stale: true, ..*ctx };
        assert!(sky.disabled(Action::CapturePicture, &gone).is_some());
    });
    let mut disconnected = snapshot();
    disconnected.devices[0].connected = false;
    with_fed(&disconnected, |sky, ctx| {
        let reason = sky.disabled(Action::CapturePicture, ctx).expect("it can't be asked");
        assert!(reason.starts_with("roof-01 isn't connected"), "{reason}");
    });
}

#[test]
fn the_pictures_and_their_cover_can_be_written() {
    with_fed(&snapshot(), |sky, ctx| {
        let exports = sky.exports(ctx);
        let [Exportable::Table(table), Exportable::Chart(chart)] = &exports[..] else { panic!("a table and a chart") };
        assert_eq!(table.rows.len(), 100);
        assert!(table.rows.iter().all(|row| row.len() == table.columns.len()));
        assert_eq!(chart.lines[0].points.len(), sky.covers.len());
        let copied = sky.copy(ctx).expect("a picture is shown");
        assert!(copied.contains("sun 48° above the horizon") && copied.contains("↗ moving NE"), "{copied}");
    });
}

#[test]
fn an_idle_screen_asks_for_nothing_new() {
    with_fed(&snapshot(), |sky, ctx| {
        let later = Context { now: ctx.now + SignedDuration::from_millis(400), ..*ctx };
        assert_eq!(sky.wants(ctx), sky.wants(&later));
        assert_eq!(sky.wants(ctx).len(), 2, "everything shown is there");
        let list = sky.wants(ctx);
        assert!(matches!(answer(&list[0]), Answer::Pictures { .. }));
    });
}
