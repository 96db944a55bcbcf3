//! A simulated Qualys VM API ("FO"), for tests of the adapter and for whoever wants to try a client.
//!
//! [`Qualys`] listens on 127.0.0.1 and answers as the real API was seen to answer: forms in, XML with a DOCTYPE out, results as CSV or
//! JSON, refusals by a CODE that does not always fit the status. What hosts have open is a table ([`Host`]), and so are the subscription,
//! its excluded addresses, option profiles, appliances and asset groups ([`Options`]). It can be told to go wrong ([`Fault`]), and tells
//! a hook of every request before and after it has taken effect, so that a test can kill its client in between.
//!
//! What is absent: tags, schedules, users and their scopes, compliance scans, reports, the knowledge base.

mod answer;
mod assets;
mod body;
mod fault;
mod hosts;
mod options;
mod request;
mod results;
mod scan;
mod scans;
mod server;
mod state;

pub use fault::{Fault, What};
pub use options::{Appliance, AssetGroup, Ending, Host, Kind, Life, Options, Port, RateLimit, Weakness};
pub use server::{Moment, Qualys, Start};
