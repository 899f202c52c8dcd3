//! Names: capitalised words behind a title, beside a relative or a credential, out of a list, or two that
//! no list of ordinary words explains. What was found once is found wherever it stands again.

use std::collections::BTreeSet;

use super::space::PARAGRAPH;
use super::word::{is_ambiguous, is_first_name, is_ordinary, is_surname};
use super::{Finding, Identifier};

/// A word of the text.
#[derive(Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    start: usize,
    end: usize,
}

impl Word<'_> {
    fn is_capital(self) -> bool {
        self.text.starts_with(char::is_uppercase)
    }

    /// One letter, as in `J. Doe`.
    fn is_initial(self) -> bool {
        self.is_capital() && self.text.chars().count() == 1
    }

    fn is_all_capital(self) -> bool {
        self.text.chars().count() > 1 && !self.text.contains(char::is_lowercase)
    }

    /// In lower case, without a possessive.
    fn plain(self) -> String {
        let text = self.text.to_lowercase();
        let text = text.trim_end_matches("'s").trim_end_matches("’s");
        text.to_owned()
    }

    /// Where it ends without a possessive, which is no part of a name.
    fn name_end(self) -> usize {
        let tail = ["'s", "’s"]
            .into_iter()
            .find(|tail| self.text.ends_with(tail));
        self.end - tail.map_or(0, str::len)
    }
}

/// Whose name follows: with a point or without, but nothing else between.
const TITLES: [&str; 21] = [
    "dr",
    "drs",
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "prof",
    "professor",
    "doctor",
    "sir",
    "dame",
    "rev",
    "reverend",
    "nurse",
    "officer",
    "sgt",
    "capt",
    "pastor",
    "rabbi",
    "mister",
];
/// A name follows, behind a colon or the like.
const LABELS: [&str; 32] = [
    "name",
    "patient",
    "pt",
    "attending",
    "physician",
    "radiologist",
    "surgeon",
    "resident",
    "provider",
    "consultant",
    "technologist",
    "by",
    "to",
    "from",
    "cc",
    "attn",
    "re",
    "mother",
    "father",
    "guardian",
    "contact",
    "kin",
    "author",
    "operator",
    "proxy",
    "signed",
    "dear",
    "interpreter",
    "pharmacist",
    "anesthesiologist",
    "pathologist",
    "assistant",
];
/// A name follows, if a word does that can be one.
const COMPANIONS: [&str; 50] = [
    "mother",
    "father",
    "wife",
    "husband",
    "son",
    "daughter",
    "brother",
    "sister",
    "partner",
    "spouse",
    "friend",
    "neighbor",
    "neighbour",
    "aunt",
    "uncle",
    "cousin",
    "niece",
    "nephew",
    "grandson",
    "granddaughter",
    "grandmother",
    "grandfather",
    "guardian",
    "caregiver",
    "carer",
    "fiance",
    "fiancee",
    "roommate",
    "boyfriend",
    "girlfriend",
    "patient",
    "pt",
    "named",
    "called",
    "dear",
    "baby",
    "twin",
    "stepfather",
    "stepmother",
    "infant",
    "child",
    "attending",
    "radiologist",
    "surgeon",
    "physician",
    "resident",
    "therapist",
    "pharmacist",
    "interpreter",
    "coordinator",
];
/// A name may follow: taken where a list knows part of it, or two words can be one.
const LINKS: [&str; 12] = [
    "by", "with", "to", "from", "per", "for", "and", "that", "told", "informed", "via", "of",
];
/// A name went before.
const CREDENTIALS: [&str; 27] = [
    "md", "do", "rn", "np", "pa", "pa-c", "phd", "lpn", "bsn", "msn", "dnp", "crna", "dds", "dmd",
    "dpm", "frcr", "facr", "facs", "mbbs", "mbchb", "pharmd", "dpt", "lcsw", "facc", "esq", "ot",
    "mph",
];
/// Parts of names that are written small.
const PARTICLES: [&str; 15] = [
    "van", "von", "de", "der", "den", "del", "la", "le", "da", "di", "dos", "bin", "al", "ibn",
    "ter",
];
/// Behind the last word.
const PARAGRAPH_GAP: &str = "\u{2029}";
/// Words of one name at most.
const LONGEST: usize = 5;
/// Of one with carets, which has five parts in each of three spellings.
const LONGEST_CARET: usize = 20;
/// Words of protocols that the list of ordinary words lacks, for names with carets.
const PROTOCOLS: [&str; 16] = [
    "routine",
    "neuro",
    "abd",
    "thor",
    "pelv",
    "cardio",
    "vascular",
    "angio",
    "specials",
    "extremities",
    "protocol",
    "runoff",
    "thx",
    "cspine",
    "tspine",
    "lspine",
];
/// Behind the second caret of a coded test as HL7 has it, `TSH^Thyrotropin^LN`.
const CODE_SYSTEMS: [&str; 5] = ["ln", "loinc", "sct", "snm", "icd"];

