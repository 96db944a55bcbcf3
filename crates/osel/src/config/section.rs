//! One table of the configuration being read: a variable of the environment wins over the file, and what nobody asked for is unknown.
//!
//! Each problem is noted and reading goes on, so that all of them are told at once; serde would end at the first.

use std::cell::RefCell;
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::listed;
use super::look::Look;
use super::remark::{Place, Remark};
use super::tree::{Node, Origin, Table, Value};

/// How a variable of the environment is looked up.
pub(super) type Environment<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

/// How alike a key has to be to be taken for what was meant, from 0 to 1.
const LIKENESS_MIN: f64 = 0.8;
/// The most characters of a value that are quoted.
const QUOTED_CHARS_MAX: usize = 60;

/// What all sections of one configuration share.
pub(super) struct Reading<'a> {
    file: Option<&'a Path>,
    environment: &'a Environment<'a>,
    look: Option<&'a Look<'a>>,
    problems: RefCell<Vec<Remark>>,
    warnings: RefCell<Vec<Remark>>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(file: Option<&'a Path>, environment: &'a Environment<'a>) -> Self {
        Self { file, environment, look: None, problems: RefCell::default(), warnings: RefCell::default() }
    }

    /// The same, which also looks into the files that are named.
    pub(super) fn looking(self, look: &'a Look<'a>) -> Self {
        Self { look: Some(look), ..self }
    }

    /// How the files of TLS are looked into, if files are at all.
    pub(super) fn look(&self) -> Option<&'a Look<'a>> {
        self.look
    }

    /// A variable; an empty one counts as none, since many launchers cannot unset one.
    pub(super) fn variable(&self, name: &str) -> Option<OsString> {
        (self.environment)(name).filter(|value| !value.is_empty())
    }

    pub(super) fn problem(&self, origin: &Origin, key: &str, what: impl Into<String>) {
        self.problems.borrow_mut().push(self.remark(origin, key, what.into()));
    }

    pub(super) fn warning(&self, origin: &Origin, key: &str, what: impl Into<String>) {
        self.warnings.borrow_mut().push(self.remark(origin, key, what.into()));
    }

    /// The path that a text means: one of the file is relative to the file's folder, one of a variable to where osel was started.
    pub(super) fn resolve(&self, origin: &Origin, text: &str) -> PathBuf {
        match (origin, self.file.and_then(Path::parent)) {
            (Origin::Line(_), Some(folder)) => folder.join(text),
            _ => PathBuf::from(text),
        }
    }

    /// Problems and warnings, by their lines.
    pub(super) fn remarks(self) -> (Vec<Remark>, Vec<Remark>) {
        let line = |remark: &Remark| match remark.place {
            Place::File { line, .. } => line.unwrap_or(0),
            Place::Variable(_) | Place::Nowhere => 0,
        };
        let (mut problems, mut warnings) = (self.problems.into_inner(), self.warnings.into_inner());
        problems.sort_by_key(line);
        warnings.sort_by_key(line);
        (problems, warnings)
    }

    fn remark(&self, origin: &Origin, key: &str, what: String) -> Remark {
        let place = match (origin, self.file) {
            (Origin::Variable(name), _) => Place::Variable(name.clone()),
            (Origin::Line(line), Some(path)) => Place::File { path: path.to_owned(), line: Some(*line) },
            (_, Some(path)) => Place::File { path: path.to_owned(), line: None },
            (_, None) => Place::Nowhere,
        };
        Remark { place, key: key.to_owned(), what }
    }
}

/// A table that is being read.
pub(super) struct Section<'a> {
    reading: &'a Reading<'a>,
    path: String,
    variable: String,
    origin: Origin,
    entries: Table,
    asked: Vec<&'static str>,
    /// The keys that have a value, and where it stands.
    given: Vec<(&'static str, Origin)>,
    is_given: bool,
    is_broken: bool,
}

impl<'a> Section<'a> {
    /// The table of all others.
    pub(super) fn root(reading: &'a Reading<'a>, entries: Table) -> Self {
        let (path, variable, origin) = (String::new(), "OSEL".to_owned(), Origin::Whole);
        Self {
            reading,
            path,
            variable,
            origin,
            entries,
            asked: Vec::new(),
            given: Vec::new(),
            is_given: true,
            is_broken: false,
        }
    }

