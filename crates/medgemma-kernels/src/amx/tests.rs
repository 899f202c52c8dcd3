//! The tile unit at hand, real or emulated, and the emulator by itself, against small cases worked
//! out by hand.

use std::arch::asm;
use std::io::Write;

use half::bf16;

use super::decode::{Instruction, Memory, decode};
use super::tiles::{Fault, Tiles};
use super::{is_emulated, permitted};
use crate::Path;

/// A configuration of palette 1 with the tiles' rows and bytes of a row.
fn configuration(tiles: &[(u8, u8)]) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    for (index, (rows, width)) in tiles.iter().enumerate() {
        bytes[16 + 2 * index] = *width;
        bytes[48 + index] = *rows;
    }
    bytes
}

/// A tile's row of bf16.
fn row(numbers: &[f32]) -> [u8; 64] {
    let mut row = [0; 64];
    for (place, number) in row.as_chunks_mut().0.iter_mut().zip(numbers) {
        *place = bf16::from_f32(*number).to_le_bytes();
    }
    row
}

fn memory<T>(numbers: &[T], stride: u64) -> Memory {
    let start = numbers.as_ptr().expose_provenance() as u64;
    Memory { start, stride }
}

#[test]
fn the_tile_unit_is_real_or_emulated() {
    let unit = match (Path::Amx.is_available(), permitted()) {
        (false, _) => "missing, and with it AVX-512 to test the path with",
        (true, true) => "real",
        (true, false) => "emulated",
    };
    assert_eq!(is_emulated(), unit == "emulated");
    // Straight to the system: the test's name does not say it, and output of passed tests is kept.
    writeln!(std::io::stdout(), "the tile unit is {unit}").expect("a place to say it");
}

/// 2 × 3 sums of two pairs each in tiles of no more than that, with a register as each part of an
/// address that can be one, and all lengths of displacements.
#[test]
fn a_small_product_in_small_tiles() {
    if !Path::Amx.is_available() {
        return;
    }
    let config = configuration(&[(2, 12), (2, 8), (2, 12)]);
    let left = [row(&[1.0, 2.0, 3.0, 4.0]), row(&[0.5, -1.0, 0.0, 8.0])];
    let right = [
        row(&[1.0, 10.0, 2.0, 20.0, 3.0, 30.0]),
        row(&[100.0, 1.0, 200.0, 2.0, 300.0, 3.0]),
    ];
    let mut sums = [[7.0_f32; 16]; 3];
    sums[1][0] = -7.0;
    // SAFETY: the path is there; rows are 64 bytes apart, and tiles of 2 rows lie in the arrays.
    unsafe {
        asm!(
            "ldtilecfg [{config}]",
            "tileloadd tmm0, [r12 + r13]",
            "tileloadd tmm1, [r13 * 1 + {left} - 128]",
            "tileloaddt1 tmm2, [{right} + {sixteen} * 4 - 0x1000]",
            "tdpbf16ps tmm0, tmm1, tmm2",
            "tilestored [r12 + r13 * 1 + 0], tmm0",
            "tilezero tmm0",
            "tdpbf16ps tmm0, tmm1, tmm2",
            "add r12, 64",
            "tilestored [r12 + r13], tmm0",
            "tilerelease",
            config = in(reg) config.as_ptr(),
            left = in(reg) left.as_ptr().wrapping_byte_add(128),
            right = in(reg) right.as_ptr().wrapping_byte_add(0x1000),
            sixteen = in(reg) 16_u64,
            inout("r12") sums.as_mut_ptr() => _,
            in("r13") 64,
            out("tmm0") _, out("tmm1") _, out("tmm2") _,
            options(nostack)
        );
    }
    // The first store is at rows 0 and 1, and then the second at 1 and 2.
    let products = [
        // 1·1 + 2·10 + 3·100 + 4·1 and so on; 0.5·1 − 1·10 + 0·100 + 8·1.
        [325.0, 650.0, 975.0],
        [-1.5, -3.0, -4.5],
    ];
    let wanted = [products[0].map(|sum| sum + 7.0), products[0], products[1]];
    for (row, wanted) in sums.iter().zip(wanted) {
        assert_eq!(row[..3], wanted);
        assert_eq!(row[3..], [7.0; 13], "columns that no tile has");
    }
}