/// Names in no order; they may overlap.
pub(super) fn find(text: &str) -> Vec<Finding> {
    let words = words(text);
    let page = Page {
        text,
        words: &words,
    };
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let length = page.name_at(at);
        if length == 0 {
            at += 1;
            continue;
        }
        found.push((at, length));
        at += length;
    }
    let known: BTreeSet<String> = found
        .iter()
        .flat_map(|&(at, length)| {
            // Carets alone are little to go by for the rest of a text.
            let by_form = page.caret_name(at) > 0 && !page.is_labelled(at);
            let words = words[at..at + length].iter().map(|word| word.plain());
            words.filter(move |word| !by_form || is_first_name(word) || is_surname(word))
        })
        .filter(|word| word.chars().count() >= 3 && !PARTICLES.contains(&word.as_str()))
        .filter(|word| !is_ordinary(word))
        .collect();
    let again = words.iter().enumerate().filter_map(|(at, word)| {
        (word.is_capital() && known.contains(&word.plain())).then_some((at, 1))
    });
    let all: Vec<(usize, usize)> = found.iter().copied().chain(again).collect();
    let findings = all.into_iter().map(|(at, length)| Finding {
        identifier: Identifier::Name,
        range: words[at].start..words[at + length - 1].name_end(),
    });
    findings.collect()
}

/// Letters with apostrophes and hyphens among them.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start = None;
    let inner = |c: char| matches!(c, '\'' | '’' | '-');
    let mut push = |from: usize, to: usize| {
        let word = text[from..to].trim_end_matches(inner);
        if !word.is_empty() {
            words.push(Word {
                text: word,
                start: from,
                end: from + word.len(),
            });
        }
    };
    for (at, c) in text.char_indices() {
        match start {
            None if c.is_alphabetic() => start = Some(at),
            Some(from) if !(c.is_alphabetic() || inner(c)) => {
                push(from, at);
                start = None;
            }
            _ => {}
        }
    }
    if let Some(from) = start {
        push(from, text.len());
    }
    words
}

/// `HeadRoutine` in two, in lower case; `McCoy` as well.
fn parts(word: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut small = false;
    for c in word.chars() {
        if small && c.is_uppercase() {
            parts.push(String::new());
        }
        small = c.is_lowercase();
        if let Some(part) = parts.last_mut() {
            part.extend(c.to_lowercase());
        }
    }
    parts
}

/// How much what stands before a word makes it a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Anywhere,
    /// Behind a relative or a role.
    Likely,
    /// Behind a title, or `Name:`.
    Certain,
}

/// The words of a text, and what stands between them.
struct Page<'a> {
    text: &'a str,
    words: &'a [Word<'a>],
}

