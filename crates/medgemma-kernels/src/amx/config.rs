//! The shapes of the tiles.

use std::arch::asm;

/// What `ldtilecfg` reads (Intel SDM vol. 1, chapter 18: AMX): the palette, then from byte 16 the
/// bytes of a row of each tile in 16 bits, and from byte 48 their rows in 8.
#[repr(C, align(64))]
pub(crate) struct Config([u8; 64]);

impl Config {
    /// All eight tiles are whole: 16 rows of 64 bytes.
    pub(crate) const WHOLE: Self = Self::new([(16, 64); 8]);

    /// Tiles of so many rows of so many bytes.
    pub(crate) const fn new(tiles: [(u8, u8); 8]) -> Self {
        let mut bytes = [0; 64];
        bytes[0] = 1;
        let mut tile = 0;
        while tile < 8 {
            (bytes[48 + tile], bytes[16 + 2 * tile]) = tiles[tile];
            tile += 1;
        }
        Self(bytes)
    }

    /// Gives this thread's tiles these shapes; they are zero then.
    ///
    /// # Safety
    /// The processor has AMX, and the system lets this process use it; tiles have 1 to 16 rows of 4 to
    /// 64 bytes, a multiple of 4.
    pub(crate) unsafe fn load(&self) {
        // SAFETY: 64 bytes of a valid configuration, and the caller's promise.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) self.0.as_ptr(), options(nostack, preserves_flags));
        }
    }
}

/// Gives the tiles up: what is left in them would be saved and restored with every change of threads.
///
/// # Safety
/// The processor has AMX, and the system lets this process use it.
pub(crate) unsafe fn release() {
    // SAFETY: the caller's promise.
    unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
}
