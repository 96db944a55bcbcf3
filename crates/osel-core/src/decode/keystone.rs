//! stub
use super::notification::{Meaning, Notice};
pub(super) fn read(_notice: Notice<'_>) -> Option<Meaning> {
    None
}
