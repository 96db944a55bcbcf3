//! The program `osel`.

use std::process::ExitCode;

/// Decoding and recording make many small, short-lived values on three threads, where the system's allocator took a fifth of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    osel::cli::main()
}
