//! Streams that say what their colours are, in files that say something else: pydicom 3.0.2 believes the stream. No fixture
//! and no fetched file has the contradiction. Streams by Pillow 12 (`keep_rgb`) and pyjpegls 1.5.1, its components renamed.

mod support;

use medgemma_medical::{Dicom, Limits, Photometric};
use support::writer::Writer;

/// Left half 200, 60, 20, right half 10, 120, 240, of 8 × 16 pixels, stored as they are. No JFIF or Adobe segment.
const JPEG: &str = "ffd8ffdb0043000302020302020303030304030304050805050404050a070706080c0a0c0c0b0a0b0b0d0e12100d0e110e0b0b1016101113141515\
    150c0f171816141812141514ffc00011080008001003521100471100421100ffc40016000101010000000000000000000000000008090affc4\
    0014100100000000000000000000000000000000ffda000c03520047004200003f00600949be808503496fffd9";
const JPEG_LS: &str = "ffd8fff70011080008001003521100471100421100ffda000c035200470042000002000000016e1c6894b77ff800000c10001a0000\
    028f399399732e65cab556aa53ec0820fd41043c4210e9084384211844461111ffd9";

fn bytes(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    let pairs = pairs.map(|pair| std::str::from_utf8(pair).expect("digits"));
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).expect("digits"))
        .collect()
}

/// `R`, `G` and `B` in frame and scan header become 1, 2 and 3.
fn numbered(stream: &[u8]) -> Vec<u8> {
    let mut stream = stream.to_vec();
    for at in 1..stream.len() - 1 {
        // A name stands before its sampling factors, or before the numbers of its tables.
        if let name @ (b'R' | b'G' | b'B') = stream[at]
            && matches!(stream[at + 1], 0x11 | 0)
        {
            stream[at] = [1, 2, 3][b"RGB".iter().position(|b| *b == name).expect("one of them")];
        }
    }
    stream
}

/// The first and the last pixel.
fn ends(syntax: &str, photometric: &str, stream: &[u8]) -> (Photometric, [[u8; 3]; 2]) {
    let file = Writer::new(syntax)
        .us(0x0028, 0x0002, 3)
        .text(0x0028, 0x0004, b"CS", photometric)
        .us(0x0028, 0x0006, 0)
        .us(0x0028, 0x0010, 8)
        .us(0x0028, 0x0011, 16)
        .us(0x0028, 0x0100, 8)
        .us(0x0028, 0x0101, 8)
        .fragments(&[stream])
        .file();
    let file = Dicom::read(file, &Limits::default()).unwrap_or_else(|error| panic!("{error}"));
    let image = file.rgb(0).unwrap_or_else(|error| panic!("{error}"));
    let pixels = image.as_rgb8().as_chunks::<3>().0;
    let stated = file.frame(0).expect("pixels").photometric();
    (stated, [pixels[0], pixels[8 * 16 - 1]])
}

const RED_AND_BLUE: [[u8; 3]; 2] = [[200, 60, 20], [10, 120, 240]];
/// The same samples taken for luminance and differences.
const CONVERTED: [[u8; 3]; 2] = [[49, 255, 80], [167, 0, 0]];

#[test]
fn components_named_rgb_are_red_green_and_blue_whatever_the_file_says() {
    for (syntax, stream) in [
        ("1.2.840.10008.1.2.4.50", bytes(JPEG)),
        ("1.2.840.10008.1.2.4.80", bytes(JPEG_LS)),
    ] {
        for stated in ["RGB", "YBR_FULL"] {
            let found = ends(syntax, stated, &stream);
            assert_eq!(found, (Photometric::Rgb, RED_AND_BLUE), "{syntax} {stated}");
        }
        let stream = numbered(&stream);
        let found = ends(syntax, "RGB", &stream);
        assert_eq!(found, (Photometric::Rgb, RED_AND_BLUE), "{syntax}");
        let found = ends(syntax, "YBR_FULL", &stream);
        assert_eq!(found, (Photometric::YbrFull, CONVERTED), "{syntax}");
    }
}

#[test]
fn jfif_is_luminance_and_differences_whatever_the_file_says() {
    let stream = numbered(&bytes(JPEG));
    let mut jfif = stream[..2].to_vec();
    jfif.extend(b"\xFF\xE0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    jfif.extend(&stream[2..]);
    for stated in ["RGB", "YBR_FULL"] {
        let found = ends("1.2.840.10008.1.2.4.50", stated, &jfif);
        assert_eq!(found, (Photometric::YbrFull, CONVERTED), "{stated}");
    }
}
