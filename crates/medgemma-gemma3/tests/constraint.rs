//! A form that answers must have: followed greedily, by sampling, in batches and with drafts verified
//! ahead, always by the same tokens.

mod support;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use medgemma_gemma3::{
    BatchEvent, BatchPrompt, Constraint, ConstraintError, ConstraintState, Decoder, Error, Finish,
    GenerateOptions, Sampling, Segment, Speculation, Token, TokenSet,
};
use medgemma_tensor::Device;
use medgemma_testkit::checkpoint;
use support::decoder;

/// The token at position `i` leaves `i % 3` when divided by 3; complete after `length` of them.
#[derive(Debug)]
struct ByThrees {
    length: usize,
    /// An id that may end the answer at any time.
    stop: Option<u32>,
    /// Answers begun.
    begun: AtomicUsize,
}

struct State {
    written: usize,
    length: usize,
    stop: Option<u32>,
}

impl Constraint for ByThrees {
    fn begin(&self) -> Result<Box<dyn ConstraintState>, ConstraintError> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(State {
            written: 0,
            length: self.length,
            stop: self.stop,
        }))
    }
}

impl ConstraintState for State {
    fn allow(&mut self, allowed: &mut TokenSet) -> Result<(), ConstraintError> {
        let vocab_size = u32::try_from(allowed.vocab_size())?;
        for id in (0..vocab_size).filter(|id| *id as usize % 3 == self.written % 3) {
            allowed.insert(id);
        }
        if let Some(stop) = self.stop {
            allowed.insert(stop);
        }
        Ok(())
    }

    fn permits(&mut self, id: u32) -> Result<bool, ConstraintError> {
        Ok(id as usize % 3 == self.written % 3 || Some(id) == self.stop)
    }

    fn accept(&mut self, id: u32) -> Result<(), ConstraintError> {
        let follows = id as usize % 3 == self.written % 3 && self.written < self.length;
        if !follows || Some(id) == self.stop {
            return Err("a token that cannot follow".into());
        }
        self.written += 1;
        Ok(())
    }

    fn finished(&self) -> bool {
        self.written == self.length
    }
}

fn by_threes(length: usize) -> Arc<ByThrees> {
    Arc::new(ByThrees {
        length,
        stop: None,
        begun: AtomicUsize::new(0),
    })
}

fn model() -> Decoder {
    let device = Device::cpu().expect("the feature cpu is on");
    decoder(&checkpoint("mm-2025"), &device)
}

fn options(tokens: usize, constraint: Arc<dyn Constraint>) -> GenerateOptions {
    GenerateOptions::default()
        .with_max_new_tokens(tokens)
        .with_constraint(constraint)
}

fn prompt() -> Vec<Segment> {
    vec![Segment::Tokens(vec![2, 290, 17, 300])]
}

fn run(decoder: &Decoder, options: &GenerateOptions) -> (Vec<Token>, Option<Finish>, usize, usize) {
    let mut cache = decoder.new_cache();
    let mut generation = decoder
        .generate(prompt(), &mut cache, options, Box::new(|_, _| true))
        .expect("the prompt is valid");
    let tokens: Result<Vec<Token>, Error> = generation.by_ref().collect();
    let (finish, drafts) = (generation.finish(), generation.drafts());
    drop(generation);
    (
        tokens.expect("the form can be followed"),
        finish,
        drafts.accepted,
        cache.len(),
    )
}

fn ids(tokens: &[Token]) -> Vec<u32> {
    tokens.iter().map(|token| token.id).collect()
}

#[track_caller]
fn follows(tokens: &[Token]) {
    for (at, token) in tokens.iter().enumerate() {
        assert_eq!(token.id as usize % 3, at % 3, "token {at}");
    }
}

