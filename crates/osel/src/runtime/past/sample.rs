//! Which addresses come first in a large cloud, without reading it.

use super::excerpt::lines_of;
use super::sketch::{Keys, Sketch, Sort};
use crate::store::{JournalError, Reader};
use osel_core::model::address_head;

/// The tenths of a snapshot where ports are looked for: most of its lines are ports, and those stand behind its middle.
const TENTHS: [u64; 5] = [5, 7, 8, 6, 9];
/// The fewest addresses that say anything about all of them.
const ADDRESSES_MIN: usize = 100;
/// The addresses that come first are one in so many: enough to look at until the rest is there, and quick to find.
const ONE_IN: usize = 50;

/// A head ([`address_head`]) before which a small part of all addresses that have rows lies, by a sample; none when the snapshot is
/// smaller than so many bytes, so that it is read in no time, or shows too few ports.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn first_heads(
    reader: &mut dyn Reader,
    seq: u64,
    bytes_min: u64,
) -> Result<Option<u128>, JournalError> {
    let Some(info) = reader.snapshot_at(seq)?.filter(|info| info.bytes >= bytes_min) else { return Ok(None) };
    let keys = Keys::default();
    for tenth in TENTHS {
        let chunk = reader.snapshot_chunk(info.id, info.chunks * tenth / 10)?.unpack()?;
        let mut heads = Vec::new();
        for (_, line) in lines_of(&chunk) {
            let object = line.strip_prefix(br#"{"object":"#);
            let port = object.and_then(|object| Sketch::of_state(object, &keys));
            // Ports of routers and the like have no rows, and the first address of nearly every subnet.
            if let Some(port) = port.filter(|sketch| sketch.sort == Sort::Port && !sketch.is_trusted()) {
                port.has_address(|address| {
                    heads.push(address_head(address));
                    false
                });
            }
        }
        if heads.len() >= ADDRESSES_MIN {
            heads.sort_unstable();
            // Where every project has the same subnet, the first address alone may be more than that.
            let (lowest, wanted) = (heads[0], heads[heads.len() / ONE_IN]);
            return Ok(heads.into_iter().find(|&head| head > lowest && head >= wanted));
        }
    }
    Ok(None)
}
