//! Which files there are, and which cloud is meant.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::{env, fmt};

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::yaml::Accounts;
use crate::config::listed;

/// The largest file that is read: a cloud takes less than a kilobyte, and some companies have hundreds.
pub const FILE_BYTES_MAX: u64 = 4 << 20;
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Why there is no account.
#[derive(Debug, thiserror::Error)]
pub enum CloudsError {
    /// A file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is too large to be one.
    #[error("`{path}` is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A file is not what its name says. The text around the place is not quoted: it may be a password.
    #[error("`{path}` cannot be read as YAML or JSON{place}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where, as far as it is known.
        place: String,
    },
    /// A part of a file is not what it should be.
    #[error("`{place}` is not {wanted}")]
    Shape {
        /// Its keys.
        place: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// No cloud of this name.
    #[error("there is no cloud `{name}`{known}")]
    Unknown {
        /// The name.
        name: String,
        /// Those that there are.
        known: Known,
    },
    /// Nothing says which cloud.
    #[error("several clouds are known, and nothing says which one{0}")]
    Several(Known),
    /// Neither a file nor variables.
    #[error("no account: there is no clouds.yaml and no `OS_` variable")]
    Nothing,
    /// The variables make a cloud of a name that a file has too.
    #[error(
        "`{0}` is a cloud in a file and the name of the cloud that the `OS_` variables make (OS_CLOUD_NAME)"
    )]
    TwoOfOneName(String),
    /// The cloud has no such region.
    #[error("cloud `{cloud}` has no region `{region}`: it has {has}")]
    Region {
        /// The cloud.
        cloud: String,
        /// What was asked for.
        region: String,
        /// What it has.
        has: String,
    },
    /// Something that is needed to log in is not there.
    #[error("cloud `{cloud}` lacks {what}")]
    Lacks {
        /// The cloud.
        cloud: String,
        /// What it lacks.
        what: &'static str,
    },
    /// A way to log in that is not known here.
    #[error(
        "cloud `{cloud}`: `auth_type: {auth_type}` is not supported: use v3applicationcredential, password or token"
    )]
    Login {
        /// The cloud.
        cloud: String,
        /// The way.
        auth_type: String,
    },
    /// A value means nothing.
    #[error("cloud `{cloud}`: `{key}` is `{value}`, which is not {wanted}")]
    Value {
        /// The cloud.
        cloud: String,
        /// The key.
        key: &'static str,
        /// Its value; never that of a secret.
        value: String,
        /// What it should be.
        wanted: &'static str,
    },
}

/// The names of the clouds that there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known(pub(super) Vec<String>);

/// Where accounts are looked for.
const LOOKED: &str = "none stands in a clouds.yaml (the file that was named, else here, in ~/.config/openstack or in /etc/openstack), and no `OS_` variable makes one";

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More names than this help nobody.
        const SHOWN_MAX: usize = 20;
        let shown = listed(self.0.iter().take(SHOWN_MAX), ", ");
        match (shown.is_empty(), self.0.len() > SHOWN_MAX) {
            (true, _) => write!(f, ", nor any other: {LOOKED}"),
            (false, false) => write!(f, ": there are {shown}"),
            (false, true) => write!(f, ": there are {shown}, …"),
        }
    }
}

/// Which account, and where to look for it.
#[derive(Clone, Default)]
pub struct Selection {
    /// The cloud's name; else what `OS_CLOUD` says, what the variables make, or the only one that there is.
    pub cloud: Option<String>,
    /// The file, instead of those that are searched for; its `secure.yaml` stands beside it then.
    pub file: Option<PathBuf>,
    /// The region; else the cloud's first.
    pub region: Option<String>,
    /// The variables whose names begin with `OS_`.
    pub environment: BTreeMap<String, String>,
    /// The folders to search, in this order.
    pub folders: Vec<PathBuf>,
    /// What `~` stands for.
    pub home: Option<PathBuf>,
}

/// Without values of variables: one of them is the password.
impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variables: Vec<&String> = self.environment.keys().collect();
        let Self { cloud, file, region, environment: _, folders, home } = self;
        write!(f, "Selection {{ {cloud:?}, {file:?}, {region:?}, {variables:?}, {folders:?}, {home:?} }}")
    }
}

