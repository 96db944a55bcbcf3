//! Reading many rows a page at a time, so that no read transaction outlives a page.
//!
//! A page is collected and its statement ended before the caller sees a row: a slow caller holds up neither
//! the writer nor the emptying of its log.

use rusqlite::{Connection, Params, Row};

use super::super::error::{JournalError, Place};
use super::connect::At;

/// The most rows of a page.
const PAGE_ROWS: usize = 256;
/// A page ends once it has this many bytes.
const PAGE_BYTES: usize = 4 << 20;

/// Some rows, and what ended them.
pub(super) struct Page<T> {
    /// The rows that could be read.
    pub(super) rows: Vec<T>,
    /// Why the next could not.
    pub(super) error: Option<JournalError>,
    /// Whether there may be more.
    pub(super) full: bool,
}

/// Reads rows until there are no more or the page is full. A damaged row ends the page, those before it are
/// good; `place` says where that is from what was read before.
///
/// # Errors
/// When nothing could be read at all.
pub(super) fn page<T>(
    at: &At<'_>,
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    bytes: impl Fn(&T) -> usize,
    place: impl Fn(Option<&T>) -> Place,
) -> Result<Page<T>, JournalError> {
    let failed = |error, last: Option<&T>| at.sql(place(last), "read")(error);
    let mut statement = connection.prepare_cached(sql).map_err(|error| failed(error, None))?;
    let mut rows = statement.query(parameters).map_err(|error| failed(error, None))?;
    let mut page = Page { rows: Vec::new(), error: None, full: false };
    let mut size = 0;
    loop {
        match rows.next().and_then(|row| row.map(&read).transpose()) {
            Ok(Some(row)) => {
                size += bytes(&row);
                page.rows.push(row);
            }
            Ok(None) => return Ok(page),
            Err(error) => {
                page.error = Some(failed(error, page.rows.last()));
                return Ok(page);
            }
        }
        if page.rows.len() >= PAGE_ROWS || size >= PAGE_BYTES {
            page.full = true;
            return Ok(page);
        }
    }
}