    pub(super) fn reading(&self) -> &'a Reading<'a> {
        self.reading
    }

    /// Where the table begins.
    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Where the table begins, for whoever speaks of it later.
    pub(super) fn place(&self) -> Place {
        self.reading.remark(&self.origin, "", String::new()).place
    }

    /// Whether the table is in the file, or one of its keys was set.
    pub(super) fn is_given(&self) -> bool {
        self.is_given
    }

    /// Whether a key had a value, good or bad: whoever needs it does not miss it as well.
    pub(super) fn was_given(&self, key: &str) -> bool {
        self.given.iter().any(|(given, _)| *given == key)
    }

    /// Where the value of a key stands; the table's beginning where it has none.
    pub(super) fn origin_of(&self, key: &str) -> &Origin {
        self.given.iter().find(|(given, _)| *given == key).map_or(&self.origin, |(_, origin)| origin)
    }

    /// The path of a key.
    pub(super) fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The variable of a key.
    pub(super) fn variable(&self, key: &str) -> String {
        let between = if self.path.is_empty() { "_" } else { "__" };
        format!("{}{between}{}", self.variable, key.to_ascii_uppercase())
    }

    /// Notes a problem of a key that stands somewhere.
    pub(super) fn problem(&self, origin: &Origin, key: &str, what: impl Into<String>) {
        self.reading.problem(origin, &self.path(key), what);
    }

    /// Notes that a key is needed; of what should have been a table, no key is missed.
    pub(super) fn missing(&self, key: &str, what: &str) {
        if !self.is_broken {
            self.problem(&self.origin, key, format!("is missing: {what}"));
        }
    }

    /// Notes a warning about a key.
    pub(super) fn warning(&self, origin: &Origin, key: &str, what: impl Into<String>) {
        self.reading.warning(origin, &self.path(key), what);
    }

