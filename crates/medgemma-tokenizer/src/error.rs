//! What can go wrong in this crate, as data: every variant names the file, key or argument at fault, what was
//! expected and what was found. Written for this workspace; no foreign error type is part of the public surface.

use std::path::PathBuf;

/// An error of the tokenizer crate. Messages are lower case and end in what to do where that is not plain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tokenizer file can't be read.
    #[error("cannot read tokenizer file `{}`: {source}; give the path of a `tokenizer.json` (or, for SigLIP, of a `spiece.model`)", path.display())]
    Read {
        /// Path as given.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The tokenizer file is larger than any Gemma tokenizer; it isn't parsed.
    #[error(
        "tokenizer `{name}` has {found} bytes, more than the limit of {limit}; is it a `tokenizer.json`?"
    )]
    TooLarge {
        /// Name or path of the file.
        name: String,
        /// Largest accepted size in bytes.
        limit: u64,
        /// Size found in bytes.
        found: u64,
    },
    /// The file is no JSON, or its keys don't have the types that they should have.
    #[error(
        "tokenizer file `{name}` is not readable at line {line}, column {column}: {source}; \
         download it again or export it with `save_pretrained`"
    )]
    Parse {
        /// Name or path of the file.
        name: String,
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1.
        column: usize,
        /// The parser's own account.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is no SentencePiece model.
    #[error(
        "tokenizer `{name}` is neither a `tokenizer.json` nor a readable SentencePiece model: expected a field at byte \
         {at} of a message of {length} bytes, found none; download the file again"
    )]
    SentencePiece {
        /// Name or path of the file.
        name: String,
        /// Where in its message the field should begin, from 0.
        at: usize,
        /// Length of that message: the file's own, or that of a part of it.
        length: usize,
    },
    /// A part of the tokenizer is of a kind that tokenizers of Gemma or SigLIP don't have.
    #[error(
        "tokenizer `{name}`: `{key}` is {found}, expected {expected}; only tokenizers of Gemma's and SigLIP's kinds are read here"
    )]
    Unsupported {
        /// Name or path of the file.
        name: String,
        /// JSON path of the part, such as `model.dropout`.
        key: String,
        /// What such a tokenizer holds there.
        expected: &'static str,
        /// What the file holds.
        found: String,
    },
    /// Two parts of the vocabulary contradict each other.
    #[error(
        "tokenizer `{name}`: `{key}` {fault} ({token:?}); the file is damaged, download it again"
    )]
    Vocabulary {
        /// Name or path of the file.
        name: String,
        /// JSON path of the part, such as `model.merges[3]`.
        key: String,
        /// What is wrong with it.
        fault: &'static str,
        /// The token concerned.
        token: String,
    },
    /// The tokenizers library refused parts that this crate's own checks had accepted.
    #[error("tokenizer `{name}` cannot be assembled: {source}")]
    Assemble {
        /// Name or path of the file.
        name: String,
        /// The library's account.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The tokenizers library failed on a text.
    #[error("cannot encode a text of {bytes} bytes with tokenizer `{name}`: {source}")]
    Encode {
        /// Name or path of the tokenizer file.
        name: String,
        /// Length of the text.
        bytes: usize,
        /// The library's account.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The tokenizers library failed on token ids.
    #[error("cannot decode {count} ids with tokenizer `{name}`: {source}")]
    Decode {
        /// Name or path of the tokenizer file.
        name: String,
        /// Number of ids.
        count: usize,
        /// The library's account.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A token that this use needs isn't in the tokenizer.
    #[error(
        "tokenizer `{name}` has no token `{token}`; use the tokenizer that was published with the checkpoint"
    )]
    MissingToken {
        /// Name or path of the tokenizer file.
        name: String,
        /// The token looked for.
        token: &'static str,
    },
    /// The model's configuration and the tokenizer give one token two ids.
    #[error(
        "`{key}` in the model's configuration says that `{token}` is id {expected}, \
         the tokenizer says {found}; tokenizer and weights are of different checkpoints: use the tokenizer \
         that was published with the weights, or correct the key"
    )]
    IdMismatch {
        /// Key in the model's configuration.
        key: &'static str,
        /// The token.
        token: &'static str,
        /// The id that the configuration gives.
        expected: u32,
        /// The id that the tokenizer gives.
        found: u32,
    },
    /// The model's configuration names the id of a token which the tokenizer lacks.
    #[error(
        "`{key}` in the model's configuration says that `{token}` is id {expected}, \
         the tokenizer has no such token; use the tokenizer that was published with the checkpoint"
    )]
    IdUnknown {
        /// Key in the model's configuration.
        key: &'static str,
        /// The token.
        token: &'static str,
        /// The id that the configuration gives.
        expected: u32,
    },
    /// A `tokenizer.json` that lies beside a GGUF file, and the vocabulary in the file, spell an id differently.
    #[error(
        "tokenizer `{tokenizer}` spells id {id} {found}, the vocabulary in `{gguf}` spells it {expected:?}; they are of \
         different models: take the tokenizer away, since the file has a vocabulary of its own, or put the one there that \
         was published with the model"
    )]
    OtherVocabulary {
        /// Name or path of the tokenizer file.
        tokenizer: String,
        /// Name or path of the GGUF file.
        gguf: String,
        /// The first id that differs.
        id: u32,
        /// The GGUF file's token, its first 80 characters.
        expected: String,
        /// The tokenizer's, quoted, its first 80 characters; or that there is none.
        found: String,
    },
    /// The model's configuration ends a text by an id that is a line's end or blanks in this tokenizer.
    #[error(
        "`eos_token_id` in the model's configuration says that id {id} ends a text, tokenizer `{tokenizer}` has {found} \
         there, expected `<eos>` ({eos}), `<end_of_turn>`{} or another token that is no piece of a text; tokenizer and \
         weights are of different checkpoints: use the tokenizer that was published with the weights, or correct the key",
        end_of_turn.map_or_else(String::new, |id| format!(" ({id})"))
    )]
    EndId {
        /// Name or path of the tokenizer file.
        tokenizer: String,
        /// The id that the configuration gives.
        id: u32,
        /// The tokenizer's token of that id, quoted, its first 80 characters.
        found: String,
        /// Id of `<eos>` in the tokenizer.
        eos: u32,
        /// Id of `<end_of_turn>` in the tokenizer.
        end_of_turn: Option<u32>,
    },
    /// A tokenizer and an embedding table have sizes that no one model has.
    #[error(
        "tokenizer `{tokenizer}` has {ids} ids, the model's embedding has {rows} rows, expected a row for each piece \
         of a text and few more; tokenizer and weights are of different checkpoints: use the tokenizer that was published with the weights"
    )]
    VocabularySize {
        /// Name or path of the tokenizer file.
        tokenizer: String,
        /// Rows of the embedding.
        rows: usize,
        /// Ids of the tokenizer.
        ids: usize,
    },
    /// A text has more tokens than SigLIP's text tower reads.
    #[error(
        "the text has {found} tokens with its `</s>`, more than the {limit} that the text tower reads; shorten it, or ask \
         for truncation with `SiglipTextOptions::with_truncate`"
    )]
    TextTooLong {
        /// `SiglipTextOptions::length`.
        limit: usize,
        /// Tokens of the text, `</s>` counted.
        found: usize,
    },
    /// A row of tokens would be empty or absurdly long.
    #[error(
        "`SiglipTextOptions::length` is {found}, expected 1 to {limit} (64 for SigLIP); give \
         `text_config.max_position_embeddings` of the model"
    )]
    TextLength {
        /// Largest accepted length.
        limit: usize,
        /// Length asked for.
        found: usize,
    },
    /// The normaliser of a `tokenizer.json` was asked for that is not understood: a `spiece.model` has none.
    #[error(
        "the normalisation `tokenizer-json` is that of a `tokenizer.json`, but `{name}` serves in its place: {reason}; take \
         `siglip-tokenizer`, or the published `tokenizer.json`"
    )]
    NoNormalizer {
        /// Name or path of the file that serves.
        name: String,
        /// What is wrong with the `tokenizer.json`.
        reason: String,
    },
    /// A name that no normalisation has.
    #[error("argument `normalization`: expected one of {expected}, found `{found}`")]
    NormalizationName {
        /// The names there are.
        expected: String,
        /// The name given, its first 80 characters.
        found: String,
    },
    /// A conversation has no message.
    #[error("the conversation holds no message; give at least one user message")]
    EmptyConversation,
    /// Roles don't alternate, starting with the user.
    #[error(
        "message {index} has role `{found}`, expected `{expected}`: conversation roles must alternate \
         user/assistant/user/assistant/...; join neighbouring messages of one role into one"
    )]
    Alternation {
        /// Index of the message, from 0, the system instruction not counted.
        index: usize,
        /// Role which has its turn at that index.
        expected: &'static str,
        /// Role found.
        found: &'static str,
    },
    /// A prompt's ids hold the beginning-of-sequence token more than once.
    #[error(
        "the prompt holds `<bos>` again as token {position}; a prompt has exactly one, at its start: \
         remove it from the text (a rendered conversation already begins with one)"
    )]
    RepeatedBos {
        /// Index of the second `<bos>` in the prompt's ids.
        position: usize,
    },
    /// The text has more or fewer image placeholders than there are images.
    #[error(
        "the text holds {placeholders} `<start_of_image>` placeholders, but {images} images were given; \
         both counts must be the same"
    )]
    ImageCount {
        /// Placeholders found in the text.
        placeholders: usize,
        /// Images given.
        images: usize,
    },
    /// An image would take no soft tokens.
    #[error(
        "`tokens_per_image` is 0, expected at least 1 (256 for MedGemma); read `mm_tokens_per_image` of the config"
    )]
    NoSoftTokens,
    /// The images of one prompt would take an absurd number of tokens.
    #[error(
        "the images take {found} soft tokens, more than the limit of {limit}; give fewer images or crops"
    )]
    TooManySoftTokens {
        /// Largest accepted number.
        limit: usize,
        /// Number asked for; `usize::MAX` if it overflows.
        found: usize,
    },
    /// A run of image soft tokens doesn't have the length of one image.
    #[error(
        "the run of image soft tokens at {start} has length {found}, expected {expected} for each image"
    )]
    ImageSpan {
        /// Index of the run's first token.
        start: usize,
        /// Tokens of one image.
        expected: usize,
        /// Tokens in the run.
        found: usize,
    },
    /// A stop string is empty: it would stop every reply before its first character.
    #[error("stop string {index} is empty, expected at least one character; remove it")]
    EmptyStopString {
        /// Index of the stop string, from 0.
        index: usize,
    },
}

