//! What the machine can do at most, by the kernels' own probes: every other figure is a share of one
//! of these.

use medgemma::cpu;
use medgemma_kernels::Cpu;
use medgemma_kernels::probe::{Products, matmul_peak, read_bandwidth};

use crate::arguments::Arguments;
use crate::line::Figure;

/// More than any cache holds: one processor of the project's has 480 MiB.
const BUFFER: usize = 2 << 30;

/// Threads and instructions as the stages have them.
pub(crate) fn cpu() -> Cpu {
    Cpu::new(cpu::threads(), cpu::instructions())
}

/// Bytes read a second, and operations a second in f32, bf16 and int8. Each run is itself the best of
/// several.
pub(crate) fn limits(arguments: &Arguments) -> Vec<Figure> {
    let cpu = cpu();
    let runs = |probe: &dyn Fn() -> f64| (0..arguments.runs).map(|_| probe()).collect();
    vec![
        Figure {
            what: Some("memory"),
            ..Figure::new("bytes/s", runs(&|| read_bandwidth(&cpu, BUFFER)))
        },
        Figure {
            what: Some("f32"),
            ..Figure::new("op/s", runs(&|| matmul_peak(&cpu, Products::F32)))
        },
        Figure {
            what: Some("bf16"),
            ..Figure::new("op/s", runs(&|| matmul_peak(&cpu, Products::Bf16)))
        },
        Figure {
            what: Some("int8"),
            ..Figure::new("op/s", runs(&|| matmul_peak(&cpu, Products::Int8)))
        },
    ]
}