    /// The value of a key, the variable's before the file's.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Node> {
        self.asked.push(key);
        let written = self.entries.remove(key);
        let name = self.variable(key);
        let value = self.reading.variable(&name);
        let origin = match (&value, &written) {
            (Some(_), _) => Origin::Variable(name),
            (None, Some(node)) => node.origin.clone(),
            (None, None) => return None,
        };
        self.given.push((key, origin.clone()));
        self.is_given = true;
        let Some(value) = value else { return written };
        match value.into_string() {
            Ok(text) => Some(Node { origin, value: Value::Text(text) }),
            Err(_) => {
                self.problem(&origin, key, "is not UTF-8");
                None
            }
        }
    }

    /// Notes a problem if a key is set that osel knows and does not take.
    pub(super) fn refuse(&mut self, key: &'static str, what: &str) {
        let node = self.take(key);
        // It is not among the keys that are offered to somebody who misspelled one.
        self.asked.retain(|asked| *asked != key);
        if let Some(node) = node {
            self.problem(&node.origin, key, what);
        }
    }

    /// Whether the file has a key.
    pub(super) fn is_written(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// What the file says of a key that nobody has taken yet.
    pub(super) fn written(&self, key: &str) -> Option<&Node> {
        self.entries.get(key)
    }

    /// The value of a key, by a function that says what is wrong with it.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        how: impl FnOnce(&Node) -> Result<T, String>,
    ) -> Option<T> {
        let node = self.take(key)?;
        how(&node).map_err(|what| self.problem(&node.origin, key, what)).ok()
    }

    /// A number within bounds of which none is below zero; when there is none, or a wrong one, the other.
    pub(super) fn count(&mut self, key: &'static str, bounds: RangeInclusive<i64>, otherwise: i64) -> usize {
        let count = self.read(key, |node| number(node, bounds)).unwrap_or(otherwise);
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    /// The texts of a list, at least one and at most so many, none twice; a variable has them with commas between.
    pub(super) fn list<T: PartialEq>(
        &mut self,
        key: &'static str,
        count: RangeInclusive<usize>,
        how: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let Node { origin, value } = self.take(key)?;
        let nodes = match value {
            Value::List(nodes) => nodes,
            Value::Text(text) if matches!(origin, Origin::Variable(_)) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                parts
                    .map(|part| Node { origin: origin.clone(), value: Value::Text(part.to_owned()) })
                    .collect()
            }
            other => {
                self.problem(&origin, key, format!("must be a list of texts, not {}", other.kind()));
                return None;
            }
        };
        if !count.contains(&nodes.len()) {
            let what = format!("has {} entries: give {} to {}", nodes.len(), count.start(), count.end());
            self.problem(&origin, key, what);
            return None;
        }
        let mut items = Vec::with_capacity(nodes.len());
        for (number, node) in nodes.iter().enumerate() {
            let item = match text(node).and_then(&how) {
                Ok(item) if items.contains(&item) => Err("is there a second time: leave it out".to_owned()),
                read => read,
            };
            match item {
                Ok(item) => items.push(item),
                Err(what) => self.problem(&node.origin, &format!("{key}[{number}]"), what),
            }
        }
        Some(items)
    }

    /// A table within this one, empty when it is not there.
    pub(super) fn section(&mut self, key: &'static str) -> Self {
        self.asked.push(key);
        let written = self.entries.remove(key);
        let name = key.to_owned();
        self.inner(&name, key, written)
    }

    /// A table within this one as it was taken: `name` in paths, `key` in variables.
    pub(super) fn inner(&self, name: &str, key: &str, written: Option<Node>) -> Self {
        let is_given = written.is_some();
        let (origin, entries, is_broken) = match written {
            None => (self.origin.clone(), Table::new(), false),
            Some(Node { origin, value: Value::Table(entries) }) => (origin, entries, false),
            Some(Node { origin, value }) => {
                self.problem(&origin, name, format!("must be a table, not {}", value.kind()));
                (origin, Table::new(), true)
            }
        };
        Self {
            reading: self.reading,
            path: self.path(name),
            variable: self.variable(key),
            origin,
            entries,
            asked: Vec::new(),
            given: Vec::new(),
            is_given,
            is_broken,
        }
    }

    /// Ends the reading: what is left is unknown.
    pub(super) fn finish(self) {
        for (key, node) in &self.entries {
            let what = match meant(key, self.asked.iter().copied()) {
                Some(known) => format!("is no key of osel: did you mean `{known}`?"),
                None => format!("is no key of osel: here it knows {}", listed(&self.asked, ", ")),
            };
            self.problem(&node.origin, &quoted(key), what);
        }
    }
}

/// What a misspelled name was meant to be.
pub(super) fn meant<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    known
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// A text for a message: no longer than it needs to be recognised.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// A text that is not empty.
pub(super) fn text(node: &Node) -> Result<&str, String> {
    match &node.value {
        Value::Text(text) if text.is_empty() => Err("is empty".to_owned()),
        Value::Text(text) => Ok(text),
        other => Err(format!("must be a text, not {}", other.kind())),
    }
}

/// A whole number within bounds; a variable has it as text.
pub(super) fn number(node: &Node, bounds: RangeInclusive<i64>) -> Result<i64, String> {
    let number = match (&node.value, &node.origin) {
        (Value::Number(number), _) => Some(*number),
        (Value::Text(text), Origin::Variable(_)) => text.trim().parse().ok(),
        (other, _) => return Err(format!("must be a number, not {}", other.kind())),
    };
    number
        .filter(|number| bounds.contains(number))
        .ok_or_else(|| format!("must be a number from {} to {}", bounds.start(), bounds.end()))
}

/// Yes or no; a variable has it as text.
pub(super) fn boolean(node: &Node) -> Result<bool, String> {
    match (&node.value, &node.origin) {
        (Value::Boolean(boolean), _) => Ok(*boolean),
        (Value::Text(text), Origin::Variable(_)) => match text.trim() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("must be `true` or `false`".to_owned()),
        },
        (other, _) => Err(format!("must be `true` or `false`, not {}", other.kind())),
    }
}

/// One of several words.
pub(super) fn one_of<T: Copy>(node: &Node, words: &[(&str, T)]) -> Result<T, String> {
    let given = text(node)?;
    words.iter().find(|(word, _)| *word == given).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let known = listed(words.iter().map(|(word, _)| *word), " or ");
        format!("must be {known}, not `{}`", quoted(given))
    })
}