#[test]
fn greedy_takes_the_likeliest_of_what_is_allowed() {
    let decoder = model();
    let (tokens, finish, _, read) = run(&decoder, &options(50, by_threes(20)));
    assert_eq!((tokens.len(), finish), (20, Some(Finish::Complete)));
    follows(&tokens);
    // All but the last were read: nothing is computed for a stop that nobody needs.
    assert_eq!(read, 4 + 19);

    // Against logits of the same prefix, read anew.
    for at in [0, 1, 7, 19] {
        let read = [prompt(), vec![Segment::Tokens(ids(&tokens[..at]))]].concat();
        let read: Vec<Segment> = read
            .into_iter()
            .filter(|segment| !segment.is_empty())
            .collect();
        let scores = decoder.score(&read, &(0..400).map(|id| vec![id]).collect::<Vec<_>>());
        let scores = scores.expect("valid ids");
        let best = (0..400)
            .filter(|id| id % 3 == at % 3)
            .max_by(|&a, &b| scores[a][0].total_cmp(&scores[b][0]));
        let token = tokens[at];
        let best = best.expect("there are some");
        assert!(scores[best][0] <= token.logprob + 2e-4, "token {at}");
        assert!(
            (scores[token.id as usize % 400][0] - token.logprob).abs() < 2e-4 || token.id >= 400
        );
    }
}

#[test]
fn the_limit_comes_first_and_a_form_without_end_meets_it() {
    let decoder = model();
    let (tokens, finish, ..) = run(&decoder, &options(7, by_threes(20)));
    assert_eq!((tokens.len(), finish), (7, Some(Finish::Length)));
    let (tokens, finish, ..) = run(&decoder, &options(20, by_threes(20)));
    assert_eq!(
        (tokens.len(), finish),
        (20, Some(Finish::Complete)),
        "complete with the last token"
    );
}

#[test]
fn drafts_are_held_to_the_form() {
    let decoder = model();
    for length in [1, 2, 3, 40, 121, 122, 123, 124] {
        let mut options = options(200, by_threes(length));
        let (plain, finish, ..) = run(&decoder, &options);
        options.speculation = Speculation::PromptLookup;
        let (drafted, same, accepted, _) = run(&decoder, &options);
        assert_eq!(ids(&drafted), ids(&plain), "{length}");
        assert_eq!(
            (finish, same),
            (Some(Finish::Complete), Some(Finish::Complete))
        );
        assert!(
            length < 100 || accepted > 5,
            "{accepted} drafts of {length} tokens were right"
        );
    }
}

#[test]
fn draws_stay_within_the_form_and_follow_the_seed() {
    let decoder = model();
    let mut answers = Vec::new();
    for seed in [1, 1, 2] {
        let mut options = options(40, by_threes(30));
        options.sampling = Sampling::default().with_temperature(3.0).with_seed(seed);
        options.sampling.repetition_penalty = 1.3;
        let (tokens, ..) = run(&decoder, &options);
        follows(&tokens);
        answers.push(ids(&tokens));
    }
    assert_eq!(answers[0], answers[1]);
    assert_ne!(answers[0], answers[2]);
}

/// Filters choose among what the form allows: before it, they could leave nothing.
#[test]
fn filters_come_after_the_form() {
    let decoder = model();
    let hot = || Sampling::default().with_temperature(1.5).with_seed(5);
    for sampling in [
        hot().with_top_k(1),
        hot().with_top_p(1e-6),
        hot().with_min_p(1.0),
        hot().with_top_k(2).with_repetition_penalty(1.4),
    ] {
        let mut options = options(20, by_threes(20));
        options.sampling = sampling;
        let (tokens, finish, ..) = run(&decoder, &options);
        assert_eq!(finish, Some(Finish::Complete));
        follows(&tokens);
    }
    // One candidate is the likeliest of the allowed.
    let mut one = options(20, by_threes(20));
    let (greedy, ..) = run(&decoder, &one);
    one.sampling = hot().with_top_k(1);
    assert_eq!(ids(&run(&decoder, &one).0), ids(&greedy));
}

#[test]
fn words_are_added_to_what_a_set_has() {
    let mut set = TokenSet::empty(40);
    set.insert(1);
    set.insert_words(&[1 << 2, 1]);
    let found: Vec<u32> = (0..40).filter(|&id| set.contains(id)).collect();
    assert_eq!(found, [1, 2, 32]);
}

