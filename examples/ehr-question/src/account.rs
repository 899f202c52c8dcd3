//! What was done, for whoever has to check the answer.

use std::collections::BTreeMap;
use std::io::{self, Write};

use medgemma::NOTICE;
use medgemma_records::{
    Bundle, Call, Match, Outcome, Reason, Stage, Step, Stop, WhyUnread, WhyUnsupported,
};

/// What was read of the bundle and what was not.
pub(crate) fn record(bundle: &Bundle, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "Record: {} resources read, {} not",
        bundle.records().len(),
        bundle.unread().len()
    )?;
    for unread in bundle.unread() {
        writeln!(out, "  not read: {}: {}", unread.place, why(&unread.why))?;
    }
    if bundle.has_more_pages() {
        writeln!(out, "  the record has further pages that were not given")?;
    }
    Ok(())
}

fn why(why: &WhyUnread) -> String {
    match why {
        WhyUnread::OtherKind(name) => format!("{name} is no kind that is read"),
        WhyUnread::NoKind => "says no kind".to_owned(),
        WhyUnread::Repeated => "comes again, as new or newer".to_owned(),
        WhyUnread::Deleted => "was deleted, as a history says".to_owned(),
        WhyUnread::Malformed(key) => format!("breaks the rules of FHIR at `{key}`"),
        _ => "cannot be read".to_owned(),
    }
}

/// Steps, facts, what was left out, the answer, the notice.
pub(crate) fn outcome(outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\nSteps ({} calls, {} tokens):",
        outcome.calls, outcome.tokens
    )?;
    for taken in &outcome.trace {
        step(taken, out)?;
    }
    writeln!(out, "\nFacts with sources: {}", outcome.facts.len())?;
    for fact in &outcome.facts {
        writeln!(out, "  - {fact}")?;
        if !fact.unfounded_numbers.is_empty() {
            writeln!(
                out,
                "    numbers that no source has: {}",
                fact.unfounded_numbers.join(", ")
            )?;
        }
    }
    for fact in &outcome.left_out {
        writeln!(out, "  - no room in the answer's prompt: {fact}")?;
    }
    writeln!(
        out,
        "Statements without a source, not used: {}",
        outcome.unsupported.len()
    )?;
    for statement in &outcome.unsupported {
        writeln!(
            out,
            "  - {} ({})",
            statement.text,
            unsupported(&statement.why)
        )?;
    }
    omitted(outcome, out)?;
    writeln!(out, "\nAnswer:\n{}", outcome.answer)?;
    if outcome.stopped == Some(Stop::Caller) {
        writeln!(out, "  stopped: the model could not go on")?;
    } else if outcome.answer_is_cut_off {
        writeln!(
            out,
            "  cut off: the model had no tokens left, and there would have been more"
        )?;
    }
    for source in &outcome.cited {
        writeln!(out, "  cites {source}")?;
    }
    for name in &outcome.unfounded_citations {
        writeln!(out, "  cites {name}, which it was not shown")?;
    }
    if outcome.cited.is_empty() {
        writeln!(
            out,
            "  cites no record: nothing in the record supports this answer"
        )?;
    }
    writeln!(out, "\n{NOTICE}")
}

fn step(step: &Step, out: &mut impl Write) -> io::Result<()> {
    match step {
        Step::Asked(call) => asked(call, out),
        Step::Kinds { kinds, picked } => {
            let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
            let by = match picked {
                true => "picked by the model",
                false => "the model picked none; by the question's words",
            };
            writeln!(out, "  -> kinds: {} ({by})", names.join(", "))
        }
        Step::Found { kind, records, by } => {
            let by = match by {
                Match::Code => "by code",
                Match::Title => "by title",
                Match::Category => "by category",
                Match::All => "all were asked for",
                _ => "all: the search named nothing that there is",
            };
            writeln!(out, "  -> {kind}: {records} found ({by})")
        }
        Step::Stopped(Stop::Calls) => writeln!(out, "  -> stopped: no calls left but the answer's"),
        Step::Stopped(Stop::Caller) => writeln!(out, "  -> stopped: the model could not go on"),
        _ => writeln!(out, "  -> stopped: no tokens left but the answer's"),
    }
}

