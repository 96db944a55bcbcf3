//! What is said about a configuration: problems, which refuse it, and warnings, which do not.

use std::fmt;
use std::path::PathBuf;

use super::load::DEFAULT_FILE;
use super::reference::NO_CREDENTIALS;

/// The most problems that are told at once. Nobody reads more, and a file of a megabyte could have a hundred thousand.
const PROBLEMS_MAX: usize = 100;

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1; none when it is about the whole file, such as a section that is missing.
        line: Option<usize>,
    },
    /// In a variable of the environment.
    Variable(String),
    /// Nowhere: there is no file, and no variable says it.
    Nowhere,
}

/// One thing to be said about one key. Never holds the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Where the value was written.
    pub place: Place,
    /// The path of the key, such as `source[0].queue.kind`; empty when it is about no single key.
    pub key: String,
    /// What it is, and what to do.
    pub what: String,
}

/// Something that should be otherwise but does not keep osel from running.
pub type Warning = Remark;

/// Why a configuration cannot be used: every problem, in the order of the keys, and the warnings beside them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.lines())]
pub struct Problems {
    /// The problems, at least one.
    pub problems: Vec<Remark>,
    /// How many more there were than are told.
    pub untold: usize,
    /// What else was noticed.
    pub warnings: Vec<Warning>,
}

impl Problems {
    /// The first of them, for whoever has a line for it.
    pub fn first(&self) -> String {
        self.problems.first().map(ToString::to_string).unwrap_or_default()
    }

    /// Takes away what is only wrong because this process has no credentials of systemd's, which the unit has.
    pub fn take_missing_credentials(&mut self) -> Vec<Remark> {
        let is_missing = |remark: &mut Remark| remark.what == NO_CREDENTIALS;
        self.problems.extract_if(.., is_missing).collect()
    }

    /// Whether nothing is left of them.
    pub fn is_none(&self) -> bool {
        self.problems.is_empty() && self.untold == 0
    }

    /// Those of a configuration that was read.
    pub(super) fn new(mut problems: Vec<Remark>, warnings: Vec<Warning>) -> Self {
        let untold = problems.len().saturating_sub(PROBLEMS_MAX);
        problems.truncate(PROBLEMS_MAX);
        Self { problems, untold, warnings }
    }

    /// A single one.
    pub(super) fn one(place: Place, what: String) -> Self {
        Self::new(vec![Remark { place, key: String::new(), what }], Vec::new())
    }

    fn lines(&self) -> String {
        let mut lines: Vec<String> = self.problems.iter().map(Remark::to_string).collect();
        if self.untold > 0 {
            lines.push(format!("and {} more problems", self.untold));
        }
        lines.join("\n")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: Some(line) } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Nowhere => write!(f, "no configuration file ({DEFAULT_FILE} is not there)"),
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.key.is_empty() {
            format!("{}: {}", self.place, self.what)
        } else {
            format!("{}: {}: {}", self.place, self.key, self.what)
        };
        // Keys and values are quoted from the file: what they hold must neither break the line nor steer a terminal.
        f.write_str(&text.replace(char::is_control, " "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_is_one_line() {
        let place = Place::File { path: PathBuf::from("a\nb"), line: Some(3) };
        let remark = Remark { place, key: "x\u{1b}[31m".to_owned(), what: "is\r\nbad".to_owned() };
        assert_eq!(remark.to_string(), "a b:3: x [31m: is  bad");
    }

    #[test]
    fn of_many_problems_only_so_many_are_told() {
        let remark = Remark { place: Place::Nowhere, key: "a".to_owned(), what: "b".to_owned() };
        let problems = Problems::new(vec![remark; PROBLEMS_MAX + 3], Vec::new());
        assert_eq!(problems.to_string().lines().count(), PROBLEMS_MAX + 1);
        assert!(problems.to_string().ends_with("\nand 3 more problems"));
    }
}
