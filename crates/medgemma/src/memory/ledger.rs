//! What the conversations of a model hold, and what those that are being answered will.
//!
//! Each by itself may be within the workload that a model was loaded for, and all of them far beyond it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Of some conversations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Bytes of keys and values.
    pub(crate) cache: u64,
    /// Images whose soft tokens are held.
    pub(crate) images: usize,
}

impl Held {
    pub(super) fn and(self, more: Self) -> Self {
        Self {
            cache: self.cache.saturating_add(more.cache),
            images: self.images.saturating_add(more.images),
        }
    }

    pub(super) fn without(self, part: Self) -> Self {
        Self {
            cache: self.cache.saturating_sub(part.cache),
            images: self.images.saturating_sub(part.images),
        }
    }
}

/// The sum over a model's conversations.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Held>);

impl Ledger {
    /// An entry for nothing yet.
    pub(crate) fn entry(self: &Arc<Self>) -> Entry {
        Entry {
            ledger: Arc::clone(self),
            held: Held::default(),
        }
    }

    /// Enters what `check` makes of the sum, if it allows anything: no other request comes between.
    ///
    /// # Errors
    /// Those of `check`, with nothing entered.
    pub(super) fn enter<E>(
        self: &Arc<Self>,
        check: impl FnOnce(Held) -> Result<Held, E>,
    ) -> Result<Entry, E> {
        let mut sum = self.lock();
        let held = check(*sum)?;
        *sum = sum.and(held);
        let ledger = Arc::clone(self);
        Ok(Entry { ledger, held })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one conversation, or one request, holds; nothing once it is dropped.
pub(crate) struct Entry {
    ledger: Arc<Ledger>,
    held: Held,
}

impl Entry {
    pub(crate) fn held(&self) -> Held {
        self.held
    }

    pub(crate) fn set(&mut self, held: Held) {
        let mut sum = self.ledger.lock();
        *sum = sum.without(self.held).and(held);
        self.held = held;
    }

    /// What the conversation holds once the request that it was asked by is over, in one step: between two, it would count
    /// twice or not at all.
    pub(crate) fn settle(&mut self, request: &mut Self, held: Held) {
        let mut sum = self.ledger.lock();
        *sum = sum.without(self.held).without(request.held).and(held);
        (self.held, request.held) = (held, Held::default());
    }
}

impl Clone for Entry {
    /// For a copy of the conversation: it shares what was read until one of both reads on or is dropped, which nobody
    /// can foresee, so it counts at once.
    fn clone(&self) -> Self {
        let mut entry = self.ledger.entry();
        entry.set(self.held);
        entry
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.set(Held::default());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Held, Ledger};

    fn held(cache: u64, images: usize) -> Held {
        Held { cache, images }
    }

    #[test]
    fn what_is_entered_counts_until_it_is_dropped() {
        let ledger = Arc::new(Ledger::default());
        let sum = || *ledger.lock();
        let mut chat = ledger.entry();
        chat.set(held(70, 2));
        let request = ledger.enter(|sum| {
            assert_eq!(sum, held(70, 2));
            Ok::<_, ()>(held(30, 1))
        });
        assert_eq!(sum(), held(100, 3));
        assert_eq!(ledger.enter(|_| Err("too much")).err(), Some("too much"));
        let mut request = request.expect("entered");
        chat.settle(&mut request, held(90, 2));
        assert_eq!((sum(), request.held()), (held(90, 2), held(0, 0)));
        drop(request);
        let copy = chat.clone();
        assert_eq!(sum(), held(180, 4));
        drop(chat);
        assert_eq!(sum(), held(90, 2));
        drop(copy);
        assert_eq!(sum(), held(0, 0));
    }
}
