//! osel's store: whether its database keeps what it has acknowledged.

use super::text::{STORE, joined, quoted};
use crate::doctor::facts::Facts;
use crate::doctor::id::Id;
use crate::doctor::verdict::Report;
use crate::store::{Durability, Loss};

const IDS: [Id; 3] = [Id::StoreUnflushed, Id::StoreEarlyCommit, Id::StoreAsynchronousStandby];

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    for id in IDS {
        match &facts.store {
            Ok(store) => match &store.database {
                Some(database) => by_database(id, &store.name, database, report),
                None => report.clear(id, &store.name, "in a directory: osel itself has each commit on disk"),
            },
            Err(why) => report.unchecked(id, STORE, why),
        }
    }
}

fn by_database(id: Id, source: &str, database: &Durability, report: &mut Report) {
    let losses: Vec<String> =
        database.losses().iter().filter(|loss| id_of(loss) == id).map(Loss::what).collect();
    if !losses.is_empty() {
        return report.found(id, source, joined(&losses));
    }
    let kept = match id {
        Id::StoreUnflushed => "`fsync` and `full_page_writes` are on".to_owned(),
        Id::StoreEarlyCommit => format!("`synchronous_commit` is {}", quoted(&database.synchronous_commit)),
        _ if database.knows_standbys() => "no standby is connected that commits do not wait for".to_owned(),
        _ => {
            let why =
                "osel's role may not see of which standbys commits wait for none: GRANT pg_monitor TO it";
            return report.unchecked(id, source, why);
        }
    };
    report.clear(id, source, kept);
}

/// The check that a loss belongs to.
fn id_of(loss: &Loss) -> Id {
    match loss {
        Loss::Unflushed | Loss::TornPages => Id::StoreUnflushed,
        Loss::CommitsBeforeDisk | Loss::CommitsBeforeStandby(_) => Id::StoreEarlyCommit,
        Loss::AsynchronousStandbys(_) => Id::StoreAsynchronousStandby,
    }
}
