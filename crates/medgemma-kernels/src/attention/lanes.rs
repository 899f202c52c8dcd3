//! What the fast paths are written in: the operations on a vector of f32 that attention needs.

/// Coefficients of 2^x on [−½, ½], lowest first: relative error 2e-9, fitted by Lawson's iteration
/// with the first kept at 1.
pub(super) const EXP2: [f32; 7] = [
    1.0,
    core::f32::consts::LN_2,
    0.240_226_48,
    0.055_503_324,
    0.009_618_437,
    0.001_339_887_5,
    0.000_153_533_62,
];

/// A set of instructions, and the proof that the processor has them: a value is made only where
/// they are known to be there, so the methods on vectors are safe.
///
/// Every function over it is inlined into one that has the instructions enabled; a call that stays
/// a call would pass vectors through memory.
pub(super) trait Lanes: Copy {
    /// A vector of f32.
    type V: Copy;
    /// Numbers of a vector.
    const LANES: usize;
    /// Whether there are 32 vector registers; else 16.
    const MANY: bool;

    fn splat(self, x: f32) -> Self::V;

    /// # Safety
    /// `from` can be read for [`Self::LANES`] numbers.
    unsafe fn load(self, from: *const f32) -> Self::V;

    /// Whole numbers, as f32.
    ///
    /// # Safety
    /// `from` can be read for [`Self::LANES`] numbers.
    unsafe fn load_bytes(self, from: *const i8) -> Self::V;

    /// # Safety
    /// `to` can be written for [`Self::LANES`] numbers.
    unsafe fn store(self, to: *mut f32, v: Self::V);

    /// Asks for the cache line of an address, which need not be readable, into the second-level
    /// cache: the first waits for far fewer lines at once, which halved the rate from memory.
    fn prefetch(self, from: *const u8);

    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn max(self, a: Self::V, b: Self::V) -> Self::V;

    /// a · b + c, rounded once.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;

    /// 2^x for x ≤ 0 or barely more, by a relative error of 2⁻²³; 0, or with AVX-512 a subnormal number,
    /// where that is below 2⁻¹²⁶.
    fn exp2(self, x: Self::V) -> Self::V;

    /// `x` where `low` ≤ `at` < `high`, −∞ elsewhere.
    fn within(self, x: Self::V, at: Self::V, low: Self::V, high: Self::V) -> Self::V;

    /// The largest lane.
    fn largest(self, v: Self::V) -> f32;

    /// The sum of the lanes.
    fn sum(self, v: Self::V) -> f32;

    /// The sum of the lanes of each vector.
    fn sums(self, v: [Self::V; 8]) -> [f32; 8];
}

/// [`Lanes`] for instructions without products of bf16, which widens them instead.
pub(super) trait Halves: Lanes {
    /// The bf16 of the low half of each lane's bits, widened.
    fn low_halves(self, bits: Self::V) -> Self::V;

    /// The bf16 of the high half of each lane's bits, widened.
    fn high_halves(self, bits: Self::V) -> Self::V;
}
