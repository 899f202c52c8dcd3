//! Any bytes, and any bytes behind a header of the first version: an error, or volumes of the size that the file says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use medgemma_medical::{Limits, Nifti};

fuzz_target!(|bytes: &[u8]| {
    read(bytes.to_vec());
    let mut file = bytes.to_vec();
    if file.len() >= 348 {
        file[..4].copy_from_slice(&348i32.to_le_bytes());
        file[344..348].copy_from_slice(b"n+1\0");
        read(file);
    }
});

fn read(bytes: Vec<u8>) {
    let limits = Limits::default()
        .with_max_pixels(1 << 16)
        .with_max_frames(256)
        .with_max_decompressed_bytes(1 << 20)
        .with_max_volume_bytes(1 << 20);
    let Ok(file) = Nifti::read(bytes, &limits) else {
        return;
    };
    for index in 0..file.volumes().min(3) {
        let volume = file
            .volume(index)
            .expect("checked against the length of the data");
        let turned = volume.axial();
        let values = |planes: &[medgemma_medical::Plane]| {
            planes
                .iter()
                .map(|plane| plane.values().len())
                .sum::<usize>()
        };
        assert_eq!(values(&volume.planes), values(&turned.planes));
    }
}
