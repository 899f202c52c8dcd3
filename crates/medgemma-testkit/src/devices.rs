//! Which devices the suites run on.

use std::fmt::Display;
use std::str::FromStr;

/// Names the devices of a run, separated by commas, in place of [`ANYWHERE`].
const VARIABLE: &str = "MEDGEMMA_TEST_DEVICES";

/// What any machine has: no graphics card, but Mesa's software Vulkan.
const ANYWHERE: [&str; 3] = ["cpu", "ndarray", "wgpu:software"];

/// The devices to test: those that any machine has, as far as their backends are in this build
/// (`absent` tells that an error means just this), or all that `MEDGEMMA_TEST_DEVICES` names, such as
/// `cuda:0,wgpu`. This crate knows no devices, hence the two parameters.
///
/// # Panics
/// When a backend that is compiled in does not answer, a device that the variable names is not to be
/// had, or there is none at all: a missing driver must not turn into a suite that tests nothing.
#[must_use]
pub fn devices<D: FromStr>(absent: impl Fn(&D::Err) -> bool) -> Vec<D>
where
    D::Err: Display,
{
    let asked = std::env::var(VARIABLE).ok();
    let names: Vec<&str> = match &asked {
        Some(names) => names.split(',').collect(),
        None => ANYWHERE.to_vec(),
    };
    let mut devices = Vec::new();
    for name in names {
        match name.trim().parse() {
            Ok(device) => devices.push(device),
            Err(error) if asked.is_none() && absent(&error) => {}
            Err(error) => panic!("{name}: {error}"),
        }
    }
    assert!(
        !devices.is_empty(),
        "no backend to test: add `--features cpu` to the command"
    );
    devices
}
