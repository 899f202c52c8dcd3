//! Whether a prompt and its answer fit into the context.

use crate::config::TextConfig;
use crate::error::{Error, Result};

impl TextConfig {
    /// Refuses `prompt` positions behind `cached` ones, or so many with `max_new_tokens` behind them, that do not
    /// fit into `max_position_embeddings`.
    ///
    /// # Errors
    /// [`Error::ContextOverflow`].
    pub fn check_context(&self, cached: usize, prompt: usize, max_new_tokens: usize) -> Result<()> {
        let limit = self.max_position_embeddings;
        let read = cached.saturating_add(prompt);
        let room = limit.saturating_sub(read);
        // Without an answer to write, the prompt itself may still be too long.
        if max_new_tokens <= room && read <= limit {
            return Ok(());
        }
        Err(Error::ContextOverflow {
            cached,
            prompt,
            max_new_tokens,
            limit,
            room,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::TextConfig;

    #[test]
    fn what_fits_ends_with_the_last_position() {
        let json = json!({"max_position_embeddings": 10});
        let config = TextConfig::from_json(Path::new("config.json"), "", &json);
        let config = config.expect("all else has a default");
        let fits = |[cached, prompt, answer]: [usize; 3]| {
            let checked = config.check_context(cached, prompt, answer);
            checked.is_ok()
        };
        for within in [[0, 10, 0], [10, 0, 0], [3, 4, 3], [0, 0, 10]] {
            assert!(fits(within), "{within:?}");
        }
        let most = usize::MAX;
        for beyond in [
            [0, 11, 0],
            [11, 0, 0],
            [3, 4, 4],
            [most, 1, 0],
            [1, most, most],
        ] {
            assert!(!fits(beyond), "{beyond:?}");
        }
    }
}
