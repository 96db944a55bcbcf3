//! The bounds of notices.

/// The most lines of one notice: whoever has to read more looks into the trail.
pub const NOTICE_LINES_MAX: usize = 50;
/// The most characters of a line: a sentence with some addresses; what it says of more of them is in the trail.
pub const NOTICE_LINE_CHARS_MAX: usize = 400;
/// The most characters of a heading: what a list of mails shows.
pub const NOTICE_HEADING_CHARS_MAX: usize = 120;
/// The most groups of one notice that are counted one by one; records of further ones are counted together.
pub const NOTICE_GROUPS_MAX: usize = 1_000;
/// The most threads that a notice belongs to: their names stand in one header of a mail.
pub const NOTICE_THREADS_MAX: usize = 20;
/// The most records whose first cause is remembered: what follows from a change comes within some thousand records.
pub const NOTICE_CAUSES_MAX: usize = 10_000;
/// The longest time between two digests.
pub const DIGEST_HOURS_MAX: u32 = 168;
