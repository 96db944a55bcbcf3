//! Records on their way to receivers: for each forwarder a task beside the loop, with a reader of its own.
//!
//! [`Carrier`](carrier::Carrier) drives the core's machine: it has pages read and rendered ([`reading`]) on a thread that may block, hands
//! batches to the receiver by its [`courier`], and tells the loop how far it has come ([`report`]), which keeps the place with the next
//! commit. Nothing here waits for the loop, and the loop waits for nothing here: a receiver that hangs holds up nobody else.

mod carrier;
mod courier;
mod defect;
mod letters;
mod log;
mod notices;
mod reader;
mod reading;
mod ready;
mod report;
mod settings;

pub use carrier::{Carrier, Way};
pub(super) use defect::{last_words, without_last_words};
pub use reading::{Page, ReadError, Work};
pub use report::{ForwarderStatus, Outbox, Report, SendTimes};
pub use settings::{ForwarderSettings, Names, ReaderAccess, ReceiverMaker, Steer};
