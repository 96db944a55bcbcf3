//! Buckets of S3, and of stores that speak as S3 does.

mod answer;
mod depot;

pub use depot::s3;
