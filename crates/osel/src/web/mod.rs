//! What osel answers over HTTP: how it does, for those who watch over it, and the log over its records, for those who check it.
//!
//! The loop never waits for anybody here: it puts its status where these pages find it, and they read that. `server` accepts, within
//! bounds, and sends each request to its page: `health` for load balancers and containers, `metrics` for Prometheus, `log` for auditors.
//! Nothing can be changed over HTTP, and nothing is told here that a message said.

mod health;
mod log;
mod metrics;
mod metrics_api;
mod metrics_forward;
mod metrics_scan;
mod metrics_witness;
mod server;
mod witness;

pub use log::OpenReader;
pub use server::serve;
pub use witness::serve_witness;
