//! Gemma tokenizer, typed chat template, streaming detokeniser and thought parser.
