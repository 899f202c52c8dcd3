//! How fast is each kernel alone, at the shapes of MedGemma 4B? One row is bound by memory, so its
//! figure is bytes of weights (or of keys and values) a second, over so many matrices that no cache
//! holds them together; many rows are bound by arithmetic, and their figure is operations a second.
//!
//! The instructions are the best of the processor unless `MEDGEMMA_BENCH_PATH` names others. All
//! threads take part, except in resizing, which has one.

use std::error::Error;
use std::hint::black_box;
use std::ops::Range;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use half::{bf16, f16};
use medgemma_bench::instructions;
use medgemma_kernels::{
    Cpu, Format, Matrix, Numbers, Path, ResizeTable, Rows, attention, geglu, layer_norm, linear,
    qk_norm_rope, resize_columns, resize_rows, rms_norm, softmax,
};

/// Inputs and outputs of the decoder's widest matrices.
const WIDE: (usize, usize) = (2560, 10240);

const FORMATS: [Format; 6] = [
    Format::Bf16,
    Format::F16,
    Format::F32,
    Format::Q8_0,
    Format::Q4_0,
    Format::Q4K,
];

/// Bytes that are read before any is read again: more than the largest caches hold.
const BEYOND_CACHE: usize = 1 << 30;

/// Rows of a prompt that are read at once.
const CHUNK: usize = 512;

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let path = instructions()?;
    let cpu = Cpu::new(std::thread::available_parallelism()?.get(), path);
    let mut group = criterion.benchmark_group(format!("kernels/{path}"));
    for format in FORMATS {
        products(&mut group, &cpu, format);
    }
    for keys in [512, 8192] {
        attention_of_a_token(&mut group, &cpu, keys);
    }
    attention_of_a_prompt(&mut group, &cpu);
    attention_of_an_image(&mut group, &cpu);
    rows(&mut group, &cpu);
    resize(&mut group, path);
    group.finish();
    criterion.final_summary();
    Ok(())
}

/// `linear` for a token, for as many as share a reading of the weights, and for a prompt.
fn products(group: &mut Group<'_>, cpu: &Cpu, format: Format) {
    let (cols, rows) = WIDE;
    let one = weights(format, cols * rows);
    // Copies are as good as other numbers, and made in no time.
    let copies = BEYOND_CACHE.div_ceil(one.len());
    let all = one.repeat(copies);
    for tokens in [1, 8, CHUNK] {
        group.throughput(if tokens == CHUNK {
            Throughput::Elements(operations(tokens * cols * rows))
        } else {
            Throughput::Bytes(one.len() as u64)
        });
        let x = numbers(tokens * cols);
        let mut y = vec![0.0; tokens * rows];
        let name = format!("linear {cols}x{rows}/{format}/{tokens} rows");
        group.bench_function(name, |bencher| {
            let mut turn = all.chunks_exact(one.len()).cycle();
            bencher.iter(|| {
                let bytes = turn.next().expect("a matrix");
                linear(
                    cpu,
                    &x,
                    Matrix::new(format, rows, cols, bytes),
                    None,
                    &mut y,
                );
            });
        });
    }
}

/// Heads of queries and of keys, and their size, in the decoder.
const HEADS: (usize, usize, usize) = (8, 4, 256);

