//! The threads and instructions of the CPU's kernels, and the memory that they keep: one setting for
//! the process.
//!
//! Several models in one process share the cores, so they share the threads too: an operation that finds them at
//! another's work begins on its caller's thread, and callers of four threads or more take turns. Nothing here reads the environment: what is not set is
//! what the process may use.

use std::sync::{Arc, PoisonError, RwLock};

use medgemma_kernels::Cpu;
pub use medgemma_kernels::{Path as InstructionPath, UnknownPath};

/// Bytes of dropped results that the operations keep at most, all models of the process together, for
/// the next results: what a plan of memory has to count beside what is in use.
pub const KEPT_BYTES: usize = 256 << 20;

static CURRENT: RwLock<Option<Arc<Cpu>>> = RwLock::new(None);

/// Sets how many threads work on an operation, the caller's included; zero means as many as the
/// process may run at once, which is also what holds before the first call.
///
/// Operations that are running finish on the threads that they began with.
pub fn set_threads(threads: usize) {
    let path = current().path();
    let threads = if threads == 0 {
        Cpu::detect().pool().threads()
    } else {
        threads
    };
    replace(Cpu::new(threads, path));
}

/// Sets which instructions the kernels use, for comparisons; the best that the processor has is the
/// default.
///
/// # Errors
/// [`UnknownPath`] when this processor lacks them.
pub fn set_instructions(path: InstructionPath) -> Result<(), UnknownPath> {
    let path = path.name().parse()?;
    replace(Cpu::new(current().pool().threads(), path));
    Ok(())
}

/// Threads that work on an operation.
#[must_use]
pub fn threads() -> usize {
    current().pool().threads()
}

/// The instructions that the kernels use.
#[must_use]
pub fn instructions() -> InstructionPath {
    current().path()
}

fn replace(cpu: Cpu) {
    *CURRENT.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(cpu));
}

/// What an operation that starts now runs on.
pub(crate) fn current() -> Arc<Cpu> {
    if let Some(cpu) = &*CURRENT.read().unwrap_or_else(PoisonError::into_inner) {
        return Arc::clone(cpu);
    }
    let mut slot = CURRENT.write().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(slot.get_or_insert_with(|| Arc::new(Cpu::detect())))
}
