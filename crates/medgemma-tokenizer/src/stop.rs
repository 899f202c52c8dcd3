//! Stop strings in streamed text: end a reply before the first of them, however tokens cut the text.
//!
//! One Knuth-Morris-Pratt automaton for each stop string ("Fast pattern matching in strings", SIAM J. Comput. 6(2),
//! 1977), so that each byte is looked at a constant number of times and the text held back is exactly the longest end
//! that may still grow into a stop string.

use std::fmt;

use crate::error::{Error, Result};

/// Watches streamed text for stop strings. `Debug` shows sizes only.
#[derive(Clone)]
pub struct StopStrings {
    automata: Vec<Automaton>,
    /// Text taken but not given out: it may begin a stop string.
    held: String,
    matched: Option<usize>,
}

impl fmt::Debug for StopStrings {
    /// Held text is a patient's, and a stop string may be.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopStrings")
            .field("stops", &self.automata.len())
            .field("held_bytes", &self.held.len())
            .field("matched", &self.matched)
            .finish()
    }
}

#[derive(Clone)]
struct Automaton {
    pattern: Vec<u8>,
    /// `borders[i]`: length of the longest proper prefix of `pattern[..=i]` that is also its suffix.
    borders: Vec<usize>,
    /// Length of the longest prefix of `pattern` that the text now ends with.
    state: usize,
}

impl StopStrings {
    /// Watches for the given strings; none at all is allowed and lets all text through.
    ///
    /// # Errors
    /// [`Error::EmptyStopString`].
    pub fn new<S: AsRef<str>>(stops: &[S]) -> Result<Self> {
        let mut automata = Vec::with_capacity(stops.len());
        for (index, stop) in stops.iter().enumerate() {
            if stop.as_ref().is_empty() {
                return Err(Error::EmptyStopString { index });
            }
            automata.push(Automaton::new(stop.as_ref()));
        }
        Ok(Self {
            automata,
            held: String::new(),
            matched: None,
        })
    }

    /// Takes a piece of text and returns what is now certain not to belong to a stop string.
    ///
    /// Text ends at the stop string that is completed first, the longest of them if several are completed at once;
    /// nothing of it is returned, and nothing after it.
    pub fn push(&mut self, piece: &str) -> String {
        if self.matched.is_some() {
            return String::new();
        }
        let before = self.held.len();
        self.held.push_str(piece);
        for (offset, byte) in piece.bytes().enumerate() {
            let mut longest: Option<(usize, usize)> = None;
            for (index, automaton) in self.automata.iter_mut().enumerate() {
                let length = automaton.pattern.len();
                if automaton.step(byte) && longest.is_none_or(|(_, other)| length > other) {
                    longest = Some((index, length));
                }
            }
            if let Some((index, length)) = longest {
                self.matched = Some(index);
                self.held.truncate(before + offset + 1 - length);
                return std::mem::take(&mut self.held);
            }
        }
        let hold = self
            .automata
            .iter()
            .map(|automaton| automaton.state)
            .max()
            .unwrap_or(0);
        // A partial match starts with a stop string's first byte, which starts a character.
        let rest = self.held.split_off(self.held.len() - hold);
        std::mem::replace(&mut self.held, rest)
    }

    /// Index of the stop string that ended the text, if one has.
    pub fn matched(&self) -> Option<usize> {
        self.matched
    }

    /// Ends the text: returns what was held back, and is then ready for a new text.
    pub fn finish(&mut self) -> String {
        self.matched = None;
        self.automata
            .iter_mut()
            .for_each(|automaton| automaton.state = 0);
        std::mem::take(&mut self.held)
    }
}

impl Automaton {
    fn new(pattern: &str) -> Self {
        let pattern = pattern.as_bytes().to_vec();
        let mut borders = vec![0; pattern.len()];
        let mut border = 0;
        for i in 1..pattern.len() {
            while border > 0 && pattern[i] != pattern[border] {
                border = borders[border - 1];
            }
            if pattern[i] == pattern[border] {
                border += 1;
            }
            borders[i] = border;
        }
        Self {
            pattern,
            borders,
            state: 0,
        }
    }

    /// Takes one byte; true if the text now ends with the pattern. Not called again after that.
    fn step(&mut self, byte: u8) -> bool {
        while self.state > 0 && byte != self.pattern[self.state] {
            self.state = self.borders[self.state - 1];
        }
        if byte == self.pattern[self.state] {
            self.state += 1;
        }
        self.state == self.pattern.len()
    }
}
