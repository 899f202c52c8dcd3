//! Files that are cut off, broken or built to do harm: an error that names file and attribute, little memory, little
//! time, and not a word of the patient.
#![allow(
    clippy::cast_possible_truncation,
    reason = "small numbers of files made for the test"
)]

mod support;

use std::io::Write as _;

use medgemma_medical::{Dicom, Error, Limits, Nifti, Slide, SlideLimits};
use support::blank::{self, Jpeg};
use support::writer::{EXPLICIT, Writer};
use support::{files, fixture};

/// Where the elements behind the file meta information of a [`Writer`] of explicit elements begin.
const META: usize = 132 + 8 + 20;

/// What the error says, of opening or of the first frame.
fn refused(bytes: Vec<u8>) -> String {
    let limits = Limits::default();
    match Dicom::read(bytes, &limits).and_then(|file| file.frame(0)) {
        Ok(_) => panic!("it was read"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn each_broken_file_is_refused_by_name_and_attribute() {
    for (name, attribute) in [
        ("MR_truncated.dcm", "(7FE0,0010) PixelData"),
        ("rtplan_truncated.dcm", "("),
        (
            "JPEG2000-embedded-sequence-delimiter.dcm",
            "(7FE0,0010) PixelData, frame 0",
        ),
        ("test-SR.dcm", "(7FE0,0010) PixelData"),
        ("UN_sequence.dcm", "(7FE0,0010) PixelData"),
        ("meta_missing_tsyntax.dcm", "(0028,"),
        ("nested_priv_SQ.dcm", "(0028,"),
    ] {
        let error = Dicom::open(fixture(name), &Limits::default())
            .and_then(|file| file.frame(0))
            .expect_err(name)
            .to_string();
        assert!(error.contains(name) && error.contains(attribute), "{error}");
    }
    for bytes in [vec![], vec![0; 4096], b"%PDF-1.7".repeat(64)] {
        assert!(refused(bytes).contains("preamble"));
    }
}

#[test]
fn cut_off_anywhere_is_an_error_or_a_shorter_file_but_no_panic() {
    for name in [
        "MR_small_RLE.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "JPEG2000.dcm",
        "image_dfl.dcm",
    ] {
        let whole = std::fs::read(fixture(name)).expect("a fixture");
        for end in (0..whole.len()).step_by(61) {
            if let Ok(file) = Dicom::read(whole[..end].to_vec(), &Limits::default()) {
                let _ = file.frame(0);
                let _ = (file.facts(), file.geometry(0), file.windows(0));
            }
        }
    }
}

#[test]
fn each_description_of_pixels_that_cannot_be_is_refused() {
    let grey = |change: &dyn Fn(Writer) -> Writer| {
        // A later element of one tag counts.
        refused(
            change(Writer::grey(2, 2, false))
                .pixels(&[1, 2, 3, 4])
                .file(),
        )
    };
    for (element, value, attribute) in [
        (0x0002, 2, "SamplesPerPixel"),
        (0x0010, 0, "Rows"),
        (0x0011, 0, "Columns"),
        (0x0100, 12, "BitsAllocated"),
        (0x0101, 17, "BitsStored"),
        (0x0101, 0, "BitsStored"),
        (0x0103, 2, "PixelRepresentation"),
        (0x0002, 3, "PhotometricInterpretation"),
    ] {
        let error = grey(&|writer| writer.us(0x0028, element, value));
        assert!(error.contains(attribute), "{error}");
    }
    let error = grey(&|writer| writer.text(0x0028, 0x0004, b"CS", "DOE^JOHN"));
    assert!(
        error.contains("another name") && !error.contains("DOE"),
        "{error}"
    );
    let error = grey(&|writer| writer.text(0x0028, 0x0008, b"IS", "70000"));
    assert!(
        error.contains("max_frames is 70000, limit 65536"),
        "{error}"
    );
    let error = grey(&|writer| writer.us(0x0028, 0x0010, 65535).us(0x0028, 0x0011, 65535));
    assert!(error.contains("max_pixels"), "{error}");
    let error = grey(&|writer| writer.us(0x0028, 0x0010, 300));
    assert!(
        error.contains("expected 1200 bytes") && error.contains("found 8 bytes"),
        "{error}"
    );
    let unknown = Writer::new("1.2.840.10008.1.2.4.100").pixels(&[1]).file();
    assert!(refused(unknown).contains("1.2.840.10008.1.2.4.100"));
}

#[test]
fn lengths_that_lie_are_refused() {
    // An element of 4 GiB less 2, one within a sequence, a fragment.
    let long = Writer::new(EXPLICIT)
        .raw(b"\x08\x00\x05\x00UT\x00\x00\xFE\xFF\xFF\xFF")
        .file();
    assert!(refused(long).contains("(0008,0005)"));
    let inside = Writer::new("").raw(b"\x08\x00\x50\x11UT\x00\x00\xFE\xFF\xFF\xFF");
    let inside = Writer::new(EXPLICIT)
        .sequence(0x0008, 0x1140, &[inside])
        .file();
    assert!(refused(inside).contains("(0008,1150)"));
    let fragment = Writer::new("1.2.840.10008.1.2.5")
        .raw(&Writer::grey(2, 2, false).file()[META..])
        .raw(b"\xE0\x7F\x10\x00OB\x00\x00\xFF\xFF\xFF\xFF")
        .raw(b"\xFE\xFF\x00\xE0\x00\x00\x00\x00\xFE\xFF\x00\xE0\xFE\xFF\xFF\xFF\x01\x02")
        .file();
    assert!(refused(fragment).contains("2 bytes, less than a header"));
}

#[test]
fn sequences_without_end_do_not_reach_the_bottom_of_the_stack() {
    let mut body = Vec::new();
    for _ in 0..200_000 {
        body.extend(b"\x08\x00\x40\x11SQ\x00\x00\xFF\xFF\xFF\xFF\xFE\xFF\x00\xE0\xFF\xFF\xFF\xFF");
    }
    let error = refused(Writer::new(EXPLICIT).raw(&body).file());
    assert!(
        error.contains("ReferencedImageSequence") && error.contains("deep"),
        "{error}"
    );
}

#[test]
fn a_deflated_bomb_is_refused_at_the_limit() {
    let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..64 {
        packer.write_all(&vec![0; 1 << 20]).expect("in memory");
    }
    let packed = packer.finish().expect("in memory");
    let file = Writer::new("1.2.840.10008.1.2.1.99").raw(&packed).file();
    let limits = Limits::default().with_max_decompressed_bytes(1 << 20);
    let error = Dicom::read(file, &limits).expect_err("64 MiB");
    assert!(
        matches!(
            error,
            Error::Limit {
                what: "max_decompressed_bytes",
                ..
            }
        ),
        "{error}"
    );

    // Of 64 MiB, without its header.
    let header = support::blank::nifti(256, 256, 1024);
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(&header).expect("in memory");
    for _ in 0..64 {
        packer.write_all(&vec![0; 1 << 20]).expect("in memory");
    }
    let packed = packer.finish().expect("in memory");
    let error = Nifti::read(packed, &limits).expect_err("64 MiB");
    assert!(
        matches!(
            error,
            Error::Limit {
                what: "max_decompressed_bytes",
                ..
            }
        ),
        "{error}"
    );
}

/// Of a stream whose codes are whole, only the checksum at its end tells that values are others than were written.
#[test]
fn a_gzipped_file_with_another_checksum_is_refused() {
    // Larger than the header, at whose reading the end of a small one would be seen.
    let mut file = support::blank::nifti(16, 16, 16);
    let values = [1, 2, 3, 4, 5, 6, 7, 8];
    file.extend(values.repeat(16 * 16 * 16 / 8));
    // Stored as it is, so that a value can be changed in place.
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    packer.write_all(&file).expect("in memory");
    let packed = packer.finish().expect("in memory");
    Nifti::read(packed.clone(), &Limits::default()).expect("a picture");
    let value = packed
        .windows(8)
        .position(|found| found == values)
        .expect("the values");
    let mut damaged = packed;
    damaged[value] = 200;
    let error = Nifti::read(damaged, &Limits::default()).expect_err("a value was changed");
    assert!(error.to_string().contains("undamaged"), "{error}");
}

/// A pipe that nobody writes to would be waited for without end.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_before_it_is_opened() {
    use std::path::Path;

    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    for path in [Path::new("/dev/null"), folder.path(), &pipe] {
        let limits = Limits::default();
        let opened = [
            Dicom::open(path, &limits).map(drop),
            Nifti::open(path, &limits).map(drop),
            Slide::open_files(&[path], &SlideLimits::default()).map(drop),
        ];
        for refused in opened {
            let error = refused.expect_err("no file").to_string();
            let told = error.contains(&*path.to_string_lossy()) && error.contains("a pipe");
            assert!(told, "{error}");
        }
    }
}

/// T.81 permits 8 and 12 bits where JPEG loses something.
#[test]
fn extended_jpeg_of_other_bits_than_the_standard_has_is_refused() {
    let frame = |kind: Jpeg, bits: u8| {
        let mut stream = blank::jpeg(kind, 16, 16, 1);
        let header = stream
            .windows(2)
            .position(|m| m[0] == 0xFF && (0xC0..0xC3).contains(&m[1]));
        let header = header.expect("a frame header");
        if kind == Jpeg::Baseline {
            stream[header + 1] = 0xC1;
        }
        stream[header + 4] = bits;
        let file = blank::description(32, "1.2.840.10008.1.2.4.51", [16, 16], 1)
            .us(0x0028, 0x0101, 12)
            .fragments(&[&stream])
            .file();
        Dicom::read(file, &Limits::default()).and_then(|file| file.frame(0))
    };
    let twelve = frame(Jpeg::Baseline, 12).expect("12 bits");
    assert!(twelve.values().all(|value| value == 2048));
    for bits in [9, 16, 31, 32] {
        let error = frame(Jpeg::Baseline, bits)
            .map(drop)
            .expect_err("other bits");
        let told = format!("found {bits} bits");
        assert!(error.to_string().contains(&told), "{error}");
    }
    let error = frame(Jpeg::Progressive, 12)
        .map(drop)
        .expect_err("progressive");
    assert!(error.to_string().contains("progressive"), "{error}");
}

#[test]
fn limits_on_file_and_elements_hold() {
    let file = Writer::grey(1, 1, false).pixels(&[1]).file();
    let small = Limits::default().with_max_file_bytes(100);
    let error = Dicom::read(file.clone(), &small).expect_err("larger");
    assert!(
        matches!(
            error,
            Error::Limit {
                what: "max_file_bytes",
                limit: 100,
                ..
            }
        ),
        "{error}"
    );
    let few = Limits::default().with_max_elements(5);
    let error = Dicom::read(file, &few).expect_err("more");
    assert!(
        matches!(
            error,
            Error::Limit {
                what: "max_elements",
                ..
            }
        ),
        "{error}"
    );
    let path = fixture("MR_small_RLE.dcm");
    let error = Dicom::open(path, &small).expect_err("larger");
    assert!(
        matches!(
            error,
            Error::Limit {
                what: "max_file_bytes",
                ..
            }
        ),
        "{error}"
    );
}

/// Streams whose headers say another size than the data set: nothing is reserved for them.
#[test]
fn streams_of_another_size_than_the_data_set_are_refused() {
    let stream = |name: &str| -> Vec<u8> {
        let bytes = std::fs::read(fixture(name)).expect("a fixture");
        let mark = |window: &[u8]| window == b"\xE0\x7F\x10\x00";
        let found = bytes.windows(4).enumerate().filter(|(_, w)| mark(w));
        let (at, _) = found.max_by_key(|&(at, _)| at).expect("pixel data");
        bytes[at..].to_vec()
    };
    for (name, syntax) in [
        ("MR_small_RLE.dcm", "1.2.840.10008.1.2.5"),
        ("JPGExtended.dcm", "1.2.840.10008.1.2.4.51"),
        ("MR_small_jpeg_ls_lossless.dcm", "1.2.840.10008.1.2.4.80"),
        ("MR_small_jp2klossless.dcm", "1.2.840.10008.1.2.4.90"),
    ] {
        let mut body = Writer::grey(1000, 7, false).file()[META..].to_vec();
        body.extend(stream(name));
        let error = refused(Writer::new(syntax).raw(&body).file());
        assert!(
            error.contains("(7FE0,0010) PixelData, frame 0"),
            "{name}: {error}"
        );
    }
}

/// At each scan of a few bytes a decoder goes through the whole frame.
#[test]
fn more_scans_than_a_picture_has_are_refused() {
    let baseline = "1.2.840.10008.1.2.4.50";
    let lossless = "1.2.840.10008.1.2.4.70";
    for (kind, syntax, bits, samples, most) in [
        (Jpeg::Baseline, baseline, 8, 1, 4),
        (Jpeg::Baseline, baseline, 8, 3, 4),
        (Jpeg::Progressive, baseline, 8, 3, 100),
        (Jpeg::Lossless, lossless, 8, 1, 4),
        (Jpeg::LosslessWide, lossless, 16, 1, 4),
    ] {
        let stream = blank::jpeg(kind, 16, 16, samples);
        let head = stream
            .windows(2)
            .position(|marker| marker == [0xFF, 0xDA])
            .expect("a scan");
        let scan = &stream[head..head + 8 + 2 * samples];
        let frame = |scans: usize| {
            let (body, end) = stream.split_at(stream.len() - 2);
            // Comments between the scans hide none of them.
            let more = [b"\xFF\xFE\x00\x03\xDA", scan].concat();
            let stream = [body, &more.repeat(scans - 1), end].concat();
            let file = blank::description(bits, syntax, [16, 16], samples as u16)
                .fragments(&[&stream])
                .file();
            Dicom::read(file, &Limits::default()).and_then(|file| file.frame(0))
        };
        assert!(frame(most).is_ok(), "{:?}", frame(most).err());
        let error = frame(most + 1).map(drop).expect_err("a scan more");
        let [more, most] = [most + 1, most].map(|scans| scans.to_string());
        let error = error.to_string();
        assert!(
            error.contains(&format!("{more} scans")) && error.contains(&format!("has {most} or")),
            "{error}"
        );
    }
}

#[test]
fn errors_of_the_broken_fixtures_hold_no_name_of_theirs() {
    for path in files(&fixture("")) {
        let bytes = std::fs::read(&path).expect("a fixture");
        let text = match Dicom::read(bytes.clone(), &Limits::default()) {
            Ok(file) => match file.frame(0) {
                Ok(_) => format!("{file:?} {:?}", file.facts()),
                Err(error) => format!("{error:?} {error}"),
            },
            Err(error) => format!("{error:?} {error}"),
        };
        for value in names(&bytes) {
            assert!(
                !text.contains(&value),
                "{}: {value} in {text}",
                path.display()
            );
        }
    }
}

/// The values of PatientName and PatientID as they lie in a file with written representations.
fn names(bytes: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for mark in [b"\x10\x00\x10\x00PN", b"\x10\x00\x20\x00LO"] {
        for at in 0..bytes.len().saturating_sub(8) {
            if &bytes[at..at + 6] == mark {
                let length = usize::from(u16::from_le_bytes([bytes[at + 6], bytes[at + 7]]));
                let value = bytes.get(at + 8..at + 8 + length).unwrap_or_default();
                let value = String::from_utf8_lossy(value).trim().to_owned();
                if value.len() > 3 {
                    names.push(value);
                }
            }
        }
    }
    names
}
