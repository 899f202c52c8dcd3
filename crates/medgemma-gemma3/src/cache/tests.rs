//! What rows see, in which slots it lies, and what can be taken back, for both formats of a cache.

#![allow(
    clippy::cast_possible_truncation,
    reason = "keys and values are small whole numbers made of their positions"
)]

mod shared;

use medgemma_tensor::{Arithmetic, Device, KvPrecision, KvRows, ops, tensor_from, vec_from};

use super::{KvCache, LayerCache, TAKEN_BACK, past_keys, slack};

const BOTH: [KvPrecision; 2] = [KvPrecision::AsWeights, KvPrecision::Int8];

/// Key-value heads, and lanes of each.
const HEADS: usize = 2;
const LANES: usize = 3;

fn layer(window: Option<usize>) -> LayerCache {
    LayerCache {
        slots: None,
        base: 0,
        window,
        arithmetic: Arithmetic::F32,
    }
}

fn cache(layers: Vec<LayerCache>, precision: KvPrecision) -> KvCache {
    KvCache {
        layers,
        len: 0,
        precision,
    }
}

#[derive(Clone, Copy)]
enum Part {
    Keys,
    Values,
}

/// Whole multiples, up to 127, of a scale that no other position, head or part has: int8 holds them
/// without an error, and a row with another one's scale is another row.
fn row(part: Part, head: usize, position: usize) -> [f32; LANES] {
    let scale = (1 + part as usize + 2 * head + 4 * position) as f32;
    let number = (position * 7 % 253) as f32 - 126.0;
    [number * scale, 127.0 * scale, -scale]
}

/// Rows `[t, k, h]` of these positions, as a cache of this precision is given them.
fn rows(part: Part, positions: impl ExactSizeIterator<Item = usize>, to: KvPrecision) -> KvRows {
    let device = Device::cpu().expect("the tests enable the feature cpu");
    let shape = [positions.len(), HEADS, LANES];
    let heads = |position| (0..HEADS).flat_map(move |head| row(part, head, position));
    let rows = tensor_from(positions.flat_map(heads).collect(), shape, &device);
    ops::rounded(rows, Arithmetic::F32, to)
}

/// The position of every row `[k, s, h]`, each of which is, in all heads, what was stored there.
#[track_caller]
fn positions(part: Part, found: &KvRows) -> Vec<usize> {
    let [heads, len, lanes] = found.dims();
    assert_eq!([heads, lanes], [HEADS, LANES]);
    let numbers = vec_from(found.widened(), "rows").expect("the device answers");
    let (found, _) = numbers.as_chunks::<LANES>();
    let position = |row: &[f32; LANES]| (-row[2] as usize - 1 - part as usize) / 4;
    let positions: Vec<usize> = found[..len].iter().map(position).collect();
    for (head, found) in found.chunks(len).enumerate() {
        for (found, &position) in found.iter().zip(&positions) {
            assert_eq!(*found, row(part, head, position), "head {head}, {position}");
        }
    }
    positions
}

/// Stores the rows of these positions; returns those that they attend over.
#[track_caller]
fn extend(layer: &mut LayerCache, precision: KvPrecision, from: usize, count: usize) -> Vec<usize> {
    let new = |part| rows(part, from..from + count, precision);
    let attended = layer.extend(from, new(Part::Keys), new(Part::Values));
    let found = positions(Part::Keys, &attended.keys);
    assert_eq!(positions(Part::Values, &attended.values), found);
    found
}

/// The positions that rows at `position` must see.
fn seen(position: usize, rows: usize, window: Option<usize>) -> Vec<usize> {
    (position - past_keys(position, window)..position + rows).collect()
}

/// Bytes of keys and values in one slot.
fn slot_bytes(precision: KvPrecision) -> usize {
    match precision {
        KvPrecision::Int8 => 2 * HEADS * (LANES + size_of::<f32>()),
        _ => 2 * HEADS * LANES * size_of::<f32>(),
    }
}

