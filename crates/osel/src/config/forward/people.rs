//! What all receivers for people have in common: when they are told, how many lines a message has, where its links lead, and templates.

use hyper::Uri;
use osel_core::format::Severity;
use osel_core::forward::Filter;
use osel_core::notice::{Cadence, DIGEST_HOURS_MAX, GroupBy, NOTICE_LINES_MAX, Notice, NoticeSettings};
use osel_core::time::Timestamp;

use super::super::section::{Section, boolean, number, quoted, text};
use super::super::tree::Node;

/// How long it is waited for more: what one person or one program does in one go.
const GROUP_WAIT_SECONDS: u32 = 30;
/// How long no second message follows: more often nobody reads them.
const GROUP_INTERVAL_SECONDS: u32 = 300;
/// The longest of both: what is to wait longer is a digest.
const WAIT_SECONDS_MAX: i64 = 86_400;
/// What is read on a telephone.
const LINES: usize = 20;
/// The longest template: a page of text.
const TEMPLATE_BYTES_MAX: usize = 65_536;
/// What one filling may do, in steps of the engine: some thousand times what a message takes.
pub const TEMPLATE_STEPS_MAX: u64 = 1_000_000;
/// The longest base of links: what fits into a line of any of them with a number behind it.
const LINK_BYTES_MAX: usize = 500;
const SECONDS_OF_HOUR: u32 = 3600;
const SECONDS_OF_DAY: u32 = 86_400;

/// What people are told, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeConfig {
    /// When.
    pub cadence: Cadence,
    /// By what lines belong together.
    pub group_by: GroupBy,
    /// The most lines of a message.
    pub lines_max: usize,
    /// Where links to records begin, without a slash at the end; none for no links.
    pub link_base: Option<String>,
    /// A template of what a message is about, in one line.
    pub subject_template: Option<String>,
    /// A template of its text.
    pub body_template: Option<String>,
}

impl NoticeConfig {
    /// What is told, with the filter of the same table.
    pub fn settings(&self, filter: &Filter) -> NoticeSettings {
        NoticeSettings {
            filter: filter.clone(),
            cadence: self.cadence,
            group_by: self.group_by,
            lines_max: self.lines_max,
        }
    }
}

/// Gives a macro of keys those of its own type, and those here behind them.
macro_rules! with_notice_keys {
    ($keys:ident, $kind:literal, [$($own:tt),* $(,)?]) => {
        $keys!($kind, [
            $($own,)*
            (
                "group_wait_seconds",
                $crate::config::keys::Otherwise::Default("30"),
                "How long it is waited for more after the first record that is to be told, up to 86400."
            ),
            (
                "group_interval_seconds",
                $crate::config::keys::Otherwise::Default("300"),
                "How long no second message follows one, up to 86400. What comes meanwhile waits in the trail, and is told by the next one."
            ),
            (
                "urgent_min",
                $crate::config::keys::Otherwise::Default("\"critical\""),
                "What matters at least so much waits for neither, but for `group_wait_seconds` after the message before."
            ),
            (
                "group_by",
                $crate::config::keys::Otherwise::Default("\"incident\""),
                "By what lines of a message belong together: `incident`, the record that they all follow from, `project` or `kind`."
            ),
            (
                "lines_max",
                $crate::config::keys::Otherwise::Default("20"),
                "The most records that have a line in a message, those first that matter most, up to 50. All are counted."
            ),
            (
                "digest_hours",
                $crate::config::keys::Otherwise::Words("none: messages come when there is something", "24"),
                "A message comes once in so many hours instead, and tells all of them. Up to 168."
            ),
            (
                "digest_at",
                $crate::config::keys::Otherwise::Words("midnight, where there are digests", "\"07:00\""),
                "When it comes, in UTC. Alone it means once a day."
            ),
            (
                "digest_empty",
                $crate::config::keys::Otherwise::Default("false"),
                "Whether it also comes when there is nothing to tell."
            ),
            (
                "link_base",
                $crate::config::keys::Otherwise::Words("none: no links", "\"https://osel.example\""),
                "Where somebody serves records: each line has a link to `/records/NUMBER` below it."
            ),
            (
                "subject_template",
                $crate::config::keys::Otherwise::Words("what suits the type", "'{{ notice.told }} records'"),
                "What a message is about: a text of Jinja that makes one line. It knows `notice`, `heading`, `counts`, `search`, `forwarder` and \
                 `link_base`."
            ),
            (
                "body_template",
                $crate::config::keys::Otherwise::Words("what suits the type", "'{{ counts }}: {{ search }}'"),
                "The text of a message: a text of Jinja that knows the same."
            ),
        ])
    };
}
pub(super) use with_notice_keys;