impl Selection {
    /// What this process' environment and working directory say.
    pub fn of_process() -> Self {
        let environment = env::vars_os().filter_map(|(key, value)| {
            let key = key.into_string().ok().filter(|key| key.starts_with("OS_"))?;
            Some((key, value.into_string().ok()?))
        });
        let path = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = path("HOME");
        let dot_config = home.as_ref().map(|home| home.join(".config"));
        let site = env::var_os("XDG_CONFIG_DIRS").unwrap_or_else(|| "/etc/xdg".into());
        let mut folders: Vec<PathBuf> = env::current_dir().into_iter().collect();
        let configuration = [path("XDG_CONFIG_HOME"), dot_config].into_iter().flatten();
        folders.extend(configuration.chain(env::split_paths(&site)).map(|folder| folder.join("openstack")));
        folders.push("/etc/openstack".into());
        Self { environment: environment.collect(), folders, home, ..Self::default() }
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// `~/` at a path's beginning made the home.
    pub(super) fn expanded(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => path.into(),
        }
    }

    /// Reads the first file of each sort.
    pub(super) fn files(&self) -> Result<Files, CloudsError> {
        let mut files = Files::default();
        let folders = match &self.file {
            Some(file) => {
                let text = text(file).map_err(|source| CloudsError::Read { path: file.clone(), source })?;
                files.clouds = files.parsed(file, text)?;
                vec![file.parent().unwrap_or(Path::new("")).to_path_buf()]
            }
            None => {
                let first = self.variable("OS_CLIENT_CONFIG_FILE").map(|path| self.expanded(path));
                files.clouds = files.first_of(first, &self.folders, "clouds")?;
                self.folders.clone()
            }
        };
        let first = self.variable("OS_CLIENT_SECURE_FILE").map(|path| self.expanded(path));
        files.secure = files.first_of(first, &folders, "secure")?;
        files.public = files.first_of(None, &folders, "clouds-public")?;
        Ok(files)
    }
}

/// What the files hold, and which they are.
#[derive(Default)]
pub(super) struct Files {
    pub(super) clouds: Map<String, Value>,
    pub(super) secure: Map<String, Value>,
    pub(super) public: Map<String, Value>,
    pub(super) read: Vec<PathBuf>,
}

impl Files {
    /// The first of these files that exists and may be read.
    fn first_of(
        &mut self,
        first: Option<PathBuf>,
        folders: &[PathBuf],
        name: &str,
    ) -> Result<Map<String, Value>, CloudsError> {
        let found = folders
            .iter()
            .flat_map(|folder| ENDINGS.iter().map(move |ending| folder.join(format!("{name}.{ending}"))));
        for path in first.into_iter().chain(found) {
            match text(&path) {
                Ok(text) => return self.parsed(&path, text),
                // Another user's file may stand in a folder that is shared, as for openstacksdk.
                Err(error) if is_elsewhere(&error) => {}
                Err(source) => return Err(CloudsError::Read { path, source }),
            }
        }
        Ok(Map::new())
    }

    fn parsed(
        &mut self,
        path: &Path,
        text: Option<Zeroizing<String>>,
    ) -> Result<Map<String, Value>, CloudsError> {
        let text = text.ok_or_else(|| CloudsError::TooLarge { path: path.into() })?;
        let syntax = |place: String| CloudsError::Syntax { path: path.into(), place };
        let at = |line: u64, column: u64| format!(" (line {line}, column {column})");
        let value: Value = if path.extension().is_some_and(|ending| ending == "json") {
            serde_json::from_str(&text)
                .map_err(|error| syntax(at(error.line() as u64, error.column() as u64)))?
        } else {
            // Texts as they are written: a project may be called `n`, and a password begin with zeros.
            let options = serde_saphyr::options! {
                strict_booleans: true,
                leading_zero_numbers_as_strings: true,
                underscored_numbers_as_strings: true,
            };
            let Accounts(value) = serde_saphyr::from_str_with_options(&text, options).map_err(|error| {
                syntax(error.location().map(|place| at(place.line(), place.column())).unwrap_or_default())
            })?;
            value
        };
        self.read.push(path.into());
        match value {
            Value::Object(map) => Ok(map),
            Value::Null => Ok(Map::new()),
            _ => Err(CloudsError::Shape { place: path.display().to_string(), wanted: "a table of clouds" }),
        }
    }
}

fn is_elsewhere(error: &io::Error) -> bool {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | PermissionDenied | IsADirectory | NotADirectory)
}

/// A file's text; none when it is larger than it may be.
fn text(path: &Path) -> io::Result<Option<Zeroizing<String>>> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    Ok((text.len() as u64 <= FILE_BYTES_MAX).then_some(text))
}
