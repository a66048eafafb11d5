//! How many pictures of the sky one core decodes and analyses a second: `cargo bench --bench sky`.
//!
//! The pictures are drawn: 880 × 880 as a whole-sky camera has, and 12 megapixels as a common camera module has.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use skydeck::edge_agent::sky::{
    Lens, Limits, Projection, RgbPicture, Rule, SkyScene, SkySetup, analyse, decode, encode, render,
};
use skydeck::station::Timestamp;

const LENS: Lens =
    Lens { projection: Projection::Equidistant, fov_deg: 180.0, north_deg: 0.0, centre: [0.5, 0.5], tilt_deg: 0.0 };

fn scene(minute: i64) -> SkyScene {
    let noon: Timestamp = "2016-06-09T11:30:00Z".parse().expect("an instant");
    SkyScene {
        at: noon + jiff::SignedDuration::from_mins(minute),
        latitude_deg: 46.815,
        longitude_deg: 6.944,
        cover: 0.5,
        drift_to_deg: 70.0,
        drift_deg_per_min: 1.0,
        seed: 1,
        lens: LENS,
    }
}

/// A drawn picture of a size, every drawn pixel `repeat` pixels wide and high.
fn jpeg(minute: i64, width: u32, height: u32, repeat: u32) -> Vec<u8> {
    let drawn = render(&scene(minute), width, height).picture;
    let pixels = (0..height * repeat).flat_map(|y| (0..width * repeat).map(move |x| (x / repeat, y / repeat)));
    let pixels = pixels.flat_map(|(x, y)| drawn.pixel(x, y)).collect();
    let picture = RgbPicture::new(width * repeat, height * repeat, pixels).expect("fits");
    encode::jpeg(&picture, 90, None).expect("encoded")
}

fn pictures(criterion: &mut Criterion) {
    let setup =
        SkySetup { latitude_deg: 46.815, longitude_deg: 6.944, lens: Some(LENS), horizon: None, rule: Rule::RedBlue };
    let limits = Limits::default();
    for (name, width, height, repeat) in [("880x880", 880, 880, 1), ("4056x3040", 1014, 760, 4)] {
        let (first, second) = (jpeg(0, width, height, repeat), jpeg(1, width, height, repeat));
        let before = decode(&first, &limits).expect("decoded").picture;
        let before = analyse(&before, &setup, scene(0).at, None, None).next;
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(1));
        group.bench_function("decode", |bencher| bencher.iter(|| decode(black_box(&second), &limits)));
        group.bench_function("decode and analyse", |bencher| {
            bencher.iter(|| {
                let picture = decode(black_box(&second), &limits).expect("decoded").picture;
                analyse(&picture, &setup, scene(1).at, Some(&before), None)
            });
        });
        group.finish();
    }
}

criterion_group!(benches, pictures);
criterion_main!(benches);
