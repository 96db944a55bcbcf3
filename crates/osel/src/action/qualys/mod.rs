//! Qualys VM by its "FO" API: launch, find again, poll, fetch.
//!
//! `adapter` is what the conductor sees; `launch` and `fetch` are its two long ways, `client` is one request and its answer, `refusal`
//! what a refusal means. `addresses`, `document` and `result` read and write the forms of the API and ask nobody.
//!
//! What is absent: tags, schedules, assets by name; detections by host, since the result of the scan itself is what belongs to an order.

mod adapter;
mod addresses;
mod client;
mod document;
mod fetch;
mod launch;
mod refusal;
mod result;
mod rows;

pub use adapter::Qualys;
