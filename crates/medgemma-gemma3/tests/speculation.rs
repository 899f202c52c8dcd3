//! Speculation changes when tokens are computed, never which: against plain greedy decoding, token
//! by token, with the cache left behind as plain decoding leaves it.

mod support;

use std::sync::OnceLock;

use medgemma_gemma3::{
    Decoder, Drafts, Finish, GenerateOptions, Generation, KvCache, Segment, Speculation, Token,
};
use medgemma_tensor::{Device, tensor_from};
use medgemma_testkit::{Scratch, checkpoint, narrow_window};
use proptest::prelude::*;
use support::{decoder, devices};

/// Log-probabilities from a row among others and from a row alone.
const NOISE: f32 = 2e-4;

/// `mm-2025`, and the same with a window of a few tokens, on the CPU.
fn decoders() -> &'static [Decoder; 2] {
    static DECODERS: OnceLock<[Decoder; 2]> = OnceLock::new();
    DECODERS.get_or_init(|| {
        let device = Device::cpu().expect("the feature cpu is on");
        let narrow = narrow_window();
        [
            decoder(&checkpoint("mm-2025"), &device),
            decoder(narrow.path(), &device),
        ]
    })
}

fn options(tokens: usize, speculation: Speculation) -> GenerateOptions {
    GenerateOptions::default()
        .with_max_new_tokens(tokens)
        .with_speculation(speculation)
}

/// Up to `pulled` tokens, why it ended, and what guessing did.
fn run(
    decoder: &Decoder,
    prompt: &[Segment],
    cache: &mut KvCache,
    options: &GenerateOptions,
    pulled: usize,
) -> (Vec<Token>, Option<Finish>, Drafts) {
    let mut generation: Generation<'_> = decoder
        .generate(prompt.to_vec(), cache, options, Box::new(|_, _| true))
        .expect("the prompt is valid");
    let before = generation.cache().len() + prompt.iter().map(Segment::len).sum::<usize>();
    let mut tokens = Vec::new();
    while tokens.len() < pulled
        && let Some(token) = generation.next()
    {
        // All but the last token, whatever was verified along with it.
        assert_eq!(generation.cache().len(), before + tokens.len());
        tokens.push(token.expect("the logits are finite"));
    }
    (tokens, generation.finish(), generation.drafts())
}

#[track_caller]
fn assert_same(a: &[Token], b: &[Token]) {
    let ids = |tokens: &[Token]| tokens.iter().map(|token| token.id).collect::<Vec<_>>();
    assert_eq!(ids(a), ids(b));
    for (index, (a, b)) in a.iter().zip(b).enumerate() {
        let apart = (a.logprob - b.logprob).abs();
        assert!(apart < NOISE, "{a:?} and {b:?} at {index}");
    }
}

/// Both ways up to `pulled` tokens, then on from the caches that they left. What guessing did.
#[track_caller]
fn compare(
    decoder: &Decoder,
    prompt: &[Segment],
    plain: &GenerateOptions,
    pulled: usize,
) -> Drafts {
    let mut guessing = plain.clone();
    guessing.speculation = Speculation::PromptLookup;
    let mut caches = [decoder.new_cache(), decoder.new_cache()];
    let [one, other] = &mut caches;
    let (expected, finish, none) = run(decoder, prompt, one, plain, pulled);
    let (found, same_finish, drafts) = run(decoder, prompt, other, &guessing, pulled);
    assert_same(&found, &expected);
    match (finish, same_finish) {
        (Some(Finish::Stop(a)), Some(Finish::Stop(b))) => assert_same(&[a], &[b]),
        (a, b) => assert_eq!(a, b),
    }
    assert_eq!(none, Drafts::default());
    assert!(drafts.accepted <= drafts.proposed);
    if let Some(finish) = finish {
        // The prompt's pass gives the first one, and no draft goes on beyond the end.
        let chosen = expected.len() + usize::from(matches!(finish, Finish::Stop(_)));
        assert!(drafts.accepted <= chosen.saturating_sub(1), "{drafts:?}");
    }
    let [one, other] = &mut caches;
    assert_eq!(one.len(), other.len(), "what was read");
    let full = one.len() + 9 > decoder.config().max_position_embeddings;
    if let Some(last) = expected.last().filter(|_| !full) {
        assert_eq!(
            one.len(),
            prompt.iter().map(Segment::len).sum::<usize>() + expected.len()
                - usize::from(!matches!(finish, Some(Finish::Stop(_)))),
        );
        let next = [Segment::Tokens(vec![last.id, 17, 300])];
        let mut plain = plain.clone();
        plain.stop_ids.clear();
        plain.max_new_tokens = 6;
        let (expected, ..) = run(decoder, &next, one, &plain, 6);
        let (found, ..) = run(decoder, &next, other, &plain, 6);
        assert_same(&found, &expected);
    }
    drafts
}

