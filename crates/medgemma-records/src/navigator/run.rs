//! One navigation, from the kinds to the answer.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::{Bundle, Record};
use crate::cite;
use crate::error::{Error, Result};
use crate::excerpt::{Excerpt, Omitted, Reason, cut};
use crate::facts::{Fact, Facts, Unsupported};
use crate::kind::Kind;
use crate::rank::{Wanted, ranked};
use crate::reference::Reference;
use crate::text::words;

use super::manifest::Manifest;
use super::options::NavigatorOptions;
use super::stage::Stage;
use super::trace::{Call, Match, Step, Stop};
use super::{Ask, Outcome, parse, prompts};

/// Bytes of one answer that are kept. No model writes as much in its `max_tokens`; what an [`Ask`] hands over may be anything.
const MAX_ANSWER: usize = 1 << 18;

/// How often a prompt that came out too long is made again with less in it.
const MAX_FITTINGS: usize = 8;

pub(crate) struct Run<'a> {
    bundle: &'a Bundle,
    question: &'a str,
    model: &'a mut dyn Ask,
    options: &'a NavigatorOptions,
    patient: Option<&'a Reference>,
    trace: Vec<Step>,
    stopped: Option<Stop>,
    calls: usize,
    tokens: usize,
    facts: Vec<Fact>,
    unsupported: Vec<Unsupported>,
    /// What the model was shown.
    shown: BTreeSet<Reference>,
    /// Why other records of the kinds that were looked into were not.
    passed_over: BTreeMap<Reference, Reason>,
}