impl Page<'_> {
    /// What stands between this word and the next.
    fn gap(&self, at: usize) -> &str {
        match (self.words.get(at), self.words.get(at + 1)) {
            (Some(word), Some(next)) => &self.text[word.end..next.start],
            _ => PARAGRAPH_GAP,
        }
    }

    fn before(&self, at: usize) -> Option<(String, &str)> {
        let before = at.checked_sub(1)?;
        Some((self.words[before].plain(), self.gap(before)))
    }

    fn is_labelled(&self, at: usize) -> bool {
        let before = self.before(at);
        before.is_some_and(|(before, gap)| {
            LABELS.contains(&before.as_str()) && matches!(gap.trim(), ":" | "=")
        })
    }

    /// How many words from here are a name as DICOM and HL7 write it, `Doe^Jane`.
    fn caret_name(&self, at: usize) -> usize {
        let mut end = at;
        // A surname of several words, of which the form tells only the last.
        let several = |end: usize| self.words[end].text.chars().count() > 1 && self.is_part(end);
        while self.gap(end) == " " && end - at < 2 && several(end) {
            end += 1;
        }
        let (surname, word) = (end, self.words[end]);
        let letters = word.text.chars().count();
        if !self.carets(end) || letters < 2 && word.text.is_ascii() {
            return 0;
        }
        while end - at < LONGEST_CARET {
            let next = end + 1;
            let given = || {
                // In capitals throughout, or not.
                let alike = self
                    .words
                    .get(next)
                    .is_some_and(|next| next.is_all_capital() == self.words[end].is_all_capital());
                self.gap(end) == " " && alike && self.is_part(next)
            };
            let gap = self.gap(end);
            let joined = !gap.is_empty() && gap.chars().all(|c| matches!(c, '^' | '='));
            if !joined && !given() {
                break;
            }
            end = next;
        }
        if self.is_labelled(at) || self.speaks_for_itself(at, surname, end) {
            end + 1 - at
        } else {
            0
        }
    }

    /// Whether words with carets are a name where nothing says so: a surname that ends at `surname`, a given name.
    /// Protocols (`Head^Routine`), tests, blood groups (`Fy^a`) and mutations (`BRAF^V600E`) have carets too.
    fn speaks_for_itself(&self, at: usize, surname: usize, end: usize) -> bool {
        let code = self.words[surname + 1..=end].get(1);
        if surname == end || code.is_some_and(|code| CODE_SYSTEMS.contains(&code.plain().as_str()))
        {
            return false;
        }
        self.words[at..=surname + 1].iter().all(|word| {
            let plain = word.plain();
            let long = word.text.chars().count() > 1 || !word.text.is_ascii();
            let digits = self.text[..word.start].ends_with(|c: char| c.is_ascii_digit())
                || self.text[word.end..].starts_with(|c: char| c.is_ascii_digit());
            let listed = is_first_name(&plain) || is_surname(&plain) || is_ambiguous(&plain);
            let ordinary = |part: &String| is_ordinary(part) || PROTOCOLS.contains(&part.as_str());
            let name = listed || !ordinary(&plain) && !parts(word.text).iter().any(ordinary);
            let written = !word.text.starts_with(char::is_lowercase) && name;
            long && !digits && (written || PARTICLES.contains(&plain.as_str()))
        })
    }

    /// Whether carets end a word and no number is behind them: `cm^2` is an area.
    fn carets(&self, at: usize) -> bool {
        let rest = &self.text[self.words[at].end..];
        let behind = rest.trim_start_matches('^');
        let ends = |c: char| c.is_alphabetic() || c.is_whitespace() || ",;.|)\"'=".contains(c);
        behind.len() < rest.len() && behind.chars().next().is_none_or(ends)
    }

    /// A word that can stand beside another in a part of such a name.
    fn is_part(&self, at: usize) -> bool {
        let word = self.words[at];
        let plain = word.plain();
        let known = [&TITLES[..], &LABELS, &COMPANIONS, &CREDENTIALS];
        let known = known.iter().any(|words| words.contains(&plain.as_str()));
        PARTICLES.contains(&plain.as_str()) || word.is_capital() && !known && !is_ordinary(&plain)
    }

    /// How many words from here are a name; none mostly.
    fn name_at(&self, at: usize) -> usize {
        let caret_name = self.caret_name(at);
        if caret_name > 0 {
            return caret_name;
        }
        let word = self.words[at];
        if !word.is_capital() {
            return 0;
        }
        let plain = word.plain();
        if TITLES.contains(&plain.as_str()) && self.gap(at).trim() != ":" && !word.is_initial() {
            return 0;
        }
        if self.is_dotted_credential(at)
            && self.before(at).is_some_and(|(_, gap)| gap.starts_with(','))
        {
            return 0;
        }
        if let Some((before, gap)) = self.before(at) {
            let before = before.as_str();
            if TITLES.contains(&before) && matches!(gap, " " | "\n" | ". " | ".\n" | ".") {
                return self.run(at, Place::Certain);
            }
            if self.is_labelled(at) {
                let certain = before == "name";
                let place = if certain {
                    Place::Certain
                } else {
                    Place::Likely
                };
                return self.run(at, place);
            }
            if COMPANIONS.contains(&before) && matches!(gap, " " | ", " | ",\n") {
                let run = self.run(at, Place::Likely);
                if run > 0 {
                    return run;
                }
            }
        }
        let run = self.run(at, Place::Anywhere);
        if run == 0 {
            return 0;
        }
        let listed = self.listed(at, run);
        let unexplained = run > 1 && !self.is_heading(at, run);
        let linked = self.before(at).is_some_and(|(before, gap)| {
            LINKS.contains(&before.as_str()) && matches!(gap, " " | "\n")
        });
        let name = listed
            || self.credential_after(at + run - 1)
            || unexplained && (linked || !self.starts_sentence(at));
        if name { run } else { 0 }
    }

    /// How many words from here can be one name.
    fn run(&self, at: usize, place: Place) -> usize {
        let mut length = 0;
        let mut end = at;
        while end < self.words.len() && end - at < LONGEST {
            let word = self.words[end];
            let particle = end > at && PARTICLES.contains(&word.plain().as_str());
            let taken = self.can_be_name(end, end == at, place);
            if !(taken || word.is_initial() || particle) {
                break;
            }
            if taken && !particle && (!word.is_initial() || end > at) {
                length = end + 1 - at;
            }
            let gap = self.gap(end);
            let surname_first =
                end == at && matches!(gap, ", " | ",\n") && self.comma_name(end, place);
            let joined = gap == " "
                || matches!(gap, ". " | ".\n" | ".") && word.is_initial()
                || gap == "\n" && self.wraps(at, end, place);
            if !(joined || surname_first) || word.name_end() < word.end {
                break;
            }
            end += 1;
        }
        let mut words = self.words[at..at + length].iter();
        if words.all(|word| word.is_initial()) {
            0
        } else {
            length
        }
    }

    /// Whether a name that began at `at` goes on behind the line that `end` ends. Most lines end elsewhere than
    /// in a name, and what follows may be a heading: a surname ends a name, and so does a second word.
    fn wraps(&self, at: usize, end: usize, place: Place) -> bool {
        let plain = self.words[end].plain();
        let next = self.words.get(end + 1).map(|next| next.plain());
        // `Moore, Alice` is whole.
        if self.gap(end + 1).starts_with(':') || end > at && self.gap(at).starts_with(',') {
            return false;
        }
        let alone = end == at || !is_surname(&plain);
        let first = is_first_name(&plain) && !is_ambiguous(&plain) && alone;
        let open = self.words[end].is_initial()
            || first
            || PARTICLES.contains(&plain.as_str())
            || next.is_some_and(|next| is_surname(&next) && !is_ordinary(&next));
        open || place != Place::Anywhere && end == at && !is_surname(&plain)
    }

    /// Whether a word can be part of a name, as the first of it or behind another part.
    fn can_be_name(&self, at: usize, first: bool, place: Place) -> bool {
        let word = self.words[at];
        let plain = word.plain();
        if !word.is_capital()
            || CREDENTIALS.contains(&plain.as_str())
            || TITLES.contains(&plain.as_str())
        {
            return false;
        }
        if !is_ordinary(&plain) || first && place == Place::Certain {
            return true;
        }
        // An ordinary word that is a name as well: where a name is looked for, or in company.
        let known = is_surname(&plain) || is_first_name(&plain);
        let next = || {
            let next = self.words.get(at + 1).filter(|_| self.gap(at) == " ");
            next.is_some_and(|next| next.is_capital() && !is_ordinary(&next.plain()))
        };
        known && (!first || place == Place::Likely || is_first_name(&plain) && next())
    }

    /// `Doe, Jane`: where a name is looked for, or a surname or first name that the lists know.
    fn comma_name(&self, at: usize, place: Place) -> bool {
        let Some(next) = self.words.get(at + 1) else {
            return false;
        };
        let known = is_first_name(&next.plain()) || is_surname(&self.words[at].plain());
        self.can_be_name(at + 1, false, place) && (known || place != Place::Anywhere)
    }

    /// Whether a list knows part of these words as a name and nothing else.
    fn listed(&self, at: usize, length: usize) -> bool {
        let words = &self.words[at..at + length];
        let several = words.iter().filter(|word| !word.is_initial()).count() > 1 || length > 1;
        words.iter().any(|word| {
            let plain = word.plain();
            let first = is_first_name(&plain) && !is_ambiguous(&plain);
            first || several && (is_surname(&plain) || is_first_name(&plain))
        })
    }

    fn credential_after(&self, at: usize) -> bool {
        let Some(next) = self.words.get(at + 1) else {
            return false;
        };
        if !matches!(self.gap(at), ", " | ",\n" | " " | ",") || !next.is_capital() {
            return false;
        }
        let plain = next.plain();
        let known = |word: &str| CREDENTIALS.contains(&word);
        // In capitals, since `do` and `pa` are words.
        next.is_all_capital() && known(&plain)
            || plain == "phd"
            || self.is_dotted_credential(at + 1)
    }

    /// `M.D.`
    fn is_dotted_credential(&self, at: usize) -> bool {
        let (word, next) = (self.words[at], self.words.get(at + 1));
        let next = next.filter(|_| word.is_initial() && self.gap(at) == ".");
        next.is_some_and(|next| {
            let both = format!("{}{}", word.plain(), next.plain());
            CREDENTIALS.contains(&both.as_str())
        })
    }

    fn starts_sentence(&self, at: usize) -> bool {
        let gap = match at.checked_sub(1) {
            Some(before) => self.gap(before),
            None => return true,
        };
        gap.contains(['.', '\n', PARAGRAPH, ':', ';', '!', '?', '•', '|']) || gap.contains("- ")
    }

    /// All in capitals, in a text that is, or in front of a colon: more likely a heading.
    fn is_heading(&self, at: usize, length: usize) -> bool {
        let words = &self.words[at..at + length];
        words.iter().any(|word| word.is_all_capital()) || self.gap(at + length - 1).starts_with(':')
    }
}
