//! `skydeck sky evaluate` as the real binary, on drawn skies whose clouds, sun and skyline are known.

#![allow(clippy::panic, reason = "a test's panic is its verdict")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use skydeck::edge_agent::sky::{Cell, Lens, Projection, RgbPicture, SkyScene, encode, render};

const LENS: Lens =
    Lens { projection: Projection::Equidistant, fov_deg: 180.0, north_deg: 0.0, centre: [0.5, 0.5], tilt_deg: 0.0 };

/// Three drawn skies with masks, and files that can't be used.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("masks")).expect("made");
    for (name, mask, cover, seed) in [
        ("few.jpg", "few_mask.png", 0.2, 1),
        ("half.jpg", "masks/half.png", 0.5, 2),
        ("clear.png", "clear_mask.png", 0.0, 3),
    ] {
        let scene = SkyScene {
            at: "2016-06-09T11:30:00Z".parse().expect("an instant"),
            latitude_deg: 46.815,
            longitude_deg: 6.944,
            cover,
            drift_to_deg: 70.0,
            drift_deg_per_min: 1.0,
            seed,
            lens: LENS,
        };
        let drawn = render(&scene, 640, 480);
        let is_png = name.ends_with("png");
        let bytes = if is_png { encode::png(&drawn.picture) } else { encode::jpeg(&drawn.picture, 90, None) };
        std::fs::write(path(name), bytes.expect("encoded")).expect("written");
        std::fs::write(path(mask), encode::png(&drawn.truth_picture()).expect("encoded")).expect("written");
        if name == "half.jpg" {
            let sky = RgbPicture::new(
                640,
                480,
                drawn.truth.iter().flat_map(|cell| [if *cell == Cell::Outside { 0 } else { 255 }; 3]).collect(),
            );
            std::fs::write(path("horizon.mask"), encode::png(&sky.expect("fits")).expect("encoded")).expect("written");
        }
    }
    let half = std::fs::read(path("half.jpg")).expect("read");
    std::fs::write(path("cut.jpg"), &half[..half.len() / 2]).expect("written");
    std::fs::copy(path("few_mask.png"), path("cut_mask.png")).expect("copied");
    std::fs::write(path("lonely.jpg"), &half).expect("written");
    std::fs::write(path("other_mask.png"), b"no picture").expect("written");
    std::fs::write(path("square.jpg"), &half).expect("written");
    let square = RgbPicture::new(8, 8, vec![0; 192]).expect("fits");
    std::fs::write(path("square_mask.png"), encode::png(&square).expect("encoded")).expect("written");
    std::fs::write(path("notes.txt"), "no picture, and none of its business").expect("written");
    folder
}

fn evaluate(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skydeck"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SKYDECK_") {
            command.env_remove(name);
        }
    }
    let home = if folder.is_file() { folder.parent().expect("a folder") } else { folder };
    command.args(["sky", "evaluate"]).arg(folder).args(arguments).env("SKYDECK_DATA_DIR", home.join("data"));
    command.env("HOME", home).env("XDG_CONFIG_HOME", home.join("config")).stdin(Stdio::null());
    command.output().expect("the binary runs")
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[test]
fn scores_are_written_and_what_cannot_be_used_is_named() {
    let folder = folder();
    insta::assert_snapshot!(
        "sky_evaluate",
        out(&evaluate(folder.path(), &["--method", "redBlue", "--method", "hyta"]))
    );
}

#[test]
fn as_json_the_drawn_skies_are_met() {
    let folder = folder();
    let value: Value = serde_json::from_str(&out(&evaluate(folder.path(), &["--json"]))).expect("JSON");
    assert_eq!(value["cloudRule"], "redBlue");
    let rules = value["rules"].as_array().expect("rules");
    assert_eq!(rules.len(), 4);
    let red_blue = &rules[0];
    assert_eq!(red_blue["rule"], "redBlue");
    for (field, least) in [("accuracy", 0.95), ("f1", 0.9)] {
        assert!(red_blue[field].as_f64().expect("a number") > least, "{red_blue}");
    }
    assert!(red_blue["coverError"].as_f64().expect("a number") < 0.03, "{red_blue}");
    let pictures = value["pictures"].as_array().expect("pictures");
    let covers: Vec<_> = pictures.iter().map(|one| one["cover"].as_f64().expect("a number")).collect();
    for (found, drawn) in covers.iter().zip([0.0, 0.2, 0.5]) {
        assert!((found - drawn).abs() < 0.02, "{covers:?}");
    }
    let skipped: Vec<_> = value["skipped"].as_array().expect("skipped").iter().map(|one| one["file"].clone()).collect();
    assert_eq!(skipped, ["cut.jpg", "lonely.jpg", "square.jpg", "other_mask.png"]);
    assert_eq!(value["passedOver"], 2, "horizon.mask and notes.txt");
}

#[test]
fn as_the_camera_its_mask_is_read_and_a_picture_without_time_is_named() {
    let folder = folder();
    let settings = folder.path().join("own.toml");
    std::fs::write(&settings, "[sky]\nprojection = \"equidistant\"\nhorizon_mask = \"horizon.mask\"\n")
        .expect("written");
    let own = ["--as-camera", "--json", "--config", settings.to_str().expect("UTF-8")];
    let value: Value = serde_json::from_str(&out(&evaluate(folder.path(), &own))).expect("JSON");
    assert_eq!(value["asCamera"], true);
    assert_eq!(value["pictures"][0]["note"], "its EXIF has no time, so the sun's glare wasn't left out");
    std::fs::write(folder.path().join("horizon.mask"), b"\xff\xd8\xff").expect("written");
    let refused = evaluate(folder.path(), &own);
    assert_eq!(refused.status.code(), Some(1));
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("horizon.mask: a mask is a PNG, which loses nothing, and it is none"), "{words}");
}

#[test]
fn a_folder_that_is_not_there_or_has_nothing_ends_with_its_code() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let missing = evaluate(&folder.path().join("none"), &[]);
    assert_eq!(missing.status.code(), Some(9));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no such folder"));
    let file = folder.path().join("one.gif");
    std::fs::write(&file, b"GIF89a").expect("written");
    let of_file = evaluate(&file, &[]);
    assert_eq!(of_file.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&of_file.stderr).contains("one.gif: is a file; name the folder"));
    let empty = evaluate(folder.path(), &[]);
    assert_eq!(empty.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&empty.stderr)
            .contains("none of its photographs could be judged, 1 other file passed over (neither .jpg nor .png); put")
    );
    let unknown = evaluate(folder.path(), &["--method", "guess"]);
    assert_eq!(unknown.status.code(), Some(2));
}
