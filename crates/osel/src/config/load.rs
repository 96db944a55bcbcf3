//! Finding and reading the file, and all that follows from it.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::check;
use super::check_retention;
use super::check_source;
use super::check_store;
use super::check_trail;
use super::files;
use super::keys;
use super::look::Look;
use super::parts::{Config, LogConfig, RetentionConfig, SourceConfig, StoreConfig, TrailConfig};
use super::remark::{Place, Problems, Remark, Warning};
use super::section::{Environment, Reading, Section, meant};
use super::tree::{self, Table};

/// The configuration file where nobody names another.
pub const DEFAULT_FILE: &str = "/etc/osel/osel.toml";
/// The variable that names the configuration file.
pub const CONFIG_VARIABLE: &str = "OSEL_CONFIG";
/// The variable with the transport URL of `osel doctor`, which is no key.
pub const TRANSPORT_VARIABLE: &str = "OSEL_TRANSPORT_URL";
/// The variable with the URL of the management interface for `osel doctor`, which is no key.
pub const MANAGEMENT_VARIABLE: &str = "OSEL_MANAGEMENT_URL";
/// The variable of the key `control.socket`.
const SOCKET_VARIABLE: &str = "OSEL_CONTROL__SOCKET";
/// Variables of osel that set no key.
const NO_KEYS: [&str; 3] = [CONFIG_VARIABLE, TRANSPORT_VARIABLE, MANAGEMENT_VARIABLE];
/// The largest configuration file that is read: hundreds of sources with all their keys are a tenth of it.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Who says what is kept; the built-in defaults where there is neither of both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionOrigin {
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// Variables of the environment.
    pub variables: Vec<String>,
}

impl RetentionOrigin {
    /// Whether anybody says it.
    pub fn is_there(&self) -> bool {
        self.file.is_some() || !self.variables.is_empty()
    }
}

impl fmt::Display for RetentionOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.iter().map(|file| file.display().to_string());
        let all: Vec<String> = file.chain(self.variables.iter().cloned()).collect();
        f.write_str(if all.is_empty() { "the built-in defaults" } else { "" })?;
        f.write_str(&all.join(", "))
    }
}

/// A source of a configuration, and what there is besides.
#[derive(Debug)]
pub struct OneSource {
    /// The store.
    pub store: Option<StoreConfig>,
    /// The names of all sources that are buses.
    pub buses: Vec<String>,
    /// The source, if there is one of that name.
    pub source: Option<SourceConfig>,
    /// What is to be said of these.
    pub warnings: Vec<Warning>,
}

