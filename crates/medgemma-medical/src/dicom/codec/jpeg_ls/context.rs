//! Parameters of a scan and the statistics of its contexts: T.87, C.2.4.1, A.2.1 and A.6.

use super::super::Fault;

/// Values of an LSE segment of type 1; zero stands for the default.
#[derive(Default)]
pub(super) struct Presets {
    maxval: i32,
    thresholds: [i32; 3],
    reset: i32,
}

impl Presets {
    pub(super) fn read(&mut self, body: &[u8]) -> Result<(), Fault> {
        match *body {
            [1, m1, m0, a1, a0, b1, b0, c1, c0, r1, r0] => {
                let word = |high, low| i32::from(u16::from_be_bytes([high, low]));
                self.maxval = word(m1, m0);
                self.thresholds = [word(a1, a0), word(b1, b0), word(c1, c0)];
                self.reset = word(r1, r0);
                Ok(())
            }
            _ => Err(Fault::new(
                "mapping tables or oversized images, which are not read",
            )),
        }
    }
}

/// What a scan is decoded with.
pub(super) struct Parameters {
    pub(super) maxval: i32,
    pub(super) near: i32,
    pub(super) thresholds: [i32; 3],
    pub(super) reset: i32,
    /// Number of different prediction errors.
    pub(super) range: i32,
    /// Bits of one of them.
    pub(super) qbpp: u32,
    /// Longest code.
    pub(super) limit: u32,
}

impl Parameters {
    pub(super) fn new(precision: u32, near: i32, presets: &Presets) -> Result<Self, Fault> {
        let largest = (1 << precision) - 1;
        let maxval = if presets.maxval == 0 {
            largest
        } else {
            presets.maxval
        };
        if maxval > largest || near > maxval.min(510) / 2 {
            return Err(Fault::new("parameters outside of their range"));
        }
        let defaults = thresholds(maxval, near);
        let chosen = std::array::from_fn(|i| match presets.thresholds[i] {
            0 => defaults[i],
            given => given,
        });
        let [first, second, third] = chosen;
        if !(near < first && first <= second && second <= third && third <= maxval) {
            return Err(Fault::new("thresholds out of order"));
        }
        let reset = if presets.reset == 0 {
            64
        } else {
            presets.reset
        };
        if reset < 3 {
            return Err(Fault::new("parameters outside of their range"));
        }
        let range = (maxval + 2 * near) / (2 * near + 1) + 1;
        let bpp = bits(maxval + 1).max(2);
        Ok(Self {
            maxval,
            near,
            thresholds: chosen,
            reset,
            range,
            qbpp: bits(range),
            limit: 2 * (bpp + bpp.max(8)),
        })
    }
}

/// ⌈log2 n⌉.
fn bits(n: i32) -> u32 {
    (n - 1)
        .cast_unsigned()
        .checked_ilog2()
        .map_or(0, |log| log + 1)
}

/// The default thresholds of C.2.4.1.1.1.
fn thresholds(maxval: i32, near: i32) -> [i32; 3] {
    let clamp = |value: i32, least: i32| {
        if value > maxval || value < least {
            least
        } else {
            value
        }
    };
    let basic = if maxval >= 128 {
        let factor = (maxval.min(4095) + 128) / 256;
        [
            factor + 2 + 3 * near,
            factor * 4 + 3 + 5 * near,
            factor * 17 + 4 + 7 * near,
        ]
    } else {
        let factor = 256 / (maxval + 1);
        [
            (3 / factor + 3 * near).max(2),
            (7 / factor + 5 * near).max(3),
            (21 / factor + 7 * near).max(4),
        ]
    };
    let first = clamp(basic[0], near + 1);
    let second = clamp(basic[1], first);
    [first, second, clamp(basic[2], second)]
}

/// A regular context.
#[derive(Clone, Copy)]
pub(super) struct Context {
    /// Sum of the errors' magnitudes.
    pub(super) a: i32,
    /// Sum of the errors, kept in (−n, 0].
    pub(super) b: i32,
    /// Correction of the prediction.
    pub(super) c: i32,
    /// Number of errors.
    pub(super) n: i32,
}

impl Context {
    pub(super) fn new(range: i32) -> Self {
        Self {
            a: ((range + 32) / 64).max(2),
            b: 0,
            c: 0,
            n: 1,
        }
    }

    /// The Golomb parameter: A.5.1.
    pub(super) fn k(&self) -> u32 {
        golomb(self.a, self.n)
    }

    /// A.6.1 and A.6.2.
    pub(super) fn update(&mut self, error: i32, parameters: &Parameters) {
        // A long RESET lets the sums of a hostile stream grow without bound.
        self.b = self.b.saturating_add(error * (2 * parameters.near + 1));
        self.a = self.a.saturating_add(error.abs());
        if self.n == parameters.reset {
            self.a >>= 1;
            self.b >>= 1;
            self.n >>= 1;
        }
        self.n += 1;
        if self.b <= -self.n {
            self.b = (self.b + self.n).max(1 - self.n);
            self.c = (self.c - 1).max(-128);
        } else if self.b > 0 {
            self.b = (self.b - self.n).min(0);
            self.c = (self.c + 1).min(127);
        }
    }
}

/// A context of run interruptions: A.7.2.
#[derive(Clone, Copy)]
pub(super) struct RunContext {
    pub(super) a: i32,
    pub(super) n: i32,
    /// Number of negative errors.
    pub(super) negative: i32,
}

impl RunContext {
    pub(super) fn new(range: i32) -> Self {
        Self {
            a: ((range + 32) / 64).max(2),
            n: 1,
            negative: 0,
        }
    }

    /// `kind` is 1 where left and upper neighbour agree.
    pub(super) fn k(&self, kind: i32) -> u32 {
        golomb(self.a.saturating_add((self.n >> 1) * kind), self.n)
    }

    /// `mapped` is the error as coded.
    pub(super) fn update(&mut self, error: i32, mapped: i32, kind: i32, reset: i32) {
        if error < 0 {
            self.negative += 1;
        }
        self.a = self.a.saturating_add((mapped + 1 - kind) >> 1);
        if self.n == reset {
            self.a >>= 1;
            self.n >>= 1;
            self.negative >>= 1;
        }
        self.n += 1;
    }
}

fn golomb(a: i32, n: i32) -> u32 {
    let (a, n) = (i64::from(a), i64::from(n));
    (0..24).find(|&k| n << k >= a).unwrap_or(24)
}

#[cfg(test)]
mod tests {
    use super::{Parameters, Presets, thresholds};

    #[test]
    fn defaults_of_the_recommendation() {
        // T.87, table C.3, and C.2.4.1.1.1 for 12 bits.
        assert_eq!(thresholds(255, 0), [3, 7, 21]);
        assert_eq!(thresholds(4095, 0), [18, 67, 276]);
        assert_eq!(thresholds(65535, 0), [18, 67, 276]);
        let lossless = Parameters::new(8, 0, &Presets::default()).expect("defaults");
        assert_eq!(
            (lossless.range, lossless.qbpp, lossless.limit),
            (256, 8, 32)
        );
        let near = Parameters::new(8, 2, &Presets::default()).expect("defaults");
        assert_eq!((near.range, near.qbpp), (52, 6));
        assert_eq!(near.thresholds, [9, 17, 35]);
    }
}
