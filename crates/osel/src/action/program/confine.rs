//! What `osel confined` does: takes away from its own process what a program is not to have, and becomes the program.
//!
//! It is one process with one thread that does nothing else: what is taken away here is never given back.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit, umask,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    configure_capability_in_ambient_set, set_capabilities, set_keep_capabilities, set_no_new_privs,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::user::Identity;

/// The exit code of `osel confined` when there is no program that could have one.
pub const CONFINE_FAILED: u8 = 125;

/// The first descriptor that is neither input nor output nor errors.
const FIRST_OTHER: i32 = 3;

/// What a process is confined to.
#[derive(Clone, Copy, Debug)]
pub struct Confinement {
    /// The process that started it: without that one, it does not run.
    pub parent: u32,
    /// As whom it runs, unless as whom osel runs.
    pub identity: Option<Identity>,
    /// Whether it may make packets of its own.
    pub keeps_net_raw: bool,
    /// The address space of each process, in bytes.
    pub memory_bytes: u64,
    /// How long each process may keep processors busy, in seconds.
    pub cpu_seconds: u64,
    /// The size of a file, in bytes.
    pub file_bytes: u64,
    /// Open files of each process.
    pub files: u64,
    /// Processes and threads of its user.
    pub processes: u64,
}

/// Why there is no program.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// Something could not be taken away.
    #[error("cannot {what}")]
    Confine {
        /// What.
        what: &'static str,
        /// Why.
        source: Errno,
    },
    /// Whoever started it has ended.
    #[error("who asked for the program has ended")]
    Orphan,
    /// The program cannot be started.
    #[error("cannot run `{program}`")]
    Run {
        /// Its name.
        program: String,
        /// Why.
        source: io::Error,
    },
}

/// Becomes a program, within what it is confined to. It returns only if that is not possible.
pub fn become_program(confinement: &Confinement, program: &OsString, arguments: &[OsString]) -> ConfineError {
    // All memory that this takes is taken before there may be none.
    let mut command = Command::new(program);
    command.args(arguments);
    // What whoever started osel has left open is nobody's business: it is closed by the program's own start.
    close_fds::set_fds_cloexec(FIRST_OTHER, &[]);
    if let Err(error) = confine(confinement) {
        return error;
    }
    let source = command.exec();
    ConfineError::Run { program: program.to_string_lossy().into_owned(), source }
}

fn confine(to: &Confinement) -> Result<(), ConfineError> {
    umask(Mode::from_raw_mode(0o077));
    if let Some(Identity { uid, gid }) = to.identity {
        let (uid, gid) = (rustix::process::Uid::from_raw(uid), rustix::process::Gid::from_raw(gid));
        // Another user has no capabilities, unless they are kept on purpose.
        done("keep capabilities", set_keep_capabilities(to.keeps_net_raw))?;
        done("leave all groups", set_thread_groups(&[]))?;
        done("change the group", set_thread_res_gid(gid, gid, gid))?;
        done("change the user", set_thread_res_uid(uid, uid, uid))?;
    }
    done("drop capabilities", drop_capabilities(to.keeps_net_raw))?;
    done("forbid new privileges", set_no_new_privs(true))?;
    // Not before: changing the user forgets it.
    done("die with who started it", set_parent_process_death_signal(Some(Signal::KILL)))?;
    let parent = i32::try_from(to.parent).ok().and_then(Pid::from_raw);
    if getppid() != parent {
        return Err(ConfineError::Orphan);
    }
    done("limit core files", limit(Resource::Core, 0, 0))?;
    done("limit the size of files", limit(Resource::Fsize, to.file_bytes, to.file_bytes))?;
    done("limit open files", limit(Resource::Nofile, to.files, to.files))?;
    done("limit processes", limit(Resource::Nproc, to.processes, to.processes))?;
    // The first is a signal that says why, the second kills.
    done("limit time", limit(Resource::Cpu, to.cpu_seconds, to.cpu_seconds.saturating_add(1)))?;
    done("limit memory", limit(Resource::As, to.memory_bytes, to.memory_bytes))
}

/// Leaves no capability to what is run, or that one; root gets all of them back by running something.
fn drop_capabilities(keeps_net_raw: bool) -> Result<(), Errno> {
    clear_ambient_capability_set()?;
    let left = if keeps_net_raw { CapabilitySet::NET_RAW } else { CapabilitySet::empty() };
    let wanted = CapabilitySets { effective: left, permitted: left, inheritable: left };
    // Where there is nothing to drop, as below osel's own unit, the call itself may be forbidden.
    if capabilities(None)? != wanted {
        set_capabilities(None, wanted)?;
    }
    if keeps_net_raw { configure_capability_in_ambient_set(left, true) } else { Ok(()) }
}

/// Limits a resource, or leaves it where it is limited more already.
fn limit(resource: Resource, soft: u64, hard: u64) -> Result<(), Errno> {
    let before = getrlimit(resource).maximum;
    let within = |value: u64| Some(before.map_or(value, |before| before.min(value)));
    setrlimit(resource, Rlimit { current: within(soft), maximum: within(hard) })
}

fn done(what: &'static str, result: Result<(), Errno>) -> Result<(), ConfineError> {
    result.map_err(|source| ConfineError::Confine { what, source })
}