/// Result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A part that is of another kind. Of `found`, which a file may fill with megabytes, it tells the beginning.
    pub(crate) fn unsupported(name: &str, key: &str, expected: &'static str, found: &str) -> Self {
        Self::Unsupported {
            name: name.to_owned(),
            key: shorten(key),
            expected,
            found: shorten(found),
        }
    }

    /// Parts that contradict each other. Of `token` it tells the beginning.
    pub(crate) fn vocabulary(name: &str, key: &str, fault: &'static str, token: &str) -> Self {
        Self::Vocabulary {
            name: name.to_owned(),
            key: shorten(key),
            fault,
            token: shorten(token),
        }
    }

    /// A file that is no JSON or has other types. The parser quotes keys and texts of the file in full: a long account
    /// is cut.
    pub(crate) fn parse(name: &str, source: serde_json::Error) -> Self {
        let (line, column) = (source.line(), source.column());
        let account = source.to_string();
        let source: Box<dyn std::error::Error + Send + Sync> = match cut(&account, MOST_ACCOUNT) {
            Some(account) => account.into(),
            None => Box::new(source),
        };
        Self::Parse {
            name: name.to_owned(),
            line,
            column,
            source,
        }
    }
}

/// Characters of a text from a file that go into a message, and of a parser's account of one.
const MOST: usize = 80;
const MOST_ACCOUNT: usize = 300;

/// At most 80 characters of `text`, for messages about files that may be hostile.
pub(crate) fn shorten(text: &str) -> String {
    cut(text, MOST).unwrap_or_else(|| text.to_owned())
}

/// The beginning of a text of more than `most` characters.
fn cut(text: &str, most: usize) -> Option<String> {
    let (at, _) = text.char_indices().nth(most)?;
    Some(format!("{}…", &text[..at]))
}
