//! How fast is memory read? The bound of `decode`: no token can be written faster than its weights
//! are read.

use std::time::Duration;

use criterion::{Criterion, Throughput};
use medgemma_kernels::Cpu;
use medgemma_kernels::probe::read_bandwidth;

/// More than any cache holds: one processor of the project's has 480 MiB.
const BYTES: usize = 2 << 30;

/// Reads them with all threads together, as the kernels do: in several places each.
fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let cpu = Cpu::detect();
    let threads = cpu.pool().threads();
    let mut group = criterion.benchmark_group("memory");
    group.throughput(Throughput::Bytes(BYTES as u64));
    group.bench_function(format!("read/{threads} threads"), |bencher| {
        bencher.iter_custom(|times| {
            let seconds = BYTES as f64 / read_bandwidth(&cpu, BYTES);
            Duration::from_secs_f64(seconds * times as f64)
        });
    });
    group.finish();
    criterion.final_summary();
}
