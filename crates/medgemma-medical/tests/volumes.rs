//! Volumes from slices: which, in which order, how far apart; and turned for a reader.
#![allow(
    clippy::cast_possible_truncation,
    reason = "small numbers of files made for the test"
)]

mod support;

use medgemma_medical::{Dicom, Error, Limits, Remark, Volume};
use support::writer::Writer;

struct Slice {
    z: f64,
    instance: i64,
    acquisition: i64,
    kind: &'static str,
    series: &'static str,
    value: u16,
}

impl Slice {
    fn at(z: f64, value: u16) -> Self {
        Self {
            z,
            instance: i64::from(value),
            acquisition: 1,
            kind: "ORIGINAL\\PRIMARY\\AXIAL",
            series: "1.2.3",
            value,
        }
    }

    fn file(&self) -> Dicom {
        let writer = Writer::new(support::writer::EXPLICIT)
            .text(0x0008, 0x0008, b"CS", self.kind)
            .text(0x0018, 0x0050, b"DS", "5")
            .text(0x0020, 0x000E, b"UI", self.series)
            .text(0x0020, 0x0012, b"IS", &self.acquisition.to_string())
            .text(0x0020, 0x0013, b"IS", &self.instance.to_string())
            .text(0x0020, 0x0032, b"DS", &format!("-100\\-50\\{}", self.z))
            .text(0x0020, 0x0037, b"DS", "1\\0\\0\\0\\1\\0")
            .us(0x0028, 0x0002, 1)
            .text(0x0028, 0x0004, b"CS", "MONOCHROME2")
            .us(0x0028, 0x0010, 2)
            .us(0x0028, 0x0011, 3)
            .text(0x0028, 0x0030, b"DS", "0.7\\0.5")
            .us(0x0028, 0x0100, 16)
            .us(0x0028, 0x0101, 16)
            .pixels(&[self.value, 0, 0, 0, 0, 0]);
        Dicom::read(writer.file(), &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
    }
}

fn volume(slices: &[Slice]) -> medgemma_medical::Result<Volume> {
    let files: Vec<Dicom> = slices.iter().map(Slice::file).collect();
    Volume::from_dicom(&files)
}

fn firsts(volume: &Volume) -> Vec<f32> {
    volume
        .planes
        .iter()
        .map(|plane| plane.values()[0])
        .collect()
}

#[test]
fn slices_are_ordered_by_position_not_by_number_or_place_in_the_list() {
    let found = volume(&[
        Slice::at(5.0, 1),
        Slice::at(-5.0, 2),
        Slice::at(10.0, 3),
        Slice::at(0.0, 4),
    ])
    .expect("one stack");
    assert_eq!(firsts(&found), [2.0, 4.0, 1.0, 3.0]);
    assert_eq!(found.spacing, [0.5, 0.7, 5.0]);
    assert_eq!(found.affine[0], [0.5, 0.0, 0.0, -100.0]);
    assert_eq!(found.affine[1], [0.0, 0.7, 0.0, -50.0]);
    assert_eq!(found.affine[2], [0.0, 0.0, 5.0, -5.0]);
    assert_eq!(found.remarks, []);
}

#[test]
fn of_a_mixed_series_the_last_original_acquisition_is_taken() {
    let mut slices = vec![Slice::at(0.0, 1), Slice::at(5.0, 2)];
    slices.push(Slice {
        kind: "DERIVED\\SECONDARY",
        acquisition: 3,
        ..Slice::at(10.0, 3)
    });
    slices.push(Slice {
        kind: "ORIGINAL\\PRIMARY\\LOCALIZER",
        acquisition: 4,
        ..Slice::at(15.0, 4)
    });
    for (z, value) in [(0.0, 5), (5.0, 6)] {
        slices.push(Slice {
            acquisition: 2,
            ..Slice::at(z, value)
        });
    }
    slices.push(Slice {
        acquisition: 2,
        instance: 6,
        ..Slice::at(10.0, 7)
    });
    let found = volume(&slices).expect("one stack");
    assert_eq!(firsts(&found), [5.0, 6.0]);
    assert_eq!(
        found.remarks,
        [
            Remark::MostDropped {
                kept: 2,
                dropped: 5
            },
            Remark::LocalizersDropped(1),
            Remark::DerivedDropped(1),
            Remark::AcquisitionsDropped(2),
            Remark::DuplicatesDropped(1),
        ]
    );
}

#[test]
fn where_most_slices_go_that_is_said_first() {
    // Two slices of the last acquisition, and as many or one more of the one before.
    for (others, most) in [(2_u16, false), (3, true)] {
        let mut slices = vec![Slice::at(0.0, 1), Slice::at(5.0, 2)];
        for slice in &mut slices {
            slice.acquisition = 2;
        }
        let before = (0..others).map(|n| Slice::at(f64::from(n), 10 + n));
        slices.extend(before);
        let found = volume(&slices).expect("one stack");
        let dropped = usize::from(others);
        let said = Remark::AcquisitionsDropped(dropped);
        let first = Remark::MostDropped { kept: 2, dropped };
        let text = first.to_string();
        assert!(text.contains("give its files alone"), "{text}");
        let expected = if most { vec![first, said] } else { vec![said] };
        assert_eq!(found.remarks, expected);
    }
}

#[test]
fn gaps_and_uneven_distances_are_said() {
    let places = [0.0, 5.0, 10.0, 25.0, 30.0];
    let slices: Vec<Slice> = places
        .iter()
        .zip(1..)
        .map(|(&z, n)| Slice::at(z, n))
        .collect();
    let found = volume(&slices).expect("one stack");
    assert_eq!(found.spacing[2], 5.0);
    assert_eq!(
        found.remarks,
        [
            Remark::Gap {
                after: 2,
                missing: 2
            },
            Remark::Uneven {
                smallest: 5.0,
                largest: 15.0
            },
        ]
    );
    let slices = [Slice::at(0.0, 1), Slice::at(5.0, 2), Slice::at(10.02, 3)];
    assert_eq!(volume(&slices).expect("one stack").remarks, []);
}

#[test]
fn one_slice_has_its_thickness() {
    let found = volume(&[Slice::at(3.0, 9)]).expect("one slice");
    assert_eq!(found.spacing[2], 5.0);
}

#[test]
fn what_is_no_stack_is_refused() {
    let refused = |slices: &[Slice], what: &str| {
        let error = volume(slices).expect_err(what);
        assert!(matches!(error, Error::Series { .. }), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    };
    refused(
        &[Slice::at(0.0, 1), Slice::at(0.0, 2)],
        "two slices at the place",
    );
    let other = Slice {
        series: "1.2.4",
        ..Slice::at(5.0, 2)
    };
    refused(&[Slice::at(0.0, 1), other], "several series");
    refused(&[], "ImagePositionPatient");
}

#[test]
fn turning_keeps_every_value_at_its_place_in_the_patient() {
    // Sagittal slices from left to right, rows from the head down: columns run to the back.
    let mut files = Vec::new();
    for plane in 0..4u16 {
        let values: Vec<u16> = (0..6).map(|i| plane * 10 + i).collect();
        let writer = Writer::grey(2, 3, false)
            .text(
                0x0020,
                0x0032,
                b"DS",
                &format!("{}\\-40\\90", 30 - 3 * i32::from(plane)),
            )
            .text(0x0020, 0x0037, b"DS", "0\\1\\0\\0\\0\\-1")
            .text(0x0028, 0x0030, b"DS", "2\\1.5")
            .pixels(&values);
        files.push(Dicom::read(writer.file(), &Limits::default()).expect("a file"));
    }
    let sagittal = Volume::from_dicom(&files).expect("one stack");
    let axial = sagittal.axial();
    assert_eq!(axial.spacing, [3.0, 1.5, 2.0]);
    assert_eq!(
        (
            axial.planes.len(),
            axial.planes[0].rows(),
            axial.planes[0].columns()
        ),
        (2, 3, 4)
    );
    for axis in 0..3 {
        assert!(axial.affine[axis][axis] > 0.0);
    }
    // The lowest plane, front row, rightmost column: second row of the file's slice at x = 21, its first column.
    assert_eq!(axial.planes[0].values()[0], 33.0);
    for (volume, check) in [(&sagittal, &axial), (&axial, &sagittal)] {
        for (k, plane) in volume.planes.iter().enumerate() {
            for (at, &value) in plane.values().iter().enumerate() {
                let index = [at % plane.columns(), at / plane.columns(), k].map(|n| n as f64);
                let place = volume
                    .affine
                    .map(|row| row[3] + (0..3).map(|axis| row[axis] * index[axis]).sum::<f64>());
                assert_eq!(value_at(check, place), Some(value), "{index:?}");
            }
        }
    }
}

/// Slices 5 mm apart along the couch, of a gantry tilted by 20 degrees; `aside` moves the first pixel along the row.
fn tilted(places: &[f64], aside: f64) -> Volume {
    let files = places.iter().zip(1u16..).map(|(z, value)| {
        let writer = Writer::grey(2, 3, false)
            .text(0x0020, 0x0032, b"DS", &format!("{aside}\\-50\\{z}"))
            .text(0x0020, 0x0037, b"DS", "1\\0\\0\\0\\0.93969262\\-0.34202014")
            .text(0x0028, 0x0030, b"DS", "0.7\\0.5")
            .pixels(&[value, 0, 0, 0, 0, 0]);
        Dicom::read(writer.file(), &Limits::default()).expect("a file")
    });
    Volume::from_dicom(&files.collect::<Vec<_>>()).expect("one stack")
}

#[test]
fn the_affine_of_a_tilted_stack_goes_through_its_positions() {
    let (sin, cos) = (0.342_020_14, 0.939_692_62);
    let near = |found: f64, expected: f64| {
        assert!((found - expected).abs() < 1e-6, "{found}, {expected}");
    };
    for (places, steps) in [
        (&[10.0, 0.0, 5.0, 20.0, 15.0][..], 4.0),
        // With one slice missing the step stays that of neighbours.
        (&[0.0, 5.0, 15.0, 20.0], 4.0),
    ] {
        let found = tilted(places, -100.0);
        near(found.spacing[2], 5.0 * cos);
        let step = found.affine.map(|row| row[2]);
        for (found, expected) in step.into_iter().zip([0.0, 0.0, 5.0]) {
            near(found, expected);
        }
        let [.., Remark::Sheared { largest }] = found.remarks[..] else {
            panic!("{:?}", found.remarks);
        };
        near(largest, 5.0 * steps * sin);
        let text = found.remarks.last().expect("one").to_string();
        assert!(text.contains("up to 6.8 mm (gantry tilt)"), "{text}");
        // The last plane lies where its file says.
        near(found.affine[2][3] + step[2] * steps, 20.0);
    }
    let axial = tilted(&[0.0, 5.0], -100.0).axial();
    assert_eq!(axial.planes.len(), 2);
    near(axial.affine[2][2], 5.0);
}

#[test]
fn a_stack_along_its_normal_is_not_said_to_be_tilted() {
    // Directions of four digits leave a hundredth of a millimetre.
    let slice = |k: f64| {
        let writer = Writer::grey(1, 1, false)
            .text(
                0x0020,
                0x0032,
                b"DS",
                &format!("0\\{}\\{}", 0.342_02 * 5.0 * k, 0.939_69 * 5.0 * k),
            )
            .text(0x0020, 0x0037, b"DS", "1\\0\\0\\0\\0.9397\\-0.342")
            .text(0x0028, 0x0030, b"DS", "0.5\\0.5")
            .pixels(&[1]);
        Dicom::read(writer.file(), &Limits::default()).expect("a file")
    };
    let files: Vec<_> = (0..20).map(|k| slice(f64::from(k))).collect();
    let found = Volume::from_dicom(&files).expect("one stack");
    assert_eq!(found.remarks, []);
    let normal = files[0].geometry(0).expect("a plane").normal();
    let step = found.affine.map(|row| row[2]);
    assert_eq!(step, normal.map(|part| part * found.spacing[2]));
}

/// The value whose centre lies at `place`.
fn value_at(volume: &Volume, place: [f64; 3]) -> Option<f32> {
    for (k, plane) in volume.planes.iter().enumerate() {
        for (at, &value) in plane.values().iter().enumerate() {
            let index = [at % plane.columns(), at / plane.columns(), k].map(|n| n as f64);
            let here = volume
                .affine
                .map(|row| row[3] + (0..3).map(|axis| row[axis] * index[axis]).sum::<f64>());
            if here.iter().zip(place).all(|(a, b)| (a - b).abs() < 1e-6) {
                return Some(value);
            }
        }
    }
    None
}
