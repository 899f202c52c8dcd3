//! The model, asked within the bounds of calls and tokens, and a trace of what was asked and said.

use crate::error::{Error, Result};
use crate::kind::Kind;

use super::options::NavigatorOptions;
use super::stage::Stage;
use super::trace::{Call, Step, Stop};
use super::{Answer, Ask, prompts};

/// Bytes of one answer that are kept. No model writes as much in its `max_tokens`; what an [`Ask`] hands over may be anything.
const MAX_ANSWER: usize = 1 << 18;

/// How often a prompt that came out too long is made again with less in it, before it is made with the least.
const MAX_FITTINGS: usize = 8;

pub(crate) struct Dialogue<'a> {
    model: &'a mut dyn Ask,
    options: &'a NavigatorOptions,
    pub(crate) trace: Vec<Step>,
    pub(crate) stopped: Option<Stop>,
    pub(crate) calls: usize,
    pub(crate) tokens: usize,
}

/// An answer that could be read, or that there is none since the bounds or the caller allow no question.
pub(crate) enum Reply<T> {
    Read(T),
    /// The last answer, of which nothing could be made.
    Unreadable,
    Stopped,
}

impl<'a> Dialogue<'a> {
    pub(crate) fn new(model: &'a mut dyn Ask, options: &'a NavigatorOptions) -> Self {
        Self {
            model,
            options,
            trace: Vec::new(),
            stopped: None,
            calls: 0,
            tokens: 0,
        }
    }

    pub(crate) fn count(&self, text: &str) -> usize {
        self.model.count_tokens(text)
    }

    /// A prompt that fits, second request included: `part` gives what is said of the record in a budget of tokens, and
    /// the prompt is written around it, at first around nothing.
    pub(crate) fn fitted<T>(
        &self,
        stage: Stage,
        part: impl Fn(usize, &dyn Fn(&str) -> usize) -> (String, T),
        write: impl Fn(&str, Option<&T>) -> String,
    ) -> Result<(String, T)> {
        let count = |text: &str| self.count(text);
        let limit = self.options.max_prompt_tokens;
        let whole = |prompt: &str| count(&prompts::again(prompt, stage));
        let mut budget = limit.saturating_sub(whole(&write("", None)));
        let mut fittings = 0;
        loop {
            let (text, made) = part(budget, &count);
            let prompt = write(&text, Some(&made));
            let needed = whole(&prompt);
            if needed <= limit {
                return Ok((prompt, made));
            }
            if budget == 0 {
                return Err(Error::NoRoom {
                    stage,
                    needed,
                    limit,
                    option: "max_prompt_tokens",
                });
            }
            fittings += 1;
            budget = match fittings {
                // From what was used: less room for what left room would change nothing.
                ..MAX_FITTINGS => count(&text).min(budget).saturating_sub(needed - limit),
                _ => 0,
            };
        }
    }

    /// Asks until the answer can be read, as often as the bounds allow.
    pub(crate) fn asked<T>(
        &mut self,
        stage: Stage,
        kind: Option<Kind>,
        prompt: &str,
        mut read: impl FnMut(&Answer) -> Option<T>,
    ) -> Result<Reply<T>> {
        for attempt in 0..=self.options.retries {
            let prompt = match attempt {
                0 => prompt.to_owned(),
                _ => prompts::again(prompt, stage),
            };
            let prompt_tokens = self.count(&prompt);
            if let Some(stop) = self.bound(stage, prompt_tokens) {
                // An answer that cannot be asked for again is no reason to say that records were not reached.
                if stage != Stage::Answer {
                    self.stop(stop);
                }
                return Ok(Reply::Stopped);
            }
            let options = self.options.stage(stage);
            let asked = self.model.ask(stage, &prompt, &options);
            let mut answer = asked.map_err(|source| Error::Ask { stage, source })?;
            shorten(&mut answer);
            let answer_tokens = self.count(&answer.text);
            self.calls += 1;
            self.tokens = self
                .tokens
                .saturating_add(prompt_tokens)
                .saturating_add(answer_tokens);
            let found = read(&answer);
            self.trace.push(Step::Asked(Call {
                stage,
                kind,
                attempt,
                options,
                prompt,
                prompt_tokens,
                answer: answer.text,
                answer_tokens,
                is_cut_off: answer.is_cut_off,
                was_read: found.is_some(),
            }));
            if answer.stops {
                self.stop(Stop::Caller);
            }
            match found {
                Some(found) => return Ok(Reply::Read(found)),
                None if answer.stops => return Ok(Reply::Stopped),
                None => {}
            }
        }
        Ok(Reply::Unreadable)
    }

    fn stop(&mut self, stop: Stop) {
        self.stopped.get_or_insert(stop);
        self.trace.push(Step::Stopped(stop));
    }

    /// Which bound forbids a call. One call, and its tokens, are kept for the answer.
    fn bound(&self, stage: Stage, prompt_tokens: usize) -> Option<Stop> {
        let (calls, set_aside) = match stage {
            Stage::Answer => (0, 0),
            _ => (1, self.options.set_aside()),
        };
        if self.calls + calls >= self.options.max_calls {
            return Some(Stop::Calls);
        }
        let first_answer = stage == Stage::Answer && !self.has_asked(Stage::Answer);
        let most = self.options.stage(stage).max_tokens;
        let after = self
            .tokens
            .saturating_add(prompt_tokens)
            .saturating_add(most)
            .saturating_add(set_aside);
        // What was set aside for the answer is its own, even where a model wrote more than it was allowed before.
        (after > self.options.max_total_tokens && !first_answer).then_some(Stop::Tokens)
    }

    /// Whether the last answer of a stage ended for want of tokens.
    pub(crate) fn was_cut_off(&self, stage: Stage) -> bool {
        let calls = self.trace.iter().rev().filter_map(|step| match step {
            Step::Asked(call) if call.stage == stage => Some(call.is_cut_off),
            _ => None,
        });
        calls.take(1).any(|is_cut_off| is_cut_off)
    }

    fn has_asked(&self, stage: Stage) -> bool {
        self.trace
            .iter()
            .any(|step| matches!(step, Step::Asked(call) if call.stage == stage))
    }
}

/// Cuts an answer that no model can have meant.
fn shorten(answer: &mut Answer) {
    if answer.text.len() > MAX_ANSWER {
        let mut end = MAX_ANSWER;
        while !answer.text.is_char_boundary(end) {
            end -= 1;
        }
        answer.text.truncate(end);
        answer.is_cut_off = true;
    }
}
