//! How vectors are made of a row of cached numbers, and multiplied.

use std::marker::PhantomData;

use half::bf16;

use crate::attention::lanes::{Halves, Lanes};

/// A way to read two vectors' numbers of a row at a time, 2 · [`Lanes::LANES`].
pub(in crate::attention) trait Reading<L: Lanes> {
    type Number: Copy + Default;

    /// Vectors of elements that those numbers of a key make, 1 or 2.
    const PARTS: usize;

    /// Keys whose numerators share an element, 1 or 2.
    const KEYS: usize;

    /// The elements of a key; the first [`Self::PARTS`] count.
    ///
    /// # Safety
    /// `from` can be read for two vectors' numbers.
    unsafe fn key(lanes: L, from: *const Self::Number) -> [L::V; 2];

    /// The elements of the values of [`Self::KEYS`] keys.
    ///
    /// # Safety
    /// Each of `from` can be read for two vectors' numbers.
    unsafe fn values(lanes: L, from: [*const Self::Number; 2]) -> [L::V; 2];

    /// `acc` + a · b, element by element.
    fn multiply_add(lanes: L, acc: L::V, a: L::V, b: L::V) -> L::V;

    /// Stores the numerators of a vector of neighbouring keys as elements.
    ///
    /// # Safety
    /// `to` can be written for [`Lanes::LANES`] numbers.
    unsafe fn store(lanes: L, to: *mut f32, numerators: L::V);
}

/// A storage whose numbers become f32.
pub(in crate::attention) trait Widening<L: Lanes>: Copy + Default {
    /// # Safety
    /// `from` can be read for two vectors' numbers.
    unsafe fn widen(lanes: L, from: *const Self) -> [L::V; 2];
}

/// Numbers of type `T`, as f32.
pub(in crate::attention) struct Widened<T>(PhantomData<T>);

impl<L: Lanes, T: Widening<L>> Reading<L> for Widened<T> {
    type Number = T;
    const PARTS: usize = 2;
    const KEYS: usize = 1;

    #[inline(always)]
    unsafe fn key(lanes: L, from: *const T) -> [L::V; 2] {
        // SAFETY: the caller's promise.
        unsafe { T::widen(lanes, from) }
    }

    #[inline(always)]
    unsafe fn values(lanes: L, from: [*const T; 2]) -> [L::V; 2] {
        // SAFETY: the caller's promise.
        unsafe { T::widen(lanes, from[0]) }
    }

    #[inline(always)]
    fn multiply_add(lanes: L, acc: L::V, a: L::V, b: L::V) -> L::V {
        lanes.mul_add(a, b, acc)
    }

    #[inline(always)]
    unsafe fn store(lanes: L, to: *mut f32, numerators: L::V) {
        // SAFETY: the caller's promise.
        unsafe { lanes.store(to, numerators) }
    }
}

impl<L: Lanes> Widening<L> for f32 {
    #[inline(always)]
    unsafe fn widen(lanes: L, from: *const Self) -> [L::V; 2] {
        // SAFETY: the caller's promise.
        unsafe { [lanes.load(from), lanes.load(from.add(L::LANES))] }
    }
}

impl<L: Lanes> Widening<L> for i8 {
    #[inline(always)]
    unsafe fn widen(lanes: L, from: *const Self) -> [L::V; 2] {
        // SAFETY: the caller's promise.
        unsafe { [lanes.load_bytes(from), lanes.load_bytes(from.add(L::LANES))] }
    }
}

impl<L: Halves> Widening<L> for bf16 {
    /// Even numbers go to the first vector, odd ones to the second.
    #[inline(always)]
    unsafe fn widen(lanes: L, from: *const Self) -> [L::V; 2] {
        // SAFETY: the caller's promise; twice as many bf16 are as many bits.
        let bits = unsafe { lanes.load(from.cast()) };
        [lanes.low_halves(bits), lanes.high_halves(bits)]
    }
}
