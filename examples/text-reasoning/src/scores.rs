//! Multiple choice without writing a word: how likely is each given answer?

use std::error::Error;
use std::io::Write;

use medgemma::{MedGemma, Message};

/// The choices, likeliest first by log-probability a token: the sum alone would favour short ones.
pub(crate) fn scores(
    model: &MedGemma,
    question: &Message,
    choices: &[String],
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let texts: Vec<&str> = choices.iter().map(String::as_str).collect();
    let mut ranked = model.chat().choose(question, &texts)?.answers;
    ranked.sort_by(|a, b| b.score.mean().total_cmp(&a.score.mean()));
    writeln!(out, "\nlog-probability\n a token  in all  choice")?;
    for choice in ranked {
        let (mean, total) = (choice.score.mean(), choice.score.total());
        writeln!(out, "{mean:>8.3} {total:>7.3}  {}", choice.text)?;
    }
    Ok(())
}
