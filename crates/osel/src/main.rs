//! The program `osel`.

use std::process::ExitCode;

fn main() -> ExitCode {
    osel::cli::main()
}
