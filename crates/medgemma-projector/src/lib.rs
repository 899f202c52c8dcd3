//! The multimodal projector: pooled vision features to soft tokens in the decoder's width.
