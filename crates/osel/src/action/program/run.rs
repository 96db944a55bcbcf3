//! From a job to what came of it, and the end of whatever it left running.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use osel_core::scan::{TEXT_CHARS_MAX, cut};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::process::Command;
use tokio::signal::unix::{Signal as Children, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::confine::CONFINE_FAILED;
use super::folder::Folder;
use super::limits::Limits;
use super::pipes::Said;
use super::starter;
use super::user::{self, Identity, UserError};

/// This program, whatever has become of its file since.
const THIS_PROGRAM: &str = "/proc/self/exe";
/// Where programs are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What `osel confined` writes before its errors.
const CONFINE_PREFIX: &str = "osel: ";
/// How long what is left in the pipes of a program that has ended is waited for: only somebody who has escaped from its group can hold
/// them open.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// A program to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its path, or its name on the usual path.
    pub program: String,
    /// Its arguments, each as it is.
    pub arguments: Vec<String>,
    /// Variables besides `PATH`, `LANG`, `HOME` and `TMPDIR`.
    pub environment: Vec<(String, String)>,
    /// What it reads.
    pub input: Vec<u8>,
    /// What it may take.
    pub limits: Limits,
    /// As whom it runs; none for as whom osel runs, or `nobody` where that is root.
    pub user: Option<String>,
    /// Whether it may make packets of its own, where osel may.
    pub keeps_net_raw: bool,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this code.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
    /// It was late and was killed.
    Late,
    /// It said too much and was killed.
    Flooded,
}

/// What came of a program.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub end: End,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// The beginning of what it wrote to its standard error, for people.
    pub stderr: String,
}

impl Output {
    /// Why it is no success, in words; none if it is one. Zero is a success, and so are the codes `accepted`.
    pub fn failure(&self, accepted: &[i32]) -> Option<String> {
        let what = match self.end {
            End::Exited(code) if code == 0 || accepted.contains(&code) => return None,
            End::Exited(code) => format!("ended with code {code}"),
            End::Signalled(signal) if signal == Signal::XCPU.as_raw() => {
                "took more processor time than `timeout_seconds`".to_owned()
            }
            End::Signalled(signal) => format!("was ended by signal {signal}"),
            End::Late => "took longer than `timeout_seconds`".to_owned(),
            End::Flooded => "wrote more than `output_mib`".to_owned(),
        };
        Some(if self.stderr.is_empty() { what } else { format!("{what}: {}", self.stderr) })
    }
}

/// Why there is no program that could have ended.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// Nobody could be found to run it.
    #[error(transparent)]
    User(#[from] UserError),
    /// It could not be begun.
    #[error("cannot start a program: {0}")]
    Start(io::Error),
    /// It could not be confined, or is not there.
    #[error("{0}")]
    NotRun(String),
}

/// Runs programs.
#[derive(Clone, Debug)]
pub struct Confined {
    osel: PathBuf,
}

impl Default for Confined {
    fn default() -> Self {
        Self::through(PathBuf::from(THIS_PROGRAM))
    }
}

impl Confined {
    /// Runs programs through this executable of osel.
    pub fn through(osel: PathBuf) -> Self {
        Self { osel }
    }

    /// Runs a program to its end. Dropping the future kills it.
    ///
    /// # Errors
    ///
    /// If it never ran. How it ended otherwise is in the output.
    pub async fn run(&self, job: Job) -> Result<Output, ProgramError> {
        let (_wanted, unwanted) = oneshot::channel();
        // A task of its own, so that it can put things in order when nobody waits any more.
        let task = tokio::spawn(supervise(self.osel.clone(), job, unwanted));
        task.await.unwrap_or_else(|error| Err(ProgramError::Start(io::Error::other(error))))
    }
}

/// The processes of a program; dropping it kills them.
struct Group(Pid);

