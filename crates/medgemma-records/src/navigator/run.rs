//! One navigation, from the kinds to the answer.

use std::collections::BTreeSet;

use crate::bundle::{Bundle, Record};
use crate::cite;
use crate::error::{Error, Result};
use crate::excerpt::{Excerpt, Omitted, Reason, cut};
use crate::facts::{Fact, Facts, Unsupported};
use crate::kind::Kind;
use crate::rank::{Wanted, ranked};
use crate::reference::Reference;

use super::coverage::Coverage;
use super::dialogue::{Dialogue, Reply};
use super::manifest::Manifest;
use super::options::NavigatorOptions;
use super::search::Search;
use super::stage::Stage;
use super::trace::{Step, Stop};
use super::{Answer, Ask, Outcome, gaps, parse, prompts};

pub(crate) struct Run<'a> {
    bundle: &'a Bundle,
    question: &'a str,
    options: &'a NavigatorOptions,
    patient: Option<&'a Reference>,
    dialogue: Dialogue<'a>,
    coverage: Coverage,
    facts: Vec<Fact>,
    unsupported: Vec<Unsupported>,
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
            options,
            patient: bundle.chosen(options.patient.as_ref())?,
            dialogue: Dialogue::new(model, options),
            coverage: Coverage::default(),
            facts: Vec::new(),
            unsupported: Vec::new(),
        })
    }

    pub(crate) fn finish(mut self) -> Result<Outcome> {
        let manifest = self.bundle.manifest(self.patient)?;
        let kinds = self.kinds(&manifest)?;
        for kind in &kinds {
            if self.dialogue.stopped.is_none() {
                self.look_into(*kind, &manifest)?;
            }
        }
        let (answer, left_out) = match self.dialogue.stopped {
            Some(Stop::Caller) => (String::new(), Vec::new()),
            _ => self.answer(&kinds)?,
        };
        let answer_is_cut_off = self.dialogue.was_cut_off(Stage::Answer);
        let (cited, unfounded_citations) = self.citations(&answer, answer_is_cut_off);
        Ok(Outcome {
            answer,
            answer_is_cut_off,
            cited,
            unfounded_citations,
            omitted: self.omitted(&kinds),
            facts: self.facts,
            left_out,
            unsupported: self.unsupported,
            trace: self.dialogue.trace,
            stopped: self.dialogue.stopped,
            calls: self.dialogue.calls,
            tokens: self.dialogue.tokens,
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
        let (prompt, ()) = self.dialogue.fitted(
            Stage::Kinds,
            |budget, count| (manifest.text(budget, count), ()),
            |manifest, _| prompts::kinds(question, manifest, most),
        )?;
        let read = |answer: &Answer| {
            Some(parse::kinds(&answer.text, &present)).filter(|kinds| !kinds.is_empty())
        };
        let reply = self.dialogue.asked(Stage::Kinds, None, &prompt, read)?;
        let picked = matches!(reply, Reply::Read(_));
        let mut kinds = match reply {
            Reply::Read(kinds) => kinds,
            Reply::Unreadable => self.likely_kinds(&present),
            Reply::Stopped => return Ok(Vec::new()),
        };
        kinds.truncate(most);
        self.dialogue.trace.push(Step::Kinds {
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
        ranked(
            self.bundle,
            self.patient,
            candidates,
            &wanted,
            &self.options.weights,
        )
    }

    /// Searches one kind, and has the facts of what is found written down.
    fn look_into(&mut self, kind: Kind, manifest: &Manifest) -> Result<()> {
        let question = self.question;
        let (prompt, ()) = self.dialogue.fitted(
            Stage::Search,
            |budget, count| (manifest.line(kind, budget, count), ()),
            |manifest, _| prompts::search(question, kind, manifest),
        )?;
        let read = |answer: &Answer| parse::search(&answer.text);
        let reply = self
            .dialogue
            .asked(Stage::Search, Some(kind), &prompt, read)?;
        let terms = match reply {
            Reply::Read(terms) => Some(terms),
            Reply::Unreadable => None,
            Reply::Stopped => return Ok(()),
        };
        let records = self.bundle.records();
        let search = Search::new(self.bundle, self.patient, kind, terms.as_deref());
        self.dialogue.trace.push(Step::Found {
            kind,
            records: search.found.len(),
            by: search.by,
        });
        for at in search.passed_over {
            self.coverage.pass_over(&records[at], Reason::OtherCode);
        }
        let mut left = self.ranked(&search.found, terms.as_deref().unwrap_or_default());
        // The most records of an excerpt, and those that an answer did not come to.
        let (mut most, mut cut_off) = (left.len(), BTreeSet::new());
        for _ in 0..self.options.max_excerpts {
            if left.is_empty() || self.dialogue.stopped.is_some() {
                break;
            }
            let (excerpt, read) = self.read_excerpt(kind, &left[..most.min(left.len())])?;
            if excerpt.shown.is_empty() {
                break;
            }
            left.retain(|(at, _)| !read.contains(records[*at].reference()));
            // One of which no answer comes to an end keeps none of the others from being read.
            if let Some(first) = excerpt.shown.first().filter(|_| read.is_empty()) {
                left.sort_by_key(|(at, _)| records[*at].reference() == &first.reference);
            }
            if read.len() < excerpt.shown.len() {
                // Of fewer records the model has less to say.
                most = (excerpt.shown.len() / 2).max(1);
                let shown = excerpt.shown.into_iter().map(|it| it.reference);
                cut_off.extend(shown);
            }
        }
        for (at, _) in left {
            let record = &records[at];
            let was_reached =
                self.dialogue.stopped.is_none() && !cut_off.contains(record.reference());
            let reason = if was_reached {
                Reason::OverBudget
            } else {
                Reason::NotReached
            };
            self.coverage.pass_over(record, reason);
        }
        Ok(())
    }

    /// Has the facts of the best records written down, as many as fit into a prompt. What it gives back shows nothing if
    /// none fits, or if the bounds allow no question; beside it those of which the model said all that it had to say.
    fn read_excerpt(
        &mut self,
        kind: Kind,
        ranked: &[(usize, i64)],
    ) -> Result<(Excerpt, BTreeSet<Reference>)> {
        let (question, bundle) = (self.question, self.bundle);
        let (prompt, mut excerpt) = self.dialogue.fitted(
            Stage::Facts,
            |budget, count| {
                let excerpt = cut(bundle, ranked, budget, count);
                (excerpt.text.clone(), excerpt)
            },
            |excerpt, _| prompts::facts(question, excerpt),
        )?;
        if excerpt.shown.is_empty() {
            return Ok((excerpt, BTreeSet::new()));
        }
        let (mut last, mut is_cut_off) = (Facts::default(), false);
        let read = |answer: &Answer| {
            last = Facts::read(answer.whole_lines(), bundle, &excerpt);
            is_cut_off = answer.is_cut_off;
            // Statements and no citation: asked again. Neither: there is nothing to say.
            (!last.facts.is_empty() || last.unsupported.is_empty()).then_some(())
        };
        let reply = self
            .dialogue
            .asked(Stage::Facts, Some(kind), &prompt, read)?;
        if matches!(reply, Reply::Stopped) && last == Facts::default() {
            excerpt.shown.clear();
            return Ok((excerpt, BTreeSet::new()));
        }
        // An answer that was cut off says nothing of what it did not come to, and perhaps not all of what it ended with.
        let read: BTreeSet<Reference> = match last.facts.split_last() {
            Some((end, before)) if is_cut_off => {
                let before = before.iter().flat_map(Fact::sources);
                let is_whole = |it: &&Reference| !end.sources().any(|of_end| of_end == *it);
                before.filter(is_whole).cloned().collect()
            }
            None if is_cut_off => BTreeSet::new(),
            _ => {
                let shown = excerpt.shown.iter();
                shown.map(|it| it.reference.clone()).collect()
            }
        };
        for reference in &read {
            self.coverage.show(reference);
        }
        // What a list ended with comes again with its record.
        last.facts.retain(|fact| !self.facts.contains(fact));
        self.facts.append(&mut last.facts);
        self.unsupported.append(&mut last.unsupported);
        Ok((excerpt, read))
    }

    /// The answer, and the facts for which its prompt had no room. Those that it had room for are what stays in `facts`.
    fn answer(&mut self, kinds: &[Kind]) -> Result<(String, Vec<Fact>)> {
        let patient = self.patient_line();
        let gaps = gaps::gaps(self.bundle, self.omitted_because(kinds));
        let (prompt, fitting) = match self.answer_prompt(&patient, &gaps) {
            // The calls before are paid for.
            Err(Error::NoRoom { .. }) if !gaps.is_empty() => {
                self.answer_prompt(&patient, gaps::SHORT)?
            }
            prompt => prompt?,
        };
        let left_out = self.facts.split_off(fitting);
        let read = |answer: &Answer| {
            Some(answer.text.trim().to_owned()).filter(|answer| !answer.is_empty())
        };
        let answer = match self.dialogue.asked(Stage::Answer, None, &prompt, read)? {
            Reply::Read(answer) => answer,
            Reply::Unreadable | Reply::Stopped => String::new(),
        };
        Ok((answer, left_out))
    }

    /// The prompt of the answer, and how many facts are in it.
    fn answer_prompt(&self, patient: &str, gaps: &str) -> Result<(String, usize)> {
        let (question, facts) = (self.question, &self.facts);
        self.dialogue.fitted(
            Stage::Answer,
            |budget, count| {
                let (mut text, mut fitting) = (String::new(), 0);
                for fact in facts {
                    let longer = format!("{text}- {fact}\n");
                    if count(&longer) > budget {
                        break;
                    }
                    (text, fitting) = (longer, fitting + 1);
                }
                (text, fitting)
            },
            |text, fitting| {
                let left_out = facts.len() - fitting.copied().unwrap_or(0);
                let gaps = match left_out {
                    0 => gaps.to_owned(),
                    _ => format!("{left_out} facts that were found had no room here.\n{gaps}"),
                };
                prompts::answer(question, patient, text, &gaps)
            },
        )
    }

    /// The patient's own line, which every answer may need: sex and date of birth.
    fn patient_line(&mut self) -> String {
        let bundle = self.bundle;
        let record = self.patient.and_then(|patient| bundle.get(patient));
        let record = record.filter(|record| bundle.unfit(record, self.patient).is_none());
        record.map_or_else(String::new, |record| {
            self.coverage.show(record.reference());
            record.line() + "\n"
        })
    }

    fn omitted(&self, kinds: &[Kind]) -> Vec<Omitted> {
        let count = |text: &str| self.dialogue.count(text);
        self.omitted_because(kinds)
            .map(|(record, reason)| Omitted::new(record, reason, &count))
            .collect()
    }

    fn omitted_because(&self, kinds: &[Kind]) -> impl Iterator<Item = (&'a Record, Reason)> {
        let stopped = self.dialogue.stopped.is_some();
        self.coverage
            .omitted(self.bundle, self.patient, kinds, stopped)
    }

    /// Citations of the answer: records that its prompt named, and what it did not name.
    fn citations(&self, answer: &str, is_cut_off: bool) -> (Vec<Reference>, Vec<String>) {
        // `Observation/1` may be what is left of `Observation/12`.
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || "-.#/".contains(letter);
        let answer = match is_cut_off {
            true => answer.trim_end_matches(is_part),
            false => answer,
        };
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
}
