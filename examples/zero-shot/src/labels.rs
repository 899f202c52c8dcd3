//! Classes as the command line spells them, and as the model sees them.

use std::error::Error;
use std::str::FromStr;

use medgemma::{Class, MedSigLip, SiglipTextOptions};

/// A class's name and the prompts that describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) name: String,
    prompts: Vec<String>,
}

impl Label {
    /// The prompts, at least one.
    pub(crate) fn prompts(&self) -> Vec<&str> {
        self.prompts.iter().map(String::as_str).collect()
    }
}

impl FromStr for Label {
    type Err = String;

    /// `TEXT`, or `NAME=PROMPT;PROMPT`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, prompts) = match divided(text) {
            Some((name, prompts)) => (name.trim(), prompts.split(';').collect()),
            // A text alone is one prompt, whatever it holds.
            None => (text.trim(), vec![text]),
        };
        let prompts: Vec<String> = prompts.into_iter().map(|p| p.trim().to_owned()).collect();
        if name.is_empty() || prompts.iter().any(String::is_empty) {
            return Err("expected TEXT, or NAME=PROMPT;PROMPT, none of them empty".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            prompts,
        })
    }
}

/// What is before and behind the first `=` that stands alone. One of `<=`, `=<`, `>=`, `=>`, `==` or `!=` compares: the class
/// `SpO2 <=90` would become one named `SpO2 <`, of the prompt `90`.
fn divided(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let alone = |&at: &usize| {
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let compares = matches!(before, Some(b'<' | b'>' | b'=' | b'!'));
        !compares && !matches!(bytes.get(at + 1), Some(b'<' | b'>' | b'='))
    };
    let at = text.match_indices('=').map(|(at, _)| at).find(alone)?;
    Some((&text[..at], &text[at + 1..]))
}

/// What a class's name stands for, where that is not the name itself.
pub(crate) fn meaning(name: &str, prompts: &[&str]) -> Option<String> {
    (prompts != [name]).then(|| format!("{name} = {}", prompts.join("; ")))
}

/// The direction of each label: that of its prompt, or of the average of its prompts.
pub(crate) fn embed(
    model: &MedSigLip,
    labels: &[Label],
    options: &SiglipTextOptions,
) -> medgemma::Result<Vec<Class>> {
    let prompts: Vec<Vec<&str>> = labels.iter().map(Label::prompts).collect();
    let each = labels.iter().zip(&prompts);
    let classes: Vec<_> = each
        .map(|(label, own)| (label.name.as_str(), own.as_slice()))
        .collect();
    model.embed_classes_with(&classes, options)
}

/// What the library advises is a call; here there is no option for it.
pub(crate) fn advised(error: medgemma::Error) -> Box<dyn Error> {
    match error {
        medgemma::Error::PromptTooLong {
            label,
            prompt,
            limit,
            found,
            ..
        } => format!(
            "class `{label}`: its prompt {} has {found} tokens with its end, more than the {limit} that the model reads; shorten it",
            prompt + 1
        )
        .into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::{Label, meaning};

    #[test]
    fn a_text_is_its_own_prompt_and_a_name_has_several() {
        let one: Label = " chest X-ray; frontal ".parse().unwrap();
        assert_eq!(one.name, "chest X-ray; frontal");
        assert_eq!(one.prompts, ["chest X-ray; frontal"]);
        let two: Label = "chest = a chest X-ray ;radiograph of the thorax=1"
            .parse()
            .unwrap();
        assert_eq!(two.name, "chest");
        assert_eq!(two.prompts, ["a chest X-ray", "radiograph of the thorax=1"]);
    }

    #[test]
    fn a_comparison_parts_no_name_from_a_prompt() {
        for text in [
            "SpO2 <=90",
            "SpO2 >=90",
            "SpO2 =<90",
            "SpO2 => 90",
            "a == b",
            "a != b",
            "<=",
        ] {
            let label: Label = text.parse().unwrap();
            assert_eq!((label.name.as_str(), label.prompts()), (text, vec![text]));
        }
        let named: Label = "low = SpO2 <=90; SpO2 <90".parse().unwrap();
        assert_eq!(named.name, "low");
        assert_eq!(named.prompts(), ["SpO2 <=90", "SpO2 <90"]);
        let named: Label = "SpO2 <=90=saturation below 90".parse().unwrap();
        assert_eq!(named.name, "SpO2 <=90");
        assert_eq!(named.prompts(), ["saturation below 90"]);
    }

    #[test]
    fn a_name_is_explained_where_it_is_not_the_prompt() {
        assert_eq!(meaning("edema", &["edema"]), None);
        assert_eq!(meaning("SpO2", &["90"]).unwrap(), "SpO2 = 90");
        assert_eq!(meaning("a", &["a", "b"]).unwrap(), "a = a; b");
    }

    #[test]
    fn what_is_empty_is_refused() {
        for text in ["", " ", "=a", "a=", "a=b;", "a=;b"] {
            assert!(text.parse::<Label>().is_err(), "{text:?}");
        }
    }
}
