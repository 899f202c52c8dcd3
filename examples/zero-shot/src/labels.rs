//! Classes as the command line spells them, and as the model sees them.

use std::str::FromStr;

use medgemma::{Class, MedSigLip, SiglipTextOptions};

/// A class's name and the prompts that describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) name: String,
    prompts: Vec<String>,
}

impl FromStr for Label {
    type Err = String;

    /// `TEXT`, or `NAME=PROMPT;PROMPT`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, prompts) = text.split_once('=').unwrap_or((text, text));
        let prompts: Vec<String> = match text.contains('=') {
            true => prompts.split(';').map(|p| p.trim().to_owned()).collect(),
            // A text alone is one prompt, whatever it holds.
            false => vec![prompts.trim().to_owned()],
        };
        let name = name.trim();
        if name.is_empty() || prompts.iter().any(String::is_empty) {
            return Err("expected TEXT, or NAME=PROMPT;PROMPT, none of them empty".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            prompts,
        })
    }
}

/// The direction of each label: that of its prompt, or of the average of its prompts.
pub(crate) fn embed(
    model: &MedSigLip,
    labels: &[Label],
    options: &SiglipTextOptions,
) -> medgemma::Result<Vec<Class>> {
    let prompts = labels
        .iter()
        .map(|label| label.prompts.iter().map(String::as_str).collect());
    let prompts: Vec<Vec<&str>> = prompts.collect();
    let each = labels.iter().zip(&prompts);
    let classes: Vec<_> = each
        .map(|(label, own)| (label.name.as_str(), own.as_slice()))
        .collect();
    model.embed_classes_with(&classes, options)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::Label;

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
    fn what_is_empty_is_refused() {
        for text in ["", " ", "=a", "a=", "a=b;", "a=;b"] {
            assert!(text.parse::<Label>().is_err(), "{text:?}");
        }
    }
}
