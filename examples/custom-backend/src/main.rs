//! The vision tower alone, on a backend chosen by name: what it sees in two pictures, and how alike
//! they are. Below the facade, tensors are burn's and devices are yours.

mod arguments;
mod tower;

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;
use medgemma_image::{Image, ImageProcessor};
use medgemma_tensor::{Backend, Device, Tensor, tensor_from, vec_from};

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let backends = [Backend::Cpu, Backend::NdArray, Backend::Wgpu, Backend::Cuda];
    let compiled = backends.into_iter().filter(|backend| backend.is_compiled());
    let names: Vec<_> = compiled.map(Backend::feature).collect();
    let device: Device = arguments.device.parse()?;
    writeln!(
        out,
        "device {device}, backends compiled in: {}",
        names.join(", ")
    )?;

    let (config, tower) = tower::load(&arguments.model, &device)?;
    let processor = ImageProcessor::from_dir(&arguments.model, config.image_size)?;
    let [height, width] = processor.size();
    // A burn tensor made on the burn device: the even grey that a picture is compared against.
    let grey = Tensor::<3>::zeros([3, height, width], device.as_burn());
    let blank = tower.forward(grey)?;
    let see = |path: &Path| -> Result<Tensor<2>, Box<dyn Error>> {
        let pixels = processor
            .process(&Image::open(path)?)?
            .pixels
            .swap_remove(0);
        Ok(tower.forward(tensor_from(pixels.data, pixels.shape, &device))?)
    };
    let (first, second) = (see(&arguments.first)?, see(&arguments.second)?);
    for (path, features) in [(&arguments.first, &first), (&arguments.second, &second)] {
        let [patches, width] = features.dims();
        let (mean, deviation) = (
            features.clone().mean(),
            features.clone().var(0).mean().sqrt(),
        );
        let mean = vec_from(mean, "mean")?[0];
        let deviation = vec_from(deviation, "deviation")?[0];
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        writeln!(
            out,
            "{name}: {patches} patches of {width}, mean {mean:.4}, deviation {deviation:.4}"
        )?;
    }
    let alike = tower::cosine(first - blank.clone(), second - blank)?;
    Ok(writeln!(out, "cosine similarity: {alike:.4}")?)
}
