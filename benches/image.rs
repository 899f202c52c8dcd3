//! How long does a radiograph take to become the vision tower's pixels?

use std::error::Error;
use std::hint::black_box;

use criterion::{Criterion, Throughput};
use medgemma::{Image, Limits, Resizer};

const SIDE: usize = 896;
const CHEST: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../examples/report/images/chest.png"
);

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    let file = std::fs::read(CHEST)?;
    let shipped = Image::open(CHEST)?;
    // The size of a digital chest radiograph; the content does not change the work.
    let (width, height) = (1955, 1841);
    let samples = (0..=250).cycle().take(width * height * 3).collect();
    let radiograph = Image::from_rgb8(width, height, samples)?;

    let mut group = criterion.benchmark_group("image");
    group.throughput(Throughput::Elements(
        (shipped.width() * shipped.height()) as u64,
    ));
    group.bench_function(
        format!("decode png/{}x{}", shipped.width(), shipped.height()),
        |b| {
            b.iter(|| Image::decode(black_box(&file), &Limits::default()).expect("an image"));
        },
    );
    group.throughput(Throughput::Elements((width * height) as u64));
    for (name, resizer) in [
        ("pil", Resizer::PilBilinear),
        ("torchvision", Resizer::TorchvisionBilinear),
    ] {
        group.bench_function(
            format!("resize {name}/{width}x{height} to {SIDE}"),
            |bencher| {
                bencher.iter(|| {
                    resizer
                        .resize(black_box(&radiograph), SIDE, SIDE)
                        .expect("an image")
                });
            },
        );
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}
