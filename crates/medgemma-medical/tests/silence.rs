//! Not a word of the patient in what is logged or told. The only test of its process: whether a line is logged at all is
//! settled the first time that its place is passed, and another test passing it at that moment can settle it for "no".

mod support;

use std::sync::{Arc, Mutex};

use medgemma_medical::{Dicom, Limits};
use support::writer::{EXPLICIT, Writer};

/// Where the elements behind the file meta information of a [`Writer`] of explicit elements begin.
const META: usize = 132 + 8 + 20;

/// Everything that is logged, at every level and by every crate.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("one thread").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const NAME: &str = "Quasimodo^Zebulon";
const ID: &str = "MRN-8812345";

#[test]
fn no_log_line_no_error_and_no_debug_text_holds_the_patient() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let mut texts = Vec::new();
    tracing::subscriber::with_default(subscriber, || {
        let named = |writer: Writer| {
            Writer::new(EXPLICIT)
                .text(0x0010, 0x0010, b"PN", NAME)
                .text(0x0010, 0x0020, b"LO", ID)
                .text(0x0010, 0x0030, b"DA", "19310704")
                .raw(&writer.file()[META..])
        };
        let whole = named(Writer::grey(1, 2, false)).pixels(&[1, 2]).file();
        let mut tried: Vec<Vec<u8>> = (0..whole.len()).map(|end| whole[..end].to_vec()).collect();
        // Every byte another one: lengths, tags and representations that lie.
        for at in 132..whole.len() {
            for value in [0, 0xFF, whole[at] ^ 0x10] {
                let mut changed = whole.clone();
                changed[at] = value;
                tried.push(changed);
            }
        }
        tried.push(whole);
        for bytes in tried {
            match Dicom::read(bytes, &Limits::default()) {
                Ok(file) => {
                    texts.push(format!("{file:?} {:?} {:?}", file.facts(), file.notices()));
                    match file.frame(0) {
                        Ok(frame) => texts.push(format!("{frame:?} {:?}", file.grey(0))),
                        Err(error) => texts.push(format!("{error} {error:?}")),
                    }
                }
                Err(error) => texts.push(format!("{error} {error:?}")),
            }
        }
    });
    let logged = String::from_utf8(log.0.lock().expect("one thread").clone()).expect("text");
    assert!(logged.contains("DICOM file read"), "the log was captured");
    texts.push(logged);
    for text in texts {
        for part in ["Quasi", "Zebulon", "8812345", "19310704"] {
            assert!(!text.contains(part), "{part} in {text}");
        }
    }
}
