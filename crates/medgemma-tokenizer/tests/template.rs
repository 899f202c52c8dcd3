//! The typed renderer against Jinja over generated conversations: with the template of `tests/golden/`, and with the
//! checkpoint's own from the folder that the environment variable `MEDGEMMA_TESTDATA` names.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::explicit_write,
    reason = "goes past the test harness's capture, so that a gap is seen"
)]

use std::io::Write;

use medgemma_tokenizer::{
    Error, Message, Part, Role, Tokenizer, render, render_continuation, trim,
};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, context};
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest,
};
use serde_json::{Value, json};

/// What Python's `str.strip` drops, spelt out: `[chr(i) for i in range(0x110000) if chr(i).isspace()]` of Python 3.11.
const PYTHON_SPACE: &str = "\t\n\u{b}\u{c}\r\u{1c}\u{1d}\u{1e}\u{1f} \u{85}\u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\
    \u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}";

/// A conversation as typed, and for each message whether a lone text is given to Jinja as string or as list.
#[derive(Debug, Clone)]
struct Conversation {
    system: Option<String>,
    messages: Vec<Message>,
    strings: bool,
}

fn text() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        prop::sample::select(PYTHON_SPACE.chars().map(String::from).collect::<Vec<_>>()),
        prop::sample::select(
            [
                "\u{200b}",
                "\u{feff}",
                "\u{180e}",
                "clear",
                "肺炎",
                "😀",
                "{{ x }}",
                "{% raw %}",
                "\\n",
                "\"'",
                "&<>"
            ]
            .map(String::from)
            .to_vec()
        ),
        prop::sample::select(
            ["<bos>", "<end_of_turn>", "<start_of_image>", "<start_of"]
                .map(String::from)
                .to_vec()
        ),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(fragment, 0..6).prop_map(|fragments| fragments.concat())
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    prop::collection::vec(
        prop_oneof![3 => text().prop_map(Part::Text), 1 => Just(Part::Image)],
        0..4,
    )
}

fn conversation() -> impl Strategy<Value = Conversation> {
    let role = prop_oneof![9 => Just(false), 1 => Just(true)];
    let turns = prop::collection::vec((role, parts()), 1..6);
    (prop::option::of(text()), turns, any::<bool>()).prop_map(|(system, turns, strings)| {
        let message = |(index, (wrong, parts)): (usize, (bool, Vec<Part>))| {
            let user = (index % 2 == 0) != wrong;
            Message::new(if user { Role::User } else { Role::Assistant }, parts)
        };
        Conversation {
            system,
            messages: turns.into_iter().enumerate().map(message).collect(),
            strings,
        }
    })
}

fn content(parts: &[Part], strings: bool) -> Value {
    if let ([Part::Text(text)], true) = (parts, strings) {
        return json!(text);
    }
    let item = |part: &Part| match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        _ => json!({"type": "image"}),
    };
    parts.iter().map(item).collect()
}

/// Renders with Jinja, in the environment that transformers gives a template.
fn jinja(
    environment: &Environment<'_>,
    conversation: &Conversation,
    prompt: bool,
) -> Result<String, minijinja::Error> {
    let mut messages = Vec::new();
    if let Some(system) = &conversation.system {
        let parts = [Part::Text(system.clone())];
        messages.push(json!({"role": "system", "content": content(&parts, conversation.strings)}));
    }
    for message in &conversation.messages {
        let role = if message.role == Role::User {
            "user"
        } else {
            "assistant"
        };
        messages
            .push(json!({"role": role, "content": content(&message.parts, conversation.strings)}));
    }
    let template = environment.get_template("chat")?;
    template.render(context! { messages => Serde(messages), bos_token => "<bos>", add_generation_prompt => prompt })
}

fn environment(source: String) -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .unwrap();
    environment.set_syntax(syntax);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.add_filter("trim", |text: String| {
        text.trim_matches(|c| PYTHON_SPACE.contains(c)).to_owned()
    });
    environment.add_function(
        "raise_exception",
        |message: String| -> Result<String, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        },
    );
    environment.add_template_owned("chat", source).unwrap();
    environment
}