/// An answer that could be read, or that the bounds allow no question.
enum Reply<T> {
    Read(T),
    /// The last answer, of which nothing could be made.
    Unreadable,
    Stopped,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        bundle: &'a Bundle,
        question: &'a str,
        model: &'a mut dyn Ask,
        options: &'a NavigatorOptions,
    ) -> Result<Self> {
        Ok(Self {
            bundle,
            question: question.trim(),
            model,
            options,
            patient: bundle.chosen(options.patient.as_ref())?,
            trace: Vec::new(),
            stopped: None,
            calls: 0,
            tokens: 0,
            facts: Vec::new(),
            unsupported: Vec::new(),
            shown: BTreeSet::new(),
            passed_over: BTreeMap::new(),
        })
    }

    pub(crate) fn finish(mut self) -> Result<Outcome> {
        let manifest = self.bundle.manifest(self.patient)?;
        let kinds = self.kinds(&manifest)?;
        for kind in &kinds {
            if self.stopped.is_none() {
                self.look_into(*kind, &manifest)?;
            }
        }
        let (answer, left_out) = self.answer(&kinds)?;
        let (cited, unfounded_citations) = self.citations(&answer);
        Ok(Outcome {
            answer,
            cited,
            unfounded_citations,
            omitted: self.omitted(&kinds),
            facts: self.facts,
            left_out,
            unsupported: self.unsupported,
            trace: self.trace,
            stopped: self.stopped,
            calls: self.calls,
            tokens: self.tokens,
        })
    }

    /// The kinds to look into: the model's, or those that the question's words point at.
    fn kinds(&mut self, manifest: &Manifest) -> Result<Vec<Kind>> {
        let present: Vec<Kind> = manifest.kinds.iter().map(|entry| entry.kind).collect();
        let most = self.options.max_kinds;
        if present.is_empty() || most == 0 {
            return Ok(Vec::new());
        }
        let question = self.question;
        let (prompt, ()) = self.fitted(Stage::Kinds, |budget, count| {
            Some((
                prompts::kinds(question, &manifest.text(budget, count)?, most),
                (),
            ))
        })?;
        let read =
            |answer: &str| Some(parse::kinds(answer, &present)).filter(|kinds| !kinds.is_empty());
        let reply = self.asked(Stage::Kinds, None, &prompt, read)?;
        let picked = matches!(reply, Reply::Read(_));
        let mut kinds = match reply {
            Reply::Read(kinds) => kinds,
            Reply::Unreadable => self.likely_kinds(&present),
            Reply::Stopped => return Ok(Vec::new()),
        };
        kinds.truncate(most);
        self.trace.push(Step::Kinds {
            kinds: kinds.clone(),
            picked,
        });
        Ok(kinds)
    }

    /// All kinds, that of the most relevant record first.
    fn likely_kinds(&self, present: &[Kind]) -> Vec<Kind> {
        let records = self.bundle.records();
        let fits = |at: &usize| {
            let record = &records[*at];
            present.contains(&record.kind()) && self.bundle.unfit(record, self.patient).is_none()
        };
        let candidates: Vec<usize> = (0..records.len()).filter(fits).collect();
        let mut kinds = Vec::new();
        for (at, _) in self.ranked(&candidates, &[]) {
            let kind = records[at].kind();
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    }

    fn ranked(&self, candidates: &[usize], terms: &[String]) -> Vec<(usize, i64)> {
        let wanted = Wanted::new(self.question, terms);
        ranked(self.bundle, candidates, &wanted, &self.options.weights)
    }

    /// Searches one kind, and has the facts of what is found written down.
    fn look_into(&mut self, kind: Kind, manifest: &Manifest) -> Result<()> {
        let question = self.question;
        let (prompt, ()) = self.fitted(Stage::Search, |budget, count| {
            let manifest = manifest.line(kind, budget, count)?;
            Some((prompts::search(question, kind, &manifest), ()))
        })?;
        let terms = match self.asked(Stage::Search, Some(kind), &prompt, parse::search)? {
            Reply::Read(terms) => terms,
            Reply::Unreadable => Vec::new(),
            Reply::Stopped => return Ok(()),
        };
        let (found, by) = self.found(kind, &terms);
        self.trace.push(Step::Found {
            kind,
            records: found.len(),
            by,
        });
        let mut left = self.ranked(&found, &terms);
        for _ in 0..self.options.max_excerpts {
            if left.is_empty() || self.stopped.is_some() {
                break;
            }
            let excerpt = self.read_excerpt(kind, &left)?;
            if excerpt.shown.is_empty() {
                break;
            }
            let records = self.bundle.records();
            left.retain(|(at, _)| !excerpt.shows(records[*at].reference()));
        }
        let reason = if self.stopped.is_some() {
            Reason::NotReached
        } else {
            Reason::OverBudget
        };
        for (at, _) in left {
            self.passed_over
                .insert(self.bundle.records()[at].reference().clone(), reason);
        }
        Ok(())
    }

    /// Records of a kind that a search finds. The first of code, title and category by which any is found; all if none is.
    fn found(&mut self, kind: Kind, terms: &[String]) -> (Vec<usize>, Match) {
        let records = self.bundle.records();
        let of_kind = |at: &usize| {
            let record = &records[*at];
            record.kind() == kind && self.bundle.unfit(record, self.patient).is_none()
        };
        let all: Vec<usize> = (0..records.len()).filter(of_kind).collect();
        let is_one_of = |text: &str| terms.contains(&text.to_lowercase());
        let by_code = |record: &Record| {
            record
                .summary()
                .codes
                .iter()
                .any(|code| is_one_of(&code.code))
        };
        let asked: Vec<BTreeSet<String>> = terms.iter().map(|term| words(term).collect()).collect();
        let by_title = |record: &Record| {
            let title: BTreeSet<String> = words(&record.summary().title).collect();
            asked
                .iter()
                .any(|term| !term.is_empty() && term.is_subset(&title))
        };
        let by_category = |record: &Record| {
            record
                .summary()
                .categories
                .iter()
                .any(|category| is_one_of(category))
        };
        for by in [Match::Code, Match::Title, Match::Category] {
            let fits = |record: &Record| match by {
                Match::Code => by_code(record),
                Match::Title => by_title(record),
                Match::Category => by_category(record),
                Match::Everything => true,
            };
            let found: Vec<usize> = all
                .iter()
                .copied()
                .filter(|at| fits(&records[*at]))
                .collect();
            if !found.is_empty() {
                for at in all.iter().filter(|at| !found.contains(at)) {
                    self.passed_over
                        .insert(records[*at].reference().clone(), Reason::OtherCode);
                }
                return (found, by);
            }
        }
        (all, Match::Everything)
    }

    /// Has the facts of the best records written down, as many as fit into a prompt. What it gives back shows nothing if
    /// none fits, or if the bounds allow no question.
    fn read_excerpt(&mut self, kind: Kind, ranked: &[(usize, i64)]) -> Result<Excerpt> {
        let (question, bundle) = (self.question, self.bundle);
        let (prompt, mut excerpt) = self.fitted(Stage::Facts, |budget, count| {
            let excerpt = cut(bundle, ranked, budget, count);
            Some((prompts::facts(question, &excerpt.text), excerpt))
        })?;
        if excerpt.shown.is_empty() {
            return Ok(excerpt);
        }
        let mut last = Facts::default();
        let read = |answer: &str| {
            last = Facts::read(answer, bundle, &excerpt);
            // Statements and no citation: asked again. Neither: there is nothing to say.
            (!last.facts.is_empty() || last.unsupported.is_empty()).then_some(())
        };
        if matches!(
            self.asked(Stage::Facts, Some(kind), &prompt, read)?,
            Reply::Stopped
        ) && last == Facts::default()
        {
            excerpt.shown.clear();
            return Ok(excerpt);
        }
        self.shown
            .extend(excerpt.shown.iter().map(|shown| shown.reference.clone()));
        for fact in last.facts {
            if !self.facts.contains(&fact) {
                self.facts.push(fact);
            }
        }
        self.unsupported.append(&mut last.unsupported);
        Ok(excerpt)
    }

    /// The answer, and the facts for which its prompt had no room. Those that it had room for are what stays in `facts`.
    fn answer(&mut self, kinds: &[Kind]) -> Result<(String, Vec<Fact>)> {
        let patient = self.patient_line();
        let gaps = self.gaps(kinds);
        let (question, facts) = (self.question, std::mem::take(&mut self.facts));
        let (prompt, fitting) = self.fitted(Stage::Answer, |budget, count| {
            let (mut text, mut fitting) = (String::new(), 0);
            for fact in &facts {
                let longer = format!("{text}- {fact}\n");
                if count(&patient) + count(&longer) > budget {
                    break;
                }
                (text, fitting) = (longer, fitting + 1);
            }
            Some((prompts::answer(question, &patient, &text, &gaps), fitting))
        })?;
        self.facts = facts;
        let left_out = self.facts.split_off(fitting);
        let read =
            |answer: &str| Some(answer.trim().to_owned()).filter(|answer| !answer.is_empty());
        let answer = match self.asked(Stage::Answer, None, &prompt, read)? {
            Reply::Read(answer) => answer,
            Reply::Unreadable | Reply::Stopped => String::new(),
        };
        Ok((answer, left_out))
    }

    /// The patient's own line, which every answer may need: sex and date of birth.
    fn patient_line(&mut self) -> String {
        let bundle = self.bundle;
        let record = self.patient.and_then(|patient| bundle.get(patient));
        let record = record.filter(|record| bundle.unfit(record, self.patient).is_none());
        record.map_or_else(String::new, |record| {
            self.shown.insert(record.reference().clone());
            record.line() + "\n"
        })
    }

    /// What the model must know that it does not know.
    fn gaps(&self, kinds: &[Kind]) -> String {
        let missing = self
            .omitted_because(kinds)
            .filter(|(_, reason)| matches!(reason, Reason::OverBudget | Reason::NotReached));
        let missing = missing.count();
        let mut gaps = String::new();
        if missing > 0 {
            gaps +=
                &format!("Not all was read: {missing} resources that may matter had no room.\n");
        }
        if self.bundle.has_more_pages() {
            gaps += "The record has further pages that were not given.\n";
        }
        gaps
    }

    fn omitted(&self, kinds: &[Kind]) -> Vec<Omitted> {
        let count = |text: &str| self.model.count_tokens(text);
        self.omitted_because(kinds)
            .map(|(record, reason)| Omitted::new(record, reason, &count))
            .collect()
    }

    fn omitted_because(&self, kinds: &[Kind]) -> impl Iterator<Item = (&'a Record, Reason)> {
        let not_shown = self
            .bundle
            .records()
            .iter()
            .filter(|record| !self.shown.contains(record.reference()));
        not_shown.map(move |record| {
            let kind = record.kind();
            let passed_over = || self.passed_over.get(record.reference()).copied();
            let other_kind = (!kinds.contains(&kind)
                && (self.stopped.is_none() || !kind.can_be_picked() || !kinds.is_empty()))
            .then_some(Reason::OtherKind);
            let unfit = self.bundle.unfit(record, self.patient);
            (
                record,
                unfit
                    .or_else(passed_over)
                    .or(other_kind)
                    .unwrap_or(Reason::NotReached),
            )
        })
    }

    /// Citations of the answer: records that its prompt named, and what it did not name.
    fn citations(&self, answer: &str) -> (Vec<Reference>, Vec<String>) {
        let mut named: BTreeSet<&Reference> = self.facts.iter().flat_map(Fact::sources).collect();
        named.extend(self.patient);
        let (mut cited, mut unfounded) = (Vec::new(), Vec::new());
        for name in answer.lines().flat_map(|line| cite::take(line).names) {
            match self
                .bundle
                .find(&name)
                .map(Record::reference)
                .filter(|found| named.contains(found))
            {
                Some(found) if !cited.contains(found) => cited.push(found.clone()),
                None if !unfounded.contains(&name) => unfounded.push(name),
                _ => {}
            }
        }
        (cited, unfounded)
    }

    /// A prompt that fits, retry included, of what `make` makes for a budget of tokens.
    fn fitted<T>(
        &self,
        stage: Stage,
        make: impl Fn(usize, &dyn Fn(&str) -> usize) -> Option<(String, T)>,
    ) -> Result<(String, T)> {
        let count = |text: &str| self.model.count_tokens(text);
        let limit = self.options.max_prompt_tokens;
        let whole = |prompt: &str| count(&prompts::again(prompt, stage));
        // What a prompt takes without any record, and the least that can be said of one.
        let mut needed =
            make(0, &count).map_or_else(|| count(self.question), |(prompt, _)| whole(&prompt));
        let mut budget = limit.saturating_sub(needed);
        if needed <= limit {
            for _ in 0..MAX_FITTINGS {
                let Some((prompt, made)) = make(budget, &count) else {
                    break;
                };
                needed = whole(&prompt);
                if needed <= limit {
                    return Ok((prompt, made));
                }
                budget = budget.saturating_sub(needed - limit);
            }
        }
        Err(Error::NoRoom {
            stage,
            needed,
            limit,
            option: "max_prompt_tokens",
        })
    }

    /// Asks until the answer can be read, as often as the bounds allow.
    fn asked<T>(
        &mut self,
        stage: Stage,
        kind: Option<Kind>,
        prompt: &str,
        mut read: impl FnMut(&str) -> Option<T>,
    ) -> Result<Reply<T>> {
        for attempt in 0..=self.options.retries {
            let prompt = match attempt {
                0 => prompt.to_owned(),
                _ => prompts::again(prompt, stage),
            };
            let prompt_tokens = self.model.count_tokens(&prompt);
            if let Some(stop) = self.bound(stage, prompt_tokens) {
                // An answer that cannot be asked for again is no reason to say that records were not reached.
                if stage != Stage::Answer {
                    self.stopped = Some(stop);
                    self.trace.push(Step::Stopped(stop));
                }
                return Ok(Reply::Stopped);
            }
            let options = self.options.stage(stage);
            let asked = self.model.ask(stage, &prompt, &options);
            let mut answer = asked.map_err(|source| Error::Ask { stage, source })?;
            shorten(&mut answer);
            let answer_tokens = self.model.count_tokens(&answer);
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
                answer,
                answer_tokens,
                was_read: found.is_some(),
            }));
            if let Some(found) = found {
                return Ok(Reply::Read(found));
            }
        }
        Ok(Reply::Unreadable)
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

    fn has_asked(&self, stage: Stage) -> bool {
        self.trace
            .iter()
            .any(|step| matches!(step, Step::Asked(call) if call.stage == stage))
    }
}

/// Cuts an answer that no model can have meant.
fn shorten(answer: &mut String) {
    if answer.len() > MAX_ANSWER {
        let mut end = MAX_ANSWER;
        while !answer.is_char_boundary(end) {
            end -= 1;
        }
        answer.truncate(end);
    }
}
