//! Splits the replies of thinking MedGemma models into reasoning and answer, at once or while streaming.
//!
//! Format seen in Google's MedGemma notebooks: `<unused94>thought\n … <unused95>answer`. Models may also leave the
//! thought empty, think without being asked, think again later, or be cut off inside a thought. The rules:
//!
//! * Text from `<unused94>` to the next `<unused95>` is reasoning, the rest is answer. The markers belong to neither;
//!   one without its partner (an end outside a thought, a start inside one) is dropped.
//! * Right after `<unused94>` the header `thought` is dropped, with its newline, if a newline, a marker or the end of
//!   the text follows it; `thoughtful` stays.
//! * Right after `<unused95>` newlines are dropped: they part the answer from the thought. All other text is verbatim.
//!
//! The markers must be in the text, unless a parser is told of them ([`ThoughtParser::by_markers`]). Decode with
//! `keep_special`, or rely on Gemma's tokenizer, which doesn't mark these two tokens as special and so never drops them.

use std::fmt;

use crate::special::{THOUGHT_END, THOUGHT_START};

const MARKERS: [&str; 2] = [THOUGHT_START, THOUGHT_END];

/// Word after the start marker that names the channel.
const HEADER: &str = "thought";

/// A piece of a streamed reply. `Debug` shows its size only.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyPiece {
    /// Part of the model's reasoning.
    Reasoning(String),
    /// Part of the answer.
    Answer(String),
}

impl fmt::Debug for ReplyPiece {
    /// What a reply says of a patient is not for logs and panic messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reasoning(text) => write!(f, "Reasoning({} bytes)", text.len()),
            Self::Answer(text) => write!(f, "Answer({} bytes)", text.len()),
        }
    }
}

/// A whole reply, split. `Debug` shows sizes only.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SplitReply {
    /// Text of the thoughts, one after the other; `None` if there was none, empty if it was empty.
    pub reasoning: Option<String>,
    /// Everything else.
    pub answer: String,
    /// Whether the reply ended inside a thought: the reasoning is incomplete and there is no answer to it.
    pub cut_off: bool,
}

impl fmt::Debug for SplitReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SplitReply")
            .field("reasoning_bytes", &self.reasoning.as_ref().map(String::len))
            .field("answer_bytes", &self.answer.len())
            .field("cut_off", &self.cut_off)
            .finish()
    }
}

/// Splits a whole reply; the reference for what [`ThoughtParser`] gives piece by piece.
pub fn split_thoughts(text: &str) -> SplitReply {
    let mut split = SplitReply::default();
    let mut outside = text.split(THOUGHT_START);
    let mut before = outside.next().unwrap_or_default().split(THOUGHT_END);
    split.answer.push_str(before.next().unwrap_or_default());
    push_answers(&mut split.answer, before);
    for after_start in outside {
        // A start marker inside a thought that is still open is a stray one: no header follows it.
        let reopened = std::mem::replace(&mut split.cut_off, true);
        let (thought, after_end) = match after_start.split_once(THOUGHT_END) {
            Some((thought, rest)) => (thought, Some(rest)),
            None => (after_start, None),
        };
        let thought = if reopened {
            thought
        } else {
            strip_header(thought)
        };
        split.reasoning.get_or_insert_default().push_str(thought);
        if let Some(rest) = after_end {
            split.cut_off = false;
            push_answers(&mut split.answer, rest.split(THOUGHT_END));
        }
    }
    split
}

/// Appends texts that each follow an end marker.
fn push_answers<'a>(answer: &mut String, texts: impl Iterator<Item = &'a str>) {
    texts.for_each(|text| answer.push_str(text.trim_start_matches('\n')));
}

fn strip_header(thought: &str) -> &str {
    match thought.strip_prefix(HEADER) {
        Some("") => "",
        Some(rest) => rest.strip_prefix('\n').unwrap_or(thought),
        None => thought,
    }
}

/// Where in a reply the parser stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Answer,
    /// After an end marker, before the first character that isn't a newline.
    AnswerStart,
    /// After a start marker, the header not yet decided.
    Header,
    Reasoning,
}

/// Splits a reply while it streams in pieces of any size, such as those of [`Detokenizer`](crate::Detokenizer).
///
/// The pieces it gives, joined, are what [`split_thoughts`] gives for the joined input. `Debug` shows sizes only.
#[derive(Clone)]
pub struct ThoughtParser {
    state: State,
    /// Whether text that spells a marker is one.
    spelt: bool,
    /// Text taken whose meaning is still open: it may begin a marker or be the header.
    held: String,
}

impl fmt::Debug for ThoughtParser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThoughtParser")
            .field("state", &self.state)
            .field("held_bytes", &self.held.len())
            .finish()
    }
}

impl Default for ThoughtParser {
    fn default() -> Self {
        Self::new()
    }
}

