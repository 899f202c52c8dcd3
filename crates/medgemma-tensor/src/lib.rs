//! The operations, weights, devices and checkpoints that the MedGemma models are written in; the only crate that names a burn backend.
