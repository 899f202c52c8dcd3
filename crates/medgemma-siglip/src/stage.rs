//! Names for what the towers compute on the way, for comparison with the reference.

/// A point of a forward pass whose value the `…_observed` functions show. A picture's rows are its
/// patches; the rows of several texts follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Projected patches, or token embeddings, plus their positions; `[rows, d]`.
    Embeddings,
    /// The output of the encoder block with this index; `[rows, d]`.
    Layer(usize),
    /// After the last layer norm of the vision tower, whose result this is; `[rows, d]`.
    PostLayernorm,
    /// After the last layer norm of the text tower; `[rows, d]`.
    FinalLayerNorm,
    /// What the probe of the attention-pooling head gathered; `[1, d]`.
    Attended,
    /// The result of a head: one row for a picture, or for each text; not yet of unit length.
    Pooled,
}
