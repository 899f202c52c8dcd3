//! Checkpoints of random weights in larger shapes, and the memory that they take: a peak is a process's,
//! so that each test file of it has one test of figures.

use std::fs::File;
use std::io::{BufWriter, Write};

use medgemma_testkit::{Scratch, Tensors};
use serde_json::{Map, Value, json};

/// Gives the tensors of `folder` the lengths that `scaled` tells for a key and each of its lengths, in f32
/// or bf16, of small numbers. Written piece by piece, so that nothing of it is in memory.
pub(crate) fn grow(folder: &Scratch, bf16: bool, scaled: impl Fn(&str, usize) -> usize) {
    let (dtype, size) = if bf16 { ("BF16", 2) } else { ("F32", 4) };
    let mut header = Map::new();
    let mut numbers = 0;
    let tensors = folder.tensors();
    for key in tensors.keys() {
        let lengths = &tensors.get(key).expect("it has the key").shape;
        let shape: Vec<usize> = lengths.iter().map(|&side| scaled(key, side)).collect();
        let end = numbers + shape.iter().product::<usize>();
        header.insert(
            key.to_owned(),
            json!({"dtype": dtype, "shape": shape, "data_offsets": [size * numbers, size * end]}),
        );
        numbers = end;
    }
    folder.replace(&Tensors::default());
    // Padded as the format asks for: weights that begin at an odd byte cannot stay in the file.
    let mut header = Value::Object(header).to_string();
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    let path = folder.file("model.safetensors");
    let mut file = BufWriter::new(File::create(path).expect("writable"));
    let mut write = |bytes: &[u8]| file.write_all(bytes).expect("there is room");
    write(&(header.len() as u64).to_le_bytes());
    write(header.as_bytes());
    for i in 0..numbers {
        let small = ((i % 31) as f32 - 15.0) * 1e-3;
        // The upper half of an f32 is a bf16.
        write(&small.to_le_bytes()[4 - size..]);
    }
    file.into_inner().expect("there is room");
}

/// The largest resident memory since the last [`forget`], in bytes.
pub(crate) fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.expect("Linux tells it").trim().trim_end_matches("kB");
    kilobytes.trim().parse::<u64>().expect("a number") * 1024
}

/// Lets the peak begin anew at what is resident.
pub(crate) fn forget() {
    std::fs::write("/proc/self/clear_refs", "5").expect("on Linux");
}
