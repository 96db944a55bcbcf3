//! `osel config`: checks a configuration without doing anything, and shows what one looks like.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use osel_core::finding::ExpectedExposure;
use osel_core::time::Timestamp;
use serde::Serialize;

use super::open::now;
use super::output::{json_line, note, print_bytes, stdout};
use super::{durability, forward, openstack, pseudonyms, trail_key};
use crate::config::{
    Config, DEFAULT_FILE, LogConfig, Look, OneSource, Place, Problems, Remark, StoreConfig, TableCounts,
    TlsConfig, keys, unknown_variables,
};
use crate::tls;

/// The configuration of the daemon.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Says everything that is wrong with a configuration, each with its key and line.
    ///
    /// Files that it names are read, and a database that it names is looked at for what would lose messages; nothing else is connected to,
    /// and nothing written. Exit code 2 when anything is wrong; warnings alone are 0. A secret that is a credential of systemd's, where there are none,
    /// as at a terminal, is a warning: the rest is checked.
    Check(CheckArgs),
    /// Prints a complete configuration file with every key, its default and its meaning.
    Example,
}

/// Which configuration.
#[derive(Clone, Debug, Args)]
pub struct ConfigArg {
    /// The configuration file; else the environment's OSEL_CONFIG, else /etc/osel/osel.toml if it is there.
    #[arg(id = "config", short = 'c', long = "config", value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Arguments of `osel config check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: CheckFormat,
}

/// How the result of a check is printed.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum CheckFormat {
    /// For people: a line for each problem.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// What a check found, as JSON.
#[derive(Serialize)]
struct CheckDocument {
    file: Option<String>,
    good: bool,
    problems: Vec<RemarkDocument>,
    /// How many more problems there are.
    untold: usize,
    warnings: Vec<RemarkDocument>,
}

/// A problem or a warning, as JSON.
#[derive(Serialize)]
struct RemarkDocument {
    /// The line of the file, from 1.
    line: Option<usize>,
    /// The variable of the environment, when the value comes from one.
    variable: Option<String>,
    key: String,
    what: String,
}

impl ConfigArg {
    /// The configuration that `osel` runs with; warnings are printed.
    ///
    /// # Errors
    /// Exit code 2 when there are problems, which are printed then.
    pub fn load(&self) -> Result<Config, ExitCode> {
        let (loaded, warnings) = self.checked();
        tell(&loaded, &warnings);
        loaded.map_err(|_| ExitCode::from(2))
    }

    /// The same, for who tells what is wrong, and the warnings, otherwise.
    pub fn checked(&self) -> (Result<Config, Problems>, Vec<Remark>) {
        checked(self.file.as_deref(), None)
    }

    /// The store, the names of the sources that are buses, and the source of that name, of which alone secrets are read.
    ///
    /// # Errors
    /// Exit code 2 when there are problems with these, which are printed then.
    pub fn load_source(&self, name: &str) -> Result<OneSource, ExitCode> {
        let one = Config::load_source(self.file.as_deref(), &variable, name).map_err(|problems| {
            note(problems);
            ExitCode::from(2)
        })?;
        warn(&one.warnings);
        Ok(one)
    }

    /// The file, if one is named on the command line.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The file that [`Self::load`] would read; none where there is only the environment.
    pub fn file_to_load(&self) -> Option<PathBuf> {
        Config::file(self.file.as_deref(), &variable)
    }

    /// The store as it stands there now, for who runs already; none while that has problems.
    pub fn store_quietly(&self) -> Option<StoreConfig> {
        Config::store_now(self.file.as_deref(), &variable).ok().flatten()
    }

    /// The configuration as it stands now, for who runs already; none while it has problems.
    pub fn load_quietly(&self) -> Option<Config> {
        self.read_again().ok()
    }

    /// The same.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read_again(&self) -> Result<Config, Problems> {
        self.checked().0
    }

    /// How the log is written, whatever is wrong with the rest.
    pub fn log_now(&self) -> LogConfig {
        Config::log_now(self.file.as_deref(), &variable)
    }
}

