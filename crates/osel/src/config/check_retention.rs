//! `[retention]`: what is kept for how long, and how large the store may get.

use osel_core::trail::RecordKind;

use super::check::tables_and_variables;
use super::keys;
use super::keys::Otherwise::{Default, Needed, Words};
use super::listed;
use super::named::Names;
use super::parts::{RetentionClass, RetentionConfig};
use super::section::{Section, number, quoted};

/// Days that messages are kept: long enough to ask why something was as it was, short of what makes a disk large.
const INPUTS_DAYS: u32 = 30;
/// Days that messages in quarantine are kept at least: an osel that reads them has to be made and installed first.
const QUARANTINE_DAYS: u32 = 90;
/// Days that findings can be listed after they were resolved: whoever shows what was mended shows a year of it.
const FINDINGS_DAYS: u32 = 365;
/// The most days that can be asked for: a century.
const DAYS_MAX: i64 = 36_500;
/// The least bytes that a bound makes sense for: a store with nothing in it and its log have nearly as many.
const BYTES_MIN: i64 = 64 << 20;

/// The most classes: there are not more kinds of records.
const CLASSES_MAX: usize = RecordKind::ALL.len();

/// What stands about classes in the example and the reference.
pub(super) static SECTION: keys::Section = keys::Section {
    header: "[[retention.class]]",
    what: "Kinds of records whose parts go by ages of their own, instead of those of `[retention]`; one such table for each class. Of several that \
           have a kind the first counts. It needs at least one of the two ages. Variables name a class by its number, from 0: \
           OSEL_RETENTION__CLASS__0__NAME.",
    is_optional: true,
    needs: &[],
};

/// The keys of the table, and of its classes.
pub(super) static KEYS: [keys::Key; 12] = [
    keys::key(
        "retention.inputs_days",
        Default("30"),
        "Days that messages are kept, and with them the states that `--at` asks for. They go behind a snapshot of the model, which stays.",
    ),
    keys::key(
        "retention.inputs_bytes_max",
        Words("no bound", "107374182400"),
        "Bytes that messages and states may have, at least 67108864; beyond, the oldest go earlier.",
    ),
    keys::key(
        "retention.records_days",
        Default("0"),
        "Days that the parts of records are kept: what happened, who it was, what it exposed. At least as many as `inputs_days`; they go behind the same snapshot.",
    ),
    keys::key(
        "retention.records_bytes_max",
        Words("no bound", "107374182400"),
        "Bytes that the parts of records may have, at least 67108864; beyond, the oldest go.",
    ),
    keys::key(
        "retention.personal_days",
        Default("0"),
        "Days that the personal parts of records are kept: names of users, addresses and agents of their clients.",
    ),
    keys::key(
        "retention.quarantine_days",
        Default("90"),
        "Days that messages which could not be read are kept to be replayed. At least as many as `inputs_days`.",
    ),
    keys::key(
        "retention.findings_days",
        Default("365"),
        "Days that findings can be listed after they were resolved. Their records stay as long as others.",
    ),
    keys::key(
        "retention.budget_bytes",
        Words("no bound", "214748364800"),
        "Bytes that the store may take, at least 67108864. From 80 % on osel warns; from 95 % on the oldest of what has a limit above goes earlier. \
         Leave a tenth of the disk beside it free.",
    ),
    keys::key(
        "retention.class.name",
        Needed("\"logins\""),
        "What the class is called where it is shown: small letters, digits, `.`, `_`, `-`.",
    ),
    keys::key(
        "retention.class.kinds",
        Needed("[\"authentication\", \"access\"]"),
        "The kinds of records: `change`, `authentication`, `access`, `activity`, `scan`, `finding`, `command`, `drift`, `gap` or `system`.",
    ),
    keys::key(
        "retention.class.personal_days",
        Words("that of `[retention]`", "7"),
        "Days that the personal parts of such records are kept.",
    ),
    keys::key(
        "retention.class.records_days",
        Words("that of `[retention]`", "365"),
        "Days that all parts of such records are kept. At least as many as `inputs_days`.",
    ),
];

/// Reads the table.
pub(super) fn retention(mut section: Section<'_>) -> RetentionConfig {
    let inputs_days = days(&mut section, "inputs_days").unwrap_or(Some(INPUTS_DAYS));
    let inputs_bytes_max = bytes(&mut section, "inputs_bytes_max");
    let go = inputs_days.is_some() || inputs_bytes_max.is_some();
    let retention = RetentionConfig {
        inputs_days,
        inputs_bytes_max,
        records_days: behind_inputs(&mut section, "records_days", go, |section, key| {
            at_least(section, key, inputs_days).flatten()
        }),
        records_bytes_max: behind_inputs(&mut section, "records_bytes_max", go, bytes),
        personal_days: days(&mut section, "personal_days").unwrap_or(None),
        quarantine_days: quarantine_days(&mut section, go, inputs_days),
        findings_days: days(&mut section, "findings_days").unwrap_or(Some(FINDINGS_DAYS)),
        budget_bytes: bytes(&mut section, "budget_bytes"),
        classes: classes(&mut section, go, inputs_days),
    };
    section.finish();
    retention
}

