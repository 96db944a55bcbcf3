//! What drivers for people have in common: the notice that a line holds, its text, and templates in the place of it.
//!
//! How a message is written for a mail or for a room is the affair of its driver, and so is what must be done to what somebody in the
//! cloud has named, so that it is only read.

mod line;
mod template;
mod text;

pub(super) use line::notice_of;
#[cfg(test)]
pub(super) use line::tests;
#[cfg(test)]
pub(super) use template::tests as template_tests;
pub(super) use template::{Written, written};
pub(super) use text::{cut, link, text};
