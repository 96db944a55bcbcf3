//! Reading the trail is told to the daemon that keeps it, which writes it down.
//!
//! A store that no daemon has is only read: it may be a copy that is evidence, or somebody else's, and is to stay as it is.

use osel_core::engine::ASKED_CHARS_MAX;

use crate::cli::StoreArg;
use crate::cli::output::note;
use crate::runtime::control::client::{self, ClientError};
use crate::runtime::control::{Answer, Ask, Request};
use crate::store::Reader;

/// Has it written down that this user has read the trail: how, and what was asked for. Where that cannot be, it is said; what was read is
/// read.
pub(in crate::cli) fn told(store: &StoreArg, reader: &mut dyn Reader, what: &str, asked: &str) {
    // A longer line would be refused: what is longer becomes several records, so that nothing of it can be hidden behind the rest.
    let characters: Vec<char> = asked.chars().collect();
    let pieces = characters.chunks(ASKED_CHARS_MAX).map(|piece| piece.iter().collect::<String>());
    let pieces = if characters.is_empty() { vec![String::new()] } else { pieces.collect() };
    let mut tell = |asked: String| -> anyhow::Result<Option<String>> {
        let order = Ask::TrailRead { what: what.to_owned(), asked };
        let request = Request { store: reader.info()?.id, order };
        Ok(match client::ask(&store.socket(&store.config()?), &request) {
            Ok(Answer::Done(_)) => None,
            Err(error @ ClientError::Absent(_)) => store.written_by().map(|process| {
                format!("{error}, and process {process} writes the store: `control.socket` in its configuration says where it listens")
            }),
            Ok(Answer::Refused(why) | Answer::No(why)) => Some(why),
            Ok(_) => Some("the running osel answers something else than it was asked".to_owned()),
            Err(error) => return Err(error.into()),
        })
    };
    for piece in pieces {
        match tell(piece) {
            Ok(None) => continue,
            Ok(Some(why)) => note(format_args!("that the trail was read is not recorded: {why}")),
            Err(error) => note(format_args!("that the trail was read is not recorded: {error:#}")),
        }
        return;
    }
}
