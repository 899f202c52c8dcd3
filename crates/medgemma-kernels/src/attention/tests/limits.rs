//! Shapes and numbers that no model has.

use super::{Numbers, Rows, attention};
use crate::{Cpu, Path};

/// Wrapped round, heads times their size are 8.
#[test]
fn more_heads_than_can_be_counted_are_refused() {
    let rows = Rows {
        numbers: Numbers::F32(&[0.0; 8]),
        heads: 2,
        len: 1,
        head_dim: 4,
        head_stride: 4,
        row_stride: 4,
    };
    let heads = (1 << 63) + 2;
    for path in Path::available() {
        let caught = std::panic::catch_unwind(|| {
            let (cpu, mut out) = (Cpu::new(2, path), [0.0; 512]);
            attention(&cpu, &[0.0; 512], heads, rows, rows, 1.0, None, &mut out);
        });
        let message = caught.expect_err("refused");
        let message = message.downcast_ref::<String>().expect("a text");
        let wanted = format!("512 numbers are not rows of {heads} heads of 4");
        assert_eq!(*message, wanted, "{path}");
    }
}