pub(super) fn run(command: &ConfigCommand) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Check(args) => check(args),
        ConfigCommand::Example => {
            print_bytes(keys::example().as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Entries of the list of expected exposure whose time is over: they cover nothing, and whoever mistyped a year learns of it by findings.
fn lapsed(config: &Config, now: Timestamp, file: Option<&Path>) -> Vec<Remark> {
    let over = |(at, entry): (usize, &ExpectedExposure)| {
        let until = entry.until.filter(|until| *until <= now)?;
        let place = file.map_or(Place::Nowhere, |file| Place::File { path: file.to_owned(), line: None });
        let what = format!("is over since {until}: the entry covers nothing any more");
        Some(Remark { place, key: format!("expected[{at}].until"), what })
    };
    config.expected.iter().enumerate().filter_map(over).collect()
}

fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let time = now();
    let look = move |files: &TlsConfig| tls::flaws(files, time);
    let (mut loaded, mut warnings) = checked(args.config.file.as_deref(), Some(&look));
    if let Err(problems) = &mut loaded {
        warnings.extend(problems.take_missing_credentials());
    }
    let file = Config::file(args.config.file.as_deref(), &variable);
    if let Ok(config) = &loaded {
        let (mut problems, more) = durability::remarks(&config.store, file.as_deref());
        warnings.extend(more);
        warnings.extend(trail_key::remarks(config, file.as_deref()));
        warnings.extend(pseudonyms::remarks(config));
        warnings.extend(lapsed(config, time, file.as_deref()));
        let (of_clouds, more) = openstack::remarks(config);
        problems.extend(of_clouds);
        warnings.extend(more);
        let (of_key, more) = trail_key::account_remarks(config);
        problems.extend(of_key);
        warnings.extend(more);
        let (of_templates, more) = forward::remarks(config);
        problems.extend(of_templates);
        warnings.extend(more);
        if !problems.is_empty() {
            loaded = Err(Problems { problems, untold: 0, warnings: Vec::new() });
        }
    }
    let file = file.map(|file| file.display().to_string());
    match args.output {
        CheckFormat::Text => {
            tell(&loaded, &warnings);
            let alone = format!("the environment alone ({DEFAULT_FILE} is not there)");
            let name = file.as_deref().unwrap_or(&alone);
            let rest = if loaded.is_ok() {
                ""
            } else {
                ", as far as it can be told without the credentials of its unit"
            };
            if is_good(&loaded) {
                print_bytes(format!("{name}: good{rest}\n").as_bytes())?;
            }
        }
        CheckFormat::Json => {
            let (problems, untold) =
                loaded.as_ref().err().map_or((&[][..], 0), |told| (&told.problems, told.untold));
            let document = CheckDocument {
                file,
                good: is_good(&loaded),
                problems: problems.iter().map(RemarkDocument::new).collect(),
                untold,
                warnings: warnings.iter().map(RemarkDocument::new).collect(),
            };
            json_line(&mut stdout(), &document)?;
        }
    }
    Ok(if is_good(&loaded) { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// Whether nothing is wrong, as far as could be looked.
fn is_good(loaded: &Result<Config, Problems>) -> bool {
    loaded.as_ref().err().is_none_or(Problems::is_none)
}

/// The configuration as this process would have it, and all warnings about it; with what `look` finds in the files that it names.
fn checked(file: Option<&Path>, look: Option<&Look<'_>>) -> (Result<Config, Problems>, Vec<Remark>) {
    let read = match look {
        Some(look) => Config::load_looking(file, &variable, look),
        None => Config::load(file, &variable),
    };
    let (loaded, mut warnings) = match read {
        Ok((config, warnings)) => (Ok(config), warnings),
        Err(mut problems) => {
            let warnings = std::mem::take(&mut problems.warnings);
            (Err(problems), warnings)
        }
    };
    // How many sources there are is known of a good configuration only; of another, no number is taken for too large.
    let count = |of: fn(&Config) -> usize| loaded.as_ref().map_or(usize::MAX, of);
    let counts = TableCounts {
        sources: count(|config| config.sources.len()),
        clouds: count(|config| config.openstack.len()),
        scanners: count(|config| config.scanners.len()),
        expected: count(|config| config.expected.len()),
        forwards: count(|config| config.forwards.len()),
        witnesses: count(|config| config.witnesses.len()),
        classes: count(|config| config.retention.classes.len()),
    };
    let names: Vec<_> = env::vars_os().map(|(name, _)| name).collect();
    warnings.extend(unknown_variables(names.iter().map(|name| name.as_os_str()), counts));
    (loaded, warnings)
}

/// Says problems and warnings to the person at the terminal.
pub(super) fn tell(loaded: &Result<Config, Problems>, warnings: &[Remark]) {
    if let Err(problems) = loaded
        && !problems.is_none()
    {
        note(problems);
    }
    warn(warnings);
}

fn warn(warnings: &[Remark]) {
    warnings.iter().for_each(|warning| note(format_args!("warning: {warning}")));
}

/// A variable of this process' environment.
pub(super) fn variable(name: &str) -> Option<std::ffi::OsString> {
    env::var_os(name)
}

impl RemarkDocument {
    fn new(remark: &Remark) -> Self {
        let (line, variable) = match &remark.place {
            Place::File { line, .. } => (*line, None),
            Place::Variable(name) => (None, Some(name.clone())),
            Place::Nowhere => (None, None),
        };
        Self { line, variable, key: remark.key.clone(), what: remark.what.clone() }
    }
}
