//! Loading 300 MB of bf16 weights on the CPU keeps them in the memory map: the peak of the process
//! grows by less than a tenth of them. Alone in its binary, because the peak is the process's.
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

/// bf16 1.0, low byte first.
const ONE: [u8; 2] = [0x80, 0x3F];

/// Writes the checkpoint piece by piece: it never is in memory as a whole.
fn write_checkpoint(dir: &Path) {
    let entry = |i: usize| {
        let (begin, end) = (i * BYTES, (i + 1) * BYTES);
        format!(r#""w{i}":{{"dtype":"BF16","shape":{SHAPE:?},"data_offsets":[{begin},{end}]}}"#)
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
    let row: Vec<u8> = ONE.repeat(SHAPE[1]);
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

#[test]
fn loading_adds_less_than_a_tenth_of_the_weights() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    write_checkpoint(dir.path());
    let device = Device::cpu().expect("the feature cpu is on");
    let before = peak();

    let source = SafetensorsDir::open(dir.path()).expect("a valid checkpoint");
    let mut loader = Loader::new(&source, &[], &device).expect("no two names alike");
    let weights: Vec<_> = (0..MATRICES)
        .map(|i| loader.scope("").weight(&format!("w{i}"), SHAPE))
        .collect::<Result<_, _>>()
        .expect("all weights");
    let report = loader.finish().expect("nothing left over");

    let total = MATRICES * BYTES;
    assert_eq!(report.bytes, total as u64);
    let grown = peak() - before;
    assert!(
        grown < total / 10,
        "{grown} bytes for {total} bytes of weights"
    );
    // They are the weights, in their own format, and not yet touched: now they are.
    let last = &weights[MATRICES - 1];
    assert_eq!(last.published(), FloatFormat::Bf16);
    let row = vec_from(ops::embed_rows(last, &[1023], &device), "row").expect("a row");
    assert_eq!(row, vec![1.0; SHAPE[1]]);
}
