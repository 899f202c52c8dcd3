//! How fast is one more token written, and how near is that to the memory's speed? A step reads
//! every weight of the decoder once, so the bytes a second of `decode` cannot exceed those of
//! the bench `memory`: the bound for models that are larger than the processor's cache.

use std::error::Error;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use medgemma_bench::{label, model, prompt};
use medgemma_gemma3::{DEFAULT_CHUNK, Decoder, KvCache, Segment};
use medgemma_tensor::vec_from;

/// Positions read before the measured step, and how far a cache grows before it is made anew.
const CONTEXT: (usize, usize) = (256, 320);

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let model = model()?;
    let decoder = model.model().decoder();
    let ids = prompt(&model, CONTEXT.0)?;
    let report = model.model().report();
    // The format of the whole model stands for that of its decoder.
    let bytes = decoder.config().parameters() * report.bytes / report.parameters;

    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function(
        format!("{}/{} positions", label(&model), CONTEXT.0),
        |bencher| {
            let mut cache = read(decoder, &ids).expect("a prompt that fits");
            bencher.iter_custom(|steps| {
                let mut spent = Duration::ZERO;
                for _ in 0..steps {
                    if cache.len() >= CONTEXT.1 {
                        cache = read(decoder, &ids).expect("a prompt that fits");
                    }
                    let begun = Instant::now();
                    let logits = decoder
                        .decode(&ids[..1], &mut [&mut cache])
                        .expect("a step");
                    vec_from(logits, "logits").expect("logits");
                    spent += begun.elapsed();
                }
                spent
            });
        },
    );
    group.finish();
    criterion.final_summary();
    Ok(())
}

/// A conversation that has read `ids`.
fn read(decoder: &Decoder, ids: &[u32]) -> medgemma_gemma3::Result<KvCache> {
    let mut cache = decoder.new_cache();
    let prompt = [Segment::Tokens(ids.to_vec())];
    decoder.prefill(&prompt, &mut cache, DEFAULT_CHUNK, &mut |_, _| true)?;
    Ok(cache)
}
