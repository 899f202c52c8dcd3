//! Multiple choice without writing a word: how likely is each given answer?

use std::error::Error;
use std::io::Write;

use medgemma::{MedGemma, Message};

/// The choices, likeliest first by log-probability a token: the sum alone would favour short ones.
pub(crate) fn scores(
    model: &MedGemma,
    question: Message,
    choices: &[String],
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let texts: Vec<&str> = choices.iter().map(String::as_str).collect();
    let scores = model.score(&[question], &texts)?;
    let mut ranked: Vec<_> = texts.iter().zip(&scores).collect();
    ranked.sort_by(|(_, a), (_, b)| b.mean().total_cmp(&a.mean()));
    writeln!(out, "\nlog-probability\n a token  in all  choice")?;
    for (text, score) in ranked {
        writeln!(out, "{:>8.3} {:>7.3}  {text}", score.mean(), score.total())?;
    }
    Ok(())
}