/// The classes: those of the file, and those that variables add behind them.
fn classes(section: &mut Section<'_>, go: bool, inputs_days: Option<u32>) -> Vec<RetentionClass> {
    let most = (CLASSES_MAX, "classes of retention");
    let nodes = tables_and_variables(section, "class", &["name"], most).unwrap_or_default();
    let mut names = Names::new("retention.class", "class");
    let mut classes: Vec<RetentionClass> = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.into_iter().enumerate() {
        let inner = section.inner(&format!("class[{index}]"), &format!("class__{index}"), node);
        classes.extend(class(inner, index, &mut names, &classes, (go, inputs_days)));
    }
    classes
}

fn class(
    mut section: Section<'_>,
    index: usize,
    names: &mut Names,
    before: &[RetentionClass],
    (go, inputs_days): (bool, Option<u32>),
) -> Option<RetentionClass> {
    let name = names.read(&mut section, index, "give the class a name, such as \"logins\"");
    let kinds = section.list("kinds", 1..=RecordKind::ALL.len(), |word| {
        RecordKind::from_word(word).ok_or_else(|| {
            let known = listed(RecordKind::ALL.map(RecordKind::as_str), " or ");
            format!("must be {known}, not `{}`", quoted(word))
        })
    });
    if kinds.is_none() && !section.was_given("kinds") {
        section.missing("kinds", "name the kinds of records, such as [\"authentication\"]");
    }
    let personal_days = days(&mut section, "personal_days");
    let records_days =
        behind_inputs(&mut section, "records_days", go, |section, key| at_least(section, key, inputs_days));
    let is_silent = ["personal_days", "records_days"].iter().all(|key| !section.was_given(key));
    if is_silent {
        section.missing("personal_days", "say how long personal parts are kept, or all by `records_days`");
    }
    for kind in kinds.iter().flatten() {
        if let Some(first) = before.iter().find(|class| class.kinds.contains(kind)) {
            let what =
                format!("has `{kind}`, which is in the class `{}` before: that one counts", first.name);
            section.warning(&section.origin().clone(), "kinds", what);
        }
    }
    section.finish();
    Some(RetentionClass { name: name?, kinds: kinds?, personal_days, records_days })
}

/// A limit of records, which lose nothing as long as their inputs are there.
fn behind_inputs<'a, T>(
    section: &mut Section<'a>,
    key: &'static str,
    go: bool,
    read: impl FnOnce(&mut Section<'a>, &'static str) -> Option<T>,
) -> Option<T> {
    let limit = read(section, key);
    if limit.is_some() && !go {
        has_no_effect(section, key);
    }
    limit
}

fn has_no_effect(section: &mut Section<'_>, key: &'static str) {
    let what = "has no effect while inputs are kept for ever: set `inputs_days` or `inputs_bytes_max`";
    section.problem(&section.origin().clone(), key, what);
}

/// The days of the quarantine. What is held goes behind the checkpoint only, as all inputs do; that it stays for ever may always be said.
fn quarantine_days(section: &mut Section<'_>, go: bool, inputs_days: Option<u32>) -> Option<u32> {
    const KEY: &str = "quarantine_days";
    let Some(days) = at_least(section, KEY, inputs_days) else {
        return inputs_days.map(|days| days.max(QUARANTINE_DAYS));
    };
    if days.is_some() && !go {
        has_no_effect(section, KEY);
    }
    days
}

/// A number of days, where 0 is for ever.
fn days(section: &mut Section<'_>, key: &'static str) -> Option<Option<u32>> {
    let days = section.read(key, |node| number(node, 0..=DAYS_MAX))?;
    Some(u32::try_from(days).ok().filter(|days| *days > 0))
}

/// A number of days that is not less than that of inputs: what is made of an input is not dropped before it.
fn at_least(section: &mut Section<'_>, key: &'static str, inputs: Option<u32>) -> Option<Option<u32>> {
    let days = section.read(key, |node| {
        let days = number(node, 0..=DAYS_MAX)?;
        let inputs = inputs.map_or(0, i64::from);
        if days > 0 && days < inputs {
            return Err(format!("must be 0, for ever, or at least {inputs}, as many as `inputs_days`"));
        }
        Ok(days)
    })?;
    Some(u32::try_from(days).ok().filter(|days| *days > 0))
}

fn bytes(section: &mut Section<'_>, key: &'static str) -> Option<u64> {
    section.read(key, |node| number(node, BYTES_MIN..=i64::MAX)).map(i64::unsigned_abs)
}
