//! The command line, read by hand: one file and one option need no library.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use osel_core::trail::log::{KeyError, VerifierKey};

/// What `--help` prints.
pub const HELP: &str = "\
Checks a bundle of an osel's audit trail: that its records are in the log, unchanged and where they were, as the log's key signed.

Usage: osel-verify [--key VERIFIER-KEY] BUNDLE

Arguments:
  BUNDLE  A file that `osel audit export --bundle FILE` wrote; - for standard input

Options:
  -k, --key VERIFIER-KEY  The key of the log (NAME+ID+KEY), as `osel log key` prints it and you got it from somebody you trust.
                          Where the key was exchanged, any that the bundle leads over: each was handed on by the one before.
                          Without it the bundle's own key is taken: then the bundle contradicts itself nowhere, but anybody
                          with a key of his own could have made it
  -h, --help              Print this
  -V, --version           Print the version

It needs no network, no database and no configuration. It says what it verified: which log, by which key, up to which checkpoint,
which records, and which parts of them are missing (erased, expired, or left out; the rest holds without them).

A good bundle does not say that what the log was told is true, nor that nothing came after its checkpoint. Of a bundle of some
records it does not say that there are no others, unless it goes on from a checkpoint and has every record since.

Exit codes: 0 good; 1 bad, the reason on standard error; 2 wrong usage; 3 could not read it.

Example: osel-verify --key \"$(cat osel.key)\" incident.bundle
";

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    Help,
    Version,
    Check {
        /// `-` is standard input.
        bundle: PathBuf,
        key: Option<Box<VerifierKey>>,
    },
}

/// Why the command line is none.
#[derive(Debug, PartialEq, Eq)]
pub enum Problem {
    NoBundle,
    Second(String),
    Unknown(String),
    NoValue,
    Twice,
    Key(KeyError),
}

/// Reads the arguments behind the program's name.
///
/// # Errors
/// The first that means nothing.
pub fn read(arguments: impl Iterator<Item = OsString>) -> Result<Asked, Problem> {
    let (mut bundle, mut key, mut are_options_over) = (None, None, false);
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy().into_owned();
        let (name, joined) = match text.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => (text.as_str(), None),
        };
        match name {
            "--" if !are_options_over => are_options_over = true,
            "-h" | "--help" if !are_options_over => return Ok(Asked::Help),
            "-V" | "--version" if !are_options_over => return Ok(Asked::Version),
            "-k" | "--key" if !are_options_over => {
                let next = || arguments.next().map(|value| value.to_string_lossy().into_owned());
                let value = joined.or_else(next).ok_or(Problem::NoValue)?;
                // A file that the key was kept in ends with a line feed.
                let given = value.trim().parse::<VerifierKey>().map_err(Problem::Key)?;
                if key.replace(Box::new(given)).is_some() {
                    return Err(Problem::Twice);
                }
            }
            _ if !are_options_over && text.starts_with('-') && text != "-" => {
                return Err(Problem::Unknown(text));
            }
            _ if bundle.is_some() => return Err(Problem::Second(text)),
            _ => bundle = Some(PathBuf::from(argument)),
        }
    }
    bundle.map(|bundle| Asked::Check { bundle, key }).ok_or(Problem::NoBundle)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBundle => f.write_str("no bundle is named"),
            Self::Second(text) => {
                write!(f, "one bundle is checked at a time: `{}` is a second", crate::tell::plain(text))
            }
            Self::Unknown(text) => write!(f, "there is no option `{}`", crate::tell::plain(text)),
            Self::NoValue => f.write_str("--key wants a key"),
            Self::Twice => f.write_str("--key is given twice"),
            Self::Key(error) => write!(f, "--key: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "log.example/osel+6ae2a71d+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";

    fn read_all(arguments: &[&str]) -> Result<Asked, Problem> {
        read(arguments.iter().map(OsString::from))
    }

    #[test]
    fn arguments_are_read() {
        let with_key = |bundle: &str| {
            Ok(Asked::Check { bundle: bundle.into(), key: Some(Box::new(KEY.parse().unwrap())) })
        };
        assert_eq!(read_all(&["a.bundle"]), Ok(Asked::Check { bundle: "a.bundle".into(), key: None }));
        for arguments in [
            &["--key", KEY, "a"][..],
            &["a", "-k", KEY],
            &[&format!("--key={KEY}"), "a"],
            &["--key", &format!("{KEY}\n"), "--", "a"],
        ] {
            assert_eq!(read_all(arguments), with_key("a"), "{arguments:?}");
        }
        assert_eq!(read_all(&["-"]), Ok(Asked::Check { bundle: "-".into(), key: None }));
        assert_eq!(read_all(&["--", "--key"]), Ok(Asked::Check { bundle: "--key".into(), key: None }));
        assert_eq!(read_all(&["x", "--help"]), Ok(Asked::Help));
        assert_eq!(read_all(&["-V"]), Ok(Asked::Version));
    }

    #[test]
    fn what_means_nothing_is_said() {
        for (arguments, said) in [
            (&[][..], "no bundle is named"),
            (&["a", "b"], "one bundle is checked at a time: `b` is a second"),
            (&["--keys", "a"], "there is no option `--keys`"),
            (&["a", "--key"], "--key wants a key"),
            (&["-k", KEY, "-k", KEY, "a"], "--key is given twice"),
            (
                &["--key", "x", "a"],
                "--key: a key is written `NAME+ID+KEY`, a private one `PRIVATE+KEY+NAME+ID+SEED`",
            ),
        ] {
            assert_eq!(read_all(arguments).unwrap_err().to_string(), said);
        }
    }
}
