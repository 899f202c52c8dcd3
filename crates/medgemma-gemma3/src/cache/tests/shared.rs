//! A text that begins as a longer one did, or comes in place of one: it takes what it needs, and leaves the longer
//! one its slots.

use medgemma_tensor::{Arithmetic, Device, KvPrecision, KvRows, ops, tensor_from, vec_from};

use super::super::LayerCache;
use super::seen;

const FORMATS: [(Arithmetic, KvPrecision); 3] = [
    (Arithmetic::F32, KvPrecision::AsWeights),
    (Arithmetic::Bf16, KvPrecision::AsWeights),
    (Arithmetic::Bf16, KvPrecision::Int8),
];

/// What stands for a position: keys and values are that and its opposite, which all formats hold below 256.
fn number(position: usize) -> f32 {
    position as f32 + 1.0
}

/// A layer in one of the formats.
struct Layer {
    cache: LayerCache,
    format: (Arithmetic, KvPrecision),
}

impl Layer {
    fn new(window: Option<usize>, format: (Arithmetic, KvPrecision)) -> Self {
        Self {
            cache: super::layer(window),
            format,
        }
    }

    fn shared(&self) -> Self {
        let (cache, format) = (self.cache.clone(), self.format);
        Self { cache, format }
    }

    /// Reads `count` rows at `from`, which must see what they ought to.
    #[track_caller]
    fn read(&mut self, from: usize, count: usize) {
        let device = Device::cpu().expect("the tests enable the feature cpu");
        let (arithmetic, precision) = self.format;
        let rows = |sign: f32| {
            let numbers = (from..from + count).map(|position| sign * number(position));
            let rows = tensor_from(numbers.collect(), [count, 1, 1], &device);
            ops::rounded(rows, arithmetic, precision)
        };
        let attended = self.cache.extend(from, rows(1.0), rows(-1.0));
        let expected: Vec<f32> = seen(from, count, self.cache.window)
            .into_iter()
            .map(number)
            .collect();
        let found = |rows: KvRows, sign: f32| {
            let found = vec_from(rows.widened(), "rows").expect("the device answers");
            let rounded = found.iter().map(|number| (sign * number).round());
            rounded.collect::<Vec<_>>()
        };
        assert_eq!(
            found(attended.keys, 1.0),
            expected,
            "{count} rows at {from}"
        );
        assert_eq!(
            found(attended.values, -1.0),
            expected,
            "{count} rows at {from}"
        );
    }

    fn is_alone(&self) -> bool {
        !self.cache.is_shared()
    }
}

#[test]
fn a_short_text_that_begins_as_a_long_one_takes_no_more_than_alone() {
    for format in FORMATS {
        for window in [None, Some(100), Some(250)] {
            let mut long = Layer::new(window, format);
            long.read(0, 190);
            let mut short = long.shared();
            let mut alone = Layer::new(window, format);
            alone.read(0, 32);
            // More than grows at once, too.
            for (from, count) in [(32, 8), (40, 1), (41, 30), (71, 1), (72, 1)] {
                short.read(from, count);
                alone.read(from, count);
                let [found, expected] = [&short, &alone].map(|layer| layer.cache.bytes());
                let what = format!("{format:?}, window {window:?}, {count} rows at {from}");
                assert!(found <= expected * 5 / 4, "{found}, not {expected}: {what}");
                assert!(short.is_alone() && long.is_alone(), "{what}");
            }
            long.read(190, 3);
        }
    }
}

#[test]
fn slots_are_left_only_where_they_are_shared_and_far_too_many() {
    for format in FORMATS {
        let mut long = Layer::new(None, format);
        long.read(0, 190);
        let mut near = long.shared();
        near.read(170, 1);
        assert_eq!(near.cache.capacity(), 190, "{format:?}");
        drop(near);
        long.read(32, 1);
        assert_eq!(long.cache.capacity(), 190, "taken back, {format:?}");
    }
}

#[test]
fn a_strip_that_has_moved_is_shared_as_well() {
    for format in FORMATS {
        for window in [1, 20] {
            let mut layer = Layer::new(Some(window), format);
            for position in 0..180 {
                layer.read(position, 1);
                let mut other = layer.shared();
                // Its own next row, and others after it.
                other.read(position + 1, 1);
                other.read(position + 2, 3);
                assert!(other.is_alone() && layer.is_alone(), "after {position}");
            }
            assert!(layer.cache.base > 100, "the strip has moved");
        }
    }
}

#[test]
fn a_text_in_place_of_a_longer_one_takes_no_more_than_alone() {
    for format in FORMATS {
        let layer = |count| {
            let mut layer = Layer::new(Some(250), format);
            layer.read(0, count);
            layer
        };
        let mut cache = super::cache(vec![layer(190).cache], format.1);
        cache.advance(190);
        assert!(cache.truncate(0), "the window is longer");
        assert_eq!((cache.len(), cache.bytes()), (0, 0));
        let mut short = layer(1);
        short.cache = cache.layers.remove(0);
        short.read(0, 40);
        assert_eq!(short.cache.bytes(), layer(40).cache.bytes(), "{format:?}");
    }
}
