//! The command line, read by hand: one file and three options need no library.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use osel_core::trail::log::{KeyError, KeyKind, VerifierKey};

/// What `--help` prints.
pub const HELP: &str = "\
Checks a bundle of an osel's audit trail: that its records are in the log, unchanged and where they were, as the log's key signed.

Usage: osel-verify [--key VERIFIER-KEY] [--witness VERIFIER-KEY]... [--witnesses N] BUNDLE

Arguments:
  BUNDLE  A file that `osel audit export --bundle FILE` wrote; - for standard input

Options:
  -k, --key VERIFIER-KEY  The key of the log (NAME+ID+KEY), as `osel log key` prints it and you got it from somebody you trust.
                          Where the key was exchanged, any that the bundle leads over: each was handed on by the one before.
                          Without it the bundle's own key is taken: then the bundle contradicts itself nowhere, but anybody
                          with a key of his own could have made it
  -w, --witness VERIFIER-KEY
                          The key of a witness (NAME+ID+KEY), somebody who saw the log grow and whom you trust; once for each. It is
                          said when each has cosigned the bundle's checkpoint
      --witnesses N       So many of these must have; without it all of them
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
        known: Box<Known>,
    },
}

/// Whom the one who checks trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The log's key.
    pub key: Option<VerifierKey>,
    /// Keys of witnesses.
    pub witnesses: Vec<VerifierKey>,
    /// How many of them must have cosigned.
    pub wanted: usize,
}

/// Why the command line is none.
#[derive(Debug, PartialEq, Eq)]
pub enum Problem {
    NoBundle,
    Second(String),
    Unknown(String),
    NoValue(&'static str),
    Twice(&'static str),
    Key(&'static str, KeyError),
    NoWitness,
    NoNumber,
    TooFew { wanted: usize, given: usize },
}

/// Reads the arguments behind the program's name.
///
/// # Errors
/// The first that means nothing.
pub fn read(arguments: impl Iterator<Item = OsString>) -> Result<Asked, Problem> {
    let (mut bundle, mut known, mut wanted, mut are_options_over) = (None, Known::default(), None, false);
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy().into_owned();
        let (name, joined) = match text.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => (text.as_str(), None),
        };
        let mut value = |option| {
            let next = || arguments.next().map(|value| value.to_string_lossy().into_owned());
            // A file that a key was kept in ends with a line feed.
            joined.clone().or_else(next).map(|value| value.trim().to_owned()).ok_or(Problem::NoValue(option))
        };
        match name {
            "--" if !are_options_over => are_options_over = true,
            "-h" | "--help" if !are_options_over => return Ok(Asked::Help),
            "-V" | "--version" if !are_options_over => return Ok(Asked::Version),
            "-k" | "--key" if !are_options_over => {
                if known.key.replace(key("--key", &value("--key")?)?).is_some() {
                    return Err(Problem::Twice("--key"));
                }
            }
            "-w" | "--witness" if !are_options_over => {
                let witness = key("--witness", &value("--witness")?)?;
                if witness.kind() != KeyKind::Cosignature {
                    return Err(Problem::NoWitness);
                }
                // Twice the same one would count as two.
                if known.witnesses.contains(&witness) {
                    return Err(Problem::Twice("a witness"));
                }
                known.witnesses.push(witness);
            }
            "--witnesses" if !are_options_over => {
                let number = value("--witnesses")?.parse::<usize>().map_err(|_| Problem::NoNumber)?;
                if wanted.replace(number).is_some() {
                    return Err(Problem::Twice("--witnesses"));
                }
            }
            _ if !are_options_over && text.starts_with('-') && text != "-" => {
                return Err(Problem::Unknown(text));
            }
            _ if bundle.is_some() => return Err(Problem::Second(text)),
            _ => bundle = Some(PathBuf::from(argument)),
        }
    }
    let given = known.witnesses.len();
    known.wanted = wanted.unwrap_or(given);
    if known.wanted > given {
        return Err(Problem::TooFew { wanted: known.wanted, given });
    }
    bundle.map(|bundle| Asked::Check { bundle, known: Box::new(known) }).ok_or(Problem::NoBundle)
}

fn key(option: &'static str, text: &str) -> Result<VerifierKey, Problem> {
    text.parse().map_err(|error| Problem::Key(option, error))
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBundle => f.write_str("no bundle is named"),
            Self::Second(text) => {
                write!(f, "one bundle is checked at a time: `{}` is a second", crate::tell::plain(text))
            }
            Self::Unknown(text) => write!(f, "there is no option `{}`", crate::tell::plain(text)),
            Self::NoValue(option) => write!(f, "{option} wants a value"),
            Self::Twice(what) => write!(f, "{what} is given twice"),
            Self::Key(option, error) => write!(f, "{option}: {error}"),
            Self::NoWitness => f.write_str("--witness: that is the key of a log, which is no witness"),
            Self::NoNumber => f.write_str("--witnesses wants a number"),
            Self::TooFew { wanted, given } => {
                write!(f, "{wanted} witnesses are asked for, and {given} are given by --witness")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "log.example/osel+6ae2a71d+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";

    const WITNESS: &str = "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X";

    fn read_all(arguments: &[&str]) -> Result<Asked, Problem> {
        read(arguments.iter().map(OsString::from))
    }

    #[test]
    fn arguments_are_read() {
        let with_key = |bundle: &str| {
            let known = Known { key: Some(KEY.parse().unwrap()), ..Known::default() };
            Ok(Asked::Check { bundle: bundle.into(), known: Box::new(known) })
        };
        let without_key =
            |bundle: &str| Ok(Asked::Check { bundle: bundle.into(), known: Box::new(Known::default()) });
        assert_eq!(read_all(&["a.bundle"]), without_key("a.bundle"));
        for arguments in [
            &["--key", KEY, "a"][..],
            &["a", "-k", KEY],
            &[&format!("--key={KEY}"), "a"],
            &["--key", &format!("{KEY}\n"), "--", "a"],
        ] {
            assert_eq!(read_all(arguments), with_key("a"), "{arguments:?}");
        }
        assert_eq!(read_all(&["-"]), without_key("-"));
        assert_eq!(read_all(&["--", "--key"]), without_key("--key"));
        let with_witness = |wanted| {
            let witnesses = vec![WITNESS.parse().unwrap()];
            Ok(Asked::Check { bundle: "a".into(), known: Box::new(Known { key: None, witnesses, wanted }) })
        };
        assert_eq!(read_all(&["-w", WITNESS, "a"]), with_witness(1));
        assert_eq!(read_all(&["--witnesses=0", "a", "--witness", WITNESS]), with_witness(0));
        assert_eq!(read_all(&["x", "--help"]), Ok(Asked::Help));
        assert_eq!(read_all(&["-V"]), Ok(Asked::Version));
    }

    #[test]
    fn what_means_nothing_is_said() {
        for (arguments, said) in [
            (&[][..], "no bundle is named"),
            (&["a", "b"], "one bundle is checked at a time: `b` is a second"),
            (&["--keys", "a"], "there is no option `--keys`"),
            (&["a", "--key"], "--key wants a value"),
            (&["a", "--witnesses"], "--witnesses wants a value"),
            (&["a", "--witnesses", "-1"], "--witnesses wants a number"),
            (&["a", "--witnesses", "1"], "1 witnesses are asked for, and 0 are given by --witness"),
            (&["a", "-w", WITNESS, "-w", WITNESS], "a witness is given twice"),
            (&["a", "-w", KEY], "--witness: that is the key of a log, which is no witness"),
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
