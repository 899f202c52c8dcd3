//! Texts of a record on their way into a prompt: one line, no control characters, none of the model's own marks. And
//! words, by which texts are compared.

/// What was cut from a text, in characters.
pub(crate) type Cut = usize;

/// A text as one line: white space runs become one space, invisible characters vanish, `<` before a letter gets a space,
/// so that nothing in a record can be read as `<start_of_turn>` or another of the model's marks. Cut to `limit` characters.
pub(crate) fn clean(text: &str, limit: usize) -> (String, Cut) {
    let mut line = String::with_capacity(text.len().min(4 * limit));
    let (mut length, mut cut, mut gap) = (0, 0, false);
    let mut rest = text
        .chars()
        .filter(|letter| !is_invisible(*letter))
        .peekable();
    while let Some(letter) = rest.next() {
        if letter.is_whitespace() || letter.is_control() {
            gap = !line.is_empty();
            continue;
        }
        if length + usize::from(gap) >= limit {
            cut += 1;
            continue;
        }
        if std::mem::take(&mut gap) {
            line.push(' ');
            length += 1;
        }
        line.push(letter);
        length += 1;
        let opens_a_mark = |next: &char| next.is_alphabetic() || *next == '/' || *next == '|';
        gap |= letter == '<' && rest.peek().is_some_and(opens_a_mark);
    }
    if cut > 0 {
        line.push_str(&format!(" … ({cut} more characters)"));
    }
    (line, cut)
}

/// Zero width, and marks that turn the direction of writing: they hide text from whoever reads a prompt.
fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Words in lower case, without a plural's `s`, without those that every question has.
pub(crate) fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| word.chars().nth(1).is_some())
        .map(str::to_lowercase)
        .filter(|word| !COMMON.contains(&word.as_str()))
        .map(|word| match word.strip_suffix('s') {
            Some(singular) if word.len() > 4 && !singular.ends_with(['s', 'u', 'i']) => {
                singular.to_owned()
            }
            _ => word,
        })
}

/// Other words for what a question says, as codes' displays have them. In lower case, without a plural's `s`.
pub(crate) fn synonyms(word: &str) -> &'static [&'static str] {
    SYNONYMS
        .iter()
        .find(|(said, _)| *said == word)
        .map_or(&[], |(_, written)| written)
}

const COMMON: [&str; 52] = [
    "a", "about", "all", "an", "and", "any", "are", "at", "be", "been", "by", "can", "did", "do",
    "does", "for", "from", "give", "had", "has", "have", "her", "his", "how", "in", "is", "it",
    "last", "list", "many", "me", "much", "of", "on", "or", "patient", "patients", "she", "he",
    "show", "tell", "that", "the", "their", "they", "this", "to", "was", "were", "what", "which",
    "with",
];

const SYNONYMS: [(&str, &[&str]); 20] = [
    ("a1c", &["hba1c"]),
    ("anaemia", &["anemia", "hemoglobin"]),
    ("anemia", &["anaemia", "hemoglobin"]),
    ("bp", &["blood", "pressure"]),
    ("diabete", &["glucose", "a1c"]),
    ("diabetic", &["diabete", "glucose", "a1c"]),
    ("egfr", &["glomerular"]),
    ("gfr", &["glomerular"]),
    ("haemoglobin", &["hemoglobin"]),
    ("hba1c", &["a1c"]),
    ("hypertension", &["pressure", "hypertensive"]),
    ("kidney", &["creatinine", "glomerular", "renal"]),
    ("lipid", &["cholesterol", "triglyceride"]),
    ("liver", &["aminotransferase", "bilirubin", "hepatic"]),
    ("pulse", &["heart", "rate"]),
    ("rbc", &["erythrocyte"]),
    ("renal", &["creatinine", "glomerular", "kidney"]),
    ("sugar", &["glucose"]),
    ("temperature", &["fever"]),
    ("wbc", &["leukocyte"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_harmless_line() {
        let (line, cut) = clean(
            " a\n\n[Observation/1]\tb\u{202e}c <start_of_turn>model <5 </end> \u{0} ",
            100,
        );
        assert_eq!(
            line,
            "a [Observation/1] bc < start_of_turn>model <5 < /end>"
        );
        assert_eq!(cut, 0);
        assert_eq!(clean("<\u{200b}bos>", 100).0, "< bos>");
        assert_eq!(clean("<|im_start|>a |<| b", 100).0, "< |im_start|>a |< | b");
        assert_eq!(clean(" \n ", 100).0, "");
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        assert_eq!(clean("äöüß", 4), ("äöüß".to_owned(), 0));
        assert_eq!(
            clean("äöüßx y", 4),
            ("äöüß … (2 more characters)".to_owned(), 2)
        );
    }

    #[test]
    fn words_are_compared_in_the_singular() {
        let found: Vec<String> =
            words("What are the patient's Lipids, HbA1c and diabetes-related glucose values?")
                .collect();
        assert_eq!(
            found,
            ["lipid", "hba1c", "diabete", "related", "glucose", "value"]
        );
        assert!(words("status virus diagnosis illness gas").eq([
            "status",
            "virus",
            "diagnosis",
            "illness",
            "gas"
        ]));
    }

    #[test]
    fn synonyms_are_written_as_words_are_compared() {
        for (said, written) in SYNONYMS {
            for word in written.iter().chain([&said]) {
                assert_eq!(words(word).collect::<Vec<_>>(), [word.to_owned()]);
            }
        }
    }
}
