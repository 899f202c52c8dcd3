//! Dialects of tensor names as data: tables of prefixes, supplied by the model crates, that turn
//! the key in a file into the canonical key that the model asks for. Mixed layouts work because
//! every key is rewritten on its own.

use std::collections::BTreeMap;

use super::source::WeightSource;
use crate::error::{Error, Result};

/// One rewrite: a key that begins with `from` begins with `to` instead. One `{}` in `from` stands
/// for a number, which takes the place of the `{}` in `to`.
///
/// A table is applied top to bottom, each rule at most once, each to the result of the rules above
/// it: optional levels of a name are one line each and combine freely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rename {
    /// The prefix to replace, with its closing dot, and `{}` for a number in it.
    pub from: &'static str,
    /// What replaces it; empty removes it.
    pub to: &'static str,
    /// Who writes such names, for the load report.
    pub dialect: &'static str,
}

impl Rename {
    /// The rule `from` → `to`, known as `dialect`.
    #[must_use]
    pub const fn new(from: &'static str, to: &'static str, dialect: &'static str) -> Self {
        Self { from, to, dialect }
    }

    /// `name` rewritten, or `None` if it does not begin so.
    fn rewrite(&self, name: &str) -> Option<String> {
        let Some((before, after)) = self.from.split_once("{}") else {
            let rest = name.strip_prefix(self.from)?;
            return Some(format!("{}{rest}", self.to));
        };
        let rest = name.strip_prefix(before)?;
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let (number, rest) = rest.split_at(rest.len() - number.len());
        let rest = rest.strip_prefix(after)?;
        let begin = self.to.replacen("{}", number, 1);
        (!number.is_empty()).then(|| format!("{begin}{rest}"))
    }
}

/// Tensors that some files carry and no model needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ignore {
    /// How the canonical keys end, e.g. `.rotary_emb.inv_freq`.
    pub suffix: &'static str,
    /// Why dropping them changes nothing.
    pub reason: &'static str,
}

impl Ignore {
    /// Ignores keys that end in `suffix`, because of `reason`.
    #[must_use]
    pub const fn new(suffix: &'static str, reason: &'static str) -> Self {
        Self { suffix, reason }
    }
}

/// `key` after all of `table`; `used` is told of every rule that applied, by its position.
#[must_use]
pub fn canonical(key: &str, table: &[Rename], mut used: impl FnMut(usize)) -> String {
    let mut name = key.to_owned();
    for (i, rule) in table.iter().enumerate() {
        if let Some(rewritten) = rule.rewrite(&name) {
            name = rewritten;
            used(i);
        }
    }
    name
}

/// Canonical key → file key for a whole source, and how many keys each dialect's rule touched.
pub(super) struct NameMap {
    pub(super) files: BTreeMap<String, String>,
    pub(super) dialects: Vec<(&'static str, usize)>,
}

impl NameMap {
    /// Renames every tensor of `source`.
    ///
    /// # Errors
    /// [`Error::NameCollision`] if two file keys become one.
    pub(super) fn new(source: &dyn WeightSource, table: &[Rename]) -> Result<Self> {
        let mut files = BTreeMap::<String, String>::new();
        let mut counts = vec![0; table.len()];
        for key in source.names() {
            let name = canonical(key, table, |rule| counts[rule] += 1);
            if let Some(first) = files.get(&name) {
                return Err(Error::NameCollision {
                    location: source.location().to_path_buf(),
                    canonical: name,
                    first: first.clone(),
                    second: key.to_owned(),
                });
            }
            files.insert(name, key.to_owned());
        }
        let dialects = table
            .iter()
            .zip(counts)
            .filter(|&(_, n)| n > 0)
            .map(|(rule, n)| (rule.dialect, n))
            .collect();
        Ok(Self { files, dialects })
    }

    /// The present key most like `wanted`: the longest common ending in whole dotted parts, of at
    /// least the last part and one more. For messages.
    pub(super) fn closest(&self, wanted: &str) -> Option<String> {
        let alike = |key: &str| {
            key.rsplit('.')
                .zip(wanted.rsplit('.'))
                .take_while(|(a, b)| a == b)
                .count()
        };
        let (n, key) = self
            .files
            .iter()
            .map(|(name, file)| (alike(name), file))
            .max_by_key(|(n, _)| *n)?;
        (n >= 2).then(|| key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::{Rename, canonical};

    #[test]
    fn a_number_in_a_rule_keeps_its_place() {
        let table = [
            Rename::new("blk.{}.q.", "layers.{}.query.", "numbered"),
            Rename::new("blk.{}.", "rest.{}.", "numbered"),
            Rename::new("out.", "head.", "plain"),
        ];
        for (key, expected) in [
            ("blk.0.q.weight", "layers.0.query.weight"),
            ("blk.61.q.weight", "layers.61.query.weight"),
            ("blk.12.qq.weight", "rest.12.qq.weight"),
            ("blk..q.weight", "blk..q.weight"),
            ("blk.x.q.weight", "blk.x.q.weight"),
            ("blk.1x.q.weight", "blk.1x.q.weight"),
            ("a.blk.1.q.weight", "a.blk.1.q.weight"),
            ("out.weight", "head.weight"),
        ] {
            assert_eq!(canonical(key, &table, |_| {}), expected);
        }
    }
}