impl Config {
    /// Reads and checks the configuration: the file `path`, else the one that OSEL_CONFIG names, else [`DEFAULT_FILE`] if there is one, else
    /// variables alone. `env` looks a variable of the environment up. Nothing is written and nothing connected to.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn load(path: Option<&Path>, env: &Environment<'_>) -> Result<(Self, Vec<Warning>), Problems> {
        let (file, table) = read(path, env)?;
        whole(Reading::new(file.as_deref(), env), table)
    }

    /// The same, which also looks whether the files that are named are what they are to be.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn load_looking(
        path: Option<&Path>,
        env: &Environment<'_>,
        look: &Look<'_>,
    ) -> Result<(Self, Vec<Warning>), Problems> {
        let (file, table) = read(path, env)?;
        whole(Reading::new(file.as_deref(), env).looking(look), table)
    }

    /// The store alone, for commands that only read it and whose users may not read the secrets; none where no file is found.
    ///
    /// # Errors
    /// When the file cannot be read, or names no store.
    pub fn load_store(path: Option<&Path>, env: &Environment<'_>) -> Result<Option<StoreConfig>, Problems> {
        if Self::file(path, env).is_none() { Ok(None) } else { Self::store_now(path, env) }
    }

    /// The same, by variables alone where no file is found; for a daemon that looks again.
    ///
    /// # Errors
    /// When the file cannot be read, or names no store.
    pub fn store_now(path: Option<&Path>, env: &Environment<'_>) -> Result<Option<StoreConfig>, Problems> {
        let (file, table) = read(path, env)?;
        let reading = Reading::new(file.as_deref(), env);
        let store = check_store::store(Section::root(&reading, table).section("store"));
        let (problems, warnings) = reading.remarks();
        if problems.is_empty() { Ok(store) } else { Err(Problems::new(problems, warnings)) }
    }

    /// How the log is written, for who has to say that the rest is wrong; what is wrong with this part as well has its default, and a file
    /// that cannot be read says nothing.
    pub fn log_now(path: Option<&Path>, env: &Environment<'_>) -> LogConfig {
        let (file, table) = read(path, env).unwrap_or_default();
        let reading = Reading::new(file.as_deref(), env);
        check::log(Section::root(&reading, table).section("log"))
    }

    /// The socket of the daemon of a store, for whoever wants to speak to it: the one that the variable names, which is about whatever store
    /// is asked of, or the file if it is about that store; none where neither names one. A file that cannot be read says nothing.
    pub fn control_socket(
        path: Option<&Path>,
        env: &Environment<'_>,
        store: &StoreConfig,
    ) -> Option<PathBuf> {
        let (file, table) = read(path, env).unwrap_or_default();
        let reading = Reading::new(file.as_deref(), env);
        let mut root = Section::root(&reading, table);
        let own = check_store::store(root.section("store"));
        let socket = check::control(root.section("control")).socket?;
        let is_named = env(SOCKET_VARIABLE).is_some_and(|name| !name.is_empty());
        (is_named || own.is_some_and(|own| is_same(&own, store))).then_some(socket)
    }

    /// The store, the names of the sources that are buses, and the source of that name, for whoever needs no other: no secret but its own is read.
    ///
    /// # Errors
    /// Every problem that there is with these.
    pub fn load_source(
        path: Option<&Path>,
        env: &Environment<'_>,
        name: &str,
    ) -> Result<OneSource, Problems> {
        let (file, table) = read(path, env)?;
        let reading = Reading::new(file.as_deref(), env);
        let mut root = Section::root(&reading, table);
        let store = check_store::store(root.section("store"));
        let (buses, source) = check_source::one(&mut root, name);
        let (problems, warnings) = reading.remarks();
        if problems.is_empty() {
            Ok(OneSource { store, buses, source, warnings })
        } else {
            Err(Problems::new(problems, warnings))
        }
    }

    /// The region of each source, or none for one that has none, where the file is about that store. No secret but the store's own is read; a file
    /// that cannot be read says nothing.
    pub fn source_regions(
        path: Option<&Path>,
        env: &Environment<'_>,
        store: &StoreConfig,
    ) -> Vec<Option<String>> {
        let (file, table) = read(path, env).unwrap_or_default();
        let reading = Reading::new(file.as_deref(), env);
        let mut root = Section::root(&reading, table);
        let own = check_store::store(root.section("store"));
        let is_own = own.is_some_and(|own| is_same(&own, store));
        if is_own { check_source::regions(&mut root) } else { Vec::new() }
    }

    /// How the log of a store is signed: as the file says if it is about that store, and as variables say in any case. A file that this user
    /// may not read is about another store: whoever took the store from it has read it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn load_trail(
        path: Option<&Path>,
        env: &Environment<'_>,
        store: &StoreConfig,
    ) -> Result<TrailConfig, Problems> {
        let is_denied = |file: PathBuf| {
            File::open(file).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
        };
        let (mut file, mut table) = match Self::file(path, env).is_some_and(is_denied) {
            true => (None, Table::new()),
            false => read(path, env)?,
        };
        let is_its_own = {
            let reading = Reading::new(file.as_deref(), env);
            let own = check_store::store(Section::root(&reading, table.clone()).section("store"));
            own.is_some_and(|own| is_same(&own, store))
        };
        if !is_its_own {
            (file, table) = (None, Table::new());
        }
        let reading = Reading::new(file.as_deref(), env);
        let trail = check_trail::trail(Section::root(&reading, table).section("trail"));
        let (problems, warnings) = reading.remarks();
        if problems.is_empty() { Ok(trail) } else { Err(Problems::new(problems, warnings)) }
    }

    /// What is kept for how long, for a command that looks after a store, and who says so.
    ///
    /// # Errors
    /// When the file cannot be read, or says something wrong of it.
    pub fn load_retention(
        path: Option<&Path>,
        env: &Environment<'_>,
    ) -> Result<(RetentionConfig, RetentionOrigin), Problems> {
        let (file, table) = read(path, env)?;
        let reading = Reading::new(file.as_deref(), env);
        let retention = check_retention::retention(Section::root(&reading, table).section("retention"));
        let (problems, warnings) = reading.remarks();
        if !problems.is_empty() {
            return Err(Problems::new(problems, warnings));
        }
        let keys = keys::all().filter(|key| key.path.starts_with("retention."));
        let variables = keys.flat_map(keys::Key::variables).filter(|name| env(name).is_some()).collect();
        Ok((retention, RetentionOrigin { file, variables }))
    }

    /// The file that [`Config::load`] reads; none where there is only the environment.
    pub fn file(path: Option<&Path>, env: &Environment<'_>) -> Option<PathBuf> {
        if let Some(path) = path {
            return Some(path.to_owned());
        }
        let named = env(CONFIG_VARIABLE).filter(|name| !name.is_empty());
        // One that cannot be looked for is a problem of reading it, not one that is not there.
        let is_there = || Path::new(DEFAULT_FILE).try_exists().unwrap_or(true);
        named.map(PathBuf::from).or_else(|| is_there().then(|| PathBuf::from(DEFAULT_FILE)))
    }
}

