//! Tile instructions out of their bytes (Intel SDM vol. 2, 2.3 VEX and the pages of the
//! instructions), as far as the crate's kernels use them.

/// Memory that an instruction names; for rows of a tile, the first and the bytes to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) start: u64,
    pub(super) stride: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instruction {
    /// `ldtilecfg`
    Configure(Memory),
    /// `tilerelease`
    Release,
    /// `tilezero`
    Zero(usize),
    /// `tileloadd`, and `tileloaddt1`, which differs in what the caches are asked to keep
    Load(usize, Memory),
    /// `tilestored`
    Store(Memory, usize),
    /// `tdpbf16ps`
    MultiplyBf16 {
        sums: usize,
        left: usize,
        right: usize,
    },
}

/// The general registers by their number in instructions.
pub(super) type Registers = [u64; 16];

/// The instruction that `code` begins with and its length; `None` for all that is not listed in
/// [`Instruction`].
pub(super) fn decode(
    code: impl Iterator<Item = u8>,
    registers: &Registers,
) -> Option<(Instruction, usize)> {
    let mut code = Code { code, taken: 0 };
    if code.byte()? != 0xc4 {
        return None;
    }
    let (extensions, second) = (code.byte()?, code.byte()?);
    // Map 0F38; neither W nor L.
    if extensions & 0x1f != 2 || second & 0x84 != 0 {
        return None;
    }
    let third_operand = usize::from(!second >> 3 & 0xf);
    let (prefix, opcode, modrm) = (second & 3, code.byte()?, code.byte()?);
    let (mode, reg, rm) = (modrm >> 6, usize::from(modrm >> 3 & 7), modrm & 7);
    // There are eight tiles: the fields that would name more must not be used.
    let only_low_reg = extensions & 0x80 != 0;
    let only_low_rm = extensions & 0x20 != 0;
    if !only_low_reg {
        return None;
    }
    let instruction = match (opcode, prefix, mode) {
        (0x49, NONE, 3) if modrm == 0xc0 && third_operand == 0 && only_low_rm => {
            Instruction::Release
        }
        (0x49, F2, 3) if rm == 0 && third_operand == 0 && only_low_rm => Instruction::Zero(reg),
        (0x49, NONE, 0..=2) if reg == 0 && third_operand == 0 => {
            let memory = code.memory(extensions, mode, rm, registers)?;
            Instruction::Configure(Memory {
                start: memory.start.wrapping_add(memory.stride),
                stride: 0,
            })
        }
        (0x4b, P66 | F2 | F3, 0..=2) if rm == SIB && third_operand == 0 => {
            let memory = code.memory(extensions, mode, rm, registers)?;
            if prefix == F3 {
                Instruction::Store(memory, reg)
            } else {
                Instruction::Load(reg, memory)
            }
        }
        (0x5c, F3, 3) if third_operand < 8 && only_low_rm => Instruction::MultiplyBf16 {
            sums: reg,
            left: usize::from(rm),
            right: third_operand,
        },
        _ => return None,
    };
    Some((instruction, code.taken))
}

/// Prefixes that VEX has in two bits.
const NONE: u8 = 0;
const P66: u8 = 1;
const F3: u8 = 2;
const F2: u8 = 3;

/// The field `rm` of memory operands that have a byte for base, index and scale.
const SIB: u8 = 4;

struct Code<I> {
    code: I,
    taken: usize,
}

impl<I: Iterator<Item = u8>> Code<I> {
    fn byte(&mut self) -> Option<u8> {
        self.taken += 1;
        self.code.next()
    }

    /// What follows ModRM: the scaled index as the stride, all else as the start. `None` for
    /// addresses relative to the instruction.
    fn memory(
        &mut self,
        extensions: u8,
        mode: u8,
        rm: u8,
        registers: &Registers,
    ) -> Option<Memory> {
        let extended =
            |low: u8, bit: u8| usize::from(low & 7 | u8::from(extensions & bit == 0) << 3);
        let (mut base, mut stride) = (rm, 0);
        if rm == SIB {
            let sib = self.byte()?;
            base = sib & 7;
            let index = extended(sib >> 3, 0x40);
            if index != 4 {
                stride = registers[index] << (sib >> 6);
            }
        }
        let mut start = 0;
        if mode != 0 || base != 5 {
            start = registers[extended(base, 0x20)];
        } else if rm != SIB {
            return None;
        }
        let displacement = match mode {
            1 => i64::from(i8::from_le_bytes([self.byte()?])),
            0 if base != 5 => 0,
            _ => {
                let bytes = [self.byte()?, self.byte()?, self.byte()?, self.byte()?];
                i64::from(i32::from_le_bytes(bytes))
            }
        };
        start = start.wrapping_add_signed(displacement);
        Some(Memory { start, stride })
    }
}
