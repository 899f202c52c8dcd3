//! The SigLIP encoder: vision tower of MedGemma and MedSigLIP.
