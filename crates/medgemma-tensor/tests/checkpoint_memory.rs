//! Loading 300 MB of bf16 weights on the CPU keeps them in the memory map: the peak of the process
//! grows by less than a tenth of them. What is turned into something else while loading gives the
//! map's pages back. Alone in its binary, because the peak is the process's.
#![cfg(all(feature = "cpu", target_os = "linux"))]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use medgemma_tensor::checkpoint::{Loader, SafetensorsDir};
use medgemma_tensor::{Device, FloatFormat, ops, vec_from};

/// 60 matrices of 5 MiB in bf16.
const MATRICES: usize = 60;
const SHAPE: [usize; 2] = [1024, 2560];
const BYTES: usize = SHAPE[0] * SHAPE[1] * 2;
const TOTAL: usize = MATRICES * BYTES;

/// 1.0 in bf16 and in f16, low byte first.
const ONES: [(&str, [u8; 2]); 2] = [("BF16", [0x80, 0x3F]), ("F16", [0x00, 0x3C])];

/// Writes the checkpoint piece by piece: it never is in memory as a whole.
fn write_checkpoint(dir: &Path, dtype: &str, one: [u8; 2]) {
    let entry = |i: usize| {
        let (begin, end) = (i * BYTES, (i + 1) * BYTES);
        format!(r#""w{i}":{{"dtype":"{dtype}","shape":{SHAPE:?},"data_offsets":[{begin},{end}]}}"#)
    };
    let mut header = format!(
        "{{{}}}",
        (0..MATRICES).map(entry).collect::<Vec<_>>().join(",")
    );
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    let file = File::create(dir.join("model.safetensors")).expect("a writable directory");
    let mut file = BufWriter::new(file);
    file.write_all(&(header.len() as u64).to_le_bytes())
        .and_then(|()| file.write_all(header.as_bytes()))
        .expect("room for the header");
    let row: Vec<u8> = one.repeat(SHAPE[1]);
    for _ in 0..MATRICES * SHAPE[0] {
        file.write_all(&row).expect("room for 300 MB");
    }
    file.flush().expect("room for 300 MB");
}

/// The most memory that this process ever had resident, in bytes.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib: Option<usize> = line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok());
    kib.expect("a VmHWM line") * 1024
}

/// By how much the peak grew while the matrices were loaded and their last row was read.
fn growth(dtype: &str, one: [u8; 2]) -> usize {
    let dir = tempfile::tempdir().expect("a temporary directory");
    write_checkpoint(dir.path(), dtype, one);
    let device = Device::cpu().expect("the feature cpu is on");
    let before = peak();

    let source = SafetensorsDir::open(dir.path()).expect("a valid checkpoint");
    let mut loader = Loader::new(&source, &[], &device).expect("no two names alike");
    let weights: Vec<_> = (0..MATRICES)
        .map(|i| loader.scope("").weight(&format!("w{i}"), SHAPE))
        .collect::<Result<_, _>>()
        .expect("all weights");
    let report = loader.finish().expect("nothing left over");

    assert_eq!(report.bytes, TOTAL as u64);
    let grown = peak() - before;
    // They are the weights, in their own format, and not yet touched: now they are.
    let last = &weights[MATRICES - 1];
    let published = if dtype == "F16" {
        FloatFormat::F16
    } else {
        FloatFormat::Bf16
    };
    assert_eq!(last.published(), published);
    let row = vec_from(ops::embed_rows(last, &[1023], &device), "row").expect("a row");
    assert_eq!(row, vec![1.0; SHAPE[1]]);
    grown
}

#[test]
fn loading_takes_no_more_memory_than_it_must() {
    let [bf16, f16] = ONES.map(|(dtype, one)| growth(dtype, one));
    assert!(bf16 < TOTAL / 10, "{bf16} bytes for {TOTAL} in bf16");
    // They become bf16: a copy, and no more than one matrix of the file beside it.
    assert!(f16 < TOTAL + TOTAL / 10, "{f16} bytes for {TOTAL} in f16");
    assert!(f16 > TOTAL * 8 / 10, "{f16} bytes: nothing was copied");
}
