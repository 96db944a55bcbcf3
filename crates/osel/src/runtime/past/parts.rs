//! All of the clouds in two parts, so that the first rows need not wait for the rest.

use std::sync::Arc;

use ipnet::IpNet;
use osel_core::engine::{Engine, EngineOptions};
use osel_core::model::address_head;

use super::excerpt::Excerpt;
use super::sample::first_heads;
use super::scope::Asked;
use crate::runtime::state;
use crate::store::{JournalError, Reader};

/// Gives `each` the clouds as they were after a record, and the addresses whose rows are to be listed from them: first a small part with
/// those that come first, where the snapshot has so many bytes and can be looked through, then all with the others. `sources` when it is
/// also asked what groups stand for as sources.
///
/// # Errors
/// When the record is before the horizon, the store cannot be read, or `each` fails.
pub fn in_parts<E: From<JournalError>>(
    reader: &mut dyn Reader,
    seq: u64,
    sources: bool,
    options: &EngineOptions,
    bytes_min: u64,
    mut each: impl FnMut(&Engine, &dyn Fn(IpNet) -> bool) -> Result<(), E>,
) -> Result<(), E> {
    let bound = match first_heads(reader, seq, bytes_min) {
        // Pruned meanwhile: what reads all of the state looks for another one, and knows the horizon.
        Err(JournalError::NoSnapshot { .. }) => None,
        found => found?,
    };
    let mut first = None;
    if let Some(bound) = bound {
        let is_first = move |net: IpNet| address_head(net) < bound;
        let asked = Asked::Addresses(Arc::new(is_first));
        if let Some(part) = Excerpt::load_written(reader, (seq, seq), &asked, sources)? {
            each(part.at(seq, options).engine(), &is_first)?;
            first = Some(is_first);
        }
    }
    let all = state::at(reader, seq, options)?;
    each(&all, &|net| first.is_none_or(|is_first| !is_first(net)))
}