impl Group {
    fn kill(&self) {
        // Nobody is left, or nobody whom we may kill.
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Why a program is not waited for any longer.
enum Over {
    Ended,
    Late,
    Flooded,
    Unwanted,
}

async fn supervise(osel: PathBuf, job: Job, unwanted: oneshot::Receiver<()>) -> Result<Output, ProgramError> {
    let identity = user::identity(job.user.as_deref())?;
    let folder = Folder::new(identity).map_err(ProgramError::Start)?;
    let children = signal(SignalKind::child()).map_err(ProgramError::Start)?;
    let mut child =
        starter::start(command(osel, &job, identity, &folder)).await.map_err(ProgramError::Start)?;
    let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let Some(leader) = leader else {
        return Err(ProgramError::Start(io::Error::other("the program has no number")));
    };
    let group = Group(leader);

    let mut said = Said::default();
    let over = {
        let stdin = (job.input, child.stdin.take());
        let gather = said.gather(stdin, child.stdout.take(), child.stderr.take(), job.limits.output_bytes);
        tokio::pin!(gather);
        let late = sleep(job.limits.wall);
        let ended = ended(leader, children);
        tokio::pin!(late, unwanted, ended);
        let mut is_silent = false;
        loop {
            tokio::select! {
                biased;
                _ = &mut unwanted => break Over::Unwanted,
                () = &mut late => break Over::Late,
                gathered = &mut gather, if !is_silent => match gathered {
                    Ok(()) => is_silent = true,
                    Err(_) => break Over::Flooded,
                },
                () = &mut ended => {
                    // While the leader has not been waited for, its number is nobody else's: the time to end those it left behind,
                    // who also hold the pipes open.
                    group.kill();
                    let rest = if is_silent { Ok(Ok(())) } else { timeout(DRAIN_LIMIT, &mut gather).await };
                    break if matches!(rest, Ok(Err(_))) { Over::Flooded } else { Over::Ended };
                }
            }
        }
    };
    drop(group);
    let status = child.wait().await.map_err(ProgramError::Start)?;
    drop(folder);
    let stderr = String::from_utf8_lossy(&said.errors);
    if status.code() == Some(i32::from(CONFINE_FAILED))
        && let Some(why) = stderr.strip_prefix(CONFINE_PREFIX)
    {
        return Err(ProgramError::NotRun(cut(why, TEXT_CHARS_MAX)));
    }
    let end = match over {
        Over::Ended | Over::Unwanted => end(status),
        Over::Late => End::Late,
        Over::Flooded => End::Flooded,
    };
    Ok(Output { end, stdout: said.output, stderr: cut(&stderr, TEXT_CHARS_MAX) })
}

/// Waits until a process has ended, and leaves its number with it. `children` tells that some process of ours has.
async fn ended(process: Pid, mut children: Children) {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    // What cannot be looked at is nobody any more.
    while let Ok(None) = waitid(WaitId::Pid(process), look) {
        children.recv().await;
    }
}

fn end(status: ExitStatus) -> End {
    // A process that has been waited for has one or the other.
    status.code().map_or_else(|| End::Signalled(status.signal().unwrap_or(0)), End::Exited)
}

/// The command line of `osel confined`, which becomes the program.
fn command(osel: PathBuf, job: &Job, identity: Option<Identity>, folder: &Folder) -> Command {
    let Limits { cpu_seconds, memory_bytes, output_bytes, files, processes, .. } = job.limits;
    let mut command = Command::new(osel);
    command.arg("confined").arg(format!("--parent={}", std::process::id()));
    command.arg(format!("--memory-bytes={memory_bytes}")).arg(format!("--cpu-seconds={cpu_seconds}"));
    command.arg(format!("--file-bytes={output_bytes}")).arg(format!("--files={files}"));
    command.arg(format!("--processes={processes}"));
    if let Some(Identity { uid, gid }) = identity {
        command.arg(format!("--user={uid}:{gid}"));
    }
    if job.keeps_net_raw {
        command.arg("--keep-net-raw");
    }
    command.arg("--").arg(&job.program).args(&job.arguments);
    command.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8");
    command.env("HOME", folder.path()).env("TMPDIR", folder.path());
    command.envs(job.environment.iter().map(|(name, value)| (name, value)));
    command.current_dir(folder.path()).process_group(0).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
