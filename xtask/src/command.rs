//! Runs other programs: a line on standard error for each step, a time limit, a sign of life on long ones.
//!
//! Standard input is closed for all of them, so that nothing can wait for an answer that nobody gives.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a running step is looked at; short against every step, long against the cost of looking.
const POLL: Duration = Duration::from_millis(100);
/// How often a silent step says that it is still there; below the patience of CI systems that stop silent jobs.
const SIGN_OF_LIFE: Duration = Duration::from_secs(120);
/// How long a program may take to end itself after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// Says on standard error what is happening.
pub(crate) fn say(text: &str) {
    eprintln!("xtask: {text}");
}

/// Whether a program of that name is on the search path.
pub(crate) fn on_path(program: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Cargo, as the one that runs this program.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut text = program.to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// Announces the command, runs it to its end within the limit, and gives its status.
pub(crate) fn run(mut command: Command, limit: Duration) -> Result<ExitStatus> {
    say(&shown(&command));
    let child = command
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start `{}`", shown(&command)))?;
    wait(child, &shown(&command), limit)
}

/// Waits for a child within the limit; ends it and all its descendants when the limit is over.
pub(crate) fn wait(mut child: Child, what: &str, limit: Duration) -> Result<ExitStatus> {
    let start = Instant::now();
    let mut next_sign = SIGN_OF_LIFE;
    loop {
        if let Some(status) = child.try_wait().with_context(|| format!("cannot wait for `{what}`"))? {
            return Ok(status);
        }
        let elapsed = start.elapsed();
        if elapsed >= limit {
            end(&mut child);
            bail!("`{what}` was ended after {} s, the limit of this step", limit.as_secs());
        }
        if elapsed >= next_sign {
            say(&format!("`{what}` runs for {} s", elapsed.as_secs()));
            next_sign += SIGN_OF_LIFE;
        }
        thread::sleep(POLL);
    }
}

fn end(child: &mut Child) {
    signal("TERM", child.id());
    let start = Instant::now();
    while start.elapsed() < GRACE {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        thread::sleep(POLL);
    }
    signal("KILL", child.id());
    // What can still fail here is a child that is already gone.
    let _ = child.kill();
    let _ = child.wait();
}

/// Sends a signal to a process and its descendants; the shell's own `kill` needs no package and no unsafe code.
fn signal(name: &str, process: u32) {
    let mut kill = format!("kill -{name}");
    for process in family(process) {
        kill.push_str(&format!(" {process}"));
    }
    let _ = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status();
}

/// A process and its descendants, as far as `/proc` tells.
fn family(process: u32) -> Vec<u32> {
    let mut pairs = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        if let Some(parent) = parent(&stat) {
            pairs.push((parent, id));
        }
    }
    let mut family = vec![process];
    let mut at = 0;
    while at < family.len() {
        let parent = family[at];
        family.extend(pairs.iter().filter(|(other, _)| *other == parent).map(|(_, id)| *id));
        at += 1;
    }
    family
}

/// The parent in a line of `/proc/ID/stat`: the second field after the name, which may itself hold spaces and brackets.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};

    use super::*;

    fn shell(script: &str) -> Child {
        Command::new("sh").args(["-c", script]).stdin(Stdio::null()).spawn().expect("a shell is there")
    }

    #[test]
    fn a_step_gives_its_status() {
        let status = wait(shell("exit 3"), "exit", Duration::from_secs(60)).expect("it ends in time");
        assert_eq!(status.code(), Some(3));
    }

    #[test]
    fn a_step_over_its_limit_is_ended_with_its_children() {
        let script = "tail -f /dev/null & echo started; wait";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell is there");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("the shell speaks");
        let error = wait(child, "forever", Duration::ZERO).expect_err("it never ends by itself");
        assert!(error.to_string().contains("`forever` was ended"), "{error}");
        // The pipe ends when nobody holds its other side any more: neither the shell nor its child.
        let rest = output.read_to_string(&mut line).expect("the pipe ends");
        assert_eq!((line.as_str(), rest), ("started\n", 0));
    }

    #[test]
    fn the_parent_is_found_behind_a_difficult_name() {
        assert_eq!(parent("42 (a) b (c) S 7 42 42 0"), Some(7));
        assert_eq!(parent("nonsense"), None);
    }
}
