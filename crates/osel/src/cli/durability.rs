//! What a store is set up to lose, as remarks on its configuration: advice, and a reason to refuse it only where osel would not run.

use std::path::Path;

use crate::config::{Place, Remark, StoreConfig};
use crate::store::{Durability, inspect};
use crate::telemetry::chain;

/// Looks at the database of a store, read-only and for seconds at most: first why osel would not use it, then what of it loses messages that were
/// acknowledged.
pub(super) fn remarks(store: &StoreConfig, file: Option<&Path>) -> (Vec<Remark>, Vec<Remark>) {
    let StoreConfig::Postgres(config) = store else { return (Vec::new(), Vec::new()) };
    let (refusal, told) = match inspect(config) {
        Ok(durability) => (durability.refusal, told(&durability)),
        Err(error) => {
            let what = "cannot be looked at, so that what it would lose is not known";
            (None, vec![format!("{what}: {}", chain(&error))])
        }
    };
    remarked(refusal, told, file)
}

fn remarked(
    refusal: Option<&'static str>,
    told: Vec<String>,
    file: Option<&Path>,
) -> (Vec<Remark>, Vec<Remark>) {
    let place = file.map_or(Place::Nowhere, |file| Place::File { path: file.to_owned(), line: None });
    let remark = |what| Remark { place: place.clone(), key: "store.url".to_owned(), what };
    let refused = refusal.map(|why| remark(format!("cannot be used: {why}")));
    (refused.into_iter().collect(), told.into_iter().map(remark).collect())
}

fn told(durability: &Durability) -> Vec<String> {
    let of_standby = "no server that can be written answers, only one that follows it: what follows is said of that one, osel waits for the other";
    let first = durability.is_standby.then(|| of_standby.to_owned());
    first.into_iter().chain(durability.losses().iter().map(ToString::to_string)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_osel_refuses_is_a_problem() {
        let (problems, warnings) = remarked(Some("the database is not in UTF-8"), Vec::new(), None);
        assert_eq!(problems[0].what, "cannot be used: the database is not in UTF-8");
        assert_eq!((problems.len(), warnings.len()), (1, 0));
        let (problems, warnings) = remarked(None, vec!["`fsync` is off".to_owned()], None);
        assert_eq!((problems.len(), warnings.len()), (0, 1));
    }

    #[test]
    fn that_only_a_standby_answers_is_told_before_what_is_seen_of_it() {
        let durability = Durability { is_standby: true, full_page_writes: true, ..Durability::default() };
        let told = told(&durability);
        assert!(told[0].starts_with("no server that can be written answers"), "{told:?}");
        assert!(told[1].starts_with("`fsync` is off") && told.len() == 2, "{told:?}");
    }
}
