//! How fast is text turned into ids and back?

use std::error::Error;
use std::hint::black_box;

use criterion::{Criterion, Throughput};
use medgemma_bench::{TEXT, model_dir};
use medgemma_tokenizer::{Detokenizer, Tokenizer};

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    let tokenizer = Tokenizer::from_file(&model_dir().join("tokenizer.json"))?;
    let text = TEXT.repeat(4);
    let ids = tokenizer.encode(&text)?;

    let mut group = criterion.benchmark_group("tokenize");
    group.throughput(Throughput::Elements(ids.len() as u64));
    group.bench_function(format!("encode/{} tokens", ids.len()), |bencher| {
        bencher.iter(|| tokenizer.encode(black_box(&text)).expect("ids"));
    });
    group.bench_function(format!("stream back/{} tokens", ids.len()), |bencher| {
        bencher.iter(|| {
            let mut stream = Detokenizer::new(&tokenizer, false);
            let length: usize = ids.iter().map(|&id| stream.push(black_box(id)).len()).sum();
            length + stream.finish().len()
        });
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}