fn whole(reading: Reading<'_>, table: Table) -> Result<(Config, Vec<Warning>), Problems> {
    let config = check::config(Section::root(&reading, table));
    let (problems, warnings) = reading.remarks();
    match config {
        Some(config) if problems.is_empty() => Ok((config, warnings)),
        _ => Err(Problems::new(problems, warnings)),
    }
}

/// Whether two names are of one store, by whatever way its directory is named.
fn is_same(one: &StoreConfig, other: &StoreConfig) -> bool {
    match (one, other) {
        (StoreConfig::Directory(one), StoreConfig::Directory(other)) => {
            let place = |path: &Path| path.canonicalize().ok();
            one == other || place(one).is_some_and(|one| Some(one) == place(other))
        }
        _ => one.name() == other.name(),
    }
}

/// The file and what stands in it.
fn read(path: Option<&Path>, env: &Environment<'_>) -> Result<(Option<PathBuf>, Table), Problems> {
    let Some(file) = Config::file(path, env) else { return Ok((None, Table::new())) };
    let place = |line| Place::File { path: file.clone(), line };
    let bytes = files::read(&file, CONFIG_BYTES_MAX)
        .map_err(|error| Problems::one(place(None), format!("{error}; name another file by -c FILE")))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        Problems::one(place(Some(line)), "is not UTF-8: save the file as UTF-8".to_owned())
    })?;
    match tree::parse(text) {
        Ok(table) => Ok((Some(file), table)),
        Err(faults) => {
            let remark = |(line, what)| Remark {
                place: place(Some(line)),
                key: String::new(),
                what: format!("is not TOML: {what}"),
            };
            Err(Problems::new(faults.into_iter().map(remark).collect(), Vec::new()))
        }
    }
}

/// How many there are of the tables that variables name by number.
#[derive(Clone, Copy, Debug)]
pub struct TableCounts {
    /// `[[source]]`.
    pub sources: usize,
    /// `[[openstack]]`.
    pub clouds: usize,
    /// `[[scanner]]`.
    pub scanners: usize,
    /// `[[expected]]`.
    pub expected: usize,
    /// `[[forward]]`.
    pub forwards: usize,
    /// `[[witness]]`.
    pub witnesses: usize,
    /// `[[retention.class]]`.
    pub classes: usize,
}

/// Variables that begin as osel's do and that it never looks at, for they set no key: misspelled, or of a table beyond those there are.
pub fn unknown_variables<'n>(names: impl Iterator<Item = &'n OsStr>, counts: TableCounts) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = names
        .filter_map(OsStr::to_str)
        .filter(|name| name.starts_with("OSEL_") && !NO_KEYS.contains(name))
        .filter_map(|name| Some((name, unknown(name, counts)?)))
        .map(|(name, what)| Remark { place: Place::Variable(name.to_owned()), key: String::new(), what })
        .collect();
    warnings.sort_by_key(Remark::to_string);
    warnings
}

/// What is wrong with a variable, if anything is.
fn unknown(name: &str, counts: TableCounts) -> Option<String> {
    let tables = [
        ("OSEL_SOURCE__", "source", counts.sources),
        ("OSEL_OPENSTACK__", "openstack", counts.clouds),
        ("OSEL_SCANNER__", "scanner", counts.scanners),
        ("OSEL_EXPECTED__", "expected", counts.expected),
        ("OSEL_FORWARD__", "forwarder", counts.forwards),
        ("OSEL_WITNESS__", "witness", counts.witnesses),
        ("OSEL_RETENTION__CLASS__", "class", counts.classes),
    ];
    let numbered = tables.into_iter().find_map(|(prefix, table, count)| {
        let (index, key) = name.strip_prefix(prefix)?.split_once("__")?;
        let is_number = index.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| (format!("{prefix}N__{key}"), index.parse::<usize>().ok(), table, count))
    });
    let general = numbered.as_ref().map_or(name, |(general, ..)| general);
    let known = || keys::all().flat_map(keys::Key::variables);
    if !known().any(|variable| variable == *general) {
        let variables: Vec<String> = known().collect();
        return Some(match meant(general, variables.iter().map(String::as_str)) {
            Some(meant) => format!("sets no key of osel: did you mean {meant}?"),
            None => "sets no key of osel".to_owned(),
        });
    }
    let (_, _, table, count) =
        numbered.filter(|(_, index, _, count)| index.is_some_and(|index| index >= *count))?;
    Some(match table {
        "source" | "scanner" | "forwarder" | "class" => {
            format!("is of no {table}: there are {count}, counted from 0; a further one begins with its NAME")
        }
        "expected" => {
            format!("is of no entry: there are {count}, counted from 0; a further one begins with its REASON")
        }
        "witness" => {
            format!("is of no witness: there are {count}, counted from 0; a further one begins with its KEY")
        }
        _ => format!("is of no API: there are {count}, counted from 0, and each number before is one"),
    })
}
