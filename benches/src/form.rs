//! The schema of an answer, and the time that following it takes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use medgemma::{MedGemma, Schema};
use medgemma_gemma3::{Constraint, ConstraintError, ConstraintState, TokenSet};

use crate::engine::Result;

/// A schema, and the nanoseconds spent on it.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    inner: Arc<dyn Constraint>,
    spent: Arc<AtomicU64>,
}

impl Form {
    /// The schema of a file, for this model.
    pub(crate) fn read(path: &Path, model: &MedGemma) -> Result<Self> {
        let schema = Schema::from_json(&std::fs::read_to_string(path)?)?;
        Ok(Self {
            inner: model.constraint(&schema.without_reasoning())?,
            spent: Arc::default(),
        })
    }

    /// Seconds since the last call.
    pub(crate) fn take_seconds(&self) -> f64 {
        Duration::from_nanos(self.spent.swap(0, Ordering::Relaxed)).as_secs_f64()
    }
}

impl Constraint for Form {
    fn begin(&self) -> std::result::Result<Box<dyn ConstraintState>, ConstraintError> {
        Ok(Box::new(Timed {
            inner: self.inner.begin()?,
            spent: self.spent.clone(),
        }))
    }
}

struct Timed {
    inner: Box<dyn ConstraintState>,
    spent: Arc<AtomicU64>,
}

impl Timed {
    fn note(&self, begun: Instant) {
        let nanoseconds = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.spent.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

impl ConstraintState for Timed {
    fn allow(&mut self, allowed: &mut TokenSet) -> std::result::Result<(), ConstraintError> {
        let begun = Instant::now();
        let result = self.inner.allow(allowed);
        self.note(begun);
        result
    }

    fn permits(&mut self, id: u32) -> std::result::Result<bool, ConstraintError> {
        let begun = Instant::now();
        let result = self.inner.permits(id);
        self.note(begun);
        result
    }

    fn accept(&mut self, id: u32) -> std::result::Result<(), ConstraintError> {
        let begun = Instant::now();
        let result = self.inner.accept(id);
        self.note(begun);
        result
    }

    fn finished(&self) -> bool {
        self.inner.finished()
    }
}
