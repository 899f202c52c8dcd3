//! Words of RLE, pairs that share colours, values that stand for nothing: numbers worked out by hand.

mod support;

use medgemma_medical::{
    Dicom, Limits, MrRecipe, Notice, Plane, Recipe, Remark, TransferSyntax, Volume, XrayRecipe,
};
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
        .text(0x0028, 0x0301, b"CS", "NO")
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

/// Some writers leave the end of an item of stated length behind, at the top level too.
#[test]
fn delimiters_left_over_between_elements_hide_nothing() {
    for element in [0xE00D_u16, 0xE0DD] {
        let stray = [&[0xFE, 0xFF], &element.to_le_bytes()[..], &[0; 4]].concat();
        let file = read(&Writer::grey(1, 2, false).raw(&stray).pixels(&[5, 9]));
        assert_eq!(stored(&file, 0), [5, 9], "{element:04X}");
        assert_eq!(file.notices(), [], "{element:04X}");
    }
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

/// One row with padding of this value and, if there is one, this limit of its range.
fn padded(photometric: &str, signed: bool, padding: &[u16], samples: &[u16]) -> Writer {
    let columns = u16::try_from(samples.len()).expect("a short row");
    let vr = if signed { b"SS" } else { b"US" };
    let tags = [0x0120, 0x0121];
    let writer = Writer::new(EXPLICIT)
        .us(0x0028, 0x0002, 1)
        .text(0x0028, 0x0004, b"CS", photometric)
        .us(0x0028, 0x0010, 1)
        .us(0x0028, 0x0011, columns)
        .us(0x0028, 0x0100, 16)
        .us(0x0028, 0x0101, 16)
        .us(0x0028, 0x0103, u16::from(signed))
        .text(0x0028, 0x0301, b"CS", "NO");
    let writer = padding
        .iter()
        .zip(tags)
        .fold(writer, |writer, (value, tag)| {
            writer.element(0x0028, tag, vr, &value.to_le_bytes())
        });
    writer.pixels(samples)
}

fn shown(file: &Dicom) -> Vec<u8> {
    let image = file.display(0).expect("grey");
    image.as_rgb8().iter().step_by(3).copied().collect()
}

fn prepared(file: &Dicom) -> (Vec<u8>, Vec<String>) {
    let recipe = XrayRecipe::for_frame(file, 0).expect("a radiograph");
    let recipe = recipe.with_pad_to_square(false);
    let prepared = recipe.prepare_frame(file, 0).expect("a picture");
    let Recipe::Xray(record) = prepared.recipe() else {
        panic!("X-ray");
    };
    let grey = prepared.image().as_rgb8().iter().step_by(3).copied();
    (grey.collect(), record.remarks.clone())
}

/// They stand around what was measured, and squeezed it into a few levels of grey.
#[test]
fn padding_that_lies_apart_is_left_out_of_least_and_greatest_and_black() {
    let minus = |value: i16| value.cast_unsigned();
    for (signed, padding, samples) in [
        (false, &[65535][..], [65535, 1000, 1100, 1200]),
        (false, &[65535, 65000], [65400, 1000, 1100, 1200]),
        (false, &[65000, 65535], [65400, 1000, 1100, 1200]),
        (true, &[minus(-2000)], [minus(-2000), minus(-100), 0, 100]),
        (
            true,
            &[minus(-2000), minus(-1500)],
            [minus(-1700), minus(-100), 0, 100],
        ),
    ] {
        for (photometric, displayed, pictured) in [
            ("MONOCHROME2", [0, 0, 128, 255], [0, 0, 127, 255]),
            ("MONOCHROME1", [0, 255, 127, 0], [0, 255, 128, 0]),
        ] {
            let what = format!("{photometric} {padding:?}");
            let file = read(&padded(photometric, signed, padding, &samples));
            assert_eq!(file.notices(), [Notice::PixelPaddingLeftOut], "{what}");
            assert_eq!(shown(&file), displayed, "{what}");
            let (grey, remarks) = prepared(&file);
            assert_eq!(grey, pictured, "{what}");
            assert!(
                remarks
                    .iter()
                    .any(|remark| remark.contains("padding left out")),
                "{what}"
            );
            let plane = file.grey(0).expect("grey");
            assert_eq!(plane.values().len(), 4);
            assert!(
                plane
                    .padding()
                    .is_some_and(|range| range.contains(&plane.values()[0]))
            );
        }
    }
    // Rescaled, and turned round by it.
    let file = padded("MONOCHROME2", false, &[900, 1200], &[1000, 100, 110, 120])
        .text(0x0028, 0x1052, b"DS", "5")
        .text(0x0028, 0x1053, b"DS", "-0.1");
    let file = read(&file);
    assert_eq!(shown(&file), [0, 255, 128, 0]);
    assert_eq!(prepared(&file).0, [0, 255, 127, 0]);
}

/// As the serving code has it, to the grey level: what is named padding was measured, or is the least anyway.
#[test]
fn padding_that_lies_among_values_is_a_value() {
    let row = |photometric: &str, padding: &[u16], samples: &[u16]| {
        let file = read(&padded(photometric, false, padding, samples));
        let (grey, remarks) = prepared(&file);
        let told = Notice::PixelPaddingKept.to_string();
        assert_eq!(remarks, [told], "{padding:?}");
        (shown(&file), grey)
    };
    // The natural least, which is white where black and white change places.
    let low = [0, 400, 1000];
    assert_eq!(
        row("MONOCHROME2", &[0], &low),
        (vec![0, 102, 255], vec![0, 102, 255])
    );
    assert_eq!(
        row("MONOCHROME1", &[0], &low),
        (vec![255, 153, 0], vec![255, 153, 0])
    );
    // Almost or wholly everything that 12 bits hold.
    for first in [0, 1] {
        let found = row("MONOCHROME2", &[first, 4095], &[0, 1000, 4000]);
        assert_eq!(found.1, [0, 64, 255], "from {first}");
    }
    // No other is left.
    assert_eq!(
        row("MONOCHROME2", &[7], &[7, 7]),
        (vec![0, 0], vec![255, 255])
    );
    // What of it is not in the picture bears on nothing.
    let file = read(&padded("MONOCHROME2", false, &[900], &[0, 400, 1000]));
    assert_eq!(prepared(&file), (vec![0, 102, 255], Vec::new()));
}

#[test]
fn padding_that_cannot_be_told_from_values_is_a_value_and_said() {
    // What 12 bits do not hold.
    let twelve = Writer::new(EXPLICIT)
        .us(0x0028, 0x0002, 1)
        .text(0x0028, 0x0004, b"CS", "MONOCHROME2")
        .us(0x0028, 0x0010, 1)
        .us(0x0028, 0x0011, 3)
        .us(0x0028, 0x0100, 16)
        .us(0x0028, 0x0101, 12)
        .us(0x0028, 0x0120, 65535)
        .text(0x0028, 0x0301, b"CS", "NO")
        .pixels(&[65535, 0, 2000]);
    let item = Writer::new(EXPLICIT)
        .element(0x0028, 0x3002, b"US", &[3, 0, 0, 0, 8, 0])
        .element(0x0028, 0x3006, b"OW", &[9, 19, 29, 0]);
    let table = padded("MONOCHROME2", false, &[0], &[0, 1, 2]).sequence(0x0028, 0x3000, &[item]);
    for (writer, grey) in [(twelve, [255, 0, 125]), (table, [0, 128, 255])] {
        let file = read(&writer);
        assert_eq!(file.notices(), [Notice::PixelPaddingKept]);
        assert_eq!(shown(&file), grey);
        assert_eq!(file.grey(0).expect("grey").padding(), None);
        let remarks = prepared(&file).1;
        assert!(
            remarks
                .iter()
                .any(|remark| remark.contains("taken for a value"))
        );
    }
    // Through a window it is shown as a value, as in the serving code.
    let windowed = padded("MONOCHROME2", false, &[65535], &[65535, 1000, 1100, 1200])
        .text(0x0028, 0x1050, b"DS", "1100")
        .text(0x0028, 0x1051, b"DS", "200");
    assert_eq!(
        prepared(&read(&windowed)),
        (vec![255, 0, 127, 255], Vec::new())
    );
}

#[test]
fn padding_of_a_volume_is_left_out_where_it_lies_apart_from_all_of_it() {
    let plane = |values: [f32; 4], padding| {
        let plane = Plane::new(2, 2, values.to_vec()).expect("a plane");
        plane.with_padding(Some(padding))
    };
    let slices = [
        plane([-2000.0, 10.0, 20.0, 30.0], -2000.0..=-2000.0),
        plane([50.0, 60.0, 5000.0, 20.0], 5000.0..=5000.0),
    ];
    let prepared = MrRecipe::default()
        .prepare(&slices, None)
        .expect("a volume");
    let grey = |at: usize| -> Vec<u8> {
        prepared.images()[at]
            .as_rgb8()
            .iter()
            .step_by(3)
            .copied()
            .collect()
    };
    assert_eq!(grey(0), [0, 0, 51, 102]);
    assert_eq!(grey(1), [204, 255, 0, 51]);
    let Recipe::Mr(record) = prepared.recipe() else {
        panic!("MR");
    };
    assert_eq!((record.minimum, record.maximum), (10.0, 60.0));
    assert!(
        record
            .order
            .remarks
            .iter()
            .any(|remark| remark.contains("padding"))
    );
    // As in the serving code: white is a volume of one value, and 0 is the least of unsigned ones, also of a slice of its own.
    let one_by_one = |slices: &[Plane]| -> Vec<Vec<u8>> {
        let prepared = MrRecipe::default().prepare(slices, None);
        let prepared = prepared.expect("a volume");
        let grey =
            |image: &medgemma_image::Image| image.as_rgb8().iter().step_by(3).copied().collect();
        prepared.images().iter().map(grey).collect()
    };
    let alone = [plane([7.0; 4], 7.0..=7.0)];
    assert_eq!(one_by_one(&alone), [[255; 4]]);
    let brain = [
        plane([0.0, 400.0, 700.0, 1000.0], 0.0..=0.0),
        plane([0.0; 4], 0.0..=0.0),
    ];
    assert_eq!(one_by_one(&brain), [[0, 102, 178, 255], [0; 4]]);
    // A slice outside of the patient is one with the others.
    let outside = [
        plane([-9000.0, 0.0, 50.0, 100.0], -9000.0..=-9000.0),
        plane([-9000.0; 4], -9000.0..=-9000.0),
    ];
    assert_eq!(one_by_one(&outside), [[0, 0, 128, 255], [0; 4]]);
}

#[test]
fn planes_that_are_turned_keep_their_padding_and_those_that_are_cut_anew_what_all_have() {
    const AXIAL: &str = "1\\0\\0\\0\\1\\0";
    const UPSIDE_DOWN: &str = "1\\0\\0\\0\\-1\\0";
    const CORONAL: &str = "1\\0\\0\\0\\0\\-1";
    let slice = |directions: &str, place: i16, padding: u16| {
        let at = match directions {
            CORONAL => format!("0\\{place}\\0"),
            _ => format!("0\\0\\{place}"),
        };
        let writer = Writer::new(EXPLICIT)
            .text(0x0008, 0x0060, b"CS", "MR")
            .text(0x0020, 0x0032, b"DS", &at)
            .text(0x0020, 0x0037, b"DS", directions);
        let samples = [padding, 10, 20];
        read(&writer.append(&padded("MONOCHROME2", false, &[padding], &samples)))
    };
    let axial = |directions: &str, second: u16| {
        let files = [slice(directions, 0, 9), slice(directions, 1, second)];
        let volume = Volume::from_dicom(&files).expect("a volume");
        volume.axial()
    };
    let paddings = |volume: &Volume| -> Vec<_> {
        let of = |plane: &Plane| plane.padding().map(|range| *range.start());
        volume.planes.iter().map(of).collect()
    };
    for directions in [AXIAL, UPSIDE_DOWN] {
        let turned = axial(directions, 8);
        assert_eq!(paddings(&turned), [Some(9.0), Some(8.0)], "{directions}");
        assert!(!turned.remarks.contains(&Remark::PaddingLost));
        let values: Vec<f32> = turned
            .planes
            .iter()
            .map(|plane| plane.values()[0])
            .collect();
        assert_eq!(values, [9.0, 8.0], "{directions}");
    }
    let cut = axial(CORONAL, 9);
    assert_eq!(paddings(&cut), [Some(9.0)]);
    assert!(!cut.remarks.contains(&Remark::PaddingLost));
    let cut = axial(CORONAL, 8);
    assert_eq!(paddings(&cut), [None]);
    assert!(cut.remarks.contains(&Remark::PaddingLost));
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
    let writer = implicit(writer, 0x0028, 0x0301, b"NO");
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
    // Implicit elements in front of explicit ones are another thing.
    let one = implicit(Writer::new(EXPLICIT), 0x0008, 0x0060, b"DX");
    let two = implicit(one.clone(), 0x0018, 0x0015, b"CHEST ");
    for first in [one, two] {
        let mixed = read(&first.raw(body));
        assert_eq!(stored(&mixed, 0), [5, 9]);
        assert_eq!(mixed.notices(), []);
        assert_eq!(mixed.transfer_syntax(), ExplicitLittleEndian);
    }
    // Two bytes of a length that look like a representation are none where the next element has none.
    let long = vec![b' '; usize::from(u16::from_le_bytes(*b"ST"))];
    let first = implicit(Writer::new(IMPLICIT), 0x0008, 0x0005, &long);
    let plain = implicit_row(IMPLICIT, &[5, 9]);
    let usual = read(&first.append(&plain));
    assert_eq!(stored(&usual, 0), [5, 9]);
    assert_eq!(usual.notices(), []);
    assert_eq!(usual.transfer_syntax(), ImplicitLittleEndian);
}

/// Stored values passed for Hounsfield units.
#[test]
fn a_rescale_that_cannot_be_read_is_an_error_and_none_is_none() {
    let of = |slope: &str, intercept: &str| {
        let file = Writer::grey(1, 2, true)
            .text(0x0028, 0x1052, b"DS", intercept)
            .text(0x0028, 0x1053, b"DS", slope);
        let file = read(&file.pixels(&[5, 1000]));
        let values = file.grey(0).map(|plane| plane.values().to_vec());
        values.map_err(|error| error.to_string())
    };
    assert_eq!(of("1", "-1024"), Ok(vec![-1019.0, -24.0]));
    for none in ["", "  "] {
        assert_eq!(of(none, none), Ok(vec![5.0, 1000.0]));
    }
    let (slope, intercept) = ("(0028,1053) RescaleSlope", "(0028,1052) RescaleIntercept");
    for (of, named) in [
        (of("1", "-1024,0"), intercept),
        (of("1", ""), intercept),
        (of("", "-1024"), slope),
        (of("NaN", "-1024"), slope),
        (of("x\\1", "-1024"), slope),
    ] {
        let error = of.expect_err("no pair of numbers");
        assert!(error.contains(named), "{error}");
    }
}

/// A centre was paired with the width of another window.
#[test]
fn windows_are_paired_by_their_places() {
    let of = |centers: &str, widths: &str| {
        let file = Writer::grey(1, 2, true)
            .text(0x0028, 0x1050, b"DS", centers)
            .text(0x0028, 0x1051, b"DS", widths);
        let file = read(&file.pixels(&[5, 1000]));
        let windows = file.windows(0);
        let windows: Vec<_> = windows.iter().map(|w| (w.center, w.width)).collect();
        (windows, file.notices().contains(&Notice::WindowIgnored))
    };
    let (soft, lung) = ((40.0, 350.0), (-600.0, 1500.0));
    assert_eq!(of("-600\\40", "1500\\350"), (vec![lung, soft], false));
    assert_eq!(of("\\40", "1500\\350"), (vec![soft], true));
    assert_eq!(of("-600\\40", "1500\\x"), (vec![lung], true));
    assert_eq!(of("x\\40", "1500\\350"), (vec![soft], true));
    assert_eq!(of("", ""), (vec![], false));
}