/// Reads those keys. What is wrong is told, and then does not matter.
pub(super) fn read(section: &mut Section<'_>) -> NoticeConfig {
    let mut seconds = |key, otherwise: u32| {
        let given = section.read(key, |node| number(node, 0..=WAIT_SECONDS_MAX));
        given.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(otherwise)
    };
    let wait_seconds = seconds("group_wait_seconds", GROUP_WAIT_SECONDS);
    let interval_seconds = seconds("group_interval_seconds", GROUP_INTERVAL_SECONDS);
    let urgent_min = section.read("urgent_min", |node| {
        let word = text(node)?;
        Severity::from_word(word).ok_or_else(|| {
            let known = Severity::ALL.map(|severity| format!("`{severity}`")).join(" or ");
            format!("must be {known}, not `{}`", quoted(word))
        })
    });
    let urgent_min = urgent_min.unwrap_or(Severity::Critical);
    let group_by = section.read("group_by", |node| {
        let word = text(node)?;
        GroupBy::ALL
            .into_iter()
            .find(|by| by.as_str() == word)
            .ok_or_else(|| format!("must be `incident`, `project` or `kind`, not `{}`", quoted(word)))
    });
    let lines = section.read("lines_max", |node| number(node, 1..=NOTICE_LINES_MAX as i64));
    let grouped = Cadence::Grouped { wait_seconds, interval_seconds, urgent_min };
    let cadence = digest(section).unwrap_or(grouped);
    if let (Cadence::Digest { .. }, Some(key)) = (
        cadence,
        ["group_wait_seconds", "group_interval_seconds", "urgent_min"]
            .into_iter()
            .find(|key| section.was_given(key)),
    ) {
        let what =
            "is of no use for a digest: leave it out, and tell what is urgent by a forwarder of its own";
        section.problem(&section.origin().clone(), key, what);
    }
    NoticeConfig {
        cadence,
        group_by: group_by.unwrap_or_default(),
        lines_max: lines.and_then(|lines| usize::try_from(lines).ok()).unwrap_or(LINES),
        link_base: section.read("link_base", link_base),
        subject_template: section.read("subject_template", template),
        body_template: section.read("body_template", template),
    }
}

fn digest(section: &mut Section<'_>) -> Option<Cadence> {
    let hours = section.read("digest_hours", |node| number(node, 1..=i64::from(DIGEST_HOURS_MAX)));
    let at = section.read("digest_at", |node| {
        time_of_day(text(node)?).ok_or_else(|| "must be a time of day in UTC, such as `07:00`".to_owned())
    });
    let tells_empty = section.read("digest_empty", boolean);
    let is_digest = section.was_given("digest_hours") || section.was_given("digest_at");
    if !is_digest && section.was_given("digest_empty") {
        section.missing("digest_hours", "`digest_empty` is about digests");
    }
    let hours = hours.and_then(|hours| u32::try_from(hours).ok()).unwrap_or(SECONDS_OF_DAY / SECONDS_OF_HOUR);
    is_digest.then(|| Cadence::Digest {
        period_seconds: hours * SECONDS_OF_HOUR,
        offset_seconds: at.unwrap_or_default(),
        tells_empty: tells_empty.unwrap_or(false),
    })
}

fn time_of_day(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let two = |text: &str, most: u32| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|number| is_number && *number <= most)
    };
    Some(two(hour, 23)? * SECONDS_OF_HOUR + two(minute, 59)? * 60)
}

fn link_base(node: &Node) -> Result<String, String> {
    let given = text(node)?;
    let wrong = || "must be a URL such as `https://osel.example`, without a question or a login".to_owned();
    let uri: Uri = given.parse().map_err(|_| wrong())?;
    let is_web = matches!(uri.scheme_str(), Some("https" | "http"));
    let is_plain = given.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/.-_~[]".contains(&byte));
    if !is_web || !is_plain || uri.query().is_some() || given.len() > LINK_BYTES_MAX {
        return Err(wrong());
    }
    Ok(given.trim_end_matches('/').to_owned())
}

/// A text that can be read as a template, and makes something of a notice.
fn template(node: &Node) -> Result<String, String> {
    let given = text(node)?;
    if given.len() > TEMPLATE_BYTES_MAX {
        return Err(format!("must have at most {TEMPLATE_BYTES_MAX} bytes"));
    }
    let mut engine = minijinja::Environment::new();
    engine.set_undefined_behavior(minijinja::UndefinedBehavior::Chainable);
    engine.set_fuel(Some(TEMPLATE_STEPS_MAX));
    let template = engine.template_from_str(given).map_err(|error| format!("is no template: {error}"))?;
    let sample = Notice::of_test(Timestamp::EPOCH, "a sample");
    let filled = template.render(minijinja::context! {
        notice => minijinja::value::Serde(sample.clone()),
        heading => sample.heading(),
        counts => sample.counts(),
        search => sample.search(),
        forwarder => "sample",
        link_base => "https://osel.example",
    });
    filled.map(|_| given.to_owned()).map_err(|error| format!("makes nothing of a sample: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_has_two_digits_each() {
        for (text, wanted) in [
            ("07:00", Some(25_200)),
            ("23:59", Some(86_340)),
            ("24:00", None),
            ("7:00", None),
            ("07:60", None),
            ("+7:00", None),
            ("0700", None),
        ] {
            assert_eq!(time_of_day(text), wanted, "{text}");
        }
    }
}