fn agree(
    environment: &Environment<'_>,
    conversation: &Conversation,
    prompt: bool,
) -> Result<(), String> {
    let typed = render(
        conversation.system.as_deref(),
        &conversation.messages,
        prompt,
    );
    match (typed, jinja(environment, conversation, prompt)) {
        (Ok(typed), Ok(jinja)) if typed == jinja => Ok(()),
        (Err(Error::Alternation { .. }), Err(error))
            if error.kind() == ErrorKind::InvalidOperation =>
        {
            Ok(())
        }
        (typed, jinja) => Err(format!("typed {typed:?}\njinja {jinja:?}")),
    }
}

fn own_template() -> Environment<'static> {
    environment(include_str!("golden/chat_template.jinja").to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn typed_is_jinja(conversation in conversation(), prompt in any::<bool>()) {
        prop_assert_eq!(agree(&own_template(), &conversation, prompt), Ok(()));
    }

    #[test]
    fn trim_is_python_strip(text in text()) {
        prop_assert_eq!(trim(&text), text.trim_matches(|c| PYTHON_SPACE.contains(c)));
    }

    #[test]
    fn a_continuation_continues(
        system in prop::option::of(text()),
        turns in prop::collection::vec((parts(), text()), 1..4),
        next in parts(),
    ) {
        let tokenizer = Tokenizer::from_bytes("tiny", include_bytes!("golden/tokenizer.json")).unwrap();
        let next = Message::new(Role::User, next);
        let mut messages = Vec::new();
        let mut grown = String::new();
        let mut ids = Vec::new();
        for (parts, reply) in turns {
            messages.push(Message::new(Role::User, parts));
            let piece = if messages.len() == 1 {
                render(system.as_deref(), &messages, true).unwrap()
            } else {
                render_continuation(&messages[messages.len() - 1]).unwrap()
            };
            let reply = trim(&reply);
            for text in [&piece, reply] {
                grown.push_str(text);
                ids.extend(tokenizer.encode(text).unwrap());
            }
            messages.push(Message::assistant().text(reply));
        }
        let piece = render_continuation(&next).unwrap();
        grown.push_str(&piece);
        ids.extend(tokenizer.encode(&piece).unwrap());
        messages.push(next);
        prop_assert_eq!(&grown, &render(system.as_deref(), &messages, true).unwrap());
        prop_assert_eq!(ids, tokenizer.encode(&grown).unwrap());
    }
}

#[test]
fn trim_knows_each_space_of_python_and_no_other() {
    for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
        let text = String::from(c);
        assert_eq!(
            trim(&text).is_empty(),
            PYTHON_SPACE.contains(c),
            "U+{:04X}",
            u32::from(c)
        );
    }
}

#[test]
fn roles_must_alternate_from_the_user_on() {
    let (user, model) = (Message::user().text("a"), Message::assistant().text("b"));
    assert!(matches!(
        render(Some("s"), &[], true),
        Err(Error::EmptyConversation)
    ));
    let cases = [
        (vec![model.clone()], 0, "user", "assistant"),
        (vec![user.clone(), user.clone()], 1, "assistant", "user"),
        (
            vec![user, model.clone(), model.clone()],
            2,
            "user",
            "assistant",
        ),
    ];
    for (messages, at, due, given) in cases {
        let error = render(None, &messages, false).unwrap_err();
        assert!(error.to_string().contains("must alternate"), "{error}");
        match error {
            Error::Alternation {
                index,
                expected,
                found,
            } => assert_eq!((index, expected, found), (at, due, given)),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(
        render_continuation(&model),
        Err(Error::Alternation {
            expected: "user",
            ..
        })
    ));
}

#[test]
fn published_template_is_rendered_alike() {
    let Some(folder) = std::env::var_os("MEDGEMMA_TESTDATA") else {
        writeln!(
            std::io::stderr(),
            "skipped: MEDGEMMA_TESTDATA not set (published_template_is_rendered_alike)"
        )
        .unwrap();
        return;
    };
    let path = std::path::Path::new(&folder).join("tok/tokenizer_config.json");
    let file = std::fs::File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let config: Value = serde_json::from_reader(std::io::BufReader::new(file)).unwrap();
    let environment = environment(config["chat_template"].as_str().unwrap().to_owned());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 2048,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(
            &(conversation(), any::<bool>()),
            |(conversation, prompt)| {
                prop_assert_eq!(agree(&environment, &conversation, prompt), Ok(()));
                Ok(())
            },
        )
        .unwrap();
}
