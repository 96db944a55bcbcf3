//! `osel confined`: osel's own way to run programs of others within limits. People have no use for it.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use super::output;
use crate::action::program::{CONFINE_FAILED, Confinement, Identity, become_program};

/// Becomes a program, with limits and without privileges.
#[derive(Clone, Debug, Args)]
pub struct ConfinedArgs {
    /// The process that starts it: the program dies with it.
    #[arg(long, value_name = "PID")]
    parent: u32,

    /// As whom it runs.
    #[arg(long, value_name = "UID:GID", value_parser = identity)]
    user: Option<Identity>,

    /// Leaves it the right to make packets of its own.
    #[arg(long)]
    keep_net_raw: bool,

    /// Address space of each process.
    #[arg(long, value_name = "N")]
    memory_bytes: u64,

    /// Processor time of each process.
    #[arg(long, value_name = "N")]
    cpu_seconds: u64,

    /// Size of each file.
    #[arg(long, value_name = "N")]
    file_bytes: u64,

    /// Open files of each process.
    #[arg(long, value_name = "N")]
    files: u64,

    /// Processes of the user.
    #[arg(long, value_name = "N")]
    processes: u64,

    /// The program.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

pub fn run(args: &ConfinedArgs) -> ExitCode {
    let confinement = Confinement {
        parent: args.parent,
        identity: args.user,
        keeps_net_raw: args.keep_net_raw,
        memory_bytes: args.memory_bytes,
        cpu_seconds: args.cpu_seconds,
        file_bytes: args.file_bytes,
        files: args.files,
        processes: args.processes,
    };
    let Some((program, arguments)) = args.command.split_first() else {
        return ExitCode::from(CONFINE_FAILED);
    };
    let error = become_program(&confinement, program, arguments);
    output::report(&error.into());
    ExitCode::from(CONFINE_FAILED)
}

fn identity(text: &str) -> Result<Identity, String> {
    let (uid, gid) = text.split_once(':').ok_or("write UID:GID")?;
    let number = |text: &str| text.parse().map_err(|_| format!("`{text}` is no number of a user or group"));
    Ok(Identity { uid: number(uid)?, gid: number(gid)? })
}
