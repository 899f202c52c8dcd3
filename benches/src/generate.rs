//! An answer to a text, greedy if nothing else is asked, token by token as the library writes it, with and without speculation,
//! with and without a schema.
//! Ids are those of a real text here, since what can be guessed depends on them.

use std::sync::Arc;
use std::time::Instant;

use medgemma::Sampling;
use medgemma_bench::TEXT;
use medgemma_gemma3::{Constraint, Decoder, Drafts, GenerateOptions, Segment};

use crate::arguments::{Arguments, PromptText};
use crate::engine::{self, Result};
use crate::form::Form;
use crate::line::{Figure, Measured};

/// What a model that knows it writes down without a word of the prompt. "New", "North" and "South"
/// come several times, so that lookup does find something, and is wrong each time.
const LIST: &str =
    "The fifty states of the United States in alphabetical order: Alabama, Alaska, Arizona,";

/// Words of the report that the third copy begins with: enough to tell where it goes on.
const BEGUN: usize = 6;

/// Id and log-probability of a token.
type Token = (u32, f32);

/// An answer, and how it came about.
struct Answer {
    tokens: Vec<Token>,
    drafts: Drafts,
    /// From the first token to the last.
    seconds: f64,
    /// Of these, on the schema.
    form_seconds: f64,
}

/// Tokens written a second after the first.
///
/// # Errors
/// When one answer has other tokens than plain decoding writes.
pub(crate) fn generate(arguments: &Arguments) -> Result<Figure> {
    let model = engine::load(arguments)?;
    let decoder = model.model().decoder();
    let prompt = model.tokenizer().encode_prompt(&text(arguments.text))?;
    let count = arguments.tokens();
    if count < 2 {
        return Err("the time counts from the first token: --tokens must be 2 or more".into());
    }
    let form = match &arguments.schema {
        Some(path) => Some(Form::read(path, &model)?),
        None => None,
    };
    let mut options = options(arguments, count);
    let plain = answer(decoder, &prompt, &options, form.as_ref())?;
    // By a schema the answer may end before its time.
    let count = plain.tokens.len();
    if count < 2 {
        return Err("the schema's answer has one token: nothing is to be timed".into());
    }
    let mut seconds = Vec::with_capacity(arguments.runs);
    let (mut free, mut shares) = (Vec::new(), Vec::new());
    let mut drafts = plain.drafts;
    options.max_new_tokens = count;
    options.speculation = arguments.speculation.into();
    for run in 0..=arguments.runs {
        let found = answer(decoder, &prompt, &options, form.as_ref())?;
        same(&plain.tokens, &found.tokens)?;
        // Guesses depend on the text alone: they are the same in every run.
        drafts = found.drafts;
        if run > 0 {
            seconds.push(found.seconds);
        }
        if run > 0 && form.is_some() {
            shares.push(found.form_seconds / found.seconds);
            // It may end before its time, too.
            let answer = answer(decoder, &prompt, &options, None)?;
            free.extend(Figure::rates(answer.tokens.len() - 1, &[answer.seconds]).runs);
        }
    }
    Ok(Figure {
        model: Some(Measured::new(
            model.model().report(),
            model.model().device(),
        )),
        prompt_tokens: Some(prompt.len()),
        drafts: Some(drafts),
        free_runs: form.as_ref().map(|_| free),
        form_shares: form.as_ref().map(|_| shares),
        ..Figure::rates(count - 1, &seconds)
    })
}

/// The text that is continued.
fn text(kind: PromptText) -> String {
    match kind {
        PromptText::Copy => {
            let words: Vec<&str> = TEXT.split_whitespace().take(BEGUN).collect();
            format!("{TEXT}{TEXT}{}", words.join(" "))
        }
        PromptText::List => LIST.to_owned(),
    }
}

/// Of plain decoding.
fn options(arguments: &Arguments, count: usize) -> GenerateOptions {
    let mut options = GenerateOptions::default();
    options.max_new_tokens = count;
    if arguments.sampled {
        options.sampling = Sampling::default()
            .with_temperature(1.0)
            .with_top_k(64)
            .with_top_p(0.95);
    }
    options
}

fn answer(
    decoder: &Decoder,
    prompt: &[u32],
    options: &GenerateOptions,
    form: Option<&Form>,
) -> Result<Answer> {
    let mut options = options.clone();
    options.constraint = form.map(|form| Arc::new(form.clone()) as Arc<dyn Constraint>);
    let mut cache = decoder.new_cache();
    let prompt = vec![Segment::Tokens(prompt.to_vec())];
    let mut generation = decoder.generate(prompt, &mut cache, &options, Box::new(|_, _| true))?;
    let mut tokens = Vec::with_capacity(options.max_new_tokens);
    let first = generation.next().ok_or("nothing was written")??;
    tokens.push((first.id, first.logprob));
    form.map(Form::take_seconds);
    let start = Instant::now();
    for token in generation.by_ref() {
        let token = token?;
        tokens.push((token.id, token.logprob));
    }
    Ok(Answer {
        seconds: start.elapsed().as_secs_f64(),
        form_seconds: form.map_or(0.0, Form::take_seconds),
        drafts: generation.drafts(),
        tokens,
    })
}

/// Refuses an answer with other ids. Both log-probabilities are told: where they are as good as
/// equal, the choice was one between two words that are equally likely but for rounding.
fn same(plain: &[Token], found: &[Token]) -> Result<()> {
    let mut pairs = found.iter().zip(plain).enumerate();
    if let Some((at, (found, plain))) = pairs.find(|(_, (found, plain))| found.0 != plain.0) {
        let told = |(id, logprob): &Token| format!("{id} (log-probability {logprob:.3})");
        let (found, plain) = (told(found), told(plain));
        return Err(format!("token {at} is {found}, and {plain} in plain decoding").into());
    }
    if plain.len() != found.len() {
        return Err(format!("{} tokens, {} in plain decoding", found.len(), plain.len()).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{PromptText, TEXT, same, text};

    #[test]
    fn the_third_copy_of_the_report_is_begun_only() {
        let text = text(PromptText::Copy);
        let begun = text.strip_prefix(&TEXT.repeat(2)).expect("two copies");
        assert!(TEXT.starts_with(begun) && begun.len() < TEXT.len() / 4);
    }

    #[test]
    fn answers_with_other_ids_are_refused() {
        let plain = [(5, -0.5), (6, -0.5)];
        assert!(same(&plain, &[(5, -0.4), (6, -0.6)]).is_ok());
        let told = |found: &[_]| same(&plain, found).expect_err("it differs").to_string();
        assert!(told(&[(5, -0.5), (7, -0.4)]).starts_with("token 1 is 7 (log-probability -0.400)"));
        assert!(told(&plain[..1]).starts_with("1 tokens"));
    }
}
