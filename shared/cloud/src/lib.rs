//! Exports in AWS: DynamoDB, SQS, S3 and KMS.
//!
//! Concrete clients, one file a service and purpose, no traits. What goes in and out is written in
//! terms of the `export` and `archive` crates. No decision about an export is made here.

mod archives;
mod assembly;
mod audit;
mod batches;
mod body;
mod catalog_source;
mod clients;
mod condition;
mod customer_bucket;
mod deliveries;
mod due;
pub mod env;
mod error;
mod exports;
#[cfg(test)]
mod fake;
mod files;
mod filings;
mod identities;
mod lake;
mod lanes;
mod leases;
mod links;
mod lists;
mod log;
mod named_filters;
mod once;
mod pause;
mod piece;
mod queue;
mod reads;
mod receipt_signer;
mod record_item;
mod seal;
mod secret_links;
mod shares;
mod signing_secrets;
mod slots;
mod survey;
mod tokens;
mod transaction;
mod usage;

pub use archives::{ArchiveBucket, Link, LinkMethod, LinkUse};
pub use assembly::Stored;
pub use audit::{AuditTable, NewEntry};
pub use batches::Claim;
pub use body::ObjectBody;
pub use catalog_source::{CatalogSource, LoadedCatalog, MAX_CATALOG_BYTES};
pub use clients::{aws_config, bulk_config, dynamodb_client, s3_client};
pub use customer_bucket::{CustomerBucket, PutError, Refused};
pub use deliveries::DeliveryTable;
pub use due::Due;
pub use error::{Error, Result};
pub use exports::ExportTable;
pub use filings::Filings;
pub use identities::{Identity, NewIdentity};
pub use lake::{Lake, Tally};
pub use lanes::Place;
pub use lists::{Page, Wanted};
pub use log::start_log;
pub use pause::Pauses;
pub use piece::PieceWriter;
pub use queue::{ExportQueue, Job, Queue};
pub use receipt_signer::{PublicKey, ReceiptSigner};
pub use seal::{KmsCipher, Purpose};
pub use signing_secrets::{SIGNING_SECRETS, SigningSecret};
pub use slots::Slot;
pub use survey::{MAX_LISTED_DEPTH, MAX_LISTED_FOLDERS, Surveyed};
pub use tokens::TokenTable;
pub use transaction::StoreOutcome;
pub use usage::{BucketChange, ExportUsage, QuotaItem, RequestUsage};
