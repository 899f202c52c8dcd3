//! What a caller gives, checked before anything is computed.

use crate::error::{Error, Result};

/// The rows as slices: at least one, all of one length, no number that is not finite.
pub(crate) fn rows<R: AsRef<[f32]>>(rows: &[R]) -> Result<Vec<&[f32]>> {
    let rows: Vec<&[f32]> = rows.iter().map(AsRef::as_ref).collect();
    let Some(first) = rows.first() else {
        return Err(Error::argument("rows", "at least one embedding", "none"));
    };
    for (at, row) in rows.iter().enumerate() {
        check_row(&format!("rows[{at}]"), row, first.len())?;
    }
    Ok(rows)
}

/// One row, of the given length.
pub(crate) fn check_row(argument: &str, row: &[f32], dimension: usize) -> Result<()> {
    if row.is_empty() || row.len() != dimension {
        let expected = format!(
            "{} numbers, as all rows of one encoder have",
            dimension.max(1)
        );
        return Err(Error::argument(argument, expected, row.len().to_string()));
    }
    match row.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::argument(
            format!("{argument}[{at}]"),
            "a finite number: leave out pictures that the encoder fails on",
            row[at].to_string(),
        )),
    }
}

/// Names of labels: at least `least`, none empty, none twice.
pub(crate) fn labels<L: AsRef<str>>(labels: &[L], least: usize) -> Result<Vec<String>> {
    let labels: Vec<String> = labels
        .iter()
        .map(|label| label.as_ref().to_owned())
        .collect();
    if labels.len() < least {
        let found = format!("{} labels", labels.len());
        return Err(Error::argument(
            "labels",
            format!("{least} or more labels"),
            found,
        ));
    }
    let mut sorted: Vec<&String> = labels.iter().collect();
    sorted.sort();
    if sorted[0].is_empty() {
        return Err(Error::argument(
            "labels",
            "labels with a name",
            "an empty one",
        ));
    }
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(labels),
        Some(pair) => {
            let found = format!("`{}` twice", pair[0]);
            Err(Error::argument("labels", "each label once", found))
        }
    }
}

/// A truth for each score, and scores that can be ordered.
pub(crate) fn check_scores(scores: &[f64], truth: &[bool]) -> Result<()> {
    if scores.len() != truth.len() {
        return Err(Error::length("truth", scores.len(), "score", truth.len()));
    }
    match scores.iter().position(|score| score.is_nan()) {
        None => Ok(()),
        Some(at) => Err(Error::argument(format!("scores[{at}]"), "a number", "NaN")),
    }
}
