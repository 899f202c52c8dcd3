//! MedGemma and MedSigLIP in Rust: image and question in, streamed report out, nothing leaves the machine.
