//! How fast is a prompt read? Long prompts are bound by arithmetic, so the figure is tokens a second.

use std::error::Error;

use criterion::{Criterion, Throughput};
use medgemma_bench::{label, model, prompt};
use medgemma_gemma3::{DEFAULT_CHUNK, Segment};
use medgemma_tensor::vec_from;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let model = model()?;
    let decoder = model.model().decoder();
    let mut group = criterion.benchmark_group("prefill");
    for tokens in [64, 512] {
        let prompt = [Segment::Tokens(prompt(&model, tokens)?)];
        group.throughput(Throughput::Elements(tokens as u64));
        group.bench_function(format!("{}/{tokens} tokens", label(&model)), |bencher| {
            bencher.iter(|| {
                let mut cache = decoder.new_cache();
                let logits = decoder
                    .prefill(&prompt, &mut cache, DEFAULT_CHUNK, &mut |_, _| true)
                    .expect("a prompt that fits")
                    .expect("nobody stops it");
                vec_from(logits, "logits").expect("numbers")
            });
        });
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}