fn image(rows: usize, decoder: &Decoder) -> Segment {
    let width = decoder.config().hidden_size;
    let values = (0..rows * width).map(|i| f32::from(u16::try_from(i * 37 % 113).expect("small")));
    let values = values.map(|x| x / 56.0 - 1.0).collect();
    Segment::Embeddings(tensor_from(values, [rows, width], decoder.device()))
}

#[test]
fn tokens_and_cache_are_those_of_plain_decoding_on_every_device() {
    for device in devices() {
        for variant in ["mm-2025", "text-27b-like"] {
            let decoder = decoder(&checkpoint(variant), &device);
            let prompt = [Segment::Tokens([2, 105, 300, 301, 302, 303].repeat(4))];
            let drafts = compare(&decoder, &prompt, &options(90, Speculation::Off), 90);
            assert!(
                drafts.proposed > 0,
                "{variant} on {device}: nothing guessed"
            );
        }
    }
}

#[test]
fn most_passes_are_spared_where_the_model_repeats_itself() {
    // A greedy tiny model soon goes in circles, as an answer that copies its input does.
    for decoder in decoders() {
        let prompt = [Segment::Tokens(vec![2, 290, 17, 300])];
        let drafts = compare(decoder, &prompt, &options(400, Speculation::Off), 400);
        assert!(drafts.accepted > 200, "{drafts:?}");
        assert!(drafts.proposed < 2 * drafts.accepted, "{drafts:?}");
    }
}

#[test]
fn only_greedy_choice_is_guessed() {
    let decoder = &decoders()[0];
    let prompt = [Segment::Tokens(vec![9; 12])];
    let mut sampled = options(60, Speculation::Off);
    sampled.sampling.temperature = 0.01;
    let mut penalised = options(60, Speculation::Off);
    penalised.sampling.repetition_penalty = 1.01;
    for plain in [sampled, penalised] {
        let drafts = compare(decoder, &prompt, &plain, 60);
        assert_eq!(drafts, Drafts::default());
    }
}

#[test]
fn guesses_come_from_earlier_turns_too() {
    let decoder = &decoders()[0];
    let prompt = [Segment::Tokens(vec![2, 290, 17, 300])];
    let plain = options(24, Speculation::Off);
    let (tokens, ..) = run(decoder, &prompt, &mut decoder.new_cache(), &plain, 24);
    let mut guessing = options(24, Speculation::PromptLookup);
    let without = run(decoder, &prompt, &mut decoder.new_cache(), &guessing, 24).2;
    // What was said before holds the answer, and ids that no prompt could.
    guessing.seen = vec![2, 290, 17, 300];
    guessing.seen.extend(tokens.iter().map(|token| token.id));
    guessing.seen.extend([u32::MAX, 1 << 30]);
    let (found, _, with) = run(decoder, &prompt, &mut decoder.new_cache(), &guessing, 24);
    assert_same(&found, &tokens);
    assert!(with.accepted > without.accepted, "{with:?} and {without:?}");
}

