//! Programs within limits: real ones, which try what programs try.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use osel::action::program::{Confined, End, Job, Limits, Output, ProgramError};

/// What programs are run through.
const OSEL: &str = env!("CARGO_BIN_EXE_osel");

/// One that runs programs through the osel that is tested.
pub(super) fn confined() -> Confined {
    Confined::through(PathBuf::from(OSEL))
}

fn job(program: &str, arguments: &[&str]) -> Job {
    Job {
        program: program.to_owned(),
        arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
        environment: Vec::new(),
        input: Vec::new(),
        limits: Limits::default(),
        user: None,
        keeps_net_raw: false,
    }
}

fn bash(script: &str) -> Job {
    job("bash", &["-c", script])
}

async fn run(job: Job) -> Output {
    confined().run(job).await.unwrap()
}

fn text(output: &Output) -> &str {
    assert_eq!(output.failure(&[]), None);
    std::str::from_utf8(&output.stdout).unwrap()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A place that programs connect to, so that one can tell when they begin and when the last of them has ended.
fn place() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = format!("exec 3<>/dev/tcp/127.0.0.1/{}", listener.local_addr().unwrap().port());
    (listener, connect)
}

/// Returns once everybody who held the other end has ended.
fn all_have_ended(mut connection: TcpStream) {
    let mut rest = Vec::new();
    // Killed with something unread, an end is a reset.
    let _ = connection.read_to_end(&mut rest);
}

#[tokio::test]
async fn arguments_and_input_arrive_as_they_are() {
    let output = run(job("printf", &["<%s>", "$(id)", "; rm -rf *", "a b", "--", ""])).await;
    assert_eq!(text(&output), "<$(id)><; rm -rf *><a b><--><>");
    let input: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let output = run(Job { input: input.clone(), ..job("cat", &[]) }).await;
    assert!(output.stdout == input && output.end == End::Exited(0));
    let output = run(Job { input, ..job("true", &[]) }).await;
    assert_eq!(output.end, End::Exited(0), "who does not read is not made to");
}

#[tokio::test]
async fn the_environment_is_clean_and_the_folder_goes() {
    let environment = vec![("TOKEN_FILE".to_owned(), "x y".to_owned())];
    let output = run(Job { environment, ..job("env", &[]) }).await;
    let mut names: Vec<&str> = text(&output).lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "LANG", "PATH", "TMPDIR", "TOKEN_FILE"]);
    assert!(text(&output).contains("TOKEN_FILE=x y\n"));

    let output =
        run(bash("ls -A; pwd; stat -c %a .; mkdir -p d/e; touch d/e/f; ls -A; test $HOME = $PWD")).await;
    let lines: Vec<&str> = text(&output).lines().collect();
    assert_eq!(lines[1..], ["700", "d"]);
    assert!(Path::new(lines[0]).is_absolute() && !Path::new(lines[0]).exists(), "{}", lines[0]);
}

#[tokio::test]
async fn a_program_has_no_privileges_and_no_files_of_ours() {
    let ours = std::fs::File::open(OSEL).unwrap();
    let status = "grep -E '^(CapEff|CapPrm|CapAmb|NoNewPrivs|Groups):' /proc/self/status; id -u; ulimit -c; ls -l /proc/$$/fd";
    let output = run(bash(status)).await;
    drop(ours);
    let text = text(&output);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let none = "0000000000000000";
    let status = ["Groups:", "CapPrm:", none, "CapEff:", none, "CapAmb:", none, "NoNewPrivs:", "1"];
    if is_root() {
        assert_eq!(words[..9], status, "{text}");
        assert_eq!(words[9], "65534", "root's programs are nobody's: {text}");
        assert_eq!(words[10], "0", "no core files: {text}");
    } else {
        assert!(text.contains("NoNewPrivs:\t1\n"), "{text}");
    }
    assert!(text.contains("pipe:") && !text.contains(OSEL), "{text}");
}

#[tokio::test]
async fn packets_of_its_own_are_the_only_privilege_that_can_be_kept() {
    if !is_root() {
        return;
    }
    let status = "grep -E '^(CapEff|CapAmb):' /proc/self/status; id -u";
    let output = run(Job { keeps_net_raw: true, ..bash(status) }).await;
    let net_raw = "0000000000002000";
    assert_eq!(text(&output), format!("CapEff:\t{net_raw}\nCapAmb:\t{net_raw}\n65534\n"));
}

