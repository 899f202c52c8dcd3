//! The published Gemma 3 tokenizer, from the folder that the environment variable `MEDGEMMA_TESTDATA` names
//! (`tok/tokenizer.json`). Expected ids were made with the `tokenizers` package and the file itself; its vocabulary is
//! under the Gemma terms, so no part of it is kept here.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::explicit_write,
    reason = "goes past the test harness's capture, so that a gap is seen"
)]

use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;

use medgemma_tokenizer::{
    ConfiguredIds, Detokenizer, Message, SpecialTokens, Tokenizer, expand_images, image_spans,
    render, split_thoughts,
};

/// The tokenizer, or `None` with a visible line if the variable isn't set. A missing file fails the test.
fn published(test: &str) -> Option<&'static Tokenizer> {
    static TOKENIZER: OnceLock<Tokenizer> = OnceLock::new();
    let Some(folder) = std::env::var_os("MEDGEMMA_TESTDATA") else {
        writeln!(
            std::io::stderr(),
            "skipped: MEDGEMMA_TESTDATA not set ({test})"
        )
        .unwrap();
        return None;
    };
    let path = Path::new(&folder).join("tok/tokenizer.json");
    Some(
        TOKENIZER
            .get_or_init(|| Tokenizer::from_file(&path).unwrap_or_else(|error| panic!("{error}"))),
    )
}

#[test]
fn ids_of_known_prompts() {
    let Some(tokenizer) = published("ids_of_known_prompts") else {
        return;
    };
    let cases: [(&str, &[u32]); 4] = [
        (
            "<bos><start_of_turn>user\nDescribe the image in English<start_of_image><end_of_turn>\n<start_of_turn>model\n",
            &[
                2, 105, 2364, 107, 82858, 506, 2471, 528, 5422, 255_999, 106, 107, 105, 4368, 107,
            ],
        ),
        ("Describe this X-ray", &[82858, 672, 1684, 236_772, 1254]),
        (
            "<unused94>thought\nOk<unused95>No pneumothorax.",
            &[
                100, 45518, 107, 22736, 101, 3771, 29229, 174_965, 1124, 236_761,
            ],
        ),
        (
            "肺炎 12345",
            &[
                163_134, 236_743, 236_770, 236_778, 236_800, 236_812, 236_810,
            ],
        ),
    ];
    for (text, ids) in cases {
        assert_eq!(tokenizer.encode(text).unwrap(), ids, "{text}");
        assert_eq!(tokenizer.decode(ids, true).unwrap(), text);
        let mut stream = Detokenizer::new(tokenizer, true);
        let streamed: String = ids.iter().map(|&id| stream.push(id)).collect();
        assert_eq!(streamed + &stream.finish(), text);
    }
    let prompts: [(&str, &[u32]); 2] = [
        ("The capital of France is", &[2, 818, 5279, 529, 7001, 563]),
        (
            "Pneumonia is an infection of the",
            &[2, 236_791, 24014, 13577, 563, 614, 13482, 529, 506],
        ),
    ];
    for (text, ids) in prompts {
        assert_eq!(tokenizer.encode_prompt(text).unwrap(), ids, "{text}");
    }
}

#[test]
fn special_ids_are_the_preset() {
    let Some(tokenizer) = published("special_ids_are_the_preset") else {
        return;
    };
    assert_eq!(tokenizer.vocab_size(), 262_145);
    let special = SpecialTokens::of(tokenizer).unwrap();
    assert_eq!(special, SpecialTokens::GEMMA3);
    special
        .check(&ConfiguredIds {
            bos_token_id: Some(2),
            boi_token_index: Some(255_999),
            eoi_token_index: Some(256_000),
            image_token_index: Some(262_144),
        })
        .unwrap();
    for (text, id) in [
        ("\n", 107),
        ("\n\n", 108),
        ("\n\n\n", 109),
        ("\n\n\n\n", 110),
    ] {
        assert_eq!(tokenizer.encode(text).unwrap(), [id]);
    }
}

#[test]
fn newlines_merge_into_the_image_block() {
    let Some(tokenizer) = published("newlines_merge_into_the_image_block") else {
        return;
    };
    let soft = vec![262_144; 256];
    let prompt = render(
        None,
        &[Message::user().image().text("Describe this X-ray")],
        true,
    )
    .unwrap();
    let ids = tokenizer
        .encode_prompt(&expand_images(&prompt, 256, &[0]).unwrap())
        .unwrap();
    let tail = [82858, 672, 1684, 236_772, 1254, 106, 107, 105, 4368, 107];
    let expected = [
        &[2, 105, 2364, 109, 255_999],
        &soft[..],
        &[256_000, 108],
        &tail,
    ]
    .concat();
    assert_eq!(
        ids, expected,
        "`user\\n` and the block's `\\n\\n` are one token"
    );
    assert_eq!(image_spans(&ids, 262_144, 256).unwrap(), vec![5..261; 1]);

    let prompt = render(
        None,
        &[Message::user().text("in English").image().image()],
        true,
    )
    .unwrap();
    let ids = tokenizer
        .encode_prompt(&expand_images(&prompt, 256, &[0, 0]).unwrap())
        .unwrap();
    let expected = [
        &tokenizer
            .encode("<bos><start_of_turn>user\nin English")
            .unwrap()[..],
        &[108, 255_999],
        &soft,
        &[256_000, 110, 255_999],
        &soft,
        &[256_000, 108, 106, 107, 105, 4368, 107],
    ]
    .concat();
    assert_eq!(ids, expected, "two blocks share one run of four newlines");
}

#[test]
fn thoughts_survive_decoding() {
    let Some(tokenizer) = published("thoughts_survive_decoding") else {
        return;
    };
    let text = tokenizer
        .decode(
            &[
                100, 45518, 107, 22736, 101, 3771, 29229, 174_965, 1124, 236_761, 106,
            ],
            false,
        )
        .unwrap();
    let reply = split_thoughts(&text);
    assert_eq!(
        (reply.reasoning.as_deref(), reply.answer.as_str()),
        (Some("Ok"), "No pneumothorax.")
    );
}
