//! Tests of the forms: against the schemas of those whose forms they are, over every recorded cloud and every kind of record.

mod docs;
mod ecs;
mod hostile;
mod ocsf;
pub(crate) mod recorded;
mod schema;
