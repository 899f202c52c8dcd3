//! The unigram language model (Kudo 2018, arXiv 1804.10959): a text is cut where the sum of its pieces' scores is largest.
//!
//! Both references walk the text once and keep, for every position, the best way to get there: `Model::EncodeOptimized`
//! of SentencePiece 0.2.3 (`unigram_model.cc`) and `Unigram::encode_optimized` of `tokenizers` 0.23. They differ in
//! two things, for which there is [`Rules`]. The `tokenizers` crate's own is not used: it keeps texts in a cache, and has
//! one of the two rules only.

use super::model::{Kind, Model};

/// What a character outside the vocabulary costs beyond the lowest score (`kUnkPenalty`).
const UNKNOWN_PENALTY: f64 = 10.0;

/// What a user defined piece has below its length times the highest score (`EncodeOptimized`).
const EXTRA_PENALTY: f64 = 0.1;

/// Whose rules to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// Sums are kept in `f32`; control, unknown and byte pieces are never found in a text, and one that [`Kind::Extra`] is
    /// has a score that makes it win.
    SentencePiece,
    /// Sums are in `f64`; a text that spells such a piece, as `<0x41>`, is that piece.
    Tokenizers,
}

/// The best way to reach a position.
#[derive(Clone, Copy)]
struct Step {
    score: f64,
    start: usize,
    id: u32,
}

impl Model {
    /// Appends the ids of `text`, already normalised.
    pub(super) fn cut(&self, text: &str, rules: Rules, ids: &mut Vec<u32>) {
        let steps = self.best_steps(text, rules);
        let mut path = Vec::new();
        let mut end = text.len();
        // Every boundary of a character has a step, since an unknown character is one.
        while let Some(step) = steps.get(end).copied().flatten() {
            path.push((step, end));
            end = step.start;
        }
        let mut path = path.into_iter().rev().peekable();
        while let Some((step, mut end)) = path.next() {
            if step.id != self.unknown {
                ids.push(step.id);
                continue;
            }
            // Unknown characters in a row are one piece.
            while let Some((_, next)) = path.next_if(|(next, _)| next.id == self.unknown) {
                end = next;
            }
            self.push_unknown(&text[step.start..end], rules, ids);
        }
    }

    /// Appends a piece that is not in the vocabulary: its bytes, or one id without byte pieces. With the rules of
    /// `tokenizers` it may be in the vocabulary after all, since a text may spell `<unk>` itself (as `<UNK>`).
    fn push_unknown(&self, text: &str, rules: Rules, ids: &mut Vec<u32>) {
        let spelt = match rules {
            Rules::SentencePiece => None,
            Rules::Tokenizers => self.id(text),
        };
        match (spelt, &self.bytes) {
            (None, Some(bytes)) => ids.extend(text.bytes().map(|byte| bytes[usize::from(byte)])),
            (spelt, _) => ids.push(spelt.unwrap_or(self.unknown)),
        }
    }

    /// For each position in bytes, the best step that ends there; `None` at 0 and within a character.
    fn best_steps(&self, text: &str, rules: Rules) -> Vec<Option<Step>> {
        let stored = |score: f64| match rules {
            Rules::SentencePiece => f64::from(narrow(score)),
            Rules::Tokenizers => score,
        };
        let score_of = |id: u32| stored(self.pieces[id as usize].score);
        let unknown_score = match rules {
            Rules::SentencePiece => stored(stored(self.lowest) - UNKNOWN_PENALTY),
            Rules::Tokenizers => self.lowest - UNKNOWN_PENALTY,
        };
        let mut steps: Vec<Option<Step>> = vec![None; text.len() + 1];
        for (start, character) in text.char_indices() {
            let so_far = steps[start].map_or(0.0, |step| step.score);
            let mut reach = |end: usize, id: u32, score: f64| {
                let score = stored(score + so_far);
                if steps[end].is_none_or(|best| score > best.score) {
                    steps[end] = Some(Step { score, start, id });
                }
            };
            let mut single = false;
            for (length, id) in self.prefixes(&text.as_bytes()[start..]) {
                let score = match (rules, self.pieces[id as usize].kind) {
                    (Rules::Tokenizers, _) | (_, Kind::Normal) => score_of(id),
                    (_, Kind::Extra) => stored(extra_score(length, self.highest)),
                    (_, Kind::Control | Kind::Unknown | Kind::Byte) => continue,
                };
                reach(start + length, id, score);
                single |= length == character.len_utf8();
            }
            if !single {
                reach(start + character.len_utf8(), self.unknown, unknown_score);
            }
        }
        steps
    }