#[test]
fn a_local_layer_shows_exactly_its_window() {
    for (precision, window) in BOTH
        .into_iter()
        .flat_map(|precision| [1, 2, 3, 5, 64, 100].map(|window| (precision, window)))
    {
        let mut layer = layer(Some(window));
        let mut position = 0;
        for rows in [1, 1, 4, 1, 7, 2, 1, 150, 1, 1, 3].repeat(9) {
            assert_eq!(
                extend(&mut layer, precision, position, rows),
                seen(position, rows, Some(window)),
                "{rows} rows at {position}, {precision}"
            );
            position += rows;
            assert!(layer.capacity() <= window + slack(window));
        }
        assert!(layer.base > window, "the strip has moved");
    }
}

#[test]
fn rows_taken_back_leave_the_window_whole() {
    for precision in BOTH {
        for window in [1, 2, 15, 16, 17, 40] {
            let whole = window + slack(window);
            // Around the window, around the first move, and around a later one.
            let starts = [window, whole, whole + slack(window) - TAKEN_BACK];
            let starts = starts.map(|at| at.saturating_sub(TAKEN_BACK + 2)..at + 3);
            for start in starts.into_iter().flatten() {
                for rows in [1, 3, TAKEN_BACK] {
                    take_back(precision, window, start, rows);
                }
            }
        }
    }
}

/// `start` rows one by one and `rows` at once, taken back to any length that must be possible.
fn take_back(precision: KvPrecision, window: usize, start: usize, rows: usize) {
    let windows = [Some(window), None];
    let mut cache = cache(windows.map(layer).to_vec(), precision);
    for (position, rows) in (0..start)
        .map(|position| (position, 1))
        .chain([(start, rows)])
    {
        for layer in &mut cache.layers {
            extend(layer, precision, position, rows);
        }
        cache.advance(rows);
    }
    // The pass itself, and what was read before it.
    let end = start + rows;
    for len in (end.saturating_sub(TAKEN_BACK)..=end).rev().step_by(3) {
        let mut cache = cache.clone();
        assert!(cache.truncate(len), "to {len} after {rows} at {start}");
        for (layer, window) in cache.layers.iter_mut().zip(windows) {
            for next in len..len + 3 {
                assert_eq!(
                    extend(layer, precision, next, 1),
                    seen(next, 1, window),
                    "to {len} after {rows} at {start}, window {window:?}, {precision}"
                );
            }
        }
    }
}

#[test]
fn what_a_local_layer_has_given_up_cannot_be_taken_back() {
    let precision = KvPrecision::AsWeights;
    let mut cache = cache(vec![layer(Some(20))], precision);
    let mut floor = 0;
    for position in 0..200 {
        extend(&mut cache.layers[0], precision, position, 1);
        cache.advance(1);
        let before = cache.layers[0].base;
        floor = if before == 0 { 0 } else { before + 19 };
        for len in 0..=position + 2 {
            let mut cut = cache.clone();
            let expected = len <= position + 1 && len >= floor;
            assert_eq!(cut.truncate(len), expected, "{len} of {}", position + 1);
            assert_eq!(cut.len(), if expected { len } else { position + 1 });
        }
    }
    assert!(floor > 150, "the oldest are gone");
}

#[test]
fn a_global_layer_keeps_everything_and_grows_by_a_quarter() {
    for precision in BOTH {
        let mut layer = layer(None);
        let mut capacities = std::collections::BTreeSet::new();
        for position in 0..150 {
            let found = extend(&mut layer, precision, position, 1);
            assert_eq!(found, seen(position, 1, None));
            capacities.insert(layer.capacity());
            assert_eq!(layer.bytes(), layer.capacity() * slot_bytes(precision));
        }
        assert_eq!(
            capacities.into_iter().collect::<Vec<_>>(),
            [64, 80, 100, 125, 156]
        );
    }
}

