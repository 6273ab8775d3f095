//! What was read of an object.

/// The first bytes of an object, or its rows.
#[derive(Clone, Debug)]
pub enum Sample {
    /// Its first bytes as they are stored.
    Stored(Vec<u8>),
    /// The first rows of Parquet, as lines of JSON.
    Parquet(Vec<u8>),
    /// Nothing, for this reason.
    Unreadable(String),
}
