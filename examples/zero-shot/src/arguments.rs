//! The command line and what it leaves open.

use std::collections::BTreeSet;
use std::fs::canonicalize;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use medgemma::classes::{self, ClassList};
use medgemma::{Probability, Resize, SiglipNormalization, SiglipOptions, SiglipTextOptions};

use crate::labels::Label;

/// The dual encoder that ships with this example.
const SHIPPED_MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/model");
/// The radiograph that ships with the report example.
const SHIPPED_IMAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/images/chest.png");
/// What the picture is held against if nothing else is asked.
const LABELS: [&str; 6] = [
    "chest X-ray=a chest X-ray;frontal radiograph of the thorax",
    "leg X-ray=an X-ray of the lower leg",
    "head CT=a CT slice of the head",
    "brain MRI=an MRI of the brain;a sagittal MR image of the brain",
    "fundus=a fundus photograph of the eye",
    "not medical=an everyday photograph",
];

/// Said where the softmax of one class is asked for.
const ONE_CLASS: &str = "--by softmax: expected two classes or more, found one, whose softmax is 1 \
whatever the picture shows; give the contrary as another --label, or --by sigmoid";

/// Holds pictures against classes described in words. Without arguments: the demonstration model on
/// a chest radiograph. Not for clinical use.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// A class: its prompt, or NAME=PROMPT;PROMPT for one that several prompts describe. Once for each. An = of
    /// <=, >=, == or != parts nothing.
    #[arg(long, value_name = "TEXT")]
    label: Vec<Label>,
    /// The classes and prompts of a published evaluation instead, such as chest-x-ray/pneumothorax.
    #[arg(long, value_name = "NAME", conflicts_with = "label", value_parser = list)]
    pub(crate) list: Option<&'static ClassList>,
    /// PNG or JPEG files [default: the chest radiograph of the report example]
    #[arg(long, value_name = "FILE", num_args = 1.., default_value = SHIPPED_IMAGE, hide_default_value = true)]
    pub(crate) image: Vec<PathBuf>,
    /// Directory of a SigLIP model [default: the demonstration model, which is not MedSigLIP]
    #[arg(long, value_name = "DIR", default_value = SHIPPED_MODEL, hide_default_value = true)]
    pub(crate) model: PathBuf,
    /// best, cpu, ndarray, wgpu, wgpu:software or cuda:N, of those compiled in.
    #[arg(long, value_name = "NAME", default_value = "best")]
    pub(crate) device: String,
    /// Which probability is drawn and decides [default: softmax; of one class, sigmoid]
    #[arg(long, value_enum)]
    by: Option<By>,
    /// No answer where the best class has a smaller probability, 0 to 1.
    #[arg(long, value_name = "P", default_value_t = 0.5, value_parser = probability)]
    pub(crate) threshold: f32,
    /// tf-bilinear, pil-bilinear, pil-bicubic, torchvision-bilinear, torchvision-bicubic; or pil or torchvision:
    /// that backend of transformers with the filter that the directory's `resample` names
    /// [default: as MedSigLIP was evaluated, tf-bilinear]
    #[arg(long, value_name = "NAME")]
    resize: Option<Resize>,
    /// siglip-tokenizer deletes all punctuation; tokenizer-json keeps / < and >, so that "SpO2 <90" is not "SpO2 90"
    #[arg(long, value_name = "NAME", default_value_t)]
    normalization: SiglipNormalization,
    /// Centres pictures on a black square instead of stretching them, as Google trained.
    #[arg(long)]
    pad_to_square: bool,
    /// Draws pictures and bars into a PNG file as well.
    #[arg(long, value_name = "FILE")]
    pub(crate) png: Option<PathBuf>,
}

/// The two probabilities of a class, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// Each class on its own: several may be true, or none.
    Sigmoid,
    /// Exactly one class is true; all make 1.
    Softmax,
}

impl Arguments {
    /// The classes asked for, or those of this example. No name may be there twice: said before a model is loaded.
    pub(crate) fn labels(&self) -> Result<Vec<Label>, String> {
        let mut names = BTreeSet::new();
        if let Some(twice) = self.label.iter().find(|label| !names.insert(&label.name)) {
            return Err(format!(
                "--label {}: there are two classes of this name; give it once, with all its prompts: NAME=PROMPT;PROMPT",
                twice.name
            ));
        }
        if !self.label.is_empty() {
            return Ok(self.label.clone());
        }
        LABELS.iter().map(|text| text.parse()).collect()
    }

    /// Which probability is meant for so many classes. The softmax of one would be an answer that
    /// no picture can change.
    pub(crate) fn by(&self, classes: usize) -> Result<Probability, String> {
        match self.by {
            Some(By::Softmax) if classes < 2 => Err(ONE_CLASS.to_owned()),
            Some(By::Softmax) => Ok(Probability::Softmax),
            Some(By::Sigmoid) => Ok(Probability::Sigmoid),
            None if classes < 2 => Ok(Probability::Sigmoid),
            None => Ok(Probability::Softmax),
        }
    }

    pub(crate) fn load_options<'a>(&self) -> SiglipOptions<'a> {
        let options = SiglipOptions::default().with_pad_to_square(self.pad_to_square);
        match self.resize {
            Some(resize) => options.with_resize(resize),
            None => options,
        }
    }

    pub(crate) fn text_options(&self) -> SiglipTextOptions {
        SiglipTextOptions::default().with_normalization(self.normalization)
    }

    /// Whether the model is the one of this example, by whatever path.
    pub(crate) fn is_demonstration(&self) -> bool {
        canonicalize(&self.model)
            .is_ok_and(|dir| canonicalize(SHIPPED_MODEL).is_ok_and(|d| d == dir))
    }
}

fn list(name: &str) -> Result<&'static ClassList, String> {
    classes::named(name).ok_or_else(|| {
        let names: Vec<&str> = classes::all().map(|list| list.name).collect();
        format!("there are {}", names.join(", "))
    })
}

fn probability(text: &str) -> Result<f32, String> {
    let value: f32 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.0..=1.0).contains(&value) {
        return Ok(value);
    }
    Err("expected a probability, 0 to 1".to_owned())
}
