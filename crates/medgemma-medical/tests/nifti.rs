//! NIfTI files against nibabel 5.4.2 and against numbers worked out by hand.
#![allow(
    clippy::cast_possible_truncation,
    reason = "small numbers of files made for the test"
)]

mod support;

use medgemma_medical::{Limits, Nifti, Remark};
use support::fetched;

/// A file of one volume 2 × 3 × 2 as a test wants it: `wide` is NIfTI-2.
#[derive(Clone, Copy)]
struct Made {
    wide: bool,
    big_endian: bool,
    code: i16,
    scale: [f64; 2],
    sform: bool,
    qform: Option<[f64; 3]>,
    mirrored: bool,
}

const PLAIN: Made = Made {
    wide: false,
    big_endian: false,
    code: 4,
    scale: [0.0, 0.0],
    sform: false,
    qform: None,
    mirrored: false,
};

impl Made {
    fn file(self, data: &[u8]) -> Vec<u8> {
        let start = if self.wide { 544 } else { 352 };
        let mut file = vec![0; start];
        let mut put = |at: usize, bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            if self.big_endian {
                bytes.reverse();
            }
            file[at..at + bytes.len()].copy_from_slice(&bytes);
        };
        let dim = [4i16, 2, 3, 2, 1, 1, 1, 1];
        let pixdim = [
            if self.mirrored { -1.0 } else { 1.0 },
            0.5,
            0.75,
            3.0,
            1.0,
            0.0,
            0.0,
            0.0,
        ];
        let sform = [
            -0.5, 0.0, 0.0, 10.0, 0.0, 0.75, 0.0, 20.0, 0.0, 0.0, 3.0, 30.0,
        ];
        let quaternion = self.qform.unwrap_or_default();
        let quatern: Vec<f64> = quaternion.iter().copied().chain([1.0, 2.0, 3.0]).collect();
        let codes = [self.qform.is_some(), self.sform].map(i16::from);
        if self.wide {
            put(0, &540i32.to_le_bytes());
            put(12, &self.code.to_le_bytes());
            for (i, &n) in dim.iter().enumerate() {
                put(16 + 8 * i, &i64::from(n).to_le_bytes());
                put(104 + 8 * i, &f64::to_le_bytes(pixdim[i]));
            }
            put(168, &544i64.to_le_bytes());
            put(176, &self.scale[0].to_le_bytes());
            put(184, &self.scale[1].to_le_bytes());
            put(344, &i32::from(codes[0]).to_le_bytes());
            put(348, &i32::from(codes[1]).to_le_bytes());
            quatern
                .iter()
                .enumerate()
                .for_each(|(i, v)| put(352 + 8 * i, &v.to_le_bytes()));
            sform
                .iter()
                .enumerate()
                .for_each(|(i, v): (usize, &f64)| put(400 + 8 * i, &v.to_le_bytes()));
            file[4..12].copy_from_slice(b"n+2\0\r\n\x1A\n");
        } else {
            put(0, &348i32.to_le_bytes());
            put(70, &self.code.to_le_bytes());
            for (i, &n) in dim.iter().enumerate() {
                put(40 + 2 * i, &n.to_le_bytes());
                put(76 + 4 * i, &(pixdim[i] as f32).to_le_bytes());
            }
            put(108, &352f32.to_le_bytes());
            put(112, &(self.scale[0] as f32).to_le_bytes());
            put(116, &(self.scale[1] as f32).to_le_bytes());
            put(252, &codes[0].to_le_bytes());
            put(254, &codes[1].to_le_bytes());
            quatern
                .iter()
                .enumerate()
                .for_each(|(i, v)| put(256 + 4 * i, &(*v as f32).to_le_bytes()));
            sform
                .iter()
                .enumerate()
                .for_each(|(i, v): (usize, &f64)| put(280 + 4 * i, &(*v as f32).to_le_bytes()));
            file[344..348].copy_from_slice(b"n+1\0");
        }
        file.extend(data);
        file
    }
}

