//! Asking for the tile unit, and the shapes of its tiles.
//!
//! A process must ask Linux for the tiles' state once before it uses them (`arch_prctl`,
//! `ARCH_REQ_XCOMP_PERM`, feature 18); a refusal reads as "not there". Unit tests then have the
//! instructions emulated.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod config;
#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
mod decode;
#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
mod emulator;
#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
mod tests;
#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
mod tiles;

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(crate) use config::{Config, release};

/// Whether tile instructions can be run.
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "only the x86-64 paths ask")
)]
pub(crate) fn usable() -> bool {
    #[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
    return permitted() || emulator::install();
    #[cfg(not(all(test, target_arch = "x86_64", target_os = "linux")))]
    permitted()
}

/// Whether tile instructions are emulated: right, but thousands of times as slow.
#[cfg(test)]
pub(crate) fn is_emulated() -> bool {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    return emulator::is_installed();
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    false
}

/// Whether the processor has AMX with bf16, and the system lets this process use it.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn permitted() -> bool {
    use std::arch::asm;
    use std::arch::x86_64::__cpuid_count;

    // Intel SDM vol. 2, CPUID leaf 7: EDX bit 22 AMX-BF16, bit 24 AMX-TILE.
    const WANTED: u32 = 1 << 22 | 1 << 24;
    const SYS_ARCH_PRCTL: u64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const XFEATURE_XTILEDATA: u64 = 18;

    if __cpuid_count(0, 0).eax < 7 || __cpuid_count(7, 0).edx & WANTED != WANTED {
        return false;
    }
    let result: i64;
    // SAFETY: a system call that only changes what this process may use; the kernel keeps all
    // registers but rax, rcx and r11.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") SYS_ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack)
        );
    }
    result == 0
}

/// Other systems have no such permission to give.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
fn permitted() -> bool {
    false
}
