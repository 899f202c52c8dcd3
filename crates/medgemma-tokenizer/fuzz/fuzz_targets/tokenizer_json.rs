//! Any bytes as `tokenizer.json`: an error or a tokenizer that can be used, never a panic, a hang or unbounded memory.
//! Seed: `tests/golden/tokenizer.json`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use medgemma_tokenizer::{Detokenizer, SpecialTokens, Tokenizer};

const TEXT: &str =
    "<bos>The lungs\n\n\nare clear. \u{80ba}\u{1f600}\0 <unused94>thought<end_of_turn>";

fuzz_target!(|bytes: &[u8]| {
    let Ok(tokenizer) = Tokenizer::from_bytes("fuzz", bytes) else {
        return;
    };
    let Ok(ids) = tokenizer.encode(TEXT) else {
        return;
    };
    let _ = (tokenizer.encode_prompt(TEXT), SpecialTokens::of(&tokenizer));
    for keep_special in [true, false] {
        let mut stream = Detokenizer::new(&tokenizer, keep_special);
        let streamed: String = ids.iter().map(|&id| stream.push(id)).collect();
        assert_eq!(
            streamed + &stream.finish(),
            tokenizer.decode(&ids, keep_special).unwrap()
        );
    }
});
