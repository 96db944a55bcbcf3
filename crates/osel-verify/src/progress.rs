//! How far a long check is: one line on a terminal's standard error, which is written over and gone at the end. Elsewhere nothing is said.
//!
//! What is said follows from what was read and how long that took; only [`Shown`] knows a clock and a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// The line is not written again sooner: nobody reads faster, and a slow terminal must not hold up the check.
const PAUSE: Duration = Duration::from_millis(200);

/// What was read, and when it was said last.
#[derive(Debug, Default)]
struct Progress {
    /// The size of the file, where it has one.
    all_bytes: Option<u64>,
    bytes: u64,
    said_at: Duration,
}

impl Progress {
    /// What there is to say after so many bytes more, with so many records checked, so long after the beginning; none while that is too soon.
    fn step(&mut self, bytes: usize, records: u64, elapsed: Duration) -> Option<String> {
        self.bytes += bytes as u64;
        if elapsed < self.said_at + PAUSE {
            return None;
        }
        self.said_at = elapsed;
        let share = self.all_bytes.filter(|&all| all > 0).map(|all| {
            // A file may grow while it is read.
            let percent = u128::from(self.bytes.min(all)) * 100 / u128::from(all);
            format!(", {percent} % of the file")
        });
        Some(format!("{records} records{}", share.unwrap_or_default()))
    }
}

/// Progress on a terminal.
#[derive(Debug)]
pub struct Shown {
    progress: Progress,
    /// None where standard error is no terminal.
    began: Option<Instant>,
    width: usize,
}

impl Shown {
    /// For a file of that size, or for what has none.
    pub fn begin(all_bytes: Option<u64>) -> Self {
        let began = io::stderr().is_terminal().then(Instant::now);
        Self { progress: Progress { all_bytes, ..Progress::default() }, began, width: 0 }
    }

    /// Takes note of so many bytes more, with so many records checked.
    pub fn step(&mut self, bytes: usize, records: u64) {
        let Some(began) = self.began else { return };
        if let Some(line) = self.progress.step(bytes, records, began.elapsed()) {
            self.write(&line);
            self.width = line.len();
        }
    }

    fn write(&self, line: &str) {
        // Where nobody can be told, the exit code says how it ended.
        let _ = write!(io::stderr(), "\r{line:width$}", width = self.width);
    }
}

impl Drop for Shown {
    /// The answer stands alone.
    fn drop(&mut self) {
        if self.width > 0 {
            self.write("");
            let _ = write!(io::stderr(), "\r");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_five_times_a_second_at_most_and_with_a_share_where_there_is_one() {
        let mut progress = Progress { all_bytes: Some(1000), ..Progress::default() };
        let mut at = |bytes, records, millis| progress.step(bytes, records, Duration::from_millis(millis));
        assert_eq!(at(100, 1, 199), None);
        assert_eq!(at(150, 2, 200).as_deref(), Some("2 records, 25 % of the file"));
        assert_eq!(at(150, 3, 399), None);
        assert_eq!(at(900, 9, 400).as_deref(), Some("9 records, 100 % of the file"));
        let mut piped = Progress::default();
        assert_eq!(piped.step(7, 1, PAUSE).as_deref(), Some("1 records"));
    }
}
