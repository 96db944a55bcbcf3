//! A simulated cloud that speaks in notifications, and the judges that know the truth about it.
//!
//! - [`judge`] works out exposure and reachability from the API's JSON alone, slowly and obviously, without a line of
//!   `osel-core`'s model: what it and the engine agree on is right for a reason, not by a shared mistake.
//! - [`corpus`] loads the recorded clouds and says which of their ports the recordings describe in full.
//! - [`files`] reads what both need: JSON and JSON Lines, plain or gzip.
//!
//! Nothing here is shipped, and nothing of `osel` may import it outside tests.

pub mod command;
pub mod corpus;
pub mod files;
pub mod judge;
