//! Images as MedGemma and MedSigLIP read them: decoding with limits, named resizers, normalisation, pan and scan.
