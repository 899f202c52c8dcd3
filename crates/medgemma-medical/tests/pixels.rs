//! Pixels, tables and windows of files made for the purpose: numbers worked out by hand.
#![allow(
    clippy::cast_possible_truncation,
    reason = "small numbers of files made for the test"
)]

mod support;

use medgemma_medical::{Dicom, Error, Limits, Notice, Photometric, VoiWindow, WindowShape};
use support::blank;
use support::writer::{EXPLICIT, Writer};

fn read(writer: &Writer) -> Dicom {
    Dicom::read(writer.file(), &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn stored(file: &Dicom, frame: usize) -> Vec<i64> {
    file.frame(frame).expect("pixels").values().collect()
}

/// Grey levels: one of the three equal channels.
fn levels(image: &medgemma_image::Image) -> Vec<u8> {
    image.as_rgb8().iter().step_by(3).copied().collect()
}

/// A grey picture of one row, `allocated` bits with `stored` of them up to `high`.
fn bits(allocated: u16, bits: u16, high: u16, signed: u16) -> Writer {
    Writer::new(EXPLICIT)
        .us(0x0028, 0x0002, 1)
        .text(0x0028, 0x0004, b"CS", "MONOCHROME2")
        .us(0x0028, 0x0010, 1)
        .us(0x0028, 0x0011, 4)
        .us(0x0028, 0x0100, allocated)
        .us(0x0028, 0x0101, bits)
        .us(0x0028, 0x0102, high)
        .us(0x0028, 0x0103, signed)
        .text(0x0028, 0x0301, b"CS", "NO")
}

#[test]
fn unused_bits_are_ignored_and_signs_spread() {
    let samples = [0x0FFF, 0xF800, 0x07FF, 0xA001];
    let unsigned = read(&bits(16, 12, 11, 0).pixels(&samples));
    assert_eq!(stored(&unsigned, 0), [0xFFF, 0x800, 0x7FF, 1]);
    let signed = read(&bits(16, 12, 11, 1).pixels(&samples));
    assert_eq!(stored(&signed, 0), [-1, -2048, 2047, 1]);
    assert!(signed.notices().is_empty());
}

#[test]
fn a_high_bit_above_the_stored_ones_shifts() {
    let file = read(&bits(16, 12, 15, 1).pixels(&[0xFFF5, 0x8000, 0x7FF0, 0x001F]));
    assert_eq!(stored(&file, 0), [-1, -2048, 2047, 1]);
    assert_eq!(file.notices(), [Notice::HighBitShifted(4)]);
}

#[test]
fn eight_and_thirty_two_bits() {
    let eight = read(&bits(8, 8, 7, 1).element(0x7FE0, 0x10, b"OB", &[0, 127, 128, 255]));
    assert_eq!(stored(&eight, 0), [0, 127, -128, -1]);
    let wide: Vec<u8> = [0u32, 1, 0x8000_0000, u32::MAX]
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .collect();
    let unsigned = read(&bits(32, 32, 31, 0).element(0x7FE0, 0x10, b"OW", &wide));
    assert_eq!(stored(&unsigned, 0), [0, 1, 1 << 31, (1 << 32) - 1]);
    let signed = read(&bits(32, 32, 31, 1).element(0x7FE0, 0x10, b"OW", &wide));
    assert_eq!(stored(&signed, 0), [0, 1, -(1 << 31), -1]);
    let one = read(&bits(1, 1, 0, 0).text(0x0028, 0x0008, b"IS", "2").element(
        0x7FE0,
        0x10,
        b"OB",
        &[0b0110_1001, 0],
    ));
    assert_eq!(stored(&one, 0), [1, 0, 0, 1]);
    assert_eq!(stored(&one, 1), [0, 1, 1, 0]);
}

#[test]
fn frames_follow_each_other() {
    let file = read(
        &Writer::grey(1, 2, false)
            .text(0x0028, 0x0008, b"IS", "3")
            .pixels(&[1, 2, 3, 4, 5, 6, 99]),
    );
    assert_eq!(file.frames(), 3);
    assert_eq!(stored(&file, 0), [1, 2]);
    assert_eq!(stored(&file, 2), [5, 6]);
    assert!(
        file.notices().contains(&Notice::PixelDataTooLong(2)),
        "{:?}",
        file.notices()
    );
    let past = file.frame(3).expect_err("three frames");
    assert!(matches!(past, Error::Argument { .. }), "{past}");
}

#[test]
fn rescaling_is_slope_then_intercept() {
    let file = read(
        &Writer::grey(1, 4, true)
            .text(0x0028, 0x1052, b"DS", "-1024")
            .text(0x0028, 0x1053, b"DS", "2.5")
            .pixels(&[0, 10, 0xFFFF, 400]),
    );
    let plane = file.grey(0).expect("grey");
    assert_eq!(plane.values(), [-1024.0, -999.0, -1026.5, -24.0]);
    // One of the two alone says nothing.
    let half = read(
        &Writer::grey(1, 1, false)
            .text(0x0028, 0x1053, b"DS", "2")
            .pixels(&[7]),
    );
    assert_eq!(half.grey(0).expect("grey").values(), [7.0]);
}

/// A table in a sequence: how many entries, the first value, bits of an entry, entries.
fn table(sequence: u16, count: u16, first: u16, depth: u16, entries: &[u16]) -> Writer {
    let [descriptor, data] = [&[count, first, depth][..], entries].map(|words| {
        words
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect::<Vec<u8>>()
    });
    let item = Writer::new("")
        .element(0x0028, 0x3002, b"US", &descriptor)
        .element(0x0028, 0x3006, b"OW", &data);
    Writer::new("").sequence(0x0028, sequence, &[item])
}

fn with(writer: Writer, part: &Writer) -> Writer {
    let file = part.file();
    // Behind preamble, `DICM` and an empty transfer syntax.
    writer.raw(&file[140..])
}

#[test]
fn a_modality_table_goes_before_rescaling_and_keeps_its_ends() {
    let lut = table(0x3000, 3, 10, 16, &[500, 600, 700]);
    let file = read(
        &with(Writer::grey(1, 5, false), &lut)
            .text(0x0028, 0x1052, b"DS", "1")
            .text(0x0028, 0x1053, b"DS", "1")
            .pixels(&[0, 10, 11, 12, 400]),
    );
    assert_eq!(
        file.grey(0).expect("grey").values(),
        [500.0, 500.0, 600.0, 700.0, 700.0]
    );
}

#[test]
fn a_table_of_signed_pixels_begins_below_zero() {
    let lut = table(0x3000, 3, (-1i16).cast_unsigned(), 16, &[5, 6, 7]);
    let file = read(&with(Writer::grey(1, 4, true), &lut).pixels(&[0xFFFE, 0xFFFF, 0, 1]));
    assert_eq!(file.grey(0).expect("grey").values(), [5.0, 5.0, 6.0, 7.0]);
}

#[test]
fn a_voi_table_goes_before_windows() {
    let lut = table(0x3010, 4, 2, 8, &[0, 100, 200, 255]);
    let file = read(
        &with(Writer::grey(1, 5, false), &lut)
            .text(0x0028, 0x1050, b"DS", "1")
            .text(0x0028, 0x1051, b"DS", "1")
            .pixels(&[0, 2, 3, 4, 9]),
    );
    assert_eq!(
        file.voi(0).expect("grey").values(),
        [0.0, 0.0, 100.0, 200.0, 255.0]
    );
    assert_eq!(
        levels(&file.display(0).expect("grey")),
        [0, 0, 100, 200, 255]
    );
}

#[test]
fn the_three_shapes_of_windows() {
    // PS3.3, C.11.2.1.2.1: centre 2048 and width 4096 are the identity of 12 bits.
    let whole = VoiWindow::new(2048.0, 4096.0, WindowShape::Linear).expect("wide enough");
    for value in [0.0, 1.0, 2047.5, 4094.0, 4095.0] {
        assert!(
            (whole.apply(value) * 4095.0 - value).abs() < 1e-9,
            "{value}"
        );
    }
    // Centre 2048, width 1: a threshold between 2047 and 2048.
    let step = VoiWindow::new(2048.0, 1.0, WindowShape::Linear).expect("wide enough");
    assert_eq!(
        [2047.0, 2047.5, 2048.0].map(|v| step.apply(v)),
        [0.0, 0.0, 1.0]
    );
    let exact = VoiWindow::new(2048.0, 4096.0, WindowShape::LinearExact).expect("wide enough");
    assert_eq!(
        [0.0, 1024.0, 4096.0].map(|v| exact.apply(v)),
        [0.0, 0.25, 1.0]
    );
    let sigmoid = VoiWindow::new(40.0, 400.0, WindowShape::Sigmoid).expect("wide enough");
    assert_eq!(sigmoid.apply(40.0), 0.5);
    assert!((sigmoid.apply(140.0) - 1.0 / (1.0 + (-1.0f64).exp())).abs() < 1e-12);
    assert_eq!(VoiWindow::new(0.0, 0.5, WindowShape::Linear), None);
    assert_eq!(VoiWindow::new(0.0, 0.0, WindowShape::Sigmoid), None);
}

#[test]
fn windows_of_the_file_in_its_order() {
    let writer = Writer::grey(1, 3, false)
        .text(0x0028, 0x1050, b"DS", "10\\500")
        .text(0x0028, 0x1051, b"DS", "11\\100")
        .pixels(&[4, 10, 15]);
    let file = read(&writer);
    let found: Vec<(f64, f64)> = file
        .windows(0)
        .iter()
        .map(|w| (w.center, w.width))
        .collect();
    assert_eq!(found, [(10.0, 11.0), (500.0, 100.0)]);
    // From 4.5 over 10 values: 10 lies at 0.55.
    assert_eq!(levels(&file.display(0).expect("grey")), [0, 140, 255]);
    let second = file.display_window(0, &file.windows(0)[1]).expect("grey");
    assert_eq!(levels(&second), [0, 0, 0]);
}

#[test]
fn monochrome1_is_shown_turned_round() {
    let grey = |name| {
        let writer = Writer::new(EXPLICIT)
            .us(0x0028, 0x0002, 1)
            .text(0x0028, 0x0004, b"CS", name)
            .us(0x0028, 0x0010, 1)
            .us(0x0028, 0x0011, 3)
            .us(0x0028, 0x0100, 16)
            .us(0x0028, 0x0101, 16);
        read(&writer.pixels(&[100, 150, 300]))
    };
    let (first, second) = (grey("MONOCHROME1"), grey("MONOCHROME2"));
    assert_eq!(levels(&second.display(0).expect("grey")), [0, 64, 255]);
    assert_eq!(levels(&first.display(0).expect("grey")), [255, 191, 0]);
    // Values stay as they are.
    assert_eq!(first.grey(0).expect("grey"), second.grey(0).expect("grey"));
    assert_eq!(first.facts().photometric, Some(Photometric::Monochrome1));
}

/// A colour picture of one row of two pixels, 8 bits.
fn colour(name: &str, planar: u16, bytes: &[u8]) -> Dicom {
    read(
        &Writer::new(EXPLICIT)
            .us(0x0028, 0x0002, 3)
            .text(0x0028, 0x0004, b"CS", name)
            .us(0x0028, 0x0006, planar)
            .us(0x0028, 0x0010, 1)
            .us(0x0028, 0x0011, 2)
            .us(0x0028, 0x0100, 8)
            .us(0x0028, 0x0101, 8)
            .element(0x7FE0, 0x0010, b"OB", bytes),
    )
}

#[test]
fn colours_by_pixel_and_by_plane() {
    let pixel = colour("RGB", 0, &[1, 2, 3, 4, 5, 6]);
    assert_eq!(pixel.rgb(0).expect("colour").as_rgb8(), [1, 2, 3, 4, 5, 6]);
    let plane = colour("RGB", 1, &[1, 4, 2, 5, 3, 6]);
    assert_eq!(plane.rgb(0).expect("colour").as_rgb8(), [1, 2, 3, 4, 5, 6]);
    assert!(pixel.grey(0).is_err());
    let halved = colour("YBR_FULL_422", 0, &[10, 20, 100, 200]);
    assert_eq!(stored(&halved, 0), [10, 100, 200, 20, 100, 200]);
    let full = colour("YBR_FULL", 0, &[76, 85, 255, 29, 255, 107]);
    assert_eq!(
        full.rgb(0).expect("colour").as_rgb8(),
        [254, 0, 0, 0, 0, 254]
    );
}

#[test]
fn values_of_functional_groups_belong_to_their_frame() {
    let transformed = |intercept| {
        let item = Writer::new("")
            .text(0x0028, 0x1052, b"DS", intercept)
            .text(0x0028, 0x1053, b"DS", "1");
        Writer::new("").sequence(0x0028, 0x9145, &[item])
    };
    let window = Writer::new("")
        .text(0x0028, 0x1050, b"DS", "5")
        .text(0x0028, 0x1051, b"DS", "10");
    let shared = Writer::new("").sequence(0x0028, 0x9132, &[window]);
    let file = read(
        &Writer::grey(1, 1, false)
            .text(0x0028, 0x0008, b"IS", "2")
            .sequence(0x5200, 0x9229, &[shared])
            .sequence(0x5200, 0x9230, &[transformed("10"), transformed("20")])
            .pixels(&[1, 1]),
    );
    assert_eq!(file.grey(0).expect("grey").values(), [11.0]);
    assert_eq!(file.grey(1).expect("grey").values(), [21.0]);
    assert_eq!(file.windows(1).len(), 1);
}

#[test]
fn what_is_not_drawn_is_said() {
    let file = read(
        &Writer::grey(1, 1, false)
            .us(0x6000, 0x0010, 1)
            .us(0x6000, 0x0011, 1)
            .us(0x6002, 0x0010, 1)
            .pixels(&[1]),
    );
    assert_eq!(file.notices(), [Notice::OverlaysIgnored(2)]);
}

#[test]
fn text_that_is_or_may_be_burned_in_is_told_unless_the_file_says_no() {
    for (said, told) in [
        (None, vec![Notice::TextMayBeBurnedIn]),
        (Some("YES"), vec![Notice::TextBurnedIn]),
        (Some("NO"), vec![]),
    ] {
        let picture = blank::description(8, EXPLICIT, [1, 1], 1);
        let picture = match said {
            Some(said) => picture.text(0x0028, 0x0301, b"CS", said),
            None => picture,
        };
        let file = read(&picture.element(0x7FE0, 0x0010, b"OB", &[1, 0]));
        assert_eq!(file.notices(), told, "{said:?}");
    }
    // A report has no picture.
    assert_eq!(read(&Writer::new(EXPLICIT)).notices(), []);
}

/// pydicom 3.0.2 gives them as they are. In 8 bits the middle of 12 would be black.
#[test]
fn colours_of_more_bits_than_the_file_says_are_refused_and_never_wrapped() {
    let stream = |bits: u8| {
        let mut stream = blank::jpeg_2000(4, 4, 3, blank::USUAL);
        let size = stream.windows(2).position(|marker| marker == [0xFF, 0x51]);
        let components = size.expect("a size segment") + 40;
        for component in stream[components..components + 9].chunks_mut(3) {
            component[0] = bits - 1;
        }
        stream
    };
    let file = |bits: u16, of_stream: u8| {
        let syntax = "1.2.840.10008.1.2.4.90";
        let file = blank::description(16, syntax, [4, 4], 3).us(0x0028, 0x0101, bits);
        read(&file.fragments(&[&stream(of_stream)]))
    };
    for bits in [8, 10] {
        let twelve = file(bits, 12);
        assert_eq!(stored(&twelve, 0), [2048; 48]);
        let error = twelve.rgb(0).expect_err("two answers").to_string();
        let words = ["(0028,0101) BitsStored", &format!("found {bits}")];
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
    for (bits, of_stream) in [(8, 8), (12, 12), (12, 8), (16, 12)] {
        assert!(
            file(bits, of_stream).rgb(0).is_ok(),
            "{of_stream} in {bits}"
        );
    }
}

#[test]
fn the_file_names_the_shape_of_its_window() {
    for (name, shape) in [
        ("LINEAR", WindowShape::Linear),
        ("LINEAR_EXACT", WindowShape::LinearExact),
        ("SIGMOID", WindowShape::Sigmoid),
    ] {
        let file = read(
            &Writer::grey(1, 1, false)
                .text(0x0028, 0x1050, b"DS", "10")
                .text(0x0028, 0x1051, b"DS", "4")
                .text(0x0028, 0x1056, b"CS", name)
                .pixels(&[10]),
        );
        assert_eq!(file.windows(0)[0].shape, shape, "{name}");
    }
}

/// Written by pyjpegls 1.5.1. No fixture and no fetched file has a run that ends below a darker sample in one of another
/// value: where both neighbours are of one value, or the sample is that above, a lost sign changes nothing.
#[test]
fn runs_of_jpeg_ls_end_in_darker_and_in_brighter_samples() {
    const STREAM: &str = "ffd8fff7000b080006001001011100ffda0008010100000000000001c695e000003672be7d0000060c02bf42dde04\
                          00000018b82108421e07c0035f8ffd9";
    const ENDS: [[i64; 2]; 6] = [
        [10, 10],
        [200, 10],
        [90, 10],
        [250, 100],
        [100, 100],
        [5, 90],
    ];
    let stream: Vec<u8> = (0..STREAM.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&STREAM[at..at + 2], 16).expect("digits"))
        .collect();
    let file = Writer::new("1.2.840.10008.1.2.4.80")
        .us(0x0028, 0x0002, 1)
        .text(0x0028, 0x0004, b"CS", "MONOCHROME2")
        .us(0x0028, 0x0010, 6)
        .us(0x0028, 0x0011, 16)
        .us(0x0028, 0x0100, 8)
        .us(0x0028, 0x0101, 8)
        .us(0x0028, 0x0102, 7)
        .us(0x0028, 0x0103, 0)
        .fragments(&[&stream]);
    let expected = ENDS.iter().flat_map(|&[end, rest]| {
        let run = std::iter::repeat_n(100, 8);
        run.chain([end]).chain(std::iter::repeat_n(rest, 7))
    });
    assert_eq!(stored(&read(&file), 0), expected.collect::<Vec<i64>>());
}