#[test]
fn what_is_beyond_a_tile_is_zero() {
    let mut tiles = Tiles::new();
    let config = configuration(&[(2, 8), (16, 64)]);
    let mut out = [[9_u8; 64]; 16];
    let ones = [[1_u8; 64]; 16];
    for (instruction, wanted) in [
        (Instruction::Configure(memory(&config, 0)), 9),
        (Instruction::Load(1, memory(&ones, 64)), 9),
        (Instruction::Store(memory(&out, 64), 1), 1),
        (Instruction::Load(1, memory(&ones, 0)), 1),
        (Instruction::Zero(1), 1),
        (Instruction::Store(memory(&out, 64), 1), 0),
        (Instruction::Load(0, memory(&ones, 64)), 0),
    ] {
        // SAFETY: 16 rows of 64 bytes, and a configuration of 64.
        assert_eq!(unsafe { tiles.execute(instruction) }, Ok(()));
        assert_eq!(out, [[wanted; 64]; 16], "{instruction:?}");
    }
    out[2][0] = 5;
    // SAFETY: as above.
    unsafe { tiles.execute(Instruction::Store(memory(&out, 64), 0)) }.expect("a tile");
    assert_eq!(
        (out[0][..9].to_vec(), out[1][7]),
        (vec![1, 1, 1, 1, 1, 1, 1, 1, 0], 1)
    );
    assert_eq!(out[2][0], 5, "the tile has two rows");
}

#[test]
fn tiny_numbers_count_as_zero_and_pairs_are_summed_apart() {
    let mut tiles = Tiles::new();
    let config = configuration(&[(1, 4), (1, 8), (2, 4)]);
    let tiny = f32::from_bits(0x0040_0000);
    let check = |tiles: &mut Tiles, left: [f32; 4], right: [[f32; 2]; 2], before: f32| {
        let (left, right) = (row(&left), right.map(|pair| row(&pair)));
        let sum = [before; 16];
        for instruction in [
            Instruction::Configure(memory(&config, 0)),
            Instruction::Load(0, memory(&sum, 64)),
            Instruction::Load(1, memory(&left, 64)),
            Instruction::Load(2, memory(&right, 64)),
            Instruction::MultiplyBf16 {
                sums: 0,
                left: 1,
                right: 2,
            },
            Instruction::Store(memory(&sum, 64), 0),
        ] {
            // SAFETY: a configuration, rows of 64 bytes, and tiles of no more rows than these.
            assert_eq!(unsafe { tiles.execute(instruction) }, Ok(()));
        }
        std::hint::black_box(&sum)[0]
    };
    let large = 2.0_f32.powi(24);
    // In order, 2²⁴ + 1 would lose the 1 twice; the second numbers of the pairs are 1 + 1.
    let sums = check(&mut tiles, [large, 1.0, 0.0, 1.0], [[1.0; 2]; 2], 0.0);
    assert_eq!(sums, large + 2.0);
    let sums = check(&mut tiles, [tiny, 0.0, 1.0, 0.0], [[large, 0.0]; 2], 1.0);
    assert_eq!(
        sums, large,
        "1 rounds away, and so would 2¹⁰·tiny, but for other reasons"
    );
    let sums = check(&mut tiles, [tiny, 0.0, 0.0, 0.0], [[large, 0.0]; 2], 0.0);
    assert_eq!(sums, 0.0);
    let small = 2.0_f32.powi(-70);
    let sums = check(&mut tiles, [small, 0.0, 0.0, 0.0], [[small, 0.0]; 2], tiny);
    assert_eq!(sums, 0.0);
    let sums = check(&mut tiles, [0.0; 4], [[f32::INFINITY, 0.0]; 2], 0.0);
    assert!(sums.is_nan());
}

#[test]
fn what_a_processor_refuses_is_refused() {
    let mut tiles = Tiles::new();
    let numbers = [0_u8; 1024];
    let mut refused = |instruction| {
        // SAFETY: 64 bytes of a configuration; all else is refused before memory is used.
        unsafe { tiles.execute(instruction) }.err()
    };
    let multiply = |sums, left, right| Instruction::MultiplyBf16 { sums, left, right };
    let none = [
        Instruction::Zero(3),
        Instruction::Load(3, memory(&numbers, 64)),
        Instruction::Store(memory(&numbers, 64), 3),
        multiply(0, 1, 2),
    ];
    for instruction in none {
        assert_eq!(refused(instruction), Some(Fault::Unconfigured));
    }
    let good = configuration(&[(2, 12), (2, 8), (2, 12), (3, 12), (2, 16), (2, 6), (4, 8)]);
    assert_eq!(refused(Instruction::Configure(memory(&good, 0))), None);
    assert_eq!(refused(multiply(0, 1, 2)), None);
    assert_eq!(refused(multiply(0, 1, 7)), Some(Fault::Unconfigured));
    for (sums, left, right) in [
        (0, 1, 3),
        (3, 1, 2),
        (4, 1, 2),
        (0, 0, 2),
        (0, 2, 2),
        (0, 6, 2),
    ] {
        assert_eq!(refused(multiply(sums, left, right)), Some(Fault::Extents));
    }
    let mut reserved = good;
    reserved[40] = 1;
    let mut palette = good;
    palette[0] = 2;
    for bytes in [
        configuration(&[(17, 64)]),
        configuration(&[(16, 65)]),
        configuration(&[(0, 64)]),
        configuration(&[(16, 0)]),
        reserved,
        palette,
    ] {
        let instruction = Instruction::Configure(memory(&bytes, 0));
        assert_eq!(refused(instruction), Some(Fault::Configuration));
    }
    // Tiles are released by a bad configuration, by `tilerelease`, and by 64 zeros.
    assert_eq!(refused(Instruction::Zero(0)), Some(Fault::Unconfigured));
    for release in [
        Instruction::Release,
        Instruction::Configure(memory(&numbers, 0)),
    ] {
        assert_eq!(refused(Instruction::Configure(memory(&good, 0))), None);
        assert_eq!(refused(release), None);
        assert_eq!(refused(Instruction::Zero(0)), Some(Fault::Unconfigured));
    }
}

