//! What `benches/peers/faiss_compare.py` drives: builds an index of vectors that it is given, and
//! times searches one at a time.
//!
//! `measure build FOLDER DIMENSION ROWS`: reads `ROWS` vectors from the standard input, f32 in
//! little-endian bytes, and gives each the metadata that an ingestion writes. `measure search FOLDER
//! DIMENSION THREADS`: reads a count as u32 and so many queries, answers with one line of JSON, and
//! begins again until the count is 0 or the input ends. With `filtered` behind it each search has a
//! filter, which holds for all vectors: it looks at the metadata of each, and the hits stay the same;
//! with `coarse` 4-bit codes are made first.

use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::time::Instant;

use medgemma_search::{Batch, Cpu, Filter, Fingerprint, Index, Ingestion, Metadata, Query, Writer};

/// Vectors of one append.
const BATCH: usize = 4096;
/// Hits of one search.
const K: usize = 10;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [task, folder, dimension, number, rest @ ..] = &arguments[..] else {
        return Err(
            "expected: build FOLDER DIMENSION ROWS, or search FOLDER DIMENSION THREADS [filtered] [coarse]"
                .into(),
        );
    };
    let has = |name: &str| rest.iter().any(|word| word == name);
    if let Some(other) = rest
        .iter()
        .find(|word| !["filtered", "coarse"].contains(&&***word))
    {
        return Err(format!("expected filtered, coarse or nothing, found {other}").into());
    }
    // By the last name but one of each.
    let filter = has("filtered").then(|| Filter::exists(Ingestion::PATH));
    let fingerprint = Fingerprint::new("measured", dimension.parse()?);
    match &**task {
        "build" => build(Path::new(folder), &fingerprint, number.parse()?),
        "search" => search(
            Path::new(folder),
            &fingerprint,
            number.parse()?,
            filter,
            has("coarse"),
        ),
        other => Err(format!("expected build or search, found {other}").into()),
    }
}

fn build(folder: &Path, fingerprint: &Fingerprint, rows: usize) -> Result<(), Failure> {
    let mut input = io::stdin().lock();
    let mut writer = Writer::create(folder, fingerprint)?;
    let began = Instant::now();
    for first in (0..rows).step_by(BATCH) {
        let mut batch = Batch::new();
        for row in first..rows.min(first + BATCH) {
            let vector = vector(&mut input, fingerprint.dimension)?;
            batch.put(row.to_string(), vector, metadata(row));
        }
        writer.append(&batch)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    writeln!(io::stdout(), "{{\"build_s\": {seconds:.3}}}")?;
    Ok(())
}

/// What `Ingestion` and the example image-search write of a picture. Their ids have 64 characters
/// more than the numbers that stand for them here.
fn metadata(row: usize) -> Metadata {
    let folder = format!("study-{:06}/series-{:02}", row / 100, row / 10 % 10);
    let file = format!("{folder}/{row:08}.png");
    Metadata::from([
        (Ingestion::FILE.to_owned(), file.as_str().into()),
        ("folder".to_owned(), folder.into()),
        ("height".to_owned(), 512.into()),
        (
            Ingestion::PATH.to_owned(),
            format!("/mnt/archive/pictures/{file}").into(),
        ),
        ("width".to_owned(), 512.into()),
    ])
}

fn search(
    folder: &Path,
    fingerprint: &Fingerprint,
    threads: usize,
    filter: Option<Filter>,
    coarse: bool,
) -> Result<(), Failure> {
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    let began = Instant::now();
    let mut index = Index::open(folder, fingerprint)?;
    let open = began.elapsed().as_secs_f64();
    let cpu = Cpu::new(threads, Cpu::detect().path());
    let path = cpu.path();
    let began = Instant::now();
    if coarse {
        index.make_coarse_codes(&cpu)?;
    }
    let coarse = began.elapsed().as_secs_f64();
    writeln!(
        output,
        "{{\"open_s\": {open:.3}, \"coarse_s\": {coarse:.3}, \"rows\": {}, \"path\": \"{path}\"}}",
        index.len()
    )?;
    output.flush()?;
    loop {
        let mut count = [0; 4];
        match input.read_exact(&mut count) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let count = u32::from_le_bytes(count);
        if count == 0 {
            return Ok(());
        }
        let (mut times, mut rows) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let mut query = Query::new(vector(&mut input, fingerprint.dimension)?).with_k(K);
            query.filter.clone_from(&filter);
            let began = Instant::now();
            let hits = index.search(&cpu, &query)?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
            let ids: Vec<String> = hits.into_iter().map(|hit| hit.id).collect();
            rows.push(ids.join(","));
        }
        let (peak, resident) = (memory("VmHWM"), memory("VmRSS"));
        writeln!(
            output,
            "{{\"ms\": {times:.3?}, \"rows\": [[{}]], \"peak_rss_mb\": {peak}, \"rss_mb\": {resident}}}",
            rows.join("],[")
        )?;
        output.flush()?;
    }
}

fn vector(input: &mut impl Read, dimension: usize) -> io::Result<Vec<f32>> {
    let mut bytes = vec![0; dimension * 4];
    input.read_exact(&mut bytes)?;
    let (numbers, _) = bytes.as_chunks::<4>();
    Ok(numbers.iter().map(|n| f32::from_le_bytes(*n)).collect())
}

/// What the kernel counts as memory of this process, mapped files included, in 10⁶ bytes; 0 where
/// there is no such file.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| {
        line.trim_matches(|c: char| !c.is_ascii_digit())
            .parse::<u64>()
            .ok()
    });
    kib.unwrap_or_default() * 1024 / 1_000_000
}
