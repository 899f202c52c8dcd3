//! The Gemma 3 decoder: exact semantics, KV cache, sampling and generation.