/// Bytes as an assembler gives them for the instructions in the comments.
#[test]
fn instructions_are_read_from_their_bytes() {
    let registers = std::array::from_fn(|index| 0x1000 * index as u64);
    let at = |start, stride| Memory { start, stride };
    let cases: [(&[u8], Option<Instruction>); 16] = [
        // ldtilecfg [rax]
        (
            &[0xc4, 0xe2, 0x78, 0x49, 0x00],
            Some(Instruction::Configure(at(0, 0))),
        ),
        // ldtilecfg [r9 + rcx*2 + 16]
        (
            &[0xc4, 0xc2, 0x78, 0x49, 0x44, 0x49, 0x10],
            Some(Instruction::Configure(at(0x9000 + 0x2000 + 16, 0))),
        ),
        // tilerelease
        (&[0xc4, 0xe2, 0x78, 0x49, 0xc0], Some(Instruction::Release)),
        // tilezero tmm5
        (&[0xc4, 0xe2, 0x7b, 0x49, 0xe8], Some(Instruction::Zero(5))),
        // tileloadd tmm3, [rsi + rdx]
        (
            &[0xc4, 0xe2, 0x7b, 0x4b, 0x1c, 0x16],
            Some(Instruction::Load(3, at(0x6000, 0x2000))),
        ),
        // tileloadd tmm7, [r13 + r12*8 - 4096]
        (
            &[0xc4, 0x82, 0x7b, 0x4b, 0xbc, 0xe5, 0x00, 0xf0, 0xff, 0xff],
            Some(Instruction::Load(7, at(0xc000, 0x60000))),
        ),
        // tileloaddt1 tmm6, [rcx + rax]
        (
            &[0xc4, 0xe2, 0x79, 0x4b, 0x34, 0x01],
            Some(Instruction::Load(6, at(0x1000, 0))),
        ),
        // tileloaddt1 tmm7, [r10 + r15 + 64]
        (
            &[0xc4, 0x82, 0x79, 0x4b, 0x7c, 0x3a, 0x40],
            Some(Instruction::Load(7, at(0xa040, 0xf000))),
        ),
        // tileloadd tmm1, [rdx*4 + 256]
        (
            &[0xc4, 0xe2, 0x7b, 0x4b, 0x0c, 0x95, 0x00, 0x01, 0x00, 0x00],
            Some(Instruction::Load(1, at(256, 0x8000))),
        ),
        // tileloadd tmm0, [rbp - 1]: no index
        (
            &[0xc4, 0xe2, 0x7b, 0x4b, 0x44, 0x25, 0xff],
            Some(Instruction::Load(0, at(0x4fff, 0))),
        ),
        // tilestored [rbx + r15 + 64], tmm2
        (
            &[0xc4, 0xa2, 0x7a, 0x4b, 0x54, 0x3b, 0x40],
            Some(Instruction::Store(at(0x3040, 0xf000), 2)),
        ),
        // tdpbf16ps tmm1, tmm4, tmm7
        (
            &[0xc4, 0xe2, 0x42, 0x5c, 0xcc],
            Some(Instruction::MultiplyBf16 {
                sums: 1,
                left: 4,
                right: 7,
            }),
        ),
        // tdpbssd tmm1, tmm4, tmm7: none of the kernels'
        (&[0xc4, 0xe2, 0x43, 0x5e, 0xcc], None),
        // ldtilecfg [rip + 1]
        (
            &[0xc4, 0xe2, 0x78, 0x49, 0x05, 0x01, 0x00, 0x00, 0x00],
            None,
        ),
        // Cut short.
        (&[0xc4, 0xe2, 0x7b, 0x4b, 0x1c], None),
        // ud2
        (&[0x0f, 0x0b], None),
    ];
    for (bytes, wanted) in cases {
        let wanted = wanted.map(|instruction| (instruction, bytes.len()));
        let more = if wanted.is_some() { &[0x90][..] } else { &[] };
        let code = bytes.iter().chain(more).copied();
        assert_eq!(decode(code, &registers), wanted, "{bytes:x?}");
    }
}
