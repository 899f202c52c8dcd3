//! The sizes of the projector, gathered from the parts of Gemma 3's `config.json`.

use crate::error::{Error, Result};

/// Sizes of a [`Projector`](crate::Projector). None is in a section of its own in `config.json`:
/// each field says where it comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ProjectorConfig {
    /// `vision_config.hidden_size`.
    pub vision_hidden_size: usize,
    /// `text_config.hidden_size`.
    pub text_hidden_size: usize,
    /// `vision_config.image_size / vision_config.patch_size`.
    pub patches_per_side: usize,
    /// `mm_tokens_per_image`, a square number to whose root the patches of a side can be pooled.
    pub mm_tokens_per_image: usize,
    /// Epsilon of the norm: `vision_config.layer_norm_eps`, as in the reference, although the norm
    /// itself is the decoder's RMS norm.
    pub eps: f64,
}

impl ProjectorConfig {
    /// MedGemma 4B: 64 × 64 patches of SigLIP so400m become 256 tokens of width 2560
    /// (Gemma 3 technical report, §2.1).
    pub const MEDGEMMA_4B: Self = Self {
        vision_hidden_size: 1152,
        text_hidden_size: 2560,
        patches_per_side: 64,
        mm_tokens_per_image: 256,
        eps: 1e-6,
    };

    /// MedGemma 27B multimodal: the same pictures in tokens of width 5376.
    pub const MEDGEMMA_27B: Self = Self {
        text_hidden_size: 5376,
        ..Self::MEDGEMMA_4B
    };

    /// A checked configuration.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn new(
        vision_hidden_size: usize,
        text_hidden_size: usize,
        patches_per_side: usize,
        mm_tokens_per_image: usize,
        eps: f64,
    ) -> Result<Self> {
        let config = Self {
            vision_hidden_size,
            text_hidden_size,
            patches_per_side,
            mm_tokens_per_image,
            eps,
        };
        config.check()?;
        Ok(config)
    }

    /// Whether a projector of these sizes exists.
    ///
    /// # Errors
    /// [`Error::Zero`], [`Error::NotASquare`], [`Error::UnevenGrid`], [`Error::Epsilon`].
    pub fn check(&self) -> Result<()> {
        for (key, value) in [
            ("vision_config.hidden_size", self.vision_hidden_size),
            ("text_config.hidden_size", self.text_hidden_size),
            (
                "vision_config.image_size / patch_size",
                self.patches_per_side,
            ),
            ("mm_tokens_per_image", self.mm_tokens_per_image),
        ] {
            if value == 0 {
                return Err(Error::Zero { key });
            }
        }
        let tokens_per_side = self.tokens_per_side();
        if tokens_per_side * tokens_per_side != self.mm_tokens_per_image {
            return Err(Error::NotASquare {
                found: self.mm_tokens_per_image,
            });
        }
        // As the reference pools: a kernel rounded down, and what fills no window left out.
        let pooled = self.patches_per_side.checked_div(self.kernel());
        if pooled != Some(tokens_per_side) {
            return Err(Error::UnevenGrid {
                patches_per_side: self.patches_per_side,
                tokens_per_side,
            });
        }
        if !self.eps.is_finite() || self.eps < 0.0 {
            return Err(Error::Epsilon { found: self.eps });
        }
        Ok(())
    }

    /// Soft tokens along one side of a picture, rounded down.
    #[must_use]
    pub fn tokens_per_side(&self) -> usize {
        self.mm_tokens_per_image.isqrt()
    }

    /// Patches along one side of a pooling window, in a configuration that passes
    /// [`check`](Self::check).
    pub(crate) fn kernel(&self) -> usize {
        self.patches_per_side / self.tokens_per_side()
    }
}

#[cfg(test)]
mod tests {
    use super::ProjectorConfig;
    use crate::error::Error;

    const GOOD: ProjectorConfig = ProjectorConfig::MEDGEMMA_4B;

    #[test]
    fn the_published_sizes_are_sound_and_pool_sixteen_patches() {
        for config in [ProjectorConfig::MEDGEMMA_4B, ProjectorConfig::MEDGEMMA_27B] {
            config.check().expect("published");
            assert_eq!((config.tokens_per_side(), config.kernel()), (16, 4));
        }
    }

    #[test]
    fn every_unsound_size_is_refused_with_its_numbers() {
        let cases: [(ProjectorConfig, &str); 7] = [
            (
                ProjectorConfig {
                    vision_hidden_size: 0,
                    ..GOOD
                },
                "vision_config.hidden_size",
            ),
            (
                ProjectorConfig {
                    text_hidden_size: 0,
                    ..GOOD
                },
                "text_config.hidden_size",
            ),
            (
                ProjectorConfig {
                    patches_per_side: 0,
                    ..GOOD
                },
                "patch_size",
            ),
            (
                ProjectorConfig {
                    mm_tokens_per_image: 0,
                    ..GOOD
                },
                "mm_tokens_per_image",
            ),
            (
                ProjectorConfig {
                    mm_tokens_per_image: 255,
                    ..GOOD
                },
                "255",
            ),
            (
                ProjectorConfig {
                    patches_per_side: 63,
                    ..GOOD
                },
                "63",
            ),
            (
                ProjectorConfig {
                    eps: f64::NAN,
                    ..GOOD
                },
                "NaN",
            ),
        ];
        for (config, named) in cases {
            let error = config.check().expect_err("unsound").to_string();
            assert!(error.contains(named), "{error} does not name {named}");
        }
    }

    /// `int(grid // side)` of `Gemma3MultiModalProjector`, then `AvgPool2d`, which drops the rest.
    #[test]
    fn patches_that_fill_no_window_are_left_out() {
        for (patches, tokens, kernel) in [(63, 15, 4), (65, 16, 4), (64, 3, 21), (5, 2, 2)] {
            let config = ProjectorConfig::new(8, 8, patches, tokens * tokens, 1e-6);
            let config = config.expect("the reference pools it");
            assert_eq!(
                (config.tokens_per_side(), config.kernel()),
                (tokens, kernel)
            );
        }
        // Windows of 4 make 16 tokens and windows of 5 make 12: no window makes 13, 14 or 15 of 64.
        for tokens in [13, 14, 15] {
            ProjectorConfig::new(8, 8, 64, tokens * tokens, 1e-6).expect_err("another number");
        }
    }

    #[test]
    fn more_tokens_than_patches_are_refused() {
        let config = ProjectorConfig::new(8, 8, 2, 9, 1e-6);
        assert!(matches!(
            config,
            Err(Error::UnevenGrid {
                patches_per_side: 2,
                tokens_per_side: 3
            })
        ));
    }
}
