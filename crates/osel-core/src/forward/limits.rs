//! The bounds of forwarding, in microseconds and pieces.

/// The first wait after a failure, drawn from nothing up to this.
pub const RETRY_BASE_MICROS: u64 = 1_000_000;
/// No wait after a failure is longer: a receiver that is back gets records within a minute.
pub const RETRY_CAP_MICROS: u64 = 60_000_000;
/// No wait is shorter, whatever chance says.
pub const RETRY_FLOOR_MICROS: u64 = 100_000;
/// The longest that a receiver may have us wait: beyond it, nobody would notice that it is back.
pub const WAIT_MICROS_MAX: u64 = 600_000_000;
/// How long a batch that is not full waits for more while another is on its way: a quarter of a second is no delay to whoever watches, and
/// makes a few batches of what would be thousands.
pub const LINGER_MICROS: u64 = 250_000;
/// The longest that a receiver may have lines gathered for it: a day, which is what the largest archive wants of its smallest object.
pub const LINGER_MICROS_MAX: u64 = 86_400_000_000;
/// The time until a receiver is asked first whether something has arrived.
pub const CONFIRM_BASE_MICROS: u64 = 1_000_000;
/// The longest time between two such questions: Splunk's own advice.
pub const CONFIRM_CAP_MICROS: u64 = 10_000_000;
/// How long a batch may not be known to have arrived before it is sent again: Splunk forgets after that time whether it has.
pub const AWAITED_MICROS_MAX: u64 = 300_000_000;
/// How long one call may take, unless the receiver needs longer. Drivers give up sooner; this ends what they forgot.
pub const CALL_MICROS_MAX: u64 = 300_000_000;
/// How long a stop waits for the call that is under way: the daemon has five seconds for all.
pub const STOP_MICROS_MAX: u64 = 2_000_000;
/// How often in a row a batch fails before it is divided, and a single line before it is suspected: a receiver that is being restarted
/// fails some times.
pub const FAILED_TRIES: usize = 3;
/// How many lines in a row are suspected at most: when one more fails, it is the receiver.
pub const SUSPECTS_MAX: usize = 8;
/// The most dead letters of one forwarder. Somebody has to look long before; beyond it the forwarder stops rather than forget.
pub const DEAD_LETTERS_MAX: usize = 10_000;
/// The most characters of what a receiver said of a dead letter: a line, and a list of all stays small.
pub const DEAD_WORDS_MAX: usize = 500;
/// How many records of dead letters are tried again at once.
pub const FETCH_RECORDS_MAX: usize = 100;
/// The most records that are read at once: some milliseconds.
pub const READ_RECORDS_MAX: u64 = 1_000;
/// The most bytes of lines that are rendered at once, but for the last record's.
pub const READ_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The most bytes of lines that are held, with those on their way: what a syslog server has not settled at a good rate. A receiver that takes
/// less at once has less held for it.
pub const AHEAD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most lines that are held: as many short ones.
pub const AHEAD_LINES_MAX: usize = 128 * 1024;
