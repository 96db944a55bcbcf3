//! How much a program may take.

use std::time::Duration;

use crate::config::ProgramConfig;

/// What a program may take. Each process of it may take as much memory and time of processors; the rest is for all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long it may run.
    pub wall: Duration,
    /// How long a process may keep processors busy, in seconds.
    pub cpu_seconds: u64,
    /// The address space of a process, in bytes. Programs in Go and Java take much more than they use.
    pub memory_bytes: u64,
    /// What it may write to its standard output and error, in bytes, and the size of a file that it writes.
    pub output_bytes: usize,
    /// The files and sockets that a process may have open.
    pub files: u64,
    /// The processes and threads that its user may have, others of that user counted. The system does not hold root to it.
    pub processes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // What a scan of some thousand ports of silent hosts takes.
            wall: Duration::from_mins(30),
            // Waiting for answers takes none, so this much is a loop without end.
            cpu_seconds: 1800,
            memory_bytes: 2 << 30,
            // Some hundred bytes for each of 65,536 ports of several hosts.
            output_bytes: 64 << 20,
            files: 4096,
            processes: 512,
        }
    }
}

impl From<&ProgramConfig> for Limits {
    /// What is configured; the rest as for every program.
    fn from(config: &ProgramConfig) -> Self {
        Self {
            wall: Duration::from_secs(u64::from(config.timeout_seconds)),
            cpu_seconds: u64::from(config.timeout_seconds),
            memory_bytes: u64::from(config.memory_mib) << 20,
            output_bytes: (config.output_mib as usize) << 20,
            ..Self::default()
        }
    }
}