#[test]
fn guesses_that_miss_become_rare() {
    let decoder = &decoders()[0];
    let prompt = [Segment::Tokens(vec![2, 290, 17, 300])];
    let plain = options(24, Speculation::Off);
    let (tokens, ..) = run(decoder, &prompt, &mut decoder.new_cache(), &plain, 24);
    let answer: Vec<u32> = tokens.iter().map(|token| token.id).collect();
    // After any two tokens of the answer another one was seen than it goes on with.
    let mut guessing = options(24, Speculation::PromptLookup);
    for pair in [&[300], &answer[..]].concat().windows(2) {
        guessing.seen.extend([pair[0], pair[1], 3, 3, 3]);
    }
    assert!(!answer.contains(&3));
    let (found, _, drafts) = run(decoder, &prompt, &mut decoder.new_cache(), &guessing, 24);
    assert_same(&found, &tokens);
    assert_eq!(drafts.accepted, 0);
    // One token, four, then sixteen are written without; the last draft has room for one.
    assert_eq!(drafts.proposed, 3 + 3 + 3 + 1, "{answer:?}");
}

#[test]
fn nothing_is_written_beyond_the_context_or_the_limit() {
    let decoder = &decoders()[0];
    let limit = decoder.config().max_position_embeddings;
    let room = 30;
    let prompt = [Segment::Tokens(
        [2, 300, 301].repeat(limit)[..limit - room].to_vec(),
    )];
    let drafts = compare(decoder, &prompt, &options(room, Speculation::Off), room + 5);
    assert!(drafts.proposed > 0);
    for tokens in [0, 1, 2, 3] {
        let prompt = [Segment::Tokens([300, 301].repeat(8))];
        compare(decoder, &prompt, &options(tokens, Speculation::Off), 10);
    }
}

#[test]
fn a_draft_counts_up_to_the_end_of_the_answer() {
    let decoder = sound();
    let prompt = [Segment::Tokens(PROMPT.to_vec())];
    let (answer, at) = answer(&decoder);
    let mut guessing = options(24, Speculation::PromptLookup);
    guessing.seen = [&PROMPT[..], &answer].concat();
    guessing.stop_ids = vec![answer[at]];
    let (found, finish, drafts) = run(&decoder, &prompt, &mut decoder.new_cache(), &guessing, 24);
    assert_eq!(found.len(), at);
    assert!(matches!(finish, Some(Finish::Stop(token)) if token.id == answer[at]));
    // All of a first draft of three, and of the next one what led to the stop id.
    assert_eq!((drafts.proposed, drafts.accepted), (3 + 7, 3 + at - 5));
}

#[test]
fn a_prompt_that_is_not_finite_is_told_in_its_pass() {
    let decoder = &decoders()[0];
    let width = decoder.config().hidden_size;
    let broken = tensor_from(vec![f32::NAN; width], [1, width], decoder.device());
    let prompt = [Segment::Tokens(vec![2, 3]), Segment::Embeddings(broken)];
    for speculation in [Speculation::Off, Speculation::PromptLookup] {
        let mut cache = decoder.new_cache();
        let options = options(9, speculation);
        let generation =
            decoder.generate(prompt.to_vec(), &mut cache, &options, Box::new(|_, _| true));
        let mut generation = generation.expect("the prompt is valid");
        let first = generation.next().expect("an error is an item");
        assert!(first.is_err());
        assert!(generation.next().is_none());
    }
}

const PROMPT: [u32; 4] = [2, 290, 17, 300];

/// `text-27b-like`, whose head is a matrix of its own.
fn sound() -> Decoder {
    let device = Device::cpu().expect("the feature cpu is on");
    decoder(&checkpoint("text-27b-like"), &device)
}

/// The same with an embedding that is not finite.
fn with_broken(id: u32) -> Decoder {
    let folder = Scratch::of("text-27b-like").edit(|tensors| {
        let key = tensors
            .keys()
            .find(|key| key.ends_with("embed_tokens.weight"));
        let key = key.expect("there are embeddings").to_owned();
        let stored = tensors.remove(&key);
        let mut values = stored.to_f32();
        let width = stored.shape[1];
        values[id as usize * width..][..width].fill(f32::NAN);
        tensors.insert(&key, stored.with_f32(&values));
    });
    let device = Device::cpu().expect("the feature cpu is on");
    decoder(folder.path(), &device)
}

