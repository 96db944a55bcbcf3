//! `[[openstack]]`: the APIs that are asked as a second opinion, one for each region at most.
//!
//! Only that the clouds file can be read is looked at here. What stands in it is the driver's affair, who reads it again for every order.

use std::num::NonZeroU32;

use super::check::tables_and_variables;
use super::files;
use super::listed;
use super::parts::{ApiInterface, OpenStackConfig, SourceConfig};
use super::section::{Section, boolean, number, one_of, quoted, text};
use super::tree::{Node, Origin};

/// The most APIs of one osel: no more than it may have sources.
const OPENSTACK_MAX: usize = 64;
/// The longest name of a region or cloud: Keystone's column of a region.
const NAME_CHARS_MAX: usize = 255;
/// Everything is read four times a day: what no event tells is rare, and a read of a big cloud is an hour's work for its API.
const EVERY_SECONDS: u32 = 6 * 3600;
/// A read more often than this would be under way for ever.
const EVERY_SECONDS_MIN: i64 = 10;
/// What is checked more rarely than once in 30 days is not checked.
const EVERY_SECONDS_MAX: i64 = 30 * 86_400;
/// Requests that no API notices: a page of a thousand objects takes Neutron longer than a tenth of a second.
const REQUESTS_PER_SECOND: u32 = 10;
/// More requests than an API can answer.
const REQUESTS_PER_SECOND_MAX: i64 = 1000;
/// The keys of a table, by which variables may begin one.
const KEYS: [&str; 9] = [
    "region",
    "cloud",
    "clouds_file",
    "region_name",
    "interface",
    "every_seconds",
    "requests_per_second",
    "names",
    "insecure",
];

/// All APIs: those of the file, and those that variables add behind them. `sources` are there when those were good.
pub(super) fn openstack(
    root: &mut Section<'_>,
    sources: Option<&[SourceConfig]>,
) -> Option<Vec<OpenStackConfig>> {
    let nodes = tables_and_variables(root, "openstack", &KEYS, (OPENSTACK_MAX, "tables"))?;
    let count = nodes.len();
    let mut all: Vec<OpenStackConfig> = Vec::with_capacity(count);
    for (index, node) in nodes.into_iter().enumerate() {
        let mut section = root.inner(&format!("openstack[{index}]"), &format!("openstack__{index}"), node);
        let (region, origin) = match region(&mut section) {
            Some((region, origin)) => (Some(region), origin),
            None => (None, section.origin().clone()),
        };
        let is_readable = region.is_some() || !section.was_given("region");
        if is_readable && let Some(what) = misfit(region.as_deref(), sources, &all) {
            section.problem(&origin, "region", what);
        }
        all.extend(rest(section, region));
    }
    (all.len() == count).then_some(all)
}

fn region(section: &mut Section<'_>) -> Option<(String, Origin)> {
    section.read("region", |node| Ok((name(text(node)?)?.to_owned(), node.origin.clone())))
}

/// Why a region may not have this table, if it may not.
fn misfit(
    region: Option<&str>,
    sources: Option<&[SourceConfig]>,
    before: &[OpenStackConfig],
) -> Option<String> {
    if let Some(other) = before.iter().position(|other| other.region.as_deref() == region) {
        return Some(match region {
            Some(region) => {
                format!("`{}` has openstack[{other}] already: one API tells of it", quoted(region))
            }
            None => format!(
                "is missing, as it is in openstack[{other}]: of several tables each names the region of its sources"
            ),
        });
    }
    let sources =
        sources.filter(|sources| !sources.iter().any(|source| source.region.as_deref() == region))?;
    let known: Vec<_> = sources.iter().filter_map(|source| source.region.as_deref()).map(quoted).collect();
    Some(match region {
        Some(region) if known.is_empty() => {
            format!(
                "`{}` is the region of no source: give it to the sources too, or leave it out",
                quoted(region)
            )
        }
        Some(region) => {
            format!("`{}` is the region of no source: they have {}", quoted(region), listed(known, ", "))
        }
        None => format!("is missing: each source has a region, {}", listed(known, ", ")),
    })
}

fn rest(mut section: Section<'_>, region: Option<String>) -> Option<OpenStackConfig> {
    let interfaces = [
        ("public", ApiInterface::Public),
        ("internal", ApiInterface::Internal),
        ("admin", ApiInterface::Admin),
    ];
    let own_name = |node: &Node| Ok(name(text(node)?)?.to_owned());
    let cloud = section.read("cloud", own_name);
    let reading = section.reading();
    let clouds_file = section.read("clouds_file", |node| {
        let path = reading.resolve(&node.origin, text(node)?);
        files::check_readable(&path).map_err(|error| format!("`{}` {error}", path.display()))?;
        Ok(path)
    });
    if clouds_file.is_some() && !section.was_given("cloud") {
        section.missing("cloud", "say which cloud of `clouds_file` it is");
    }
    let region_name = section.read("region_name", own_name);
    let interface = section.read("interface", |node| one_of(node, &interfaces));
    let mut count = |key, bounds, default: u32| {
        let count = section.read(key, |node| number(node, bounds)).unwrap_or(i64::from(default));
        u32::try_from(count).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
    };
    let every_seconds = count("every_seconds", EVERY_SECONDS_MIN..=EVERY_SECONDS_MAX, EVERY_SECONDS);
    let requests_per_second = count("requests_per_second", 1..=REQUESTS_PER_SECOND_MAX, REQUESTS_PER_SECOND);
    let names = section.read("names", boolean).unwrap_or(true);
    let insecure = section.read("insecure", |node| {
        let insecure = boolean(node)?;
        Ok((insecure, node.origin.clone()))
    });
    if let Some((true, origin)) = &insecure {
        section.warning(
            origin,
            "insecure",
            "lets anybody between osel and the cloud read its password: give the clouds file the authority by `cacert`",
        );
    }
    let place = section.place();
    section.finish();
    Some(OpenStackConfig {
        region,
        cloud,
        clouds_file,
        region_name,
        interface,
        every_seconds,
        requests_per_second,
        names,
        insecure: insecure.is_some_and(|(insecure, _)| insecure),
        place,
    })
}

fn name(text: &str) -> Result<&str, String> {
    if text.chars().count() > NAME_CHARS_MAX || text.contains(char::is_control) {
        return Err(format!("must be a name of at most {NAME_CHARS_MAX} characters"));
    }
    Ok(text)
}
