//! Whether an inventory that somebody hands in can be taken as what it says it is.
//!
//! One from a clock that is ahead would win over all that is heard until then, and one without a region beside a cloud that has one would be a second
//! cloud. Both are refused before anything is changed.

use osel_core::model::CLOCK_SKEW_SECONDS;
use osel_core::time::Timestamp;

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
    /// It is of no region, and all that is known is of one.
    #[error(
        "it would be a cloud of no region beside that of {}: give --region",
        known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    )]
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
    let Some(known) = known.into_iter().collect::<Option<Vec<&str>>>() else { return Ok(()) };
    match said {
        None if !known.is_empty() => {
            let mut known: Vec<String> = known.into_iter().map(str::to_owned).collect();
            known.sort_unstable();
            known.dedup();
            Err(Unfit::Region { known })
        }
        _ => Ok(()),
    }
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
}
