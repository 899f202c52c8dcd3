//! `linear`, `logits`, `project` and `embed_rows`, in every published format of the weights, and
//! `inner_products`.
//!
//! Tolerance 1e-5 of the largest magnitude: products of up to 300 terms of either sign, summed in
//! f32 in any order. The weights' own rounding is in the reference and does not count.

use medgemma_kernels::{Cpu, Matrix};
use medgemma_tensor::{Device, FloatFormat, Format, Tensor, cpu, ops, vec_from};

use crate::blocks::drawn;
use crate::support::{FORMATS, Numbers, assert_close, devices, product, seen, tensor, weight};

const TOLERANCE: f64 = 1e-5;

/// Two cases of each kind that matter (one row as in decoding, more rows than 16) and six drawn.
fn shapes() -> Vec<[usize; 3]> {
    let mut numbers = Numbers::seeded(1);
    let mut drawn = || [numbers.length(19), numbers.length(129), numbers.length(67)];
    let mut shapes = vec![[1, 7, 5], [1, 300, 33], [17, 33, 9], [21, 1, 3]];
    shapes.extend((0..6).map(|_| drawn()));
    shapes
}

#[test]
fn linear_is_the_product_with_the_transposed_weight_plus_bias() {
    for device in devices() {
        for ([rows, inner, out], format) in shapes()
            .into_iter()
            .flat_map(|shape| FORMATS.map(|f| (shape, f)))
        {
            let mut numbers = Numbers::seeded(2);
            let x = numbers.floats(rows * inner);
            let (w, rounded) = weight(&numbers.floats(out * inner), [out, inner], format, &device);
            let bias = numbers.floats(out);

            let plain = product(&seen(&x, &w, &device), &rounded, inner);
            let what = format!("linear {rows}x{inner}x{out} {format:?} on {device}");
            let input = tensor(&x, [rows, inner], &device);
            let found = ops::linear(input.clone(), &w, None);
            assert_close(&what, found, [rows, out], &plain, TOLERANCE);

            let biased: Vec<f64> = plain
                .chunks_exact(out)
                .flat_map(|row| row.iter().zip(&bias).map(|(y, &b)| y + f64::from(b)))
                .collect();
            let found = ops::linear(input, &w, Some(&tensor(&bias, [out], &device)));
            assert_close(
                &format!("biased {what}"),
                found,
                [rows, out],
                &biased,
                TOLERANCE,
            );
        }
    }
}

#[test]
fn logits_are_one_product_however_many_blocks_the_head_is_cut_into() {
    // Three blocks of the head, the last one short: the operation widens 32768 rows at a time.
    for (rows, inner, vocabulary) in [(2, 3, 70_001), (1, 5, 32_768), (3, 7, 11)] {
        for device in devices() {
            for format in FORMATS {
                let mut numbers = Numbers::seeded(3);
                let h = numbers.floats(rows * inner);
                let table = numbers.floats(vocabulary * inner);
                let (w, rounded) = weight(&table, [vocabulary, inner], format, &device);
                let what = format!("logits {rows}x{inner}x{vocabulary} {format:?} on {device}");
                let found = ops::logits(tensor(&h, [rows, inner], &device), &w);
                let expected = product(&seen(&h, &w, &device), &rounded, inner);
                assert_close(&what, found, [rows, vocabulary], &expected, TOLERANCE);
            }
        }
    }
}

#[test]
fn inner_products_are_of_each_row_with_each() {
    for device in devices() {
        for [rows, inner, others] in shapes() {
            let mut numbers = Numbers::seeded(5);
            let (a, b) = (numbers.floats(rows * inner), numbers.floats(others * inner));
            let found = ops::inner_products(
                tensor(&a, [rows, inner], &device),
                tensor(&b, [others, inner], &device),
            );
            let what = format!("inner products {rows}x{inner}x{others} on {device}");
            let expected = product(&a, &b, inner);
            assert_close(&what, found, [rows, others], &expected, TOLERANCE);
        }
    }
}

#[test]
fn project_is_the_product_with_the_weight_as_it_lies() {
    for device in devices() {
        for ([rows, inner, out], format) in shapes()
            .into_iter()
            .flat_map(|shape| FORMATS.map(|f| (shape, f)))
        {
            let mut numbers = Numbers::seeded(4);
            let x = numbers.floats(rows * inner);
            let (w, rounded) = weight(&numbers.floats(inner * out), [inner, out], format, &device);
            let mut transposed = vec![0.0; out * inner];
            for i in 0..inner {
                for o in 0..out {
                    transposed[o * inner + i] = rounded[i * out + o];
                }
            }
            let what = format!("project {rows}x{inner}x{out} {format:?} on {device}");
            let found = ops::project(tensor(&x, [rows, inner], &device), &w);
            let expected = product(&x, &transposed, inner);
            assert_close(&what, found, [rows, out], &expected, TOLERANCE);
        }
    }
}

/// Bit for bit: burn's own product adds up in another order.
#[test]
fn project_is_the_kernel_of_the_cpu_whatever_the_weight_is_stored_in() {
    let device = Device::cpu().expect("the feature cpu is on");
    let shape @ [inner, out] = [3000, 64];
    let mut numbers = Numbers::seeded(6);
    let (x, w) = (numbers.floats(3 * inner), numbers.floats(inner * out));
    let floats = FORMATS.map(|format| weight(&w, shape, format, &device));
    let blocks = drawn(Format::Q8_0, shape, &device);
    for (weight, held) in floats.into_iter().chain([blocks]) {
        let bytes: Vec<u8> = held.into_iter().flat_map(f32::to_le_bytes).collect();
        let matrix = Matrix::new(Format::F32, inner, out, &bytes);
        let mut expected = vec![0.0; 3 * out];
        let cpu = Cpu::new(1, cpu::instructions());
        medgemma_kernels::project(&cpu, &x, matrix, &mut expected);
        let found = ops::project(tensor(&x, [3, inner], &device), &weight);
        assert_eq!(found.dims(), [3, out]);
        let found = vec_from(found, "y").expect("readable");
        assert!(found == expected, "{weight:?}");
    }
}

#[test]
fn embedding_rows_come_in_the_order_of_the_ids_and_unrounded() {
    let (rows, width) = (23, 13);
    let ids = [22u32, 0, 7, 7, 21, 1];
    for device in devices() {
        for format in FORMATS {
            let table = Numbers::seeded(5).floats(rows * width);
            let (w, rounded) = weight(&table, [rows, width], format, &device);
            let expected: Vec<f32> = ids
                .iter()
                .flat_map(|&id| &rounded[id as usize * width..][..width])
                .copied()
                .collect();
            let found: Tensor<2> = ops::embed_rows(&w, &ids, &device);
            assert_eq!(found.dims(), [ids.len(), width]);
            let found = vec_from(found, "rows").expect("readable");
            assert_eq!(found, expected, "{format:?} on {device}");
        }
    }
}

#[test]
fn an_id_beyond_the_table_is_never_read() {
    for device in devices() {
        let (w, _) = weight(&[1.0, 2.0], [2, 1], FloatFormat::F32, &device);
        let looked_up = std::panic::catch_unwind(|| ops::embed_rows(&w, &[1, 2], &device));
        let panic = looked_up.expect_err("an id beyond the table is refused");
        let message = panic.downcast_ref::<String>().map_or("", String::as_str);
        assert!(message.contains("id 2 is outside"), "{device}: {message}");
    }
}
