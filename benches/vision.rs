//! How long does one image take through the vision tower and the projector?

use std::error::Error;

use criterion::Criterion;
use medgemma::Image;
use medgemma_bench::{label, model};

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let model = model()?;
    let grey = Image::from_gray8(64, 64, vec![128; 64 * 64])?;
    let pixels = model.model().process(&grey)?.pixels.swap_remove(0);
    let [_, height, width] = pixels.shape;
    let mut group = criterion.benchmark_group("vision");
    group.bench_function(format!("{}/{width}x{height}", label(&model)), |bencher| {
        // Reading the result back is part of it: a device works on while the program goes on.
        bencher.iter(|| {
            let soft = model.model().encode(&pixels).expect("soft tokens");
            soft.to_vec().expect("numbers")
        });
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}
