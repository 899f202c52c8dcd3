//! Files made to be slow: what they take is in proportion to their bytes. Each is held to a file of the same size that is
//! not made so, on the same machine; what is not in proportion takes some thousand times as long.
#![allow(
    clippy::cast_possible_truncation,
    reason = "small numbers of files made for the test"
)]

mod support;

use std::io::Write as _;
use std::time::Duration;

use cpu_time::ThreadTime;
use medgemma_medical::{Dicom, Limits, Notice};
use support::writer::{EXPLICIT, Writer};

/// Behind preamble, `DICM` and the transfer syntax of explicit elements.
const META: usize = 132 + 8 + 20;

fn read(writer: &Writer) -> Dicom {
    Dicom::read(writer.file(), &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// The processor's time for the quicker of two runs: other work on the machine makes one slow.
fn took(mut run: impl FnMut()) -> Duration {
    let once = |run: &mut dyn FnMut()| {
        let begun = ThreadTime::now();
        run();
        begun.elapsed()
    };
    let first = once(&mut run);
    if first > Duration::from_secs(5) {
        return first;
    }
    first.min(once(&mut run))
}

fn in_proportion(hostile: Duration, plain: Duration) {
    let most = plain * 20 + Duration::from_millis(200);
    assert!(hostile < most, "{hostile:?}, the plain one {plain:?}");
}

#[test]
fn zeros_are_not_looked_at_again_at_each_element() {
    const ELEMENTS: usize = 100_000;
    // Each eight zeros are an element of tag (0000,0000); what stands behind them is no padding.
    let mut zeros = vec![0; ELEMENTS * 8];
    zeros.push(1);
    let file = Writer::grey(1, 1, false).pixels(&[7]).raw(&zeros);
    let found = read(&file);
    assert_eq!(found.notices(), [Notice::TrailingBytes(1)]);
    let mut others = [0x29, 0, 0, 0, b'U', b'S', 0, 0].repeat(ELEMENTS);
    others.push(1);
    let plain = Writer::grey(1, 1, false).pixels(&[7]).raw(&others);
    let plain = took(|| drop(read(&plain)));
    in_proportion(took(|| drop(read(&file))), plain);
}

#[test]
fn zeros_to_the_end_are_padding() {
    let zeros = vec![0; 1001];
    let found = read(&Writer::grey(1, 1, false).pixels(&[7]).raw(&zeros));
    assert_eq!(found.notices(), [Notice::TrailingBytes(1001)]);
    // An element whose first byte alone is not zero is one.
    let last = [&[1][..], &zeros[..7], &zeros].concat();
    let found = read(&Writer::grey(1, 1, false).pixels(&[7]).raw(&last));
    assert_eq!(found.notices(), [Notice::TrailingBytes(1001)]);
}

#[test]
fn elements_are_not_looked_through_for_every_frame() {
    const FRAMES: usize = 4000;
    let file = |private: usize| {
        let elements = (0..private).flat_map(|at| {
            let [group, element] = [0x29 + 2 * (at / 60_000), at % 60_000].map(|n| n as u16);
            let tag = [group.to_le_bytes(), element.to_le_bytes()].concat();
            [&tag[..], b"US\0\0"].concat()
        });
        let writer = Writer::new(EXPLICIT)
            .text(0x0020, 0x0032, b"DS", "1\\2\\3")
            .text(0x0020, 0x0037, b"DS", "1\\0\\0\\0\\1\\0")
            .raw(&Writer::grey(1, 1, false).file()[META..])
            .text(0x0028, 0x0008, b"IS", &FRAMES.to_string())
            .raw(&elements.collect::<Vec<u8>>())
            .pixels(&vec![9; FRAMES]);
        read(&writer)
    };
    let frames = |file: &Dicom| {
        for index in 0..FRAMES {
            assert_eq!(file.geometry(index).expect("a plane").position[2], 3.0);
            assert_eq!(file.grey(index).expect("a frame").values(), [9.0]);
        }
    };
    let (few, many) = (file(0), file(180_000));
    let plain = took(|| frames(&few));
    in_proportion(took(|| frames(&many)), plain);
}

#[test]
fn a_long_value_is_not_read_through_for_every_frame() {
    const FRAMES: usize = 1000;
    let file = |blanks: usize| {
        // Of 32-bit length, as forwarding systems write what they do not know.
        let mut position = b"1\\2\\3 ".to_vec();
        position.resize(position.len() + blanks, b' ');
        let writer = Writer::new(EXPLICIT)
            .element(0x0020, 0x0032, b"UN", &position)
            .text(0x0020, 0x0037, b"DS", "1\\0\\0\\0\\1\\0")
            .raw(&Writer::grey(1, 1, false).file()[META..])
            .text(0x0028, 0x0008, b"IS", &FRAMES.to_string())
            .pixels(&vec![9; FRAMES]);
        read(&writer)
    };
    let frames = |file: &Dicom| {
        for index in 0..FRAMES {
            assert_eq!(file.geometry(index).expect("a plane").position[2], 3.0);
        }
    };
    let (short, long) = (file(0), file(4 << 20));
    let plain = took(|| frames(&short));
    in_proportion(took(|| frames(&long)), plain);
}

/// What is deflated is unpacked as far as its description asks for: here each look finds that ten bytes more are wanted.
#[test]
fn a_description_that_grows_while_it_is_unpacked_is_not_read_each_time() {
    const FIRST: usize = 1 << 20;
    const ROWS: u16 = 100;
    let description = Writer::new(EXPLICIT)
        .us(0x0028, 0x0002, 1)
        .text(0x0028, 0x0004, b"CS", "MONOCHROME2")
        .us(0x0028, 0x0010, ROWS)
        .us(0x0028, 0x0011, 1)
        .us(0x0028, 0x0100, 8)
        .us(0x0028, 0x0101, 8)
        .element(0x7FE0, 0x0010, b"OW", &[]);
    let mut body = description.file()[META..].to_vec();
    let (whole, rest) = ((FIRST + 1 - body.len()) / 8, (FIRST + 1 - body.len()) % 8);
    // One that is longer by what does not fill an element.
    body.extend([0x29, 0, 0, 0, b'L', b'T', rest as u8, 0]);
    body.resize(body.len() + rest, b' ');
    body.extend([0x29, 0, 0, 0, b'L', b'T', 0, 0].repeat(whole - 1));
    assert_eq!(body.len(), FIRST + 1);
    for step in 1..5000 {
        body.extend([0x28, 0, 0x10, 0, b'U', b'S', 2, 0]);
        body.extend((ROWS + 10 * step).to_le_bytes());
    }
    let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(&body).expect("in memory");
    let packed = packer.finish().expect("in memory");
    let deflated = Writer::new("1.2.840.10008.1.2.1.99").raw(&packed).file();
    let plain = Writer::new(EXPLICIT).raw(&body);

    let limits = Limits::default().with_max_header_bytes((FIRST + 10) as u64 - u64::from(ROWS));
    let hostile = took(|| {
        Dicom::read(deflated.clone(), &limits).expect("a file");
    });
    in_proportion(hostile, took(|| drop(read(&plain))));
}