/// One query of the decoder on cached keys, as many conversations in turn as no cache holds.
fn attention_of_a_token(group: &mut Group<'_>, cpu: &Cpu, keys: usize) {
    let (heads, key_heads, h) = HEADS;
    let len = key_heads * keys * h;
    let q = numbers(heads * h);
    let mut out = vec![0.0; q.len()];
    let mut measure = |name: &str, views: &[(Numbers<'_>, Numbers<'_>)], bytes: usize| {
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(format!("attention decode/{name}/{keys} keys"), |bencher| {
            let mut turn = views.iter().cycle();
            bencher.iter(|| {
                let &(k, v) = turn.next().expect("keys and values");
                let view = |numbers| contiguous(numbers, key_heads, keys, h);
                attention(cpu, &q, heads, view(k), view(v), 0.0625, None, &mut out);
            });
        });
    };

    let stored = halves(len).repeat(BEYOND_CACHE / 2 / len);
    let views: Vec<_> = stored
        .chunks_exact(2 * len)
        .map(|both| both.split_at(len))
        .map(|(k, v)| (Numbers::Bf16(k), Numbers::Bf16(v)))
        .collect();
    measure("bf16", &views, 2 * len * size_of::<bf16>());
    drop(stored);

    let stored = bytes(len).repeat(BEYOND_CACHE / len);
    let stored: Vec<i8> = stored.into_iter().map(u8::cast_signed).collect();
    let scales = vec![0.01; key_heads * keys];
    let int8 = |numbers| Numbers::Int8 {
        numbers,
        scales: &scales,
        scale_stride: keys,
    };
    let views: Vec<_> = stored
        .chunks_exact(2 * len)
        .map(|both| both.split_at(len))
        .map(|(k, v)| (int8(k), int8(v)))
        .collect();
    measure("int8", &views, 2 * (len + 4 * scales.len()));
}

/// Attention of the first chunk of a prompt, each token seeing those before it.
fn attention_of_a_prompt(group: &mut Group<'_>, cpu: &Cpu) {
    let (heads, key_heads, h) = HEADS;
    let q = numbers(CHUNK * heads * h);
    let stored = halves(key_heads * CHUNK * h);
    let keys = contiguous(Numbers::Bf16(&stored), key_heads, CHUNK, h);
    let visible: Vec<Range<usize>> = (1..=CHUNK).map(|end| 0..end).collect();
    let seen: usize = visible.iter().map(Range::len).sum();
    let mut out = vec![0.0; q.len()];
    group.throughput(Throughput::Elements(operations(2 * heads * h * seen)));
    group.bench_function(format!("attention prefill/bf16/{CHUNK} rows"), |bencher| {
        bencher.iter(|| {
            let visible = Some(visible.as_slice());
            attention(cpu, &q, heads, keys, keys, 0.0625, visible, &mut out);
        });
    });
}

/// Attention of one layer of the vision tower, whose patches see each other.
fn attention_of_an_image(group: &mut Group<'_>, cpu: &Cpu) {
    let (heads, h, patches) = (16, 72, 4096);
    let q = numbers(patches * heads * h);
    let stored = halves(q.len());
    // As the tower has them: a patch's heads lie together.
    let keys = Rows {
        numbers: Numbers::Bf16(&stored),
        heads,
        len: patches,
        head_dim: h,
        head_stride: h,
        row_stride: heads * h,
    };
    let mut out = vec![0.0; q.len()];
    let work = operations(2 * heads * h * patches * patches);
    group.throughput(Throughput::Elements(work));
    group.bench_function(format!("attention vision/bf16/{patches} rows"), |bencher| {
        bencher.iter(|| attention(cpu, &q, heads, keys, keys, 0.12, None, &mut out));
    });
}

/// What is done to every number of a chunk of a prompt, or of an image, between the products.
fn rows(group: &mut Group<'_>, cpu: &Cpu) {
    let (width, inner) = WIDE;
    each_number(group, "rms_norm", CHUNK, width, |x, out| {
        rms_norm(cpu, x, &x[..width], 1e-6, out);
    });
    let (heads, _, h) = HEADS;
    let angles = numbers(CHUNK * h / 2);
    each_number(group, "qk_norm_rope", CHUNK, heads * h, |x, out| {
        qk_norm_rope(cpu, x, heads, &x[..h], 1e-6, &angles, &angles, out);
    });
    each_number(group, "geglu", CHUNK, inner, |x, out| geglu(cpu, x, x, out));
    each_number(group, "softmax", CHUNK, CHUNK, |x, out| {
        softmax(cpu, x, CHUNK, out);
    });
    let width = 1152;
    each_number(group, "layer_norm", 4096, width, |x, out| {
        layer_norm(cpu, x, &x[..width], &x[..width], 1e-6, out);
    });
}

