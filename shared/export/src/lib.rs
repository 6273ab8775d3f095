//! What an export is: its request, its record, its states, and what it may ask for.
//!
//! Pure data and decisions. Nothing here knows AWS, reads a clock or does I/O: the time is
//! passed in, so everything can be tested with a literal and an `assert_eq!`.
//!
//! - [`Catalog`]: the datasets and tables a deployment offers, from one TOML file.
//! - [`Order`] and its [`ExportRequest`]: what a user asked for, checked against the catalog.
//! - [`Export`]: the record of one export and every way it may change.
//! - [`Token`]: the credential that names workspaces and privileges.

mod audit;
mod bucket_copy;
mod callback;
mod callback_hosts;
mod catalog;
mod checked;
mod digest;
mod download;
mod fault;
mod file_name;
mod files;
mod filter;
mod id;
mod key;
mod limits;
mod named_filter;
mod partition;
mod quota;
mod record;
mod request;
mod secret;
mod selection;
mod share;
mod source;
mod time;
mod token;
mod window;
mod workspace;

pub use audit::{Action, Actor, AuditEntry, Subject};
pub use bucket_copy::{
    BucketCopy, BucketCredentials, BucketName, CopyState, CopyTarget, FailedFile, KeyPrefix,
    MAX_FAILED_FILES, StoredCredentials, StoredFile, TargetError, external_id, is_key_id,
    is_secret,
};
pub use callback::{CALLBACK_TIMEOUT, Callback, CallbackUrl, CallbackUrlError, Delivery};
pub use callback_hosts::{CallbackHosts, ForbiddenHost};
pub use catalog::{
    Catalog, CatalogError, Column, ColumnType, Compression, Dataset, Delimited, FieldPath,
    FieldStep, Filing, JsonFormat, Level, MAX_BAD_PERCENT, MAX_DELIVERY_MINUTES, MAX_FIELDS,
    MAX_FILING_HOURS, MAX_LIST_INDEX, MAX_SOURCE_BUCKETS, MAX_TENANT_NAME_BYTES, MAX_TENANT_NAMES,
    RecordFormat, Relation, Release, SourceBucket, SourceRole, Table, Tenancy, TenancyError,
    TenantSource,
};
pub use digest::{hex, sha256_hex};
pub use fault::{Fault, Faults, MAX_FAULTS};
pub use file_name::{FileName, MAX_FILE_NAME_BYTES};
pub use files::{CsvStyle, Files, Format, Parts, PlainFile};
pub use filter::{
    Comparison, Dimension, Filter, FilterError, Literal, MAX_EXPANDED_BYTES, MAX_FILTER_BYTES,
    Operator, Reach, Scope, Test,
};
pub use id::ExportId;
pub use key::{ArchiveKey, BadRowsKey, FileKey, PlainKey, ReceiptKey, WorkKey};
pub use limits::{LINK_LIFETIME, Limits, MAX_BODY_BYTES, MAX_BODY_DEPTH, WindowTooLong};
pub use named_filter::{MAX_NAMED_FILTERS, NamedFilter};
pub use partition::{
    Calendar, Grain, MAX_PARTITIONS, MAX_PATH_BYTES, MAX_PLACEHOLDERS, PartitionPath,
    PartitionPathError, TooManyPartitions,
};
pub use quota::{Quota, QuotaError, QuotaExceeded, QuotaKind, QuotaOverride, RequestCost};
pub use record::{
    ARCHIVE_LIFETIME, Archive, BUILD_LEASE, Backoff, COPY_LEASE, ClaimError, DueKind, Export,
    FIRST_BACKOFF, FOLLOW_UP_AFTER, Failure, FailureCode, Lane, Lease, MAX_BACKOFF, MAX_DEATHS,
    MAX_FAILURES, MAX_RESEND_PAUSE, Origin, REMOVAL_DELAY, RESEND_AFTER, Receipt, STEP_TIMEOUT,
    State, Status,
};
pub use request::{ExportRequest, Order, Released};
pub use secret::Secret;
pub use selection::{TableFilter, TableSelection};
pub use share::{Share, ShareError, ShareId, ShareRequest, ShareSecret, ShareStatus};
pub use source::SourceObject;
pub use time::{TimeFormat, civil_utc, hour_of, parse_time};
pub use token::{Privilege, Token, TokenError, TokenRecord};
pub use window::{Window, WindowError};
pub use workspace::{Workspace, WorkspaceError};
