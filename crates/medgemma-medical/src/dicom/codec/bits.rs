//! Bits of an entropy-coded segment, the highest first.

use super::Fault;

/// How a segment keeps `FF` from looking like a marker.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::dicom) enum Stuffing {
    /// JPEG: a zero byte follows.
    Byte,
    /// JPEG-LS: a zero bit follows.
    Bit,
}

/// A reader of bits that stops at the first marker.
pub(in crate::dicom) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
    stuffing: Stuffing,
    held: u64,
    count: u32,
    after_ff: bool,
    /// Zero bits made up behind the end, before that is an error.
    borrowed: u32,
}

impl<'a> BitReader<'a> {
    pub(in crate::dicom) fn new(bytes: &'a [u8], stuffing: Stuffing) -> Self {
        Self {
            bytes,
            at: 0,
            stuffing,
            held: 0,
            count: 0,
            after_ff: false,
            borrowed: 0,
        }
    }

    /// Up to 32 bits come in. Behind the end come zeros: a decoder looks ahead further than it goes.
    fn fill(&mut self) {
        while self.count <= 48 {
            let Some(&byte) = self.bytes.get(self.at) else {
                self.borrow();
                return;
            };
            match self.stuffing {
                Stuffing::Byte if byte == 0xFF => {
                    if self.bytes.get(self.at + 1) != Some(&0) {
                        self.borrow();
                        return;
                    }
                    self.at += 2;
                    self.held = self.held << 8 | 0xFF;
                    self.count += 8;
                }
                Stuffing::Bit if self.after_ff => {
                    if byte & 0x80 != 0 {
                        self.borrow();
                        return;
                    }
                    self.at += 1;
                    self.after_ff = false;
                    self.held = self.held << 7 | u64::from(byte);
                    self.count += 7;
                }
                _ => {
                    self.at += 1;
                    self.after_ff = byte == 0xFF;
                    self.held = self.held << 8 | u64::from(byte);
                    self.count += 8;
                }
            }
        }
    }

    fn borrow(&mut self) {
        let zeros = 56u32.saturating_sub(self.count);
        self.held <<= zeros;
        self.count += zeros;
        self.borrowed += zeros;
    }

    /// The next `bits` (at most 32) without taking them.
    pub(in crate::dicom) fn peek(&mut self, bits: u32) -> u32 {
        if self.count < bits {
            self.fill();
        }
        let value = self.held >> (self.count - bits) & ((1u64 << bits) - 1);
        #[expect(clippy::cast_possible_truncation, reason = "at most 32 bits")]
        let value = value as u32;
        value
    }

    /// Takes `bits` that were seen.
    pub(in crate::dicom) fn skip(&mut self, bits: u32) -> Result<(), Fault> {
        if self.count < bits {
            self.fill();
        }
        self.count -= bits;
        if self.count < self.borrowed {
            return Err(Fault::new(format!(
                "the end of the compressed data after {} bytes",
                self.at
            )));
        }
        Ok(())
    }

    /// The next `bits` (at most 32).
    pub(in crate::dicom) fn take(&mut self, bits: u32) -> Result<u32, Fault> {
        let value = self.peek(bits);
        self.skip(bits)?;
        Ok(value)
    }
}