impl ThoughtParser {
    /// A parser at the start of a reply.
    pub fn new() -> Self {
        Self {
            state: State::Answer,
            spelt: true,
            held: String::new(),
        }
    }

    /// A parser that is told of the markers by [`open`](Self::open) and [`close`](Self::close), as whoever sees the ids
    /// knows them: text that only spells one stays text.
    pub fn by_markers() -> Self {
        Self {
            spelt: false,
            ..Self::new()
        }
    }

    /// Takes the start marker, and returns the pieces that are now certain.
    pub fn open(&mut self) -> Vec<ReplyPiece> {
        self.marked(THOUGHT_START)
    }

    /// Takes the end marker, and returns the pieces that are now certain.
    pub fn close(&mut self) -> Vec<ReplyPiece> {
        self.marked(THOUGHT_END)
    }

    fn marked(&mut self, marker: &str) -> Vec<ReplyPiece> {
        let pieces = self.finish();
        self.pass(marker);
        pieces
    }

    /// Takes a piece of the reply and returns the pieces that are now certain; none of them is empty.
    pub fn push(&mut self, piece: &str) -> Vec<ReplyPiece> {
        self.held.push_str(piece);
        let mut pieces = Vec::new();
        let held = std::mem::take(&mut self.held);
        let mut from = 0;
        // Each is looked for again only when it has been passed: the other one would otherwise be searched for from
        // every place.
        let mut next = MARKERS.map(|marker| held.find(marker).filter(|_| self.spelt));
        while let Some((at, marker)) = next
            .iter()
            .zip(MARKERS)
            .filter_map(|(at, marker)| Some(((*at)?, marker)))
            .min()
        {
            self.give(held[from..at].to_owned(), &mut pieces);
            self.pass(marker);
            from = at + marker.len();
            for (next, marker) in next.iter_mut().zip(MARKERS) {
                if next.is_some_and(|at| at < from) {
                    *next = held[from..].find(marker).map(|at| from + at);
                }
            }
        }
        self.held.push_str(&held[from..]);
        let open = self.open_end();
        let rest = self.held.split_off(self.held.len() - open);
        let text = std::mem::replace(&mut self.held, rest);
        self.give(text, &mut pieces);
        pieces
    }

    /// Whether the text so far ends inside a thought. After [`finish`](Self::finish): the thought was cut off.
    pub fn in_thought(&self) -> bool {
        matches!(self.state, State::Header | State::Reasoning)
    }

    /// Ends the reply: returns what was held back.
    pub fn finish(&mut self) -> Vec<ReplyPiece> {
        let mut pieces = Vec::new();
        let text = std::mem::take(&mut self.held);
        self.give(text, &mut pieces);
        pieces
    }

    /// Gives out text of the present state.
    fn give(&mut self, text: String, pieces: &mut Vec<ReplyPiece>) {
        match self.state {
            State::Answer => {
                if !text.is_empty() {
                    pieces.push(ReplyPiece::Answer(text));
                }
            }
            State::AnswerStart => {
                let text = text.trim_start_matches('\n');
                if !text.is_empty() {
                    self.state = State::Answer;
                    pieces.push(ReplyPiece::Answer(text.to_owned()));
                }
            }
            State::Header => {
                if text.is_empty() {
                    return;
                }
                // `open_end` holds an undecided header back, so a marker or the end follows a lone one.
                self.state = State::Reasoning;
                let text = strip_header(&text);
                if !text.is_empty() {
                    pieces.push(ReplyPiece::Reasoning(text.to_owned()));
                }
            }
            State::Reasoning => {
                if !text.is_empty() {
                    pieces.push(ReplyPiece::Reasoning(text));
                }
            }
        }
    }

    /// Moves past a marker.
    fn pass(&mut self, marker: &str) {
        self.state = match (marker == THOUGHT_START, self.state) {
            (true, State::Answer | State::AnswerStart) => State::Header,
            (true, State::Header | State::Reasoning) => State::Reasoning,
            (false, _) => State::AnswerStart,
        };
    }

    /// Length of the end of the held text that can't be judged yet.
    fn open_end(&self) -> usize {
        let marker = MARKERS
            .into_iter()
            .map(|m| prefix_at_end(&self.held, m))
            .filter(|_| self.spelt)
            .max()
            .unwrap_or(0);
        let before = &self.held[..self.held.len() - marker];
        if self.state == State::Header && HEADER.starts_with(before) {
            self.held.len()
        } else {
            marker
        }
    }
}

/// Length of the longest end of `text` that is a proper prefix of the (ASCII) marker.
fn prefix_at_end(text: &str, marker: &str) -> usize {
    (1..marker.len())
        .rev()
        .find(|&length| text.ends_with(&marker[..length]))
        .unwrap_or(0)
}