/// What `decoder` plainly answers to [`PROMPT`], and where in it a token stands for the first time. Four
/// come from a first draft of three and the row before it; this one is in the middle of the next.
fn answer(decoder: &Decoder) -> (Vec<u32>, usize) {
    let prompt = [Segment::Tokens(PROMPT.to_vec())];
    let plain = options(24, Speculation::Off);
    let (tokens, ..) = run(decoder, &prompt, &mut decoder.new_cache(), &plain, 24);
    let answer: Vec<u32> = tokens.iter().map(|token| token.id).collect();
    let at = (5..11).find(|&at| !answer[..at].contains(&answer[at]));
    (answer, at.expect("the answer goes on with new tokens"))
}

#[test]
fn a_guess_that_cannot_be_read_spoils_no_token() {
    let (answer, _) = answer(&sound());
    let guess = (3..).find(|id| !answer.contains(id));
    let guess = guess.expect("an answer is short");
    let broken = with_broken(guess);
    let prompt = [Segment::Tokens(PROMPT.to_vec())];
    // After any two tokens this one is guessed: its rows make the whole pass not finite, which is
    // taken back, and the last token read alone. `run` holds the cache to what was written.
    let mut guessing = options(24, Speculation::PromptLookup);
    for pair in [&[300], &answer[..]].concat().windows(2) {
        guessing
            .seen
            .extend([pair[0], pair[1], guess, guess, guess]);
    }
    let mut cache = broken.new_cache();
    let (found, finish, drafts) = run(&broken, &prompt, &mut cache, &guessing, 30);
    assert!(found.iter().map(|token| token.id).eq(answer));
    assert_eq!(finish, Some(Finish::Length));
    assert_eq!(cache.len(), 4 + 23);
    assert_eq!((drafts.proposed, drafts.accepted), (3 + 3 + 3 + 1, 0));
}

#[test]
fn a_token_that_cannot_be_read_is_written_first() {
    // The embedding of a token of the answer is not finite.
    let (answer, at) = answer(&sound());
    let broken = with_broken(answer[at]);
    let prompt = [Segment::Tokens(PROMPT.to_vec())];
    let mut guessing = options(24, Speculation::PromptLookup);
    guessing.seen = [&PROMPT[..], &answer].concat();
    for options in [options(24, Speculation::Off), guessing] {
        let mut cache = broken.new_cache();
        let generation =
            broken.generate(prompt.to_vec(), &mut cache, &options, Box::new(|_, _| true));
        let items: Vec<_> = generation.expect("the prompt is valid").collect();
        assert_eq!(items.len(), at + 2, "{:?}", options.speculation);
        for (item, id) in items.iter().zip(&answer[..=at]) {
            assert_eq!(item.as_ref().ok().map(|token| token.id), Some(*id));
        }
        assert!(items[at + 1].is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_prompt_is_continued_alike(
        period in prop::collection::vec(0_u32..440, 1..12),
        repeats in 1_usize..8,
        noise in prop::collection::vec(0_u32..440, 0..40),
        pictures in 0_usize..3,
        narrow in any::<bool>(),
        tokens in 1_usize..80,
        pulled in 1_usize..90,
        stop in prop::option::of(0_usize..60),
    ) {
        let decoder = &decoders()[usize::from(narrow)];
        prop_assume!(decoder.config().vocab_size >= 440);
        let mut prompt = vec![Segment::Tokens(period.repeat(repeats))];
        for _ in 0..pictures {
            prompt.push(image(4, decoder));
            prompt.push(Segment::Tokens(period.clone()));
        }
        if !noise.is_empty() {
            prompt.push(Segment::Tokens(noise));
        }
        let mut plain = options(tokens, Speculation::Off);
        if let Some(at) = stop {
            // Some token of the answer ends it.
            let (answer, ..) = run(decoder, &prompt, &mut decoder.new_cache(), &plain, tokens);
            plain.stop_ids.extend(answer.get(at).map(|token| token.id));
        }
        compare(decoder, &prompt, &plain, pulled);
    }
}