fn read(file: Vec<u8>) -> Nifti {
    Nifti::read(file, &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_type_in_both_versions_and_orders() {
    let values: Vec<f64> = (0..12).map(f64::from).collect();
    for (code, signed, encode) in [
        (2, false, (|v| vec![v as u8]) as fn(f64) -> Vec<u8>),
        (256, true, |v| (v as i8).to_le_bytes().to_vec()),
        (4, true, |v| (v as i16).to_le_bytes().to_vec()),
        (512, false, |v| (v as u16).to_le_bytes().to_vec()),
        (8, true, |v| (v as i32).to_le_bytes().to_vec()),
        (768, false, |v| (v as u32).to_le_bytes().to_vec()),
        (1024, true, |v| (v as i64).to_le_bytes().to_vec()),
        (1280, false, |v| (v as u64).to_le_bytes().to_vec()),
        (16, true, |v| (v as f32).to_le_bytes().to_vec()),
        (64, true, |v| v.to_le_bytes().to_vec()),
    ] {
        // The highest bit tells signed from unsigned.
        let top = if signed { -3.0 } else { 200.0 };
        for wide in [false, true] {
            for big_endian in [false, true] {
                let data: Vec<u8> = values
                    .iter()
                    .map(|&v| if v == 5.0 { top } else { v })
                    .flat_map(|v| {
                        let mut bytes = encode(v);
                        if big_endian {
                            bytes.reverse();
                        }
                        bytes
                    })
                    .collect();
                let made = Made {
                    wide,
                    big_endian,
                    code,
                    ..PLAIN
                };
                let volume = read(made.file(&data)).volume(0).expect("one volume");
                let top = top as f32;
                assert_eq!(
                    volume.planes[0].values(),
                    [0.0, 1.0, 2.0, 3.0, 4.0, top],
                    "{code}"
                );
                assert_eq!(volume.planes[1].values(), [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
                assert_eq!(
                    (volume.planes[0].rows(), volume.planes[0].columns()),
                    (3, 2)
                );
            }
        }
    }
}

fn shorts() -> Vec<u8> {
    (0..12i16).flat_map(i16::to_le_bytes).collect()
}

#[test]
fn slope_and_intercept_unless_the_slope_is_zero() {
    let of = |scale| {
        let file = read(Made { scale, ..PLAIN }.file(&shorts()));
        file.volume(0).expect("one volume").planes[0].values()[..3].to_vec()
    };
    assert_eq!(of([2.0, -1.0]), [-1.0, 1.0, 3.0]);
    assert_eq!(of([0.0, 7.0]), [0.0, 1.0, 2.0]);
    assert_eq!(of([f64::NAN, 7.0]), [0.0, 1.0, 2.0]);
}

#[test]
fn sform_before_qform_before_spacings_in_the_patients_coordinates() {
    let of = |made: Made| read(made.file(&shorts())).volume(0).expect("one volume");
    let volume = of(Made {
        sform: true,
        qform: Some([0.0, 0.0, 1.0]),
        ..PLAIN
    });
    // The file counts to the right and to the front.
    assert_eq!(volume.affine[0], [0.5, 0.0, 0.0, -10.0]);
    assert_eq!(volume.affine[1], [0.0, -0.75, 0.0, -20.0]);
    assert_eq!(volume.affine[2], [0.0, 0.0, 3.0, 30.0]);
    assert_eq!(volume.spacing, [0.5, 0.75, 3.0]);
    // Half a turn about the third axis.
    let volume = of(Made {
        qform: Some([0.0, 0.0, 1.0]),
        ..PLAIN
    });
    assert_eq!(volume.affine[0], [0.5, 0.0, 0.0, -1.0]);
    assert_eq!(volume.affine[1], [0.0, 0.75, 0.0, -2.0]);
    assert_eq!(volume.affine[2], [0.0, 0.0, 3.0, 3.0]);
    let volume = of(Made {
        qform: Some([0.0, 0.0, 1.0]),
        mirrored: true,
        ..PLAIN
    });
    assert_eq!(volume.affine[2], [0.0, 0.0, -3.0, 3.0]);
    // A quarter turn about the first axis: the second goes to the head.
    let quarter = 0.5f64.sqrt();
    let volume = of(Made {
        qform: Some([quarter, 0.0, 0.0]),
        wide: true,
        ..PLAIN
    });
    assert!(
        (volume.affine[2][1] - 0.75).abs() < 1e-9,
        "{:?}",
        volume.affine
    );
    assert!(
        (volume.affine[1][2] - 3.0).abs() < 1e-9,
        "{:?}",
        volume.affine
    );
    let volume = of(PLAIN);
    assert_eq!(volume.remarks, [Remark::SpacingUnknown]);
    assert_eq!(volume.spacing, [0.5, 0.75, 3.0]);
}

#[test]
fn broken_headers_are_refused_by_field() {
    let whole = PLAIN.file(&shorts());
    for (at, bytes, field) in [
        (0, &[1u8, 2, 3, 4][..], "sizeof_hdr"),
        (344, b"ni1\0", "magic"),
        (70, &[128, 0], "datatype"),
        (40, &[9, 0], "dim[0]"),
        (42, &[0, 0], "dim[1]"),
        (44, &[0xFF, 0xFF], "dim[2]"),
        (46, &[0xFF, 0x7F], "data"),
        (108, &1f32.to_le_bytes(), "vox_offset"),
    ] {
        let mut broken = whole.clone();
        broken[at..at + bytes.len()].copy_from_slice(bytes);
        let error = Nifti::read(broken, &Limits::default())
            .expect_err(field)
            .to_string();
        assert!(
            error.contains(&format!("bytes in memory: {field}:")),
            "{error}"
        );
    }
    let error = Nifti::read(whole[..whole.len() - 1].to_vec(), &Limits::default());
    assert!(error.expect_err("cut off").to_string().contains("24 bytes"));
    for end in 0..whole.len() {
        assert!(Nifti::read(whole[..end].to_vec(), &Limits::default()).is_err());
    }
    let mut huge = whole.clone();
    huge[42..48].copy_from_slice(&[0xFF, 0x7F, 0xFF, 0x7F, 0xFF, 0x7F]);
    let error = Nifti::read(huge, &Limits::default())
        .expect_err("35 terabytes")
        .to_string();
    assert!(error.contains("max_pixels"), "{error}");
    assert!(read(whole).volume(1).is_err());
}

/// What nibabel 5.4.2 says of the files that it ships: size, voxels at places `(i, j, k, t)`, the affine's diagonal.
#[test]
#[ignore = "needs the files that .ci/fetch-medical fetches"]
fn fetched_files_equal_nibabel() {
    let text =
        std::fs::read_to_string(support::root().join("tests/golden/nifti.json")).expect("goldens");
    let expected: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let expected = expected.as_object().expect("files");
    assert_eq!(expected.len(), 3);
    for (name, expected) in expected {
        let file = Nifti::open(fetched(name), &Limits::default()).unwrap_or_else(|e| panic!("{e}"));
        let numbers = |value: &serde_json::Value| -> Vec<f64> {
            value
                .as_array()
                .expect("list")
                .iter()
                .map(|v| v.as_f64().expect("number"))
                .collect()
        };
        let size = numbers(&expected["shape"]);
        assert_eq!(file.volumes() as f64, size[3], "{name}");
        for place in expected["at"].as_array().expect("list") {
            let place = numbers(place);
            let [i, j, k, t] = [0, 1, 2, 3].map(|axis| place[axis] as usize);
            let volume = file.volume(t).expect("a volume");
            let plane = &volume.planes[k];
            let value = f64::from(plane.values()[j * plane.columns() + i]);
            assert!(
                (value - place[4]).abs() <= place[4].abs() * 1e-7,
                "{name}: {value} for {place:?}"
            );
        }
        let volume = file.volume(0).expect("a volume");
        assert_eq!(
            [
                volume.planes[0].columns(),
                volume.planes[0].rows(),
                volume.planes.len()
            ]
            .map(|n| n as f64),
            size[..3]
        );
        for (axis, sign) in [(0, -1.0), (1, -1.0), (2, 1.0)] {
            for (found, wanted) in volume.affine[axis]
                .iter()
                .zip(numbers(&expected["affine"][axis]))
            {
                assert!(
                    (found * sign - wanted).abs() < 1e-4,
                    "{name}: {:?}",
                    volume.affine
                );
            }
        }
    }
}

/// What is not compressed unpacks to nothing: a CT of 512 x 512 x 1100 is larger than what a compressed file may become.
#[test]
fn a_plain_file_is_held_to_the_limit_for_volumes_and_not_to_that_for_compressed_ones() {
    let file = PLAIN.file(&[0; 24]);
    let limits = Limits::default().with_max_decompressed_bytes(1);
    let read = |most| Nifti::read(file.clone(), &limits.clone().with_max_volume_bytes(most));
    // 12 values of 4 bytes.
    let volume = read(48).and_then(|file| file.volume(0));
    assert_eq!(volume.expect("a volume").planes.len(), 2);
    let error = read(47).expect_err("a byte less").to_string();
    assert!(
        error.contains("max_volume_bytes is 48, limit 47"),
        "{error}"
    );
}