fn asked(call: &Call, out: &mut impl Write) -> io::Result<()> {
    let of = call
        .kind
        .map_or_else(String::new, |kind| format!(" {kind}"));
    let again = if call.attempt > 0 { ", again" } else { "" };
    let (prompt, answer) = (call.prompt_tokens, call.answer_tokens);
    let end = if call.is_cut_off { ", cut off" } else { "" };
    write!(
        out,
        "  {}{of}{again}: {prompt} tokens in, {answer} out{end}",
        call.stage
    )?;
    match (call.stage, call.was_read) {
        (Stage::Kinds | Stage::Search, true) => writeln!(out, ": {}", call.answer.trim()),
        (_, true) => writeln!(out),
        (Stage::Facts, false) => writeln!(out, "; cites nothing that it was shown"),
        (_, false) => writeln!(out, "; could not be read"),
    }
}

fn unsupported(why: &WhyUnsupported) -> String {
    match why {
        WhyUnsupported::UnknownRecord(_) => "cites what is not in the record".to_owned(),
        WhyUnsupported::NotShown(record) => format!("cites {record}, which it was not shown"),
        _ => "cites nothing".to_owned(),
    }
}

/// Every resource that no prompt showed, by reason.
fn omitted(outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "Resources that the model was not shown: {}",
        outcome.omitted.len()
    )?;
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for omitted in &outcome.omitted {
        let names = by_reason.entry(reason(omitted.reason)).or_default();
        names.push(omitted.reference.as_str());
    }
    for (reason, names) in by_reason {
        writeln!(out, "  {reason}: {}", names.join(", "))?;
    }
    Ok(())
}

fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::OverBudget => "no room",
        Reason::OtherKind => "kind not picked",
        Reason::OtherCode => "not searched for",
        Reason::OtherPatient => "another patient's",
        Reason::OtherSubject => "of a group, a thing, or somebody who is not named",
        Reason::EnteredInError => "entered in error",
        _ => "not reached",
    }
}

#[cfg(test)]
mod tests {
    use medgemma_records::{
        Answer, Ask, AskError, NavigatorOptions, Stage, StageOptions, navigate,
    };

    use super::*;

