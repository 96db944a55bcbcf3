//! The names of the servers whose ports are on the way, as they were called then.
//!
//! What makes a packet reachable does not depend on them, so that they are looked for when the answer is known: for a few ports.

use std::collections::BTreeSet;

use osel_core::engine::{Engine, server_id_of_port, server_of_port};
use osel_core::exposure::Verdict;
use osel_core::ids::Id;
use osel_core::model::Kind;
use osel_core::names::Directory;
use osel_core::time::Timestamp;

use crate::cli::open::moment;
use crate::runtime::server_names::server_names;
use crate::store::{JournalError, Reader};

/// Names the servers of an answer by what is written down of them up to a moment.
pub(super) fn name_written(
    reader: &mut dyn Reader,
    at: Option<&str>,
    engine: &Engine,
    verdict: &mut Verdict,
) -> anyhow::Result<()> {
    let ports = verdict.hops_mut().filter(|hop| hop.kind == Kind::Port).filter_map(|hop| hop.id.clone());
    let ports: BTreeSet<Id> = ports.collect();
    let of_port = |port: &Id| engine.clouds().find_map(|cloud| server_id_of_port(cloud, port)).cloned();
    let servers: BTreeSet<Id> = ports.iter().filter_map(of_port).collect();
    if servers.is_empty() {
        return Ok(());
    }
    let seq = moment(reader, "--at", at)?;
    let names = server_names(reader, seq, &servers)?;
    name(engine, &names, time_of(reader, seq)?, verdict);
    Ok(())
}

/// The time that a record stands for.
pub(super) fn time_of(reader: &mut dyn Reader, seq: u64) -> Result<Timestamp, JournalError> {
    Ok(reader.record(seq)?.map_or(Timestamp::MAX, |record| record.as_of))
}

/// Names the servers of an answer.
pub(super) fn name(engine: &Engine, names: &Directory, at: Timestamp, verdict: &mut Verdict) {
    for hop in verdict.hops_mut().filter(|hop| hop.kind == Kind::Port) {
        let Some(port) = &hop.id else { continue };
        let found = engine.clouds().find_map(|cloud| server_of_port(cloud, names, port, at));
        hop.server = found.map(|server| server.name);
    }
}
