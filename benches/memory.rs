//! How fast is memory read? The bound of `decode`: no token can be written faster than its weights
//! are read.

use std::hint::black_box;
use std::thread;

use criterion::{Criterion, Throughput};

/// More than any cache holds: one processor of the project's has 480 MiB.
const BYTES: usize = 2 << 30;

/// Reads them with all threads together.
fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let words = vec![1u64; BYTES / size_of::<u64>()];
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut group = criterion.benchmark_group("memory");
    group.throughput(Throughput::Bytes(BYTES as u64));
    group.bench_function(format!("read/{threads} threads"), |bencher| {
        bencher.iter(|| {
            thread::scope(|scope| {
                for part in words.chunks(words.len().div_ceil(threads)) {
                    scope.spawn(|| black_box(part.iter().fold(0u64, |a, b| a.wrapping_add(*b))));
                }
            });
        });
    });
    group.finish();
    criterion.final_summary();
}
