//! Whose concern an error is, for programs that answer others: a server's status, a queue's second try.

use std::fmt;

use medgemma_gemma3::Error as DecoderError;
use medgemma_image::Error as ImageError;
use medgemma_siglip::Error as VisionError;
use medgemma_tensor::Error as TensorError;
use medgemma_tokenizer::Error as TokenizerError;

use super::Error;

/// What has to change for the same call to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was asked: a message, an image, an option, a label. Asked again it is refused again.
    Request,
    /// How much was asked: it does not fit into the model's context, a limit, or memory. Less of it may be answered.
    TooLarge,
    /// What others are asking: together with what the model's other conversations hold, it does not fit into memory. The
    /// same may be answered once they have ended.
    Busy,
    /// The files of a model: absent, damaged, of another kind, or with numbers that overflow.
    Model,
    /// The caller: its observer ended the work before there was a result.
    Stopped,
    /// The device: not compiled in, not there, or failing.
    Device,
    /// What the model wrote: it is no answer of the form that was asked for. Another question may bring one.
    Answer,
    /// What surrounds the model: a picture's file that cannot be read, a disk or a stream that takes no more, an audit
    /// log.
    System,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "request",
            Self::TooLarge => "too large",
            Self::Busy => "busy",
            Self::Model => "model",
            Self::Stopped => "stopped",
            Self::Device => "device",
            Self::Answer => "answer",
            Self::System => "system",
        })
    }
}

impl ErrorKind {
    /// That of an error of the decoder.
    pub(crate) fn of(error: &DecoderError) -> Self {
        match error {
            DecoderError::Tensor(error) => of_tensor(error),
            DecoderError::ContextOverflow { .. } => Self::TooLarge,
            DecoderError::NonFiniteLogits { .. } => Self::Model,
            _ => Self::Request,
        }
    }
}

impl Error {
    /// Whose concern it is. Of an error in one of several conversations or pictures, its own.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Tensor(error) => of_tensor(error),
            Self::Decoder(error) => ErrorKind::of(error),
            Self::Vision(error) => of_vision(error),
            Self::Projector(medgemma_projector::Error::Tensor(error)) => of_tensor(error),
            Self::Projector(_) => ErrorKind::Model,
            Self::Tokenizer(error) => of_tokenizer(error),
            Self::Image(error) => of_image(error),
            Self::OneOfImages { source, .. } | Self::OneOfConversations { source, .. } => {
                source.kind()
            }
            Self::NotEnoughMemory { busy: true, .. } => ErrorKind::Busy,
            Self::NotEnoughMemory { busy: false, .. }
            | Self::PromptTooLong { .. }
            | Self::TextTooLong { .. } => ErrorKind::TooLarge,
            Self::NoTokenizer(_)
            | Self::NoProcessor(_)
            | Self::ImageSeqLength { .. }
            | Self::NotAModel { .. }
            | Self::SeveralFiles { .. }
            | Self::AdapterAlone { .. }
            | Self::VisionInside { .. }
            | Self::MmprojBeside { .. }
            | Self::MmprojWithoutGguf { .. }
            | Self::NonFiniteScore { .. } => ErrorKind::Model,
            Self::AnswerCutOff { .. }
            | Self::NotJson { .. }
            | Self::OtherType { .. }
            | Self::RepeatedName { .. } => ErrorKind::Answer,
            Self::Output(_) | Self::Audit(_) | Self::VisionCacheFolder { .. } => ErrorKind::System,
            Self::TextOnlyModel { .. }
            | Self::SoftTokens { .. }
            | Self::SurplusImages { .. }
            | Self::NothingToAnswer { .. }
            | Self::SystemMessage
            | Self::SystemParts { .. }
            | Self::NoDirection { .. }
            | Self::EmbeddingWidth { .. }
            | Self::NoClasses
            | Self::NoPrompts { .. }
            | Self::DuplicateLabel { .. }
            | Self::SameText { .. }
            | Self::EmptyPrompt { .. }
            | Self::NotForModel { .. }
            | Self::UnequalLengths { .. }
            | Self::ProbabilityName { .. }
            | Self::Calibration { .. }
            | Self::Schema { .. }
            | Self::EmptyChoice { .. } => ErrorKind::Request,
        }
    }
}

fn of_tensor(error: &TensorError) -> ErrorKind {
    match error {
        TensorError::BackendNotCompiled { .. }
        | TensorError::DeviceUnavailable { .. }
        | TensorError::ReadBack { .. } => ErrorKind::Device,
        TensorError::Stopped { .. } => ErrorKind::Stopped,
        TensorError::UnknownPrecision { .. }
        | TensorError::UnknownKvPrecision { .. }
        | TensorError::NotF32 { .. } => ErrorKind::Request,
        _ => ErrorKind::Model,
    }
}

fn of_vision(error: &VisionError) -> ErrorKind {
    match error {
        VisionError::Tensor(error) => of_tensor(error),
        VisionError::TextTooLong { .. } => ErrorKind::TooLarge,
        _ => ErrorKind::Request,
    }
}

/// Its errors are those of a model's files, but for these.
fn of_tokenizer(error: &TokenizerError) -> ErrorKind {
    match error {
        TokenizerError::TextTooLong { .. } | TokenizerError::TooManySoftTokens { .. } => {
            ErrorKind::TooLarge
        }
        TokenizerError::Encode { .. }
        | TokenizerError::NormalizationName { .. }
        | TokenizerError::NoNormalizer { .. }
        | TokenizerError::TextLength { .. }
        | TokenizerError::EmptyConversation
        | TokenizerError::Alternation { .. }
        | TokenizerError::RepeatedBos { .. }
        | TokenizerError::ImageCount { .. }
        | TokenizerError::ImageSpan { .. }
        | TokenizerError::EmptyStopString { .. } => ErrorKind::Request,
        _ => ErrorKind::Model,
    }
}

/// Its errors are those of the pictures that are given, but for these.
fn of_image(error: &ImageError) -> ErrorKind {
    match error {
        ImageError::Limit { .. } | ImageError::Padding { .. } => ErrorKind::TooLarge,
        ImageError::Io { .. } => ErrorKind::System,
        ImageError::Config { .. } | ImageError::Json { .. } => ErrorKind::Model,
        _ => ErrorKind::Request,
    }
}
