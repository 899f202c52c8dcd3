//! The threads and instructions of the CPU's kernels, and the memory that they keep: one setting for
//! the process.
//!
//! Several models in one process share the cores, so they share the threads too: an operation that finds them at
//! another's work begins on its caller's thread, and callers of four threads or more take turns. Nothing here reads the environment: what is not set is
//! what the process may use.

use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use medgemma_kernels::Cpu;
pub use medgemma_kernels::{Path as InstructionPath, UnknownPath};

/// Bytes of dropped results that the operations keep at most, all models of the process together, for
/// the next results: what a plan of memory has to count beside what is in use.
pub const KEPT_BYTES: usize = 256 << 20;

static CURRENT: RwLock<Option<Arc<Cpu>>> = RwLock::new(None);

/// Held from the look at the old setting until the new one is there: of two that are set at a time, neither is
/// lost.
static SETTING: Mutex<()> = Mutex::new(());

/// Sets how many threads work on an operation, the caller's included; zero means as many as the
/// process may run at once, which is also what holds before the first call.
///
/// Operations that are running finish on the threads that they began with.
pub fn set_threads(threads: usize) {
    let threads = if threads == 0 { all_threads() } else { threads };
    replace(|cpu| (threads, cpu.map_or_else(InstructionPath::best, Cpu::path)));
}

/// Sets which instructions the kernels use, for comparisons; the best that the processor has is the
/// default. Blocks that are only widened, as rows of an embedding are, come out the same with any, and take the
/// best in any case.
///
/// # Errors
/// [`UnknownPath`] when this processor lacks them.
pub fn set_instructions(path: InstructionPath) -> Result<(), UnknownPath> {
    let path = path.name().parse()?;
    replace(|cpu| {
        (
            cpu.map_or_else(all_threads, |cpu| cpu.pool().threads()),
            path,
        )
    });
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

/// As many as the process may run at once.
fn all_threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Puts the threads and the instructions that `new` makes of the present setting in its place. Where there is
/// none yet, none is made to be asked: it would start a thread for every core.
fn replace(new: impl FnOnce(Option<&Cpu>) -> (usize, InstructionPath)) {
    let _alone = SETTING.lock().unwrap_or_else(PoisonError::into_inner);
    let present = CURRENT.read().unwrap_or_else(PoisonError::into_inner);
    let (threads, path) = new(present.as_deref());
    drop(present);
    let cpu = Some(Arc::new(Cpu::new(threads, path)));
    let mut slot = CURRENT.write().unwrap_or_else(PoisonError::into_inner);
    let before = std::mem::replace(&mut *slot, cpu);
    // To drop the old threads is to wait for them, which operations that begin now need not do.
    drop(slot);
    drop(before);
}

/// What an operation that starts now runs on.
pub(crate) fn current() -> Arc<Cpu> {
    if let Some(cpu) = &*CURRENT.read().unwrap_or_else(PoisonError::into_inner) {
        return Arc::clone(cpu);
    }
    let mut slot = CURRENT.write().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(slot.get_or_insert_with(|| Arc::new(Cpu::detect())))
}
