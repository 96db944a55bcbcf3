//! What every `[[scanner]]` has: a name, a type, and how much it is given at once.

use std::num::NonZeroU32;

use super::super::check::tables_and_variables;
use super::super::named::{Names, of_type};
use super::super::remark::Place;
use super::super::section::{Section, number};
use super::kind::{Abilities, ScannerKind, types};

/// The most scanners of one osel: each is asked by a task of its own.
const SCANNERS_MAX: usize = 16;
/// The longest time that changes are gathered: a day.
const WINDOW_SECONDS_MAX: i64 = 86_400;
/// The most addresses of one scan: as many as a command may name in a record.
const BATCH_ADDRESSES_MAX: i64 = 4096;
/// The most scans of one scanner at a time; no service has more for one customer.
const RUNNING_MAX: i64 = 64;
/// A scan that takes longer than 30 days says nothing about today.
const LIFE_SECONDS_MAX: i64 = 30 * 86_400;
/// A scan is not given up before this time: launching alone may take as long.
const LIFE_SECONDS_MIN: i64 = 60;
/// The name of the scanner there is when none is configured.
const DEFAULT_NAME: &str = "builtin";

/// A scanner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScannerConfig {
    /// Its name, which no other scanner has.
    pub name: String,
    /// What it is, with its own keys.
    pub kind: ScannerKind,
    /// How long changes are gathered for one scan, in seconds.
    pub window_seconds: u32,
    /// The most addresses of one scan.
    pub batch_addresses_max: NonZeroU32,
    /// The most scans at one time.
    pub running_max: NonZeroU32,
    /// How long a scan may take with all its waiting, in seconds.
    pub life_seconds_max: u32,
    /// Where the table begins: what is wrong with what it names is said of it.
    pub place: Place,
}

/// All scanners: those of the file, and those that variables add behind them; the built-in one where there are none.
pub(in crate::config) fn scanners(root: &mut Section<'_>) -> Option<Vec<ScannerConfig>> {
    // Each needs a name.
    let nodes = tables_and_variables(root, "scanner", &["name"], (SCANNERS_MAX, "scanners"))?;
    if nodes.is_empty() {
        return (!root.was_given("scanner")).then(|| vec![default()]);
    }
    let count = nodes.len();
    let mut scanners: Vec<ScannerConfig> = Vec::with_capacity(count);
    let mut names = Names::new("scanner", "scanner");
    for (index, node) in nodes.into_iter().enumerate() {
        let section = root.inner(&format!("scanner[{index}]"), &format!("scanner__{index}"), node);
        scanners.extend(scanner(section, index, &mut names));
    }
    (scanners.len() == count).then_some(scanners)
}

fn default() -> ScannerConfig {
    let kind = ScannerKind::Builtin;
    let Abilities { window_seconds, batch_addresses_max, running_max, life_seconds_max, .. } =
        kind.abilities();
    ScannerConfig {
        name: DEFAULT_NAME.to_owned(),
        kind,
        window_seconds,
        batch_addresses_max: at_least_one(batch_addresses_max),
        running_max: at_least_one(running_max),
        life_seconds_max,
        place: Place::Nowhere,
    }
}

fn scanner(mut section: Section<'_>, index: usize, names: &mut Names) -> Option<ScannerConfig> {
    let name = names.read(
        &mut section,
        index,
        "give the scanner a name for records and logs, such as \"perimeter\"",
    );
    let of_type = of_type(&mut section, types(), |known| known.name, "write type = \"builtin\"");
    // Of one without a type, what is wrong with what all have is told as well.
    let Abilities { window_seconds, batch_addresses_max, running_max, life_seconds_max, .. } =
        of_type.map_or_else(|| ScannerKind::Builtin.abilities(), |known| known.abilities);
    let mut count = |key, bounds, default: u32| {
        let count = section.read(key, |node| number(node, bounds)).unwrap_or(i64::from(default));
        u32::try_from(count).unwrap_or(default)
    };
    let window_seconds = count("window_seconds", 0..=WINDOW_SECONDS_MAX, window_seconds);
    let batch_addresses_max = count("batch_addresses_max", 1..=BATCH_ADDRESSES_MAX, batch_addresses_max);
    let running_max = count("running_max", 1..=RUNNING_MAX, running_max);
    let life_seconds_max = count("life_seconds_max", LIFE_SECONDS_MIN..=LIFE_SECONDS_MAX, life_seconds_max);
    let Some(of_type) = of_type else {
        // Which keys it may have is not known.
        return None;
    };
    let kind = (of_type.read)(&mut section);
    let place = section.place();
    section.finish();
    Some(ScannerConfig {
        name: name?,
        kind: kind?,
        window_seconds,
        batch_addresses_max: at_least_one(batch_addresses_max),
        running_max: at_least_one(running_max),
        life_seconds_max,
        place,
    })
}

fn at_least_one(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
}
