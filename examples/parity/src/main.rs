//! Writes what a model computes for given inputs into one safetensors file, so that anyone can compare it
//! with the reference on any checkpoint. What the directory holds decides what is computed: MedGemma's
//! logits and a greedy continuation, or MedSigLIP's embeddings and logits.

mod decoder;
mod dual_encoder;
mod output;

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use medgemma::{Alpha, DecodeOptions, Device, Image, Resize, SiglipNormalization};

/// Computes what the reference computes for token ids, texts and images.
#[derive(Parser)]
struct Arguments {
    /// Hugging Face model directory of MedGemma or of a SigLIP 1 model.
    #[arg(long)]
    model: PathBuf,
    /// PNG or JPEG, once for each image or followed by all; MedGemma: in the order of the soft tokens. From JPEG, pixels
    /// are a level or two apart from Pillow's, and Pillow clips 16 bits: for parity give PNG of 8 bits, or compare from
    /// the written `pixel_values`.
    #[arg(long, num_args = 1..)]
    image: Vec<PathBuf>,
    /// cpu, ndarray, wgpu, wgpu:software, cuda:N or best.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// tf-bilinear, pil-bilinear, pil-bicubic, torchvision-bilinear, torchvision-bicubic; or the backend pil
    /// or torchvision of transformers, with the filter that the directory's `resample` names. Default: for
    /// SigLIP tf-bilinear, for MedGemma pil.
    #[arg(long)]
    resize: Option<Resize>,
    /// What becomes of transparency: forgotten, as by `load_image` of transformers, or laid on white, as by its
    /// processors for a picture that was opened as RGBA.
    #[arg(long, value_enum, default_value = "drop")]
    alpha: AlphaName,
    /// Where to write.
    #[arg(long)]
    out: PathBuf,

    /// MedGemma: token ids of the prompt, soft tokens in place: 2,5,9
    #[arg(long, value_delimiter = ',')]
    prompt_ids: Vec<u32>,
    /// MedGemma: tokens to write.
    #[arg(long, default_value_t = 16)]
    max_new_tokens: usize,
    /// MedGemma: goes on after the model's stop ids.
    #[arg(long)]
    ignore_eos: bool,
    /// MedGemma: crops of long images, whatever the directory says. `Gemma3Processor` of transformers has them off
    /// unless its caller asks; `Gemma3ImageProcessor` does as the directory says, as does this program by default.
    #[arg(long, value_enum)]
    pan_and_scan: Option<Switch>,

    /// SigLIP: once for each text, or followed by all of them; needs tokenizer.json or spiece.model.
    #[arg(long, num_args = 1..)]
    text: Vec<String>,
    /// SigLIP: ids in place of texts: `5,7,1` or `[5,7,1]` for each, or `[[5,7,1],[9,1]]` for all.
    #[arg(long, num_args = 1.., conflicts_with = "text")]
    input_ids: Vec<String>,
    /// SigLIP: siglip-tokenizer or tokenizer-json.
    #[arg(long, default_value_t)]
    normalization: SiglipNormalization,
    /// SigLIP: cuts texts of too many tokens instead of refusing them.
    #[arg(long)]
    truncate: bool,
    /// SigLIP: takes pixels of other sizes than the model's, with interpolated positions.
    #[arg(long)]
    interpolate: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum AlphaName {
    Drop,
    White,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl Arguments {
    /// The images, one after the other.
    fn images(&self) -> impl Iterator<Item = Result<Image, medgemma::ImageError>> {
        let options = DecodeOptions::default().with_alpha(match self.alpha {
            AlphaName::Drop => Alpha::Drop,
            AlphaName::White => Alpha::OverWhite,
        });
        let open = move |path| Image::open_with(path, &options);
        self.image.iter().map(open)
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let device: Device = arguments.device.parse()?;
    let texts = !arguments.text.is_empty() || !arguments.input_ids.is_empty();
    let output = if texts || is_siglip(&arguments.model) {
        dual_encoder::run(arguments, &device)?
    } else {
        decoder::run(arguments, &device)?
    };
    Ok(output.write(&arguments.out)?)
}

/// Tells what of a directory's files was not looked at: the reference may be changed by it.
fn tell_unknown(keys: &[String]) -> io::Result<()> {
    keys.iter().try_for_each(|key| {
        writeln!(
            io::stderr(),
            "{key}: unknown, changes nothing here and may change the reference"
        )
    })
}

/// Whether config.json is that of a SigLIP model: by its `model_type`, or where it has none by its class or by having
/// two towers. One that cannot be read is left to the loader to refuse.
fn is_siglip(dir: &Path) -> bool {
    let read = || {
        let text = std::fs::read(dir.join("config.json")).ok()?;
        serde_json::from_slice::<serde_json::Value>(&text).ok()
    };
    let Some(config) = read() else {
        return false;
    };
    if let Some(kind) = config["model_type"].as_str() {
        return kind.starts_with("siglip");
    }
    let class = config["architectures"][0].as_str().unwrap_or_default();
    let towers = config["text_config"].is_object() && config["vision_config"].is_object();
    class.starts_with("Siglip") || (towers && !class.starts_with("Gemma"))
}