#[test]
fn every_answer_of_a_batch_has_a_state_of_its_own() {
    let decoder = model();
    let constraint = by_threes(9);
    let options = options(12, constraint.clone());
    let other = vec![Segment::Tokens(vec![2, 5, 301])];
    let prompts = [prompt(), other, prompt()];
    let prompts = prompts.each_ref().map(|segments| BatchPrompt {
        segments,
        options: &options,
        begins_as: None,
    });
    let answers = decoder
        .generate_batch(&prompts, &mut |_, _| ControlFlow::Continue(()))
        .expect("the prompts are valid");
    let answers: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.expect("the form can be followed"))
        .collect();
    assert_eq!(constraint.begun.load(Ordering::Relaxed), 3);
    let (alone, ..) = run(&decoder, &options);
    for answer in &answers {
        follows(&answer.tokens);
        assert_eq!((answer.tokens.len(), answer.finish), (9, Finish::Complete));
    }
    assert_eq!(ids(&answers[0].tokens), ids(&alone));
    assert_eq!(ids(&answers[2].tokens), ids(&alone));
}

/// A form with nothing that could follow after some tokens.
#[derive(Debug)]
struct DeadEnd(usize);

impl Constraint for DeadEnd {
    fn begin(&self) -> Result<Box<dyn ConstraintState>, ConstraintError> {
        Ok(Box::new(DeadEnd(self.0)))
    }
}

impl ConstraintState for DeadEnd {
    fn allow(&mut self, allowed: &mut TokenSet) -> Result<(), ConstraintError> {
        if self.0 > 0 {
            allowed.insert(40);
        }
        Ok(())
    }

    fn permits(&mut self, id: u32) -> Result<bool, ConstraintError> {
        Ok(self.0 > 0 && id == 40)
    }

    fn accept(&mut self, _: u32) -> Result<(), ConstraintError> {
        self.0 -= 1;
        Ok(())
    }

    fn finished(&self) -> bool {
        false
    }
}

#[test]
fn an_answer_that_fails_is_an_error_in_its_place_and_the_others_go_on() {
    let decoder = model();
    let (prompt, free) = (prompt(), options(7, by_threes(20)));
    let (alone, ..) = run(&decoder, &free);
    let ends: Vec<_> = [0, 3]
        .map(|after| options(7, Arc::new(DeadEnd(after))))
        .into();
    let lanes = [&free, &ends[0], &ends[1], &free].map(|options| BatchPrompt {
        segments: &prompt,
        options,
        begins_as: None,
    });
    let (mut told, mut ended, mut failed) = ([0; 4], Vec::new(), Vec::new());
    let answers = decoder
        .generate_batch(&lanes, &mut |lane, event| {
            match event {
                BatchEvent::Token(_) => told[lane] += 1,
                BatchEvent::Ended(answer) => ended.push((lane, answer.tokens.len())),
                BatchEvent::Failed(error) => failed.push((lane, error.to_string(), told)),
                _ => {}
            }
            ControlFlow::Continue(())
        })
        .expect("the prompts are valid");
    assert_eq!(told, [7, 0, 3, 7]);
    assert_eq!(ended, [(0, 7), (3, 7)]);
    for (lane, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(answer) => {
                assert!(lane == 0 || lane == 3);
                assert_eq!(ids(&answer.tokens), ids(&alone), "lane {lane}");
            }
            Err(error) => {
                // At once, while the others had more to write.
                let told = [[1, 0, 0, 0], [4, 0, 3, 3]][lane - 1];
                assert_eq!(failed[lane - 1], (lane, error.to_string(), told));
                assert!(matches!(error, Error::NothingAllowed { .. }), "{error:?}");
            }
        }
    }
}

