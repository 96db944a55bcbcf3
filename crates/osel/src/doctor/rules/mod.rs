//! The judgements: from facts to verdicts. Pure functions, one file for each subject; each check has its verdict by every source that
//! could tell, and none of them asks anything.

mod broker;
mod judge;
mod notifications;
mod pattern;
mod queues;
mod readable;
mod services;
mod store;
mod text;
mod traffic;
mod trove;
mod users;

#[cfg(test)]
mod tests;

pub use judge::judge;
