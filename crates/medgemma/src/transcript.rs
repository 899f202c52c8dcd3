//! From token ids to the text of a reply: whole characters, reasoning apart, stop strings cut.

use medgemma_tokenizer::{
    Detokenizer, ReplyPiece, SpecialTokens, StopStrings, ThoughtParser, Tokenizer,
};

use crate::error::Result;
use crate::options::GenerateOptions;
use crate::reply::Piece;

/// The reply so far.
pub(crate) struct Transcript {
    detokenizer: Detokenizer,
    thoughts: ThoughtParser,
    stops: StopStrings,
    thought_start: Option<u32>,
    thought_end: Option<u32>,
    /// Whether the answer is taken as it is written: what only looks like a marker in it is text.
    verbatim: bool,
    /// The answer so far.
    pub(crate) text: String,
    /// The reasoning so far; `None` before any began.
    pub(crate) reasoning: Option<String>,
}

impl Transcript {
    pub(crate) fn new(
        tokenizer: &Tokenizer,
        special: &SpecialTokens,
        options: &GenerateOptions,
    ) -> Result<Self> {
        Ok(Self {
            detokenizer: Detokenizer::new(tokenizer, false),
            // Where the markers are tokens, what only spells one is text.
            thoughts: if special.thought_start.is_some() && special.thought_end.is_some() {
                ThoughtParser::by_markers()
            } else {
                ThoughtParser::new()
            },
            stops: StopStrings::new(&options.stop_strings)?,
            thought_start: special.thought_start,
            thought_end: special.thought_end,
            verbatim: options.has_schema(),
            text: String::new(),
            reasoning: None,
        })
    }

    /// Takes one token; returns what is now certain.
    pub(crate) fn push(&mut self, id: u32) -> Vec<Piece> {
        let marker = Some(id) == self.thought_start || Some(id) == self.thought_end;
        if self.verbatim && !marker && !self.thoughts.in_thought() {
            let text = self.detokenizer.push(id);
            let mut pieces = Vec::new();
            self.answer(text, &mut pieces);
            return pieces;
        }
        // The markers go past the detokeniser: some tokenizers count them as special and drop them.
        let text = if marker {
            self.detokenizer.finish()
        } else {
            self.detokenizer.push(id)
        };
        let mut pieces = self.thoughts.push(&text);
        if Some(id) == self.thought_start {
            self.reasoning.get_or_insert_default();
            pieces.extend(self.thoughts.open());
        } else if marker {
            pieces.extend(self.thoughts.close());
        }
        self.take(pieces)
    }

    /// Ends the reply; returns what was held back.
    pub(crate) fn finish(&mut self) -> Vec<Piece> {
        let text = self.detokenizer.finish();
        if self.verbatim && !self.thoughts.in_thought() {
            let mut pieces = Vec::new();
            self.answer(text, &mut pieces);
            return pieces;
        }
        let mut pieces = self.thoughts.push(&text);
        pieces.extend(self.thoughts.finish());
        let mut pieces = self.take(pieces);
        if self.stops.matched().is_none() {
            let rest = self.stops.finish();
            self.answer(rest, &mut pieces);
        }
        pieces
    }

    /// Whether a stop string ended the answer.
    pub(crate) fn stopped(&self) -> bool {
        self.stops.matched().is_some()
    }

    /// Whether the text so far ends inside a thought.
    pub(crate) fn in_thought(&self) -> bool {
        self.thoughts.in_thought()
    }

    fn take(&mut self, pieces: Vec<ReplyPiece>) -> Vec<Piece> {
        let mut taken = Vec::with_capacity(pieces.len());
        for piece in pieces {
            match piece {
                ReplyPiece::Answer(text) => {
                    let text = self.stops.push(&text);
                    self.answer(text, &mut taken);
                }
                ReplyPiece::Reasoning(text) => {
                    self.reasoning.get_or_insert_default().push_str(&text);
                    taken.push(Piece::Reasoning(text));
                }
                _ => {}
            }
        }
        taken
    }

    fn answer(&mut self, text: String, pieces: &mut Vec<Piece>) {
        if !text.is_empty() {
            self.text.push_str(&text);
            pieces.push(Piece::Answer(text));
        }
    }
}