#[test]
fn prompts_of_a_batch_have_options_of_their_own() {
    let decoder = model();
    let prompt = prompt();
    let mut sampled = GenerateOptions::default();
    (sampled.max_new_tokens, sampled.sampling.temperature) = (9, 1.5);
    let mut other = sampled.clone();
    (other.sampling.seed, other.max_new_tokens) = (sampled.sampling.seed + 1, 5);
    let form = options(9, by_threes(9));
    let lanes = [&sampled, &form, &other].map(|options| BatchPrompt {
        segments: &prompt,
        options,
        begins_as: None,
    });
    let answers = decoder.generate_batch(&lanes, &mut |_, _| ControlFlow::Continue(()));
    let answers: Vec<_> = answers
        .expect("the prompts are valid")
        .into_iter()
        .map(|answer| ids(&answer.expect("nothing fails").tokens))
        .collect();
    for (answer, options) in answers.iter().zip([&sampled, &form, &other]) {
        assert_eq!(*answer, ids(&run(&decoder, options).0));
    }
    assert_ne!(answers[0][..5], answers[2][..]);
}

#[test]
fn a_stop_that_the_form_allows_ends_the_answer() {
    let decoder = model();
    let (free, ..) = run(&decoder, &options(9, by_threes(9)));
    // The token that comes fourth, allowed anywhere and a stop.
    let stop = free[3].id;
    let first = free
        .iter()
        .position(|token| token.id == stop)
        .expect("it is the fourth");
    let mut options = options(
        9,
        Arc::new(ByThrees {
            length: 9,
            stop: Some(stop),
            begun: AtomicUsize::new(0),
        }),
    );
    options.stop_ids = vec![stop];
    let (tokens, finish, ..) = run(&decoder, &options);
    assert!(tokens.len() <= first);
    assert!(
        matches!(finish, Some(Finish::Stop(token)) if token.id == stop),
        "{finish:?}"
    );
}

/// Fails at one of its three calls, or allows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Begin,
    Allow,
    Accept,
    Nothing,
}

impl Constraint for Broken {
    fn begin(&self) -> Result<Box<dyn ConstraintState>, ConstraintError> {
        if *self == Self::Begin {
            return Err("cannot begin".into());
        }
        Ok(Box::new(*self))
    }
}

impl ConstraintState for Broken {
    fn allow(&mut self, allowed: &mut TokenSet) -> Result<(), ConstraintError> {
        match self {
            Self::Allow => return Err("cannot tell".into()),
            Self::Nothing => {}
            _ => allowed.insert_all(),
        }
        Ok(())
    }

    fn permits(&mut self, _id: u32) -> Result<bool, ConstraintError> {
        Ok(*self == Self::Accept)
    }

    fn accept(&mut self, _id: u32) -> Result<(), ConstraintError> {
        Err("cannot follow".into())
    }

    fn finished(&self) -> bool {
        false
    }
}

#[test]
fn a_form_that_fails_ends_the_answer_with_its_reason() {
    let decoder = model();
    for (broken, reason) in [
        (Broken::Begin, "cannot begin"),
        (Broken::Allow, "cannot tell"),
        (Broken::Accept, "cannot follow"),
    ] {
        let options = options(5, Arc::new(broken));
        let mut cache = decoder.new_cache();
        let generation = decoder.generate(prompt(), &mut cache, &options, Box::new(|_, _| true));
        let error = match generation {
            Err(error) => error,
            Ok(mut generation) => {
                let error = generation.next().expect("a step").expect_err("it fails");
                assert!(generation.next().is_none());
                error
            }
        };
        let source = std::error::Error::source(&error).map(ToString::to_string);
        assert_eq!(source.as_deref(), Some(reason), "{error}");
        let expected = if broken == Broken::Begin { 0 } else { 4 };
        assert!(
            matches!(error, Error::Constraint { position, .. } if position == expected),
            "{error}"
        );
    }
    let options = options(5, Arc::new(Broken::Nothing));
    let mut cache = decoder.new_cache();
    let mut generation = decoder
        .generate(prompt(), &mut cache, &options, Box::new(|_, _| true))
        .expect("the prompt is valid");
    let error = generation
        .next()
        .expect("a step")
        .expect_err("nothing is allowed");
    assert!(
        matches!(error, Error::NothingAllowed { position: 4 }),
        "{error}"
    );
}
