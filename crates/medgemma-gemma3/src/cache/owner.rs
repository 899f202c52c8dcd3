//! Whose a cache is. One of other layers, windows, heads or another device is refused before any work:
//! read on, it would be indexed where it has nothing.

use medgemma_tensor::Device;

use super::{KvCache, LayerCache};
use crate::config::{LayerType, TextConfig};
use crate::error::{Error, Result};

impl KvCache {
    /// Refuses a cache that cannot be of the decoder with this configuration on `device`.
    ///
    /// # Errors
    /// [`Error::ForeignCache`].
    pub(crate) fn check(&self, config: &TextConfig, device: &Device) -> Result<()> {
        let kinds = &config.layer_types;
        if self.layers.len() != kinds.len() {
            return Err(Error::ForeignCache {
                layer: None,
                expected: format!("{} layers", kinds.len()),
                found: format!("{} layers", self.layers.len()),
            });
        }
        for (index, (layer, &kind)) in self.layers.iter().zip(kinds).enumerate() {
            layer
                .check(kind, config, device)
                .map_err(|(expected, found)| Error::ForeignCache {
                    layer: Some(index),
                    expected,
                    found,
                })?;
        }
        Ok(())
    }
}

impl LayerCache {
    /// What was expected and found, where that differs.
    fn check(
        &self,
        kind: LayerType,
        config: &TextConfig,
        device: &Device,
    ) -> std::result::Result<(), (String, String)> {
        let window = config.window(kind);
        if self.window != window {
            return Err((told_window(window), told_window(self.window)));
        }
        let Some((keys, _)) = &self.slots else {
            return Ok(());
        };
        let [heads, _, width] = keys.dims();
        let expected = [config.num_key_value_heads, config.head_dim];
        if [heads, width] != expected {
            return Err((told_heads(expected), told_heads([heads, width])));
        }
        if !keys.is_on(device) {
            let expected = format!("keys on the device {device}");
            return Err((expected, "keys on another one".to_owned()));
        }
        Ok(())
    }
}

fn told_window(window: Option<usize>) -> String {
    window.map_or_else(
        || "no window".to_owned(),
        |window| format!("a window of {window}"),
    )
}

fn told_heads([heads, width]: [usize; 2]) -> String {
    format!("{heads} heads of {width} numbers")
}
