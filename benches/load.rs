//! How long does a model directory take until it can answer, when its files are in memory already?

use std::error::Error;

use criterion::{Criterion, Throughput};
use medgemma::MedGemma;
use medgemma_bench::{device, label, model, model_dir};

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let (dir, device, model) = (model_dir(), device()?, model()?);
    let mut group = criterion.benchmark_group("load");
    group.throughput(Throughput::Bytes(model.model().report().bytes));
    group.bench_function(label(&model), |bencher| {
        bencher.iter(|| MedGemma::load(&dir, &device).expect("a model"));
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}
