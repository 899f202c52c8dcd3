//! Citations in a model's words: `[Observation/a1c-7]`, with or without brackets, one or several.

use crate::kind::Kind;

/// A text without its citations, and these in their order.
pub(crate) struct Cited {
    pub(crate) text: String,
    pub(crate) names: Vec<String>,
}

/// Takes the citations out of a line. One is the name of a kind, in any case, `/`, and what an id and a `#` are
/// made of. What is no citation stays, brackets included.
pub(crate) fn take(line: &str) -> Cited {
    let mut text = String::new();
    let mut names = Vec::new();
    let mut rest = line;
    while let Some((before, name, after)) = next(rest) {
        text.push_str(before);
        names.push(name);
        rest = after;
        // A mark that holds the place, so that brackets around citations can be told from others.
        text.push('\u{1}');
    }
    text.push_str(rest);
    Cited {
        text: tidy(&text),
        names,
    }
}

/// The first citation: what is before it, the citation with the kind's name in FHIR's case, what follows.
fn next(text: &str) -> Option<(&str, String, &str)> {
    for (slash, _) in text.match_indices('/') {
        let before = &text[..slash];
        let letters = before
            .bytes()
            .rev()
            .take_while(u8::is_ascii_alphabetic)
            .count();
        let start = slash - letters;
        // The last letters before the slash, all of them: `x.Observation/` is one, `MyObservation/` none.
        let is_named = |kind: &Kind| kind.name().eq_ignore_ascii_case(&before[start..]);
        let Some(kind) = Kind::ALL.into_iter().find(is_named) else {
            continue;
        };
        let after = &text[slash + 1..];
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.#".contains(byte);
        let length = after.bytes().take_while(is_part).count();
        // A full stop ends the sentence, not the id.
        let id = after[..length].trim_end_matches(['.', '-']);
        if id.is_empty() {
            continue;
        }
        return Some((&text[..start], format!("{kind}/{id}"), &after[id.len()..]));
    }
    None
}

/// Marks go, with brackets that hold nothing else, and the white space that they leave.
fn tidy(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\u{1}') {
        let mut before = &rest[..at];
        let mut after = &rest[at..];
        // All citations of one pair of brackets, with what stands between them.
        after = after.trim_start_matches(['\u{1}', ',', ';', ' ']);
        if after.starts_with(CLOSE) {
            before = without_lead(before);
        }
        while let (Some(open), Some(close)) = (before.chars().next_back(), after.chars().next()) {
            let pair = OPEN.iter().position(|mark| *mark == open);
            if pair.is_none() || pair != CLOSE.iter().position(|mark| *mark == close) {
                break;
            }
            before = &before[..before.len() - open.len_utf8()];
            after = after[close.len_utf8()..].trim_start_matches('\u{1}');
        }
        out.push_str(before.trim_end());
        let glued = after.starts_with(['.', ',', ';', ':', ')', ']']) || after.is_empty();
        if !glued && !out.is_empty() {
            out.push(' ');
        }
        rest = after.trim_start();
    }
    out.push_str(rest);
    out.trim().trim_end_matches([',', ';', ':']).to_owned()
}

const OPEN: [char; 3] = ['[', '(', '`'];
const CLOSE: [char; 3] = [']', ')', '`'];

/// Words that lead to a citation and say nothing themselves.
const LEADS: [&str; 6] = ["source", "sources", "see", "from", "reference", "cited"];

/// Without the lead that a bracket begins with: `… (Source: `.
fn without_lead(before: &str) -> &str {
    let words = before.trim_end_matches([':', ' ']);
    let letters = words.bytes().rev().take_while(u8::is_ascii_alphabetic);
    let (bracket, last) = words.split_at(words.len() - letters.count());
    let is_lead = LEADS.iter().any(|lead| lead.eq_ignore_ascii_case(last));
    if is_lead && bracket.ends_with(OPEN) {
        bracket
    } else {
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(line: &str) -> (String, Vec<String>) {
        let cited = take(line);
        (cited.text, cited.names)
    }

    #[test]
    fn citations_are_found_in_all_forms() {
        for line in [
            "HbA1c was 7.9 % [Observation/12].",
            "HbA1c was 7.9 % (Observation/12).",
            "HbA1c was 7.9 % `[observation/12]`.",
            "[OBSERVATION/12] HbA1c was 7.9 %.",
            "HbA1c was 7.9 % Observation/12.",
            "HbA1c was 7.9 % [[Observation/12]].",
            "HbA1c was 7.9 % [Source: Observation/12].",
            "HbA1c was 7.9 % (see Observation/12).",
        ] {
            assert_eq!(
                taken(line),
                (
                    "HbA1c was 7.9 %.".to_owned(),
                    vec!["Observation/12".to_owned()]
                ),
                "{line}"
            );
        }
    }

    #[test]
    fn several_citations_keep_their_order() {
        let (text, names) =
            taken("Rose from 7.1 [Observation/#1] to 7.9 [Observation/#2, MedicationRequest/3#a].");
        assert_eq!(text, "Rose from 7.1 to 7.9.");
        assert_eq!(
            names,
            ["Observation/#1", "Observation/#2", "MedicationRequest/3#a"]
        );
    }

    #[test]
    fn what_is_no_citation_stays() {
        for line in [
            "142/88 mm[Hg] and/or [Mass/volume]",
            "Observation/",
            "MyObservation/1",
            "Observation/ 1",
            "a (b)",
            "a (source)",
        ] {
            assert_eq!(taken(line), (line.to_owned(), vec![]), "{line}");
        }
        assert_eq!(taken("").0, "");
        assert_eq!(taken("Observation/1").0, "");
    }
}
