//! Words of RLE, pairs that share colours, values that stand for nothing: numbers worked out by hand.

mod support;

use medgemma_medical::{Dicom, Limits, Notice, TransferSyntax};
use support::writer::{EXPLICIT, Writer};

fn read(writer: &Writer) -> Dicom {
    Dicom::read(writer.file(), &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn stored(file: &Dicom, frame: usize) -> Vec<i64> {
    file.frame(frame).expect("pixels").values().collect()
}

/// A grey picture of one row, 12 signed bits of 16 up to `high`.
fn twelve_bits(high: u16) -> Writer {
    Writer::new(EXPLICIT)
        .us(0x0028, 0x0002, 1)
        .text(0x0028, 0x0004, b"CS", "MONOCHROME2")
        .us(0x0028, 0x0010, 1)
        .us(0x0028, 0x0011, 4)
        .us(0x0028, 0x0100, 16)
        .us(0x0028, 0x0101, 12)
        .us(0x0028, 0x0102, high)
        .us(0x0028, 0x0103, 1)
}

#[test]
fn a_high_bit_above_the_stored_ones_shifts_in_rle_too() {
    // High bytes, then low bytes of the same samples: a header, two segments of one literal run each.
    let mut packed = vec![0; 64];
    (packed[0], packed[4], packed[8]) = (2, 64, 69);
    packed.extend([3, 0xFF, 0x80, 0x7F, 0x00]);
    packed.extend([3, 0xF5, 0x00, 0xF0, 0x1F]);
    let rle = |high: u16| {
        let header = twelve_bits(high).file();
        let writer = Writer::new("1.2.840.10008.1.2.5").raw(&header[132 + 8 + 20..]);
        read(&writer.fragments(&[&packed]))
    };
    let shifted = rle(15);
    assert_eq!(stored(&shifted, 0), [-1, -2048, 2047, 1]);
    assert_eq!(shifted.notices(), [Notice::HighBitShifted(4)]);
    let usual = rle(11);
    assert_eq!(stored(&usual, 0), [-11, 0, -16, 31]);
    assert_eq!(usual.notices(), []);
}

#[test]
fn shared_differences_ask_for_even_columns() {
    let halved = |rows: u16, columns: u16| {
        let writer = Writer::new(EXPLICIT)
            .us(0x0028, 0x0002, 3)
            .text(0x0028, 0x0004, b"CS", "YBR_FULL_422")
            .us(0x0028, 0x0006, 0)
            .us(0x0028, 0x0010, rows)
            .us(0x0028, 0x0011, columns)
            .us(0x0028, 0x0100, 8)
            .us(0x0028, 0x0101, 8)
            .element(0x7FE0, 0x0010, b"OB", &[100; 12]);
        read(&writer).frame(0)
    };
    assert!(halved(3, 2).is_ok());
    // As many pixels, of which some pairs would be of two rows.
    let error = halved(2, 3).expect_err("odd").to_string();
    assert!(
        error.contains("(0028,0011) Columns")
            && error.contains("even")
            && error.contains("found 3"),
        "{error}"
    );
}

#[test]
fn a_padding_value_is_a_value_and_said() {
    let padded = read(
        &Writer::grey(1, 3, true)
            .element(0x0028, 0x0120, b"SS", &(-2000_i16).to_le_bytes())
            .pixels(&[(-2000_i16).cast_unsigned(), 0, 100]),
    );
    assert_eq!(padded.notices(), [Notice::PixelPaddingKept]);
    assert_eq!(
        padded.grey(0).expect("grey").values(),
        [-2000.0, 0.0, 100.0]
    );
}

const IMPLICIT: &str = "1.2.840.10008.1.2";

/// An element without its representation.
fn implicit(writer: Writer, group: u16, element: u16, value: &[u8]) -> Writer {
    let length = u32::try_from(value.len()).expect("a short value");
    writer
        .raw(&group.to_le_bytes())
        .raw(&element.to_le_bytes())
        .raw(&length.to_le_bytes())
        .raw(value)
}

/// One row of 16-bit samples in implicit elements, under any transfer syntax.
fn implicit_row(syntax: &str, samples: &[u16]) -> Writer {
    let columns = u16::try_from(samples.len()).expect("a short row");
    let pixels: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    let numbers = [
        (0x0010, 1u16),
        (0x0011, columns),
        (0x0100, 16),
        (0x0101, 16),
    ];
    let writer = implicit(Writer::new(syntax), 0x0028, 0x0002, &1u16.to_le_bytes());
    let writer = implicit(writer, 0x0028, 0x0004, b"MONOCHROME2 ");
    let writer = numbers.iter().fold(writer, |writer, (element, value)| {
        implicit(writer, 0x0028, *element, &value.to_le_bytes())
    });
    implicit(writer, 0x7FE0, 0x0010, &pixels)
}

/// As pydicom 3.0.2 reads them, which warns.
#[test]
fn elements_are_read_as_they_are_written_whatever_the_transfer_syntax_says() {
    use TransferSyntax::{ExplicitLittleEndian, ImplicitLittleEndian};
    let told = [Notice::TransferSyntaxContradicted];
    let tail = Writer::grey(1, 2, false).pixels(&[5, 9]).file();
    let body = &tail[132 + 8 + EXPLICIT.len() + EXPLICIT.len() % 2..];
    let explicit = read(&Writer::new(IMPLICIT).raw(body));
    assert_eq!(stored(&explicit, 0), [5, 9]);
    assert_eq!(explicit.notices(), told);
    assert_eq!(explicit.transfer_syntax(), ExplicitLittleEndian);
    // A length of 0x4242 bytes has the look of letters, so that single elements cannot be told apart.
    let long = vec![7; 0x4242 / 2];
    for samples in [&[5, 9][..], &long] {
        let expected: Vec<i64> = samples.iter().map(|&s| i64::from(s)).collect();
        let other = read(&implicit_row(EXPLICIT, samples));
        assert_eq!(stored(&other, 0), expected);
        assert_eq!(other.notices(), told);
        assert_eq!(other.transfer_syntax(), ImplicitLittleEndian);
        let usual = read(&implicit_row(IMPLICIT, samples));
        assert_eq!(stored(&usual, 0), expected);
        assert_eq!(usual.notices(), []);
    }
    // One implicit element in front of explicit ones is another thing.
    let first = implicit(Writer::new(EXPLICIT), 0x0008, 0x0060, b"DX");
    let mixed = read(&first.raw(body));
    assert_eq!(stored(&mixed, 0), [5, 9]);
    assert_eq!(mixed.notices(), []);
    assert_eq!(mixed.transfer_syntax(), ExplicitLittleEndian);
}
