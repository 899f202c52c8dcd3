//! Any bytes: an error, or a file whose every frame is an error or a picture of the size that it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use medgemma_medical::{Dicom, Limits, Volume};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default()
        .with_max_pixels(1 << 16)
        .with_max_frames(64)
        .with_max_decompressed_bytes(1 << 22)
        .with_max_elements(1 << 14);
    let Ok(file) = Dicom::read(bytes.to_vec(), &limits) else {
        return;
    };
    assert!(file.frames() <= 64);
    let _ = file.facts();
    for index in 0..file.frames().min(3) {
        let _ = (file.geometry(index), file.windows(index));
        if let Ok(frame) = file.frame(index) {
            let area = frame.rows() * frame.columns();
            assert!(area <= 1 << 16);
            assert_eq!(frame.values().len(), area * frame.channels());
        }
        let _ = (file.grey(index), file.voi(index));
        let _ = (file.display(index), file.rgb(index));
    }
    if let Ok(volume) = Volume::from_dicom(&[file]) {
        assert_eq!(
            volume.axial().axial().planes.len(),
            volume.axial().planes.len()
        );
    }
});
