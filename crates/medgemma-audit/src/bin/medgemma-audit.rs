//! `medgemma-audit LOG [ANCHOR]`: whether every record of a log is as it was written, and whether one of
//! them has the hash that was kept elsewhere. Ends with 0 if so, 1 if not, 2 if it was asked wrongly.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command tells what it found"
)]

use std::process::ExitCode;

use medgemma_audit::{verify, verify_with_anchor};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let verified = match arguments.as_slice() {
        [log] => verify(log),
        [log, anchor] => verify_with_anchor(log, &anchor.to_string_lossy()),
        _ => {
            eprintln!("usage: medgemma-audit LOG [HASH KEPT ELSEWHERE]");
            return ExitCode::from(2);
        }
    };
    match verified {
        Ok(verified) => {
            println!("{} records, unchanged", verified.records);
            println!("last hash: {}", verified.last_hash);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
