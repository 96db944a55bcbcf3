//! `osel-verify`: checks what `osel audit export --bundle` wrote, for somebody who trusts neither the file nor whoever gave it to him.
//!
//! It reads one file, opens no socket and no database, and writes nothing; all that it decides is decided in `osel_core::trail::bundle`.
//! The answer goes to standard output, the reason why a bundle is bad to standard error.

mod arguments;
mod progress;
mod read;
mod tell;

use std::io::Write;
use std::process::ExitCode;

use arguments::{Asked, HELP};
use read::ReadError;

/// The answer is no.
const EXIT_BAD: u8 = 1;
/// Wrong usage.
const EXIT_USAGE: u8 = 2;
/// It could not be read, or the answer could not be written.
const EXIT_FAILED: u8 = 3;

fn main() -> ExitCode {
    let (text, code) = match arguments::read(std::env::args_os().skip(1)) {
        Ok(Asked::Help) => (HELP.to_owned(), ExitCode::SUCCESS),
        Ok(Asked::Version) => (format!("osel-verify {}\n", env!("CARGO_PKG_VERSION")), ExitCode::SUCCESS),
        Ok(Asked::Check { bundle, known }) => {
            let is_given = known.key.is_some();
            match read::check(&bundle, *known) {
                Ok(summary) => (tell::good(&summary, is_given), ExitCode::SUCCESS),
                Err(ReadError::Bad(bad)) => return fail(&tell::bad(&bad), EXIT_BAD),
                Err(ReadError::Input(error)) => {
                    let text = format!("cannot read `{}`: {error}", tell::plain(&bundle.to_string_lossy()));
                    return fail(&text, EXIT_FAILED);
                }
            }
        }
        Err(problem) => return fail(&format!("{problem}; see osel-verify --help"), EXIT_USAGE),
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever has read enough has his answer by the exit code too.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            fail(&format!("cannot write the output: {error}"), EXIT_FAILED)
        }
        _ => code,
    }
}

fn fail(text: &str, code: u8) -> ExitCode {
    // Where nobody can be told, the exit code says it.
    let _ = writeln!(std::io::stderr(), "osel-verify: {text}");
    ExitCode::from(code)
}
