//! Whose turn it is to have the threads, among callers that work alone meanwhile.
//!
//! No caller waits without working, and one that comes later lets those before it go first: it has done a piece alone before it
//! looks again. A caller whose pieces are long holds the threads idle for one of them at most.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Callers that want the threads.
#[derive(Debug, Default)]
pub(super) struct Turns {
    waiting: AtomicUsize,
    /// How many have stopped waiting, ever; it may wrap round.
    gone: AtomicUsize,
}

impl Turns {
    pub(super) fn is_somebody_waiting(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Waits behind those who do already.
    pub(super) fn wait(&self) -> Waiting<'_> {
        // Counted first: one that goes in between is taken for one of those ahead, and nobody waits for it.
        let gone = self.gone.load(Ordering::SeqCst);
        let ahead = self.waiting.fetch_add(1, Ordering::SeqCst);
        Waiting {
            turns: self,
            ahead,
            gone,
        }
    }
}

/// One that waits, until it has the threads, has done without, or panics.
pub(super) struct Waiting<'a> {
    turns: &'a Turns,
    /// How many came before.
    ahead: usize,
    /// How many had gone then.
    gone: usize,
}

impl Waiting<'_> {
    /// Whether as many have gone as were ahead.
    pub(super) fn is_next(&self) -> bool {
        let gone = self.turns.gone.load(Ordering::SeqCst);
        gone.wrapping_sub(self.gone) >= self.ahead
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.turns.waiting.fetch_sub(1, Ordering::SeqCst);
        self.turns.gone.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::Turns;

    #[test]
    fn who_waits_is_next_when_those_before_have_gone() {
        let turns = Turns::default();
        assert!(!turns.is_somebody_waiting());
        let first = turns.wait();
        let second = turns.wait();
        assert!(turns.is_somebody_waiting() && first.is_next() && !second.is_next());
        let third = turns.wait();
        drop(first);
        assert!(second.is_next() && !third.is_next());
        // Gone before its turn.
        drop(third);
        assert!(second.is_next());
        let fourth = turns.wait();
        assert!(!fourth.is_next());
        drop(second);
        assert!(fourth.is_next());
        drop(fourth);
        assert!(!turns.is_somebody_waiting());
    }
}
