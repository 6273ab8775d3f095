//! Exports in AWS: DynamoDB, SQS and S3.
//!
//! Concrete clients, one file a service and purpose, no traits. What goes in and out is written in
//! terms of the `export` and `archive` crates. No decision about an export is made here.

mod archives;
mod batches;
mod clients;
pub mod env;
mod error;
mod exports;
mod files;
mod identities;
mod lake_bucket;
mod lanes;
mod named_filters;
mod queue;
mod slots;
mod tokens;

pub use archives::{ArchiveBucket, PieceWriter, Stored};
pub use batches::Claim;
pub use clients::aws_config;
pub use error::{Error, Result};
pub use exports::{ExportTable, Page};
pub use identities::{Created, Joined};
pub use lake_bucket::LakeBucket;
pub use lanes::call_next;
pub use queue::{ExportQueue, Job};
pub use tokens::TokenTable;
