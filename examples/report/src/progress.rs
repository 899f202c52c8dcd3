//! Progress on standard error: a bar on a terminal, and everywhere one plain line when it is done.

use std::io::{self, Write};
use std::ops::ControlFlow;

use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};
use medgemma::{Observer, Progress};

/// Shows the weights being loaded.
pub(crate) fn bytes_loaded() -> impl FnMut(u64, u64) -> ControlFlow<()> {
    let bar = bar(
        "loading",
        "{decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}",
    );
    move |done, total| {
        show(&bar, done, total, &DecimalBytes(total).to_string());
        ControlFlow::Continue(())
    }
}

/// Shows the prompt being read: images encoded, then tokens.
pub(crate) fn prompt_read<'a>() -> Observer<'a> {
    let images = bar("encoding", "{pos} of {len} images");
    let tokens = bar("reading", "{pos} of {len} tokens");
    Box::new(move |progress| {
        match progress {
            Progress::Images { done, total } => {
                show(
                    &images,
                    done as u64,
                    total as u64,
                    &format!("{total} image(s)"),
                );
            }
            Progress::Prefill { done, total } => {
                show(
                    &tokens,
                    done as u64,
                    total as u64,
                    &format!("{total} tokens"),
                );
            }
            _ => {}
        }
        ControlFlow::Continue(())
    })
}

/// A bar, which draws nothing unless standard error is a terminal.
fn bar(label: &'static str, figures: &str) -> ProgressBar {
    let template = format!("{{msg:>8}} [{{bar:30}}] {figures}");
    let style =
        ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::no_length()
        .with_style(style.progress_chars("=> "))
        .with_message(label)
}

fn show(bar: &ProgressBar, done: u64, total: u64, all: &str) {
    if bar.is_finished() {
        return;
    }
    bar.set_length(total);
    bar.set_position(done);
    if done >= total {
        bar.finish_and_clear();
        // A note that cannot be written is no reason to stop the work.
        let _ = writeln!(io::stderr(), "{}: {all}", bar.message());
    }
}