#[tokio::test]
async fn users_are_by_name_or_by_number() {
    if is_root() {
        let output =
            run(Job { user: Some("4321:1234".to_owned()), ..bash("id -u; id -g; id -G; touch x") }).await;
        assert_eq!(text(&output), "4321\n1234\n1234\n");
        let output = run(Job { user: Some("root".to_owned()), ..bash("id -u") }).await;
        assert_eq!(text(&output), "0\n");
    }
    let nobody = confined().run(Job { user: Some("no such user".to_owned()), ..bash("id") }).await;
    assert!(matches!(nobody, Err(ProgramError::User(_))), "{nobody:?}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_told() {
    let error = confined().run(job("no-such-program", &["x"])).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot run `no-such-program`: No such file"), "{error}");
    // Its own codes are its own.
    let output = run(bash("echo osel >&2; exit 125")).await;
    assert_eq!(output.failure(&[]).as_deref(), Some("ended with code 125: osel"));
    assert_eq!(output.failure(&[3, 125]), None);
}

#[tokio::test]
async fn memory_time_and_output_have_ends() {
    let limits = Limits { memory_bytes: 256 << 20, ..Limits::default() };
    let hog = job("python3", &["-c", "x = bytearray(1 << 30); print('got it')"]);
    let output = run(Job { limits, ..hog }).await;
    assert!(output.failure(&[]).unwrap().contains("MemoryError"), "{output:?}");

    let limits = Limits { cpu_seconds: 1, ..Limits::default() };
    let output = run(Job { limits, ..bash("while :; do :; done") }).await;
    assert_eq!(output.failure(&[]).as_deref(), Some("took more processor time than `timeout_seconds`"));

    let limits = Limits { output_bytes: 100_000, ..Limits::default() };
    for script in ["yes", "yes >&2", "yes & yes >&2", "yes | head -c 100001"] {
        let output = run(Job { limits, ..bash(script) }).await;
        assert_eq!(output.end, End::Flooded, "{script}");
        assert!(output.stdout.len() <= 100_000, "{script}: {}", output.stdout.len());
    }
    let output = run(Job { limits, ..bash("head -c 100000 /dev/zero") }).await;
    assert_eq!((output.end, output.stdout.len()), (End::Exited(0), 100_000));
    let output = run(Job { limits, ..bash("yes > file") }).await;
    assert!(output.failure(&[]).is_some(), "a file is no way around it");

    let limits = Limits { files: 20, ..Limits::default() };
    let output =
        run(Job { limits, ..job("python3", &["-c", "f = [open('/dev/null') for _ in range(30)]"]) }).await;
    assert!(output.failure(&[]).unwrap().contains("Too many open files"), "{output:?}");

    let limits = Limits { wall: Duration::from_millis(50), ..Limits::default() };
    let output = run(Job { limits, ..bash("echo begun; read -r x < <(tail -f /dev/null)") }).await;
    assert_eq!(output.end, End::Late);
}

#[tokio::test]
async fn processes_have_an_end_where_the_system_counts_them() {
    // A number of its own, so that nobody else's processes are counted with them.
    let user = is_root().then(|| "54321:54321".to_owned());
    let limits = Limits { processes: 20, ..Limits::default() };
    // Of the shells, this one does not try again.
    let bomb = "for i in $(seq 100); do tail -f /dev/null & done; echo all of them";
    let outcome = confined().run(Job { user, limits, ..job("sh", &["-c", bomb]) }).await;
    // Where the user has more already, there is no program at all.
    let Ok(output) = outcome else { return };
    assert!(output.failure(&[]).is_some_and(|why| why.contains("fork")), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("all of them"));
}

#[tokio::test]
async fn who_is_left_behind_ends_with_the_program() {
    let (listener, connect) = place();
    let output = run(bash(&format!("{connect}; tail -f /dev/null & echo done"))).await;
    assert_eq!(text(&output), "done\n");
    all_have_ended(listener.accept().unwrap().0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_nobody_waits_for_ends() {
    let (listener, connect) = place();
    let waiting =
        tokio::spawn(
            async move { run(bash(&format!("{connect}; tail -f /dev/null & tail -f /dev/null"))).await },
        );
    let (connection, _) = tokio::task::spawn_blocking(move || listener.accept()).await.unwrap().unwrap();
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    tokio::task::spawn_blocking(|| all_have_ended(connection)).await.unwrap();
}

#[test]
fn a_program_ends_with_the_runtime() {
    let (listener, connect) = place();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime
        .spawn(async move { run(bash(&format!("{connect}; tail -f /dev/null & tail -f /dev/null"))).await });
    let (connection, _) = listener.accept().unwrap();
    drop(runtime);
    all_have_ended(connection);
}

#[test]
fn a_program_dies_with_osel() {
    let (listener, connect) = place();
    // The shell stands for osel.
    let limits =
        "--memory-bytes=1000000000 --cpu-seconds=100 --file-bytes=1000 --files=100 --processes=10000";
    let script = format!("\"$0\" confined --parent=$$ {limits} -- bash -c \"$1\" & wait");
    let mut parent = Command::new("bash");
    parent.args(["-c", &script, OSEL, &format!("{connect}; read -r x <&3")]);
    let mut parent = parent.stdin(Stdio::null()).spawn().unwrap();
    let (connection, _) = listener.accept().unwrap();
    parent.kill().unwrap();
    parent.wait().unwrap();
    all_have_ended(connection);

    // What whoever started osel has left open does not reach the program, not even one of a high number.
    let script = format!(
        "exec 7</etc/passwd 99</etc/passwd; exec \"$0\" confined --parent=$PPID {limits} -- bash -c 'ls -l /proc/$$/fd'"
    );
    let seen = Command::new("bash").args(["-c", &script, OSEL]).stdin(Stdio::null()).output().unwrap();
    let seen = String::from_utf8(seen.stdout).unwrap();
    assert!(seen.contains(" 0 -> /dev/null") && !seen.contains("passwd"), "{seen}");

    // Whoever comes too late for that is not run.
    let mut late = Command::new(OSEL);
    late.args(["confined", "--parent=1"]).args(limits.split(' ')).args(["--", "echo", "run"]);
    let late = late.output().unwrap();
    assert_eq!(late.status.code(), Some(125));
    assert_eq!(String::from_utf8_lossy(&late.stderr), "osel: who asked for the program has ended\n");
    assert!(late.stdout.is_empty());
}