/// One kernel that makes as many numbers as it reads.
fn each_number(
    group: &mut Group<'_>,
    name: &str,
    rows: usize,
    cols: usize,
    kernel: impl Fn(&[f32], &mut [f32]),
) {
    let x = numbers(rows * cols);
    let mut out = vec![0.0; x.len()];
    group.throughput(Throughput::Elements(x.len() as u64));
    group.bench_function(format!("{name}/{rows}x{cols}"), |bencher| {
        bencher.iter(|| kernel(black_box(&x), &mut out));
    });
}

/// The two passes from a digital radiograph to the tower's picture; the figure is samples read.
fn resize(group: &mut Group<'_>, path: Path) {
    const SIDE: usize = 896;
    let (width, height) = (1955, 1841);
    let picture = bytes(width * height * 3);
    let table = windows(width, SIDE);
    let mut narrow = vec![0; SIDE * height * 3];
    group.throughput(Throughput::Elements(picture.len() as u64));
    group.bench_function(format!("resize_rows/{width} to {SIDE}"), |bencher| {
        bencher.iter(|| resize_rows(path, black_box(&picture), width, &table, &mut narrow));
    });
    let table = windows(height, SIDE);
    let mut square = vec![0; SIDE * SIDE * 3];
    group.throughput(Throughput::Elements(narrow.len() as u64));
    group.bench_function(format!("resize_columns/{height} to {SIDE}"), |bencher| {
        bencher.iter(|| resize_columns(path, black_box(&narrow), SIDE * 3, &table, &mut square));
    });
}

/// Windows as wide as bilinear weights are at this scale; of the weights only the number matters.
fn windows(from: usize, to: usize) -> ResizeTable {
    const BITS: u32 = 22;
    let reach = (2 * from).div_ceil(to);
    let mut table = ResizeTable::new(BITS);
    for at in 0..to {
        let start = (at * from / to).min(from - reach);
        table.push(start, (0..reach).map(|_| (1 << BITS) / 5));
    }
    table
}

/// A view of `[heads, len, h]` without gaps.
fn contiguous(numbers: Numbers<'_>, heads: usize, len: usize, head_dim: usize) -> Rows<'_> {
    Rows {
        numbers,
        heads,
        len,
        head_dim,
        head_stride: len * head_dim,
        row_stride: head_dim,
    }
}

/// Two for each product and its sum.
fn operations(products: usize) -> u64 {
    2 * products as u64
}

/// Bytes without a pattern, the same on every call.
fn bytes(count: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// Numbers within ±1.
fn numbers(count: usize) -> Vec<f32> {
    let centred = |byte| (f32::from(byte) - 127.5) / 128.0;
    bytes(count).into_iter().map(centred).collect()
}

fn halves(count: usize) -> Vec<bf16> {
    numbers(count).into_iter().map(bf16::from_f32).collect()
}

/// `count` numbers in `format`. Any bits are valid blocks once their scales are finite.
fn weights(format: Format, count: usize) -> Vec<u8> {
    let each = || numbers(count).into_iter();
    match format {
        Format::F32 => each().flat_map(f32::to_le_bytes).collect(),
        Format::F16 => each()
            .flat_map(|x| f16::from_f32(x).to_le_bytes())
            .collect(),
        Format::Bf16 => each()
            .flat_map(|x| bf16::from_f32(x).to_le_bytes())
            .collect(),
        _ => {
            let mut blocks = bytes(count / format.block_len() * format.block_bytes());
            let scale = f16::from_f32(0.01).to_le_bytes();
            // Q8_0 and Q4_0 begin with one scale, Q4_K with two.
            let scales = if format == Format::Q4K { 2 } else { 1 };
            for block in blocks.chunks_exact_mut(format.block_bytes()) {
                block[..2 * scales].copy_from_slice(&scale.repeat(scales));
            }
            blocks
        }
    }
}