    /// Two results, of which one is searched for.
    const BUNDLE: &str = r#"{"resourceType": "Bundle", "type": "collection", "entry": [
        {"resource": {"resourceType": "Patient", "id": "p"}},
        {"resource": {"resourceType": "Observation", "id": "a1c", "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4", "display": "HbA1c"}]},
            "subject": {"reference": "Patient/p"}, "valueQuantity": {"value": 7.1, "unit": "%"}}},
        {"resource": {"resourceType": "Observation", "id": "na", "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "2951-2", "display": "Sodium"}]},
            "subject": {"reference": "Patient/p"}, "valueQuantity": {"value": 139, "unit": "mmol/L"}}}]}"#;

    /// Answers as a model that keeps to what it was told, but for one invention of each kind.
    struct Scripted;

    impl Ask for Scripted {
        fn ask(
            &mut self,
            stage: Stage,
            _: &str,
            _: &StageOptions,
        ) -> std::result::Result<Answer, AskError> {
            Ok(Answer::whole(match stage {
                Stage::Kinds => r#"["Observation"]"#,
                Stage::Search => r#"{"resource": "Observation", "codes": ["4548-4"]}"#,
                Stage::Facts => {
                    "- HbA1c is 7.1 %, aim 6.5 [Observation/a1c]\n- Sodium is low [Observation/na]\n\
                     - Iron is low [Observation/fe]\n- The patient is well"
                }
                _ => "Not quite [Observation/a1c], as before [Observation/na].",
            }))
        }

        fn count_tokens(&self, text: &str) -> usize {
            text.split_whitespace().count()
        }
    }

    #[test]
    fn facts_sources_inventions_and_omissions_are_told_apart() {
        let bundle = Bundle::from_json(&[BUNDLE]).expect("a bundle");
        let found = navigate(
            &bundle,
            "HbA1c?",
            &mut Scripted,
            &NavigatorOptions::default(),
        );
        let mut out = Vec::new();
        record(&bundle, &mut out).expect("written");
        outcome(&found.expect("an answer"), &mut out).expect("written");
        // Tokens are those of prompts, which may be worded anew.
        let tokens = |line: &&str| !line.contains(" tokens");
        let found = String::from_utf8(out).expect("UTF-8");
        let found: Vec<&str> = found.lines().filter(tokens).collect();
        let expected = "Record: 3 resources read, 0 not

  -> kinds: Observation (picked by the model)
  -> Observation: 1 found (by code)

Facts with sources: 1
  - HbA1c is 7.1 %, aim 6.5 [Observation/a1c]
    numbers that no source has: 6.5
Statements without a source, not used: 3
  - Sodium is low (cites Observation/na, which it was not shown)
  - Iron is low (cites what is not in the record)
  - The patient is well (cites nothing)
Resources that the model was not shown: 1
  not searched for: Observation/na

Answer:
Not quite [Observation/a1c], as before [Observation/na].
  cites Observation/a1c
  cites Observation/na, which it was not shown
";
        assert_eq!(found.join("\n"), format!("{expected}\n{NOTICE}"));
    }

    /// Has no tokens left for any answer but the first two.
    struct OutOfTokens;

    impl Ask for OutOfTokens {
        fn ask(
            &mut self,
            stage: Stage,
            _: &str,
            _: &StageOptions,
        ) -> std::result::Result<Answer, AskError> {
            Ok(match stage {
                Stage::Kinds => Answer::whole(r#"["Observation"]"#),
                Stage::Search => Answer::whole(r#"{"resource": "Observation", "codes": []}"#),
                // Of sodium there may have been more to say.
                Stage::Facts => Answer::cut_off(
                    "- HbA1c is 7.1 % [Observation/a1c]\n- Sodium is fine [Observation/na]\n- Sodium is 1",
                ),
                _ => Answer::cut_off("Not quite, since"),
            })
        }

        fn count_tokens(&self, text: &str) -> usize {
            text.split_whitespace().count()
        }
    }

    /// Writes facts down and cannot go on to the answer.
    struct Failing;

    impl Ask for Failing {
        fn ask(
            &mut self,
            stage: Stage,
            prompt: &str,
            options: &StageOptions,
        ) -> std::result::Result<Answer, AskError> {
            match stage {
                Stage::Answer => Ok(Answer::stopped("")),
                _ => Scripted.ask(stage, prompt, options),
            }
        }

        fn count_tokens(&self, text: &str) -> usize {
            Scripted.count_tokens(text)
        }
    }

    #[test]
    fn what_was_found_before_a_failure_is_shown() {
        let bundle = Bundle::from_json(&[BUNDLE]).expect("a bundle");
        let options = NavigatorOptions::default();
        let found = navigate(&bundle, "HbA1c?", &mut Failing, &options).expect("an outcome");
        let mut out = Vec::new();
        outcome(&found, &mut out).expect("written");
        let found = String::from_utf8(out).expect("UTF-8");
        for line in [
            "  - HbA1c is 7.1 %, aim 6.5 [Observation/a1c]",
            "  -> stopped: the model could not go on",
            "  stopped: the model could not go on",
        ] {
            assert_eq!(
                found.lines().filter(|it| *it == line).count(),
                1,
                "{line}: {found}"
            );
        }
    }

    #[test]
    fn what_was_cut_off_is_not_shown_as_whole() {
        let bundle = Bundle::from_json(&[BUNDLE]).expect("a bundle");
        let options = NavigatorOptions::default().with_max_excerpts(1);
        let found = navigate(&bundle, "HbA1c?", &mut OutOfTokens, &options).expect("an answer");
        let mut out = Vec::new();
        outcome(&found, &mut out).expect("written");
        let found = String::from_utf8(out).expect("UTF-8");
        for line in [
            "  -> Observation: 2 found (all were asked for)",
            "Facts with sources: 2",
            "Resources that the model was not shown: 1",
            "  not reached: Observation/na",
            "Not quite, since",
            "  cut off: the model had no tokens left, and there would have been more",
        ] {
            assert_eq!(
                found.lines().filter(|it| *it == line).count(),
                1,
                "{line}: {found}"
            );
        }
        let cut = found.lines().filter(|line| line.ends_with(" out, cut off"));
        assert_eq!(cut.count(), 2, "{found}");
    }
}
