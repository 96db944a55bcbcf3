//! People, in a room for chat: webhooks of Slack, Mattermost and Teams.
//!
//! `receiver` is what the forwarder sees; each service has a file, with how a notice is written for it, so that what somebody in the cloud
//! has named is only read there, and what its answers mean.

mod mattermost;
mod receiver;
mod slack;
mod teams;

pub use receiver::Chat;
