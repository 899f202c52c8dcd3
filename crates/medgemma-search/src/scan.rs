//! One pass over the codes of all wanted rows, on several threads.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use medgemma_kernels::{Cpu, Path, dot_i8};

use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::mask::{Mask, WORD, bits};
use crate::rows::Codes;
use crate::window::Window;

/// Words of rows that a thread takes at a time: some hundreds of microseconds of memory, far more
/// than it costs to take them, and far less than a search.
pub(crate) const PIECE: usize = 32;
/// Of a word's 64 rows, so many or fewer are multiplied one by one.
const SPARSE: u32 = 8;

/// Codes of rows that queries can be multiplied with.
pub(crate) trait Scanned: Sync {
    /// Number of rows.
    fn len(&self) -> usize;

    /// Codes of a query.
    fn query_len(&self) -> usize;

    /// The products of `queries`, `[m, query_len]`, with some rows of one word, `[m, rows]`.
    fn multiply(&self, path: Path, queries: &[i8], rows: Range<usize>, sums: &mut [i32]);
}

impl Scanned for Codes {
    fn len(&self) -> usize {
        self.len()
    }

    fn query_len(&self) -> usize {
        self.dimension()
    }

    fn multiply(&self, path: Path, queries: &[i8], rows: Range<usize>, sums: &mut [i32]) {
        dot_i8(path, queries, self.of(rows), self.dimension(), sums);
    }
}

/// Products of the queries with some rows that follow each other.
pub(crate) struct Block<'a> {
    /// The first row.
    pub(crate) first: usize,
    /// Which of the rows are wanted, the lowest bit being the first.
    pub(crate) wanted: u64,
    /// Number of rows.
    pub(crate) rows: usize,
    /// `[queries, rows]`, in integers.
    pub(crate) sums: &'a [i32],
}

/// Multiplies `queries`, `[m, query_len]` codes, with the codes of the `wanted` rows and hands the
/// products to `each`, with one of the states that `begin` makes: as many as threads took part.
pub(crate) fn scan<S: Send>(
    cpu: &Cpu,
    codes: &impl Scanned,
    queries: &[i8],
    wanted: &Mask,
    begin: impl Fn() -> S + Sync,
    each: impl Fn(&mut S, &Block<'_>) + Sync,
) -> Vec<S> {
    let states: Mutex<Vec<S>> = Mutex::default();
    let lock = || states.lock().unwrap_or_else(PoisonError::into_inner);
    let m = queries.len() / codes.query_len();
    let words = wanted.words().min(codes.len().div_ceil(WORD));
    cpu.pool().run(words.div_ceil(PIECE), &|piece| {
        let taken = lock().pop();
        let mut state = taken.unwrap_or_else(&begin);
        let mut sums = vec![0; m * WORD];
        let mut multiply = |first: usize, count: usize, wanted: u64| {
            let sums = &mut sums[..m * count];
            codes.multiply(cpu.path(), queries, first..first + count, sums);
            let block = Block {
                first,
                wanted,
                rows: count,
                sums,
            };
            each(&mut state, &block);
        };
        for word in piece * PIECE..words.min((piece + 1) * PIECE) {
            let wanted = wanted.word(word);
            let first = word * WORD;
            if wanted.count_ones() <= SPARSE {
                bits(wanted).for_each(|bit| multiply(first + bit, 1, 1));
            } else {
                multiply(first, WORD.min(codes.len() - first), wanted);
            }
        }
        lock().push(state);
    });
    states.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The live rows for which a filter holds.
pub(crate) fn matching(cpu: &Cpu, catalog: &Catalog, filter: &Filter) -> Result<Mask> {
    let live = catalog.live();
    let filter = filter.prepare();
    let words: Vec<AtomicU64> = (0..live.words()).map(|_| AtomicU64::new(0)).collect();
    let failed: Mutex<Option<Error>> = Mutex::default();
    // One for each thread that takes part, not for each piece.
    let rooms: Mutex<Vec<Vec<u8>>> = Mutex::default();
    let lock = || rooms.lock().unwrap_or_else(PoisonError::into_inner);
    cpu.pool().run(words.len().div_ceil(PIECE), &|piece| {
        let part = piece * PIECE..words.len().min((piece + 1) * PIECE);
        let rows = part.start * WORD..part.end * WORD;
        let taken = lock().pop();
        let mut window = Window::new(catalog, &rows, taken.unwrap_or_default());
        let mut find = |index: usize| {
            let mut found = 0;
            for bit in bits(live.word(index)) {
                let record = window.record(index * WORD + bit)?;
                if record.is_some_and(|record| filter.holds(&record.metadata)) {
                    found |= 1 << bit;
                }
            }
            words[index].store(found, Ordering::Relaxed);
            Ok(())
        };
        if let Err(error) = part.clone().try_for_each(&mut find) {
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
        lock().push(window.into_room());
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.map_or(Ok(()), Err)?;
    let words = words.into_iter().map(AtomicU64::into_inner).collect();
    Ok(Mask::from_words(words))
}
