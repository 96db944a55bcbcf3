//! Whether an inventory that somebody hands in can be taken as what it says it is.
//!
//! One from a clock that is ahead would win over all that is heard until then, and one without a region beside a cloud that has one, or of a region that
//! no source is of, would be a second cloud. All are refused before anything is changed.

use osel_core::model::CLOCK_SKEW_SECONDS;
use osel_core::time::Timestamp;

use crate::config::listed;

/// Why an inventory is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It says that it was taken later than now.
    #[error(
        "`taken_at` is {taken_at}, and now it is {now}: what is heard until then would not count; set the clock right, or `taken_at`"
    )]
    Ahead {
        /// When it says that it was taken.
        taken_at: Timestamp,
        /// The clock of whoever takes it.
        now: Timestamp,
    },
    /// It is of no region that a source is of, or of none.
    #[error(
        "{}: give --region with one of those that the configuration's sources are of: {}",
        said.as_deref().map_or_else(|| "it is of no region".to_owned(), |said| format!("no source is of the region `{said}`")),
        listed(known, ", ")
    )]
    Unconfigured {
        /// The region that it says to be of.
        said: Option<String>,
        /// The regions of the sources.
        known: Vec<String>,
    },
    /// It is of no region, and all that is known is of one.
    #[error("it would be a cloud of no region beside that of {}: give --region", listed(known, ", "))]
    Region {
        /// The regions that are known.
        known: Vec<String>,
    },
}

/// When it counts as taken; clocks may differ by as much as the model allows for.
///
/// # Errors
/// When that is later than now.
pub fn taken_at(said: Option<Timestamp>, now: Timestamp) -> Result<Option<Timestamp>, Unfit> {
    match said {
        Some(taken_at) if taken_at > now.plus_seconds(CLOCK_SKEW_SECONDS) => {
            Err(Unfit::Ahead { taken_at, now })
        }
        said => Ok(said.map(|at| at.min(now))),
    }
}

/// Whether one of that region can be told from those that are known: each region's name, or none for what has none.
///
/// # Errors
/// When it has no region and all that are known have one.
pub fn region<'a>(said: Option<&str>, known: impl IntoIterator<Item = Option<&'a str>>) -> Result<(), Unfit> {
    match all_named(known) {
        Some(known) if said.is_none() => Err(Unfit::Region { known }),
        _ => Ok(()),
    }
}

/// Whether one of that region is of a cloud that sources tell of, by the region of each source, or none for what has none.
///
/// # Errors
/// When all sources have a region, and none of them that one.
pub fn of_a_source<'a>(
    said: Option<&str>,
    sources: impl IntoIterator<Item = Option<&'a str>>,
) -> Result<(), Unfit> {
    match all_named(sources) {
        Some(known) if said.is_none_or(|said| !known.iter().any(|name| name == said)) => {
            Err(Unfit::Unconfigured { said: said.map(str::to_owned), known })
        }
        _ => Ok(()),
    }
}

/// The regions, each once, if there are any and all have a name.
fn all_named<'a>(regions: impl IntoIterator<Item = Option<&'a str>>) -> Option<Vec<String>> {
    let mut known: Vec<String> =
        regions.into_iter().map(|region| region.map(str::to_owned)).collect::<Option<_>>()?;
    known.sort_unstable();
    known.dedup();
    (!known.is_empty()).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_later_than_now_is_refused_and_clocks_may_differ_a_little() {
        let now = Timestamp::EPOCH.plus_seconds(1_000_000);
        let at = |seconds| Some(now.plus_seconds(seconds));
        assert_eq!(taken_at(None, now), Ok(None));
        assert_eq!(taken_at(at(-5), now), Ok(at(-5)));
        assert_eq!(taken_at(at(CLOCK_SKEW_SECONDS), now), Ok(at(0)), "it counts as of now");
        assert!(taken_at(at(CLOCK_SKEW_SECONDS + 1), now).is_err());
    }

    #[test]
    fn an_inventory_of_no_region_is_no_second_cloud() {
        assert_eq!(region(None, []), Ok(()), "nothing is known yet");
        assert_eq!(region(None, [None, Some("one")]), Ok(()));
        assert_eq!(region(Some("two"), [Some("one")]), Ok(()));
        let known = vec!["one".to_owned(), "two".to_owned()];
        assert_eq!(region(None, [Some("two"), Some("one"), Some("one")]), Err(Unfit::Region { known }));
    }

    #[test]
    fn an_inventory_is_of_the_region_of_a_source_where_all_have_one() {
        assert_eq!(of_a_source(Some("ona"), []), Ok(()), "no source is known");
        assert_eq!(of_a_source(Some("ona"), [None, Some("one")]), Ok(()));
        let sources = [Some("two"), Some("one")];
        assert_eq!(of_a_source(Some("one"), sources), Ok(()));
        let words = |said| of_a_source(said, sources).unwrap_err().to_string();
        let known = "give --region with one of those that the configuration's sources are of: `one`, `two`";
        assert_eq!(words(Some("ona")), format!("no source is of the region `ona`: {known}"));
        assert_eq!(words(None), format!("it is of no region: {known}"));
    }
}