#[test]
fn what_is_rounded_takes_half_the_bytes_and_is_found_again() {
    let device = Device::cpu().expect("the tests enable the feature cpu");
    for window in [None, Some(8)] {
        let mut layer = layer(window);
        for (position, rows) in [(0, 3), (3, 1), (4, 60), (64, 1)] {
            let values: Vec<f32> = (position..position + rows).map(|p| p as f32).collect();
            let new = tensor_from(values, [rows, 1, 1], &device);
            let new = ops::rounded(new, Arithmetic::Bf16, KvPrecision::AsWeights);
            assert_eq!(new.bytes(), rows * 2, "as it is stored");
            let attended = layer.extend(position, new.clone(), new);
            let keys = vec_from(attended.keys.widened(), "keys").expect("the device answers");
            let found: Vec<usize> = keys.iter().map(|&key| key as usize).collect();
            assert_eq!(found, seen(position, rows, window));
            assert_eq!(layer.bytes(), layer.capacity() * 2 * 2);
        }
    }
}

#[test]
fn slots_are_written_in_place() {
    for precision in BOTH {
        for window in [None, Some(8)] {
            let mut layer = layer(window);
            for position in 0..60 {
                extend(&mut layer, precision, position, 1);
                let (keys, values) = layer.slots.as_ref().expect("something is stored");
                // Uniquely owned again once the view is gone: the next write copies nothing.
                let unique = keys.can_mut() && values.can_mut();
                assert!(unique, "position {position}, {precision}");
            }
        }
    }
}

#[test]
fn a_clone_that_is_written_to_leaves_the_other_as_it_was() {
    for precision in BOTH {
        let mut one = layer(None);
        extend(&mut one, precision, 0, 9);
        let mut other = one.clone();
        // Positions 4.. are taken back in the clone, and what is written there is something else.
        let new = |part| rows(part, 100..103, precision);
        other.extend(4, new(Part::Keys), new(Part::Values));
        let view = |layer: &LayerCache| {
            let attended = layer.view(0..9);
            [attended.keys, attended.values]
        };
        let [keys, values] = view(&one);
        assert_eq!(positions(Part::Keys, &keys), seen(8, 1, None));
        assert_eq!(positions(Part::Values, &values), seen(8, 1, None));
        let [keys, values] = view(&other);
        let written = [0, 1, 2, 3, 100, 101, 102, 7, 8];
        assert_eq!(positions(Part::Keys, &keys), written);
        assert_eq!(positions(Part::Values, &values), written);
    }
}

/// Reads `rows` rows in passes of at most `most` into all layers; each sees what it must.
#[track_caller]
fn read(cache: &mut KvCache, precision: KvPrecision, rows: usize, most: usize) {
    let end = cache.len() + rows;
    while cache.len() < end {
        let (from, pass) = (cache.len(), most.min(end - cache.len()));
        for layer in &mut cache.layers {
            let window = layer.window;
            let found = extend(layer, precision, from, pass);
            assert_eq!(found, seen(from, pass, window), "{pass} rows at {from}");
        }
        cache.advance(pass);
    }
}

#[test]
fn what_is_read_after_a_mark_is_taken_back_and_only_what_has_no_room_is_copied() {
    let all = BOTH.into_iter().flat_map(|precision| {
        [1, 2, 6, 40].map(|window| (precision, window, window + slack(window)))
    });
    for (precision, window, limit) in all {
        for start in [0, 1, window, limit - 1, limit, 2 * limit + 7] {
            let seen_now = past_keys(start, Some(window));
            for rows in [1, 5, limit - seen_now, limit - seen_now + 1, 3 * limit] {
                let mut cache = cache([Some(window), None].map(layer).to_vec(), precision);
                read(&mut cache, precision, start, 3);
                let mark = cache.mark(rows);
                let fits = rows <= limit - seen_now;
                let expected: &[usize] = if fits { &[] } else { &[0] };
                let what = format!("{rows} rows at {start}, window {window}, {precision}");
                assert_eq!(mark.kept(), expected, "{what}");
                for most in [1, rows, 64] {
                    // Not always as many as there may be.
                    for rows in [rows, rows.div_ceil(2)] {
                        read(&mut cache, precision, rows, most);
                        let unique = cache.layers.iter().map(|layer| {
                            let (keys, values) = layer.slots.as_ref().expect("it has read");
                            keys.can_mut() && values.can_mut()
                        });
                        assert_eq!(unique.collect::<Vec<_>>(), [true, true], "{what}");
                        cache.take_back(&mark);
                        assert_eq!(cache.len(), start, "{what}");
                    }
                }
            }
        }
    }
}
