//! Ids for exports that tests make up.

use export::ExportId;
use jiff::Timestamp;

/// Returns an id that no other export has, as of now.
pub fn new_id() -> ExportId {
    ExportId::new(Timestamp::now(), std::array::from_fn(|_| fastrand::u8(..)))
}
