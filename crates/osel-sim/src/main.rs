//! `osel-sim`: the judge for people and scripts.
//!
//! Reads a state as the APIs return it and prints rows or answers as JSON Lines. Not shipped.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match osel_sim::command::run(&arguments, &mut std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("osel-sim: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
