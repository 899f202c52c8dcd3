//! A picture or a text as MedSigLIP sees it: a direction in a space that both share.

use std::fmt;

use crate::error::{Error, Result};

/// Means of unit vectors that are shorter are made of rounding.
const CANCELLED: f64 = 1e-6;

/// A vector of unit length. Two of one model are alike as far as their [`cosine`](Self::cosine) is
/// large; those of different models have nothing to do with each other.
///
/// `Debug` prints the width only: the numbers say what the picture shows.
#[derive(Clone, PartialEq)]
pub struct Embedding(Vec<f32>);

impl fmt::Debug for Embedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedding")
            .field("width", &self.width())
            .finish_non_exhaustive()
    }
}

impl Embedding {
    /// Brings a vector to unit length: one that was stored, or computed elsewhere.
    ///
    /// # Errors
    /// [`Error::NoDirection`] if it is empty, zero, or has numbers that are not finite.
    pub fn new(mut values: Vec<f32>) -> Result<Self> {
        let square: f64 = values.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        let found = if values.is_empty() {
            "no numbers at all"
        } else if !square.is_finite() {
            "numbers that are not finite"
        } else if square == 0.0 {
            "only zeros"
        } else {
            let length = square.sqrt();
            for x in &mut values {
                *x = rounded(f64::from(*x) / length);
            }
            return Ok(Self(values));
        };
        Err(Error::NoDirection { found })
    }

    /// The direction between several: the average of the unit vectors, brought to unit length. For a
    /// class described by several prompts (CLIP, Radford et al. 2021, §3.1.4: ensembling over the
    /// embedding space).
    ///
    /// # Errors
    /// [`Error::EmbeddingWidth`] if they differ in width, [`Error::NoDirection`] if there are none or
    /// they cancel out.
    pub fn ensemble(embeddings: &[Self]) -> Result<Self> {
        let width = embeddings.first().map_or(0, Self::width);
        let mut sum = vec![0.0; width];
        for embedding in embeddings {
            embedding.check_width(width)?;
            for (total, &x) in sum.iter_mut().zip(&embedding.0) {
                *total += f64::from(x);
            }
        }
        // Of a mean that short, what is left is the rounding of its vectors.
        let mean = sum.iter().map(|x| x * x).sum::<f64>().sqrt() / embeddings.len() as f64;
        if mean < CANCELLED {
            return Err(Error::NoDirection {
                found: "parts that cancel out",
            });
        }
        Self::new(sum.into_iter().map(rounded).collect())
    }

    /// The numbers.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// The numbers, taken out.
    #[must_use]
    pub fn into_vec(self) -> Vec<f32> {
        self.0
    }

    /// How many numbers there are; 1152 for MedSigLIP.
    #[must_use]
    pub fn width(&self) -> usize {
        self.0.len()
    }

    /// The cosine of the angle between two, −1 to 1 but for rounding.
    ///
    /// # Errors
    /// [`Error::EmbeddingWidth`] if they differ in width.
    pub fn cosine(&self, other: &Self) -> Result<f32> {
        other.check_width(self.width())?;
        let products = self.0.iter().zip(&other.0);
        let dot: f64 = products.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        Ok(rounded(dot))
    }

    /// Refuses another width than `expected`.
    pub(crate) fn check_width(&self, expected: usize) -> Result<()> {
        let found = self.width();
        if found == expected {
            Ok(())
        } else {
            Err(Error::EmbeddingWidth { expected, found })
        }
    }
}

impl AsRef<[f32]> for Embedding {
    fn as_ref(&self) -> &[f32] {
        self.as_slice()
    }
}

/// Sums are made in f64, results are f32.
#[allow(clippy::cast_possible_truncation, reason = "rounding is what is meant")]
pub(crate) fn rounded(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::Embedding;
    use crate::error::Error;

    fn new(values: &[f32]) -> Embedding {
        Embedding::new(values.to_vec()).unwrap()
    }

    #[test]
    fn what_cancels_out_but_for_rounding_has_no_direction() {
        let numbers = [0.844, 0.758, 0.421, 0.259, 0.511, 0.405, 0.784, 0.303];
        let against = numbers.map(|x: f32| -3.0 * x);
        let error = Embedding::ensemble(&[new(&numbers), new(&against)]).unwrap_err();
        assert!(matches!(error, Error::NoDirection { .. }), "{error}");
        let (x, y) = (new(&[1.0, 0.0]), new(&[-1.0, 1e-3]));
        assert!(Embedding::ensemble(&[x, y]).is_ok());
    }

    #[test]
    fn a_vector_is_brought_to_unit_length() {
        // The last two have squares that overflow f32 or vanish in it.
        for factor in [1.0, 1e30, 1e-30] {
            let found = new(&[3.0 * factor, -4.0 * factor]);
            for (found, expected) in found.as_slice().iter().zip([0.6, -0.8]) {
                assert!((found - expected).abs() < 1e-6, "{found} {expected}");
            }
        }
    }

    #[test]
    fn what_has_no_direction_is_refused() {
        for values in [
            vec![],
            vec![0.0, 0.0],
            vec![1.0, f32::NAN],
            vec![f32::INFINITY],
        ] {
            assert!(matches!(
                Embedding::new(values),
                Err(Error::NoDirection { .. })
            ));
        }
    }

    /// Each prompt weighs the same, however long its vector was before.
    #[test]
    fn an_ensemble_is_the_average_of_unit_vectors_renormalised() {
        let prompts = [new(&[10.0, 0.0]), new(&[0.0, 1.0]), new(&[0.0, 0.1])];
        let middle = Embedding::ensemble(&prompts).unwrap();
        let expected = [1.0 / 5.0_f32.sqrt(), 2.0 / 5.0_f32.sqrt()];
        for (found, expected) in middle.as_slice().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        let one = new(&[0.6, 0.8]);
        assert!(
            (Embedding::ensemble(std::slice::from_ref(&one))
                .unwrap()
                .cosine(&one)
                .unwrap()
                - 1.0)
                .abs()
                < 1e-6
        );
        let opposite = [new(&[1.0, 0.0]), new(&[-1.0, 0.0])];
        for none in [&opposite[..], &[]] {
            assert!(matches!(
                Embedding::ensemble(none),
                Err(Error::NoDirection { .. })
            ));
        }
        let uneven = [new(&[1.0]), new(&[1.0, 0.0])];
        assert!(matches!(
            Embedding::ensemble(&uneven),
            Err(Error::EmbeddingWidth {
                expected: 1,
                found: 2
            })
        ));
    }

    #[test]
    fn debug_shows_no_numbers() {
        assert_eq!(
            format!("{:?}", new(&[3.0, 4.0])),
            "Embedding { width: 2, .. }"
        );
    }
}
