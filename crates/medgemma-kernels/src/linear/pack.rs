//! Activations laid out for the kernels: rounded, padded and, for many tokens, transposed.

use half::bf16;

use crate::cpu::{Cpu, Path};
use crate::lines::Lines;

/// Tokens of a tile: the lanes of a 512-bit register.
pub(super) const LANES: usize = 16;

/// What a kernel multiplies, 4 bytes of a weight row at a time. Such 4 bytes are a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// One f32.
    Single,
    /// Two bf16.
    Pair,
}

impl Step {
    /// Steps of a row of `cols` numbers; the last may be padded with a zero.
    pub(super) fn count(self, cols: usize) -> usize {
        match self {
            Self::Single => cols,
            Self::Pair => cols.div_ceil(2),
        }
    }

    /// Numbers of a step.
    pub(super) fn width(self) -> usize {
        match self {
            Self::Single => 1,
            Self::Pair => 2,
        }
    }
}

/// Many tokens, transposed: `[tile][step][LANES]`, where a lane is a token and holds a step's
/// 4 bytes. Steps that are not there are zero; lanes without a token may hold anything.
pub(super) struct Tiles {
    steps: usize,
    /// Lines from a tile to the next.
    stride: usize,
    /// A line for each step of a tile.
    data: Lines,
}

impl Tiles {
    /// Packs `x`, `[tokens, cols]`; `round` first rounds to bf16, which pairs always are.
    pub(super) fn pack(cpu: &Cpu, x: &[f32], cols: usize, step: Step, round: bool) -> Self {
        let steps = step.count(cols);
        let tokens = x.len() / cols;
        let tiles = tokens.div_ceil(LANES);
        let stride = spread(steps);
        let mut data = Lines::any(tiles * stride);
        let places: Vec<_> = data
            .words_mut()
            .chunks_mut(stride * LANES)
            .map(|place| std::sync::Mutex::new(&mut place[..steps * LANES]))
            .collect();
        let path = cpu.path();
        cpu.pool().run(tiles, &|tile| {
            let mut place = places[tile]
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let x = &x[tile * LANES * cols..];
            let x = &x[..x.len().min(LANES * cols)];
            let packed = pack_blocks(path, x, cols, (step, round), &mut place);
            let rest = &mut place[packed / step.width() * LANES..];
            rest.fill(0);
            for (lane, x) in x.chunks_exact(cols).enumerate() {
                pack_token(&x[packed..], step, round, rest.get_mut(lane..));
            }
        });
        drop(places);
        Self {
            steps,
            stride,
            data,
        }
    }

    /// Words from a tile to the next.
    pub(super) fn stride(&self) -> usize {
        self.stride * LANES
    }

    /// The data from tile `tile`, step `step` on, to the end of that tile or later.
    pub(super) fn from(&self, tile: usize, step: usize) -> &[u32] {
        debug_assert!(step < self.steps);
        &self.data.words()[(tile * self.stride + step) * LANES..]
    }
}

/// Lines from a tile of `steps` lines to the next, such that blocks of columns of many tiles do not
/// share cache sets: these repeat every some thousand lines, and widths of models are multiples of
/// powers of 2.
fn spread(steps: usize) -> usize {
    const APART: usize = 128;
    let pieces = steps.div_ceil(APART);
    (pieces | 1) * APART
}

/// Packs what `path` has instructions for and says how many columns that is, a multiple of a step.
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(unused_variables, reason = "only x86-64 has instructions for it")
)]
fn pack_blocks(
    path: Path,
    x: &[f32],
    cols: usize,
    (step, round): (Step, bool),
    place: &mut [u32],
) -> usize {
    match (path, step) {
        // SAFETY: the processor has the path (`Cpu`'s promise).
        #[cfg(target_arch = "x86_64")]
        (Path::Avx512 | Path::Amx, Step::Pair) => unsafe {
            super::avx512_turn::pack(x, cols, step, place)
        },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        (Path::Avx512 | Path::Amx, Step::Single) if !round => unsafe {
            super::avx512_turn::pack(x, cols, step, place)
        },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        (Path::Avx2, Step::Single) if round => unsafe {
            super::avx2_turn::pack::<true>(x, cols, place)
        },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        (Path::Avx2, Step::Single) => unsafe { super::avx2_turn::pack::<false>(x, cols, place) },
        _ => 0,
    }
}

/// Writes one token's steps to every `LANES`-th place; there are none if there are no steps.
fn pack_token(x: &[f32], step: Step, round: bool, place: Option<&mut [u32]>) {
    let places = place.into_iter().flatten().step_by(LANES);
    match step {
        Step::Pair => {
            let (pairs, rest) = x.as_chunks::<2>();
            let last = rest.first().map(|&last| [last, 0.0]);
            for (place, pair) in places.zip(pairs.iter().copied().chain(last)) {
                let [low, high] = pair.map(|value| u32::from(bf16::from_f32(value).to_bits()));
                *place = low | high << 16;
            }
        }
        Step::Single if round => {
            for (place, &value) in places.zip(x) {
                *place = u32::from(bf16::from_f32(value).to_bits()) << 16;
            }
        }
        Step::Single => {
            for (place, value) in places.zip(x) {
                *place = value.to_bits();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::spread;

    /// Widths of models, in pairs and singly, in caches of so many sets of lines: sixteen blocks of 128
    /// lines, one a tile, lie side by side and not on top of each other.
    #[test]
    fn blocks_of_many_tiles_share_no_sets() {
        for steps in [320, 512, 576, 1024, 1280, 2160, 2560, 5120, 10240, 10752] {
            let stride = spread(steps);
            assert!((steps..steps + 256).contains(&stride), "{steps}: {stride}");
            let mut places: Vec<usize> = (0..16).map(|tile| tile * stride % 2048).collect();
            places.sort_unstable();
            let apart: Vec<usize> = (0..16).map(|place| place * 128).collect();
            assert_eq!(places, apart, "{steps}");
        }
    }
}