    /// Length and id of every piece that `text` begins with, shortest first.
    fn prefixes<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (usize, u32)> + 'a {
        let spelt = |id: u32| self.pieces[id as usize].text.as_bytes();
        let mut candidates = self.sorted.as_slice();
        let mut bytes = text.iter().enumerate();
        std::iter::from_fn(move || {
            for (depth, byte) in bytes.by_ref() {
                // Pieces that end before this byte come first: none is less than any byte.
                let at = |id: &u32| spelt(*id).get(depth);
                let from = candidates.partition_point(|id| at(id) < Some(byte));
                let to = candidates.partition_point(|id| at(id) <= Some(byte));
                candidates = &candidates[from..to];
                let &id = candidates.first()?;
                if spelt(id).len() == depth + 1 {
                    return Some((depth + 1, id));
                }
            }
            None
        })
    }
}

/// The score of a user defined piece of `length` bytes.
fn extra_score(length: usize, highest: f64) -> f64 {
    f64::from(narrow(length as f64 * f64::from(narrow(highest)))) - EXTRA_PENALTY
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to f32 is the step of the reference being reproduced"
)]
fn narrow(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests {
    use super::super::model::{Kind, Model, Piece};
    use super::Rules;

    fn model(pieces: &[(&str, f64)]) -> Model {
        let pieces = pieces.iter().map(|&(text, score)| Piece {
            text: text.to_owned(),
            score,
            kind: match text {
                "<pad>" | "</s>" => Kind::Control,
                "<unk>" => Kind::Unknown,
                _ => Kind::Normal,
            },
        });
        let charsmap = super::super::charsmap::Charsmap::parse(&[]).expect("an empty map");
        Model::new("test", pieces.collect(), charsmap, false).expect("a valid model")
    }

    fn cut(model: &Model, text: &str, rules: Rules) -> Vec<u32> {
        let mut ids = Vec::new();
        model.cut(text, rules, &mut ids);
        ids
    }

    const SPECIAL: [(&str, f64); 3] = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)];

    #[test]
    fn the_largest_sum_wins_and_of_equal_ones_the_first() {
        let pieces = [
            ("a", -2.0),
            ("b", -2.0),
            ("ab", -4.0),
            ("abc", -9.0),
            ("c", -4.5),
        ];
        let model = model(&[&SPECIAL[..], &pieces].concat());
        for rules in [Rules::SentencePiece, Rules::Tokenizers] {
            // ab: -4 both ways. The whole piece starts earlier, so it is there first, and an equal sum does not replace it.
            assert_eq!(cut(&model, "ab", rules), [5]);
            // abc: -4 - 4.5 beats -9.
            assert_eq!(cut(&model, "abc", rules), [5, 7]);
            assert!(cut(&model, "", rules).is_empty());
            // Two unknown characters in a row are one id without byte pieces; apart, they are two.
            assert_eq!(cut(&model, "\u{e9}\u{e8}a\u{e9}", rules), [2, 3, 2]);
        }
    }

    /// Beyond 2^24 an `f32` is even: -16777218.5 and -16777218.75 are both -16777218, and the first one found stays.
    #[test]
    fn sums_are_stored_as_each_reference_stores_them() {
        let pieces = [
            ("ab", -16_777_216.0),
            ("c", -2.5),
            ("a", -16_777_214.0),
            ("bc", -4.75),
        ];
        let model = model(&[&SPECIAL[..], &pieces].concat());
        assert_eq!(cut(&model, "abc", Rules::Tokenizers), [3, 4]);
        assert_eq!(cut(&model, "abc", Rules::SentencePiece), [5, 6]);
    }

    /// `b` is no piece: apart it costs 10 more than the lowest score, -20.
    #[test]
    fn an_unknown_character_costs_more_than_any_piece() {
        let model = model(&[&SPECIAL[..], &[("a", 5.0), ("ab", -20.0)]].concat());
        for rules in [Rules::SentencePiece, Rules::Tokenizers] {
            assert_eq!(cut(&model, "ab", rules), [4]);
            assert_eq!(cut(&model, "ba", rules), [2, 3]);
        }
    }

    #[test]
    fn only_tokenizers_finds_special_pieces_in_a_text() {
        let pieces = [
            ("<", -1.0),
            ("p", -1.0),
            ("a", -1.0),
            ("d", -1.0),
            (">", -1.0),
        ];
        let model = model(&[&SPECIAL[..], &pieces].concat());
        assert_eq!(cut(&model, "<pad>", Rules::Tokenizers), [0]);
        assert_eq!(cut(&model, "<pad>", Rules::SentencePiece), [3, 4, 5, 6, 7]);
        // Nor among what is unknown.
        let model = self::model(&SPECIAL);
        assert_eq!(cut(&model, "<pad>", Rules::SentencePiece), [2]);
    }
}
