//! What a few servers were called up to a record, out of a store: by the latest snapshot, and by what came after it.
//!
//! Whoever asks one question of a large cloud does not want the whole state for the sake of a name. So only lines and messages are
//! parsed in which one of the ids stands. Nothing here decides which name holds at a time: that is the directory's.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use aho_corasick::AhoCorasick;
use osel_core::decode::{Item, decode, read_item};
use osel_core::engine::EngineLine;
use osel_core::event::NameKind;
use osel_core::ids::Id;
use osel_core::names::{Directory, Origin};

use super::{entries, snapshots, state};
use crate::store::{Entry, EntryKind, JournalError, Reader};

/// How the line of a server's names begins in a snapshot.
const NAME: &[u8] = br#"{"name":{"kind":"server""#;
/// How the first line behind all names begins.
const REGION: &[u8] = br#"{"region":"#;
/// How the line of a server begins in the entry of a read.
const SERVER: &[u8] = b"servers\t";

/// What these servers were called, as far as that was known after a record. Names in a snapshot of a form that cannot be read are left out.
///
/// # Errors
/// When the record is before the horizon, or the store cannot be read.
pub fn server_names(
    reader: &mut dyn Reader,
    seq: u64,
    servers: &BTreeSet<Id>,
) -> Result<Directory, JournalError> {
    // All at once: where many networks have the same addresses, thousands of servers may be on the way. Of more than the automaton
    // has room for, everything is parsed.
    let finder = AhoCorasick::new(servers.iter().map(|id| format!("\"{id}\""))).ok();
    let speaks = |text: &[u8]| finder.as_ref().is_none_or(|finder| finder.is_match(text));
    state::while_kept(reader, seq, |reader| {
        let mut names = Directory::new();
        let info = reader.snapshot_at(seq)?;
        if let Some(info) = info {
            'chunks: for chunk in 0..info.chunks {
                let bytes = reader.snapshot_chunk(info.id, chunk)?.unpack()?;
                let mut lines = bytes.split(|&byte| byte == b'\n');
                if chunk == 0 && !lines.next().is_some_and(snapshots::is_readable) {
                    break;
                }
                for line in lines {
                    if line.starts_with(REGION) {
                        break 'chunks;
                    }
                    if line.starts_with(NAME)
                        && speaks(line)
                        && let Ok(EngineLine::Name(entry)) = serde_json::from_slice(line)
                    {
                        names.restore([entry]);
                    }
                }
            }
        }
        let first = info.map_or(0, |info| info.entry) + 1;
        let last = reader.record(seq)?.map_or(0, |record| record.entry);
        if first <= last {
            reader.entries(first..=last, &mut |entry| {
                if speaks(&entry.body) {
                    learn(&mut names, &entry);
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(names)
    })
}

/// Takes the names that an entry tells.
fn learn(names: &mut Directory, entry: &Entry) {
    if entry.kind == EntryKind::MESSAGE {
        if let Ok(event) = decode(&entries::raw_message(entry)).result {
            names.learn_event(&event, event.timestamp.min(entry.at));
        }
    } else if entry.kind == EntryKind::INVENTORY {
        let lines = entry.body.split(|&byte| byte == b'\n').filter_map(|line| line.strip_prefix(SERVER));
        for line in lines {
            if let Some(Ok(Item::Named { kind: NameKind::Server, id, name: Some(name) })) =
                read_item(NameKind::Server.plural(), line)
            {
                names.learn(NameKind::Server, &id, &name, entry.at, Origin::Inventory);
            }
        }
    }
}
