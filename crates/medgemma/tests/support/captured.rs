//! A log that tests read.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// Takes what would go to a log.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("no test panics in it")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// What it has taken so far.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no test panics in it").clone())
            .expect("a log is text")
    }

    /// The same, which is taken out of it.
    pub fn take(&self) -> String {
        String::from_utf8(std::mem::take(
            &mut *self.0.lock().expect("no test panics in it"),
        ))
        .expect("a log is text")
    }
}
