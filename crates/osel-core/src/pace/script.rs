//! Scripts of a state machine's tests: a line per input with its time in milliseconds, and below it a line `> …` per order.
//!
//! The input `wake` asks when the machine waits for time to pass, and has that as its order.

use crate::time::Timestamp;

/// A machine that is played by scripts.
pub(crate) trait Scripted {
    /// The time that a script means by so many milliseconds.
    fn time(milliseconds: i64) -> Timestamp;

    /// The same, back.
    fn milliseconds_of(time: Timestamp) -> i64;

    /// Takes an input; its orders, as scripts have them.
    fn take(&mut self, now: Timestamp, words: &str) -> Vec<String>;

    /// When it waits for time to pass.
    fn wake_at(&self) -> Option<Timestamp>;
}

/// Plays a script; every order must stand there, and no other.
#[track_caller]
pub(crate) fn check<M: Scripted>(mut machine: M, script: &str) {
    let lines = || script.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut played = String::new();
    for line in lines().filter(|line| !line.starts_with('>')) {
        played.push_str(line);
        played.push('\n');
        let (milliseconds, words) = line.split_once(' ').expect("a time and an input");
        if words == "wake" {
            let wake_at = machine.wake_at();
            let wake_at = wake_at.map_or("never".to_owned(), |at| M::milliseconds_of(at).to_string());
            played.push_str(&format!("> {wake_at}\n"));
            continue;
        }
        let now = M::time(milliseconds.parse().expect("milliseconds"));
        let orders = machine.take(now, words);
        assert!(machine.wake_at().is_none_or(|at| at > now), "after `{line}` a tick would change nothing");
        for order in orders {
            played.push_str(&format!("> {order}\n"));
        }
    }
    let wanted: String = lines().map(|line| format!("{line}\n")).collect();
    assert!(played == wanted, "played:\n{played}\nwanted:\n{wanted}");
}
