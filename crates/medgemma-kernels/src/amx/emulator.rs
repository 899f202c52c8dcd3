//! Tile instructions on processors without them, so that tests run the kernels' code everywhere:
//! a handler of the signal for illegal instructions carries them out and goes on behind them.

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;

use super::decode::{Registers, decode};
use super::tiles::Tiles;

/// The longest instruction there is.
const LONGEST: usize = 15;

/// Where the system puts the general registers, by their number in instructions.
const PLACES: [c_int; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];

thread_local! {
    // Made when the thread begins and never dropped: a signal handler may use it at any time.
    static TILES: UnsafeCell<Tiles> = const { UnsafeCell::new(Tiles::new()) };
}

/// Who had the signal before; `None` if the handler could not be put in place.
static PREVIOUS: OnceLock<Option<libc::sigaction>> = OnceLock::new();

/// Whether the process's tile instructions are carried out here.
pub(super) fn is_installed() -> bool {
    matches!(PREVIOUS.get(), Some(Some(_)))
}

/// Carries out the process's tile instructions from now on; says whether that can be.
pub(super) fn install() -> bool {
    let install = || {
        let mut previous = MaybeUninit::uninit();
        // SAFETY: a structure of numbers and addresses, for which 0 is a value.
        let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_sigaction = handle as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        // SAFETY: `handle` is a handler of the kind that the flags say; the system writes the
        // previous action if it returns 0.
        unsafe {
            let result = libc::sigaction(libc::SIGILL, &raw const action, previous.as_mut_ptr());
            (result == 0).then(|| previous.assume_init())
        }
    };
    PREVIOUS.get_or_init(install).is_some()
}

/// Carries out the instruction that the thread stopped at, or leaves it to who had the signal
/// before. It only computes and reads and writes memory, which handlers may.
extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system gives handlers of this kind the thread's registers.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let at = |place: c_int| usize::try_from(place).unwrap_or_default();
    let general: Registers = PLACES.map(|place| registers[at(place)].cast_unsigned());
    let next = &mut registers[at(libc::REG_RIP)];
    let code = usize::try_from(*next).unwrap_or_default();
    let code = ptr::with_exposed_provenance::<u8>(code);
    // SAFETY: the processor has read the instruction there, and `decode` asks for no byte behind.
    let code = (0..LONGEST).map(|index| unsafe { code.add(index).read() });
    let done = decode(code, &general).and_then(|(instruction, length)| {
        // SAFETY: the thread is stopped at a tile instruction, so nothing else uses its tiles; what
        // may be read and written is the promise of the code that it is in.
        unsafe { (*TILES.with(UnsafeCell::get)).execute(instruction).ok()? };
        i64::try_from(length).ok()
    });
    match done {
        Some(length) => *next += length,
        None => pass_on(signal, info, context),
    }
}

/// Does what would be done without this handler.
fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let Some(Some(previous)) = PREVIOUS.get() else {
        return;
    };
    match previous.sa_sigaction {
        // The instruction is tried again, and the system ends the process.
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: the default action needs no code.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
            // SAFETY: the flags say that it is a handler of this kind.
            unsafe { std::mem::transmute::<usize, Handler>(handler)(signal, info, context) };
        }
        handler => {
            // SAFETY: as above.
            unsafe { std::mem::transmute::<usize, extern "C" fn(c_int)>(handler)(signal) };
        }
    }
}
