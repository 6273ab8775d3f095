//! Datasets: one kind of record in the lake each.

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{FieldPath, RecordFormat, Tenancy};
use crate::{
    BucketName, Calendar, PartitionPath, TimeFormat, TooManyPartitions, Window, Workspace,
};

/// One kind of record in the lake.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Its name in the catalog.
    pub name: String,
    /// The bucket of its objects; `None` if it is the bucket of the lake.
    pub bucket: Option<BucketName>,
    /// The path of its objects.
    pub path: PartitionPath,
    /// Whose rows they are.
    pub tenancy: Tenancy,
    /// The field that carries the time of a row.
    pub time: FieldPath,
    /// The format of that field.
    pub time_format: TimeFormat,
    /// How long before its own time a row may have been filed, for example by a client whose clock is ahead.
    pub early: SignedDuration,
    /// How long after its own time a row may have been filed.
    pub late: SignedDuration,
    /// How long after the end of a partition objects may still arrive there, as those that a producer buffers.
    pub delivery: SignedDuration,
    /// How records stand in its objects.
    pub format: RecordFormat,
    /// How its objects are compressed.
    pub compression: Compression,
    /// How much of an object's rows may be unreadable, in percent. An export that reads one with more fails.
    pub max_bad_percent: u8,
    /// When its rows can be exported, for datasets that release rows late.
    pub release: Option<Release>,
    /// How far back its data goes. `None` means without limit.
    pub retention: Option<SignedDuration>,
    /// The most bytes of source objects, as stored, that one export may read, for dialects with such a limit.
    pub max_export_bytes: u64,
}

/// How much of an object's rows may be unreadable, in percent, unless a dataset says otherwise.
pub const MAX_BAD_PERCENT: u8 = 90;

/// The longest that a row may be filed before or after its own time, in hours: 366 days.
pub const MAX_FILING_HOURS: u32 = 8784;

/// How long after the end of a partition objects may still arrive there, unless a dataset says otherwise: Amazon Data
/// Firehose buffers for 15 minutes at most.
pub(super) const DELIVERY: SignedDuration = SignedDuration::from_mins(15);

/// The longest that objects may arrive after the end of their partition, in minutes: a week.
pub const MAX_DELIVERY_MINUTES: u32 = 10_080;

/// How far from its own time a dataset may file a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filing {
    /// The partitions.
    pub calendar: Calendar,
    /// How long before its own time a row may have been filed.
    pub early: SignedDuration,
    /// How long after its own time a row may have been filed.
    pub late: SignedDuration,
}

/// When rows can be exported: at the first multiple of `every`, counted from 1970, at which they have been
/// filed and their session ended `after` ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Hours between releases.
    pub every: SignedDuration,
    /// Hours between the end of a session and its release, at least.
    pub after: SignedDuration,
    /// The field with the duration of a session, in seconds.
    pub duration: FieldPath,
}

/// How objects are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Detected from the first bytes, or the key where they tell nothing.
    #[default]
    Auto,
    /// gzip (RFC 1952), one member or many.
    Gzip,
    /// zlib (RFC 1950), one stream or many.
    Zlib,
    /// Zstandard (RFC 8878), one frame or many.
    Zstd,
    /// Snappy in its framing format.
    Snappy,
    /// Snappy in the blocks of Hadoop.
    HadoopSnappy,
    /// bzip2, one stream or many.
    Bzip2,
    /// LZ4 in frames, one or many.
    Lz4,
    /// Not compressed.
    None,
}

impl Dataset {
    /// Returns how far from its own time a row may have been filed.
    pub fn filing(&self) -> Filing {
        let calendar = self.path.calendar().clone();
        Filing { calendar, early: self.early, late: self.late }
    }

    /// Returns the beginnings of the partitions that may hold rows of `window` of a workspace, in order; none if the
    /// dataset has nothing of the workspace. Fails if there are more than [`crate::MAX_PARTITIONS`].
    pub fn partitions(
        &self,
        workspace: &Workspace,
        window: Window,
    ) -> Result<Vec<Timestamp>, TooManyPartitions> {
        if self.tenancy.name_of(workspace).is_none() {
            return Ok(Vec::new());
        }
        let from = window.from().saturating_sub(self.early).unwrap_or(Timestamp::MIN);
        let to = window.to().saturating_add(self.late).unwrap_or(Timestamp::MAX);
        self.path.begins(from, to)
    }

    /// Returns the instant before which no row can be added any more once it is `now`: the partitions that may hold such
    /// rows have ended, and their objects have arrived.
    pub fn complete_through(&self, now: Timestamp) -> Timestamp {
        let arrived = now.saturating_sub(self.delivery).unwrap_or(Timestamp::MIN);
        let ended = self.path.calendar().begin_of(arrived);
        ended.saturating_sub(self.late).unwrap_or(Timestamp::MIN)
    }

    /// Returns the instant from which on no row of `window` can be added any more.
    pub fn may_change_until(&self, window: Window) -> Timestamp {
        let calendar = self.path.calendar();
        let last = window.to().saturating_sub(SignedDuration::from_nanos(1));
        let filed = last.and_then(|last| last.saturating_add(self.late)).unwrap_or(Timestamp::MAX);
        let end = calendar.end_of(calendar.begin_of(filed));
        end.saturating_add(self.delivery).unwrap_or(Timestamp::MAX)
    }

    /// Returns the prefixes under which all objects of these partitions are: one for each partition, or one for each
    /// day if there are more than `max_partitions`.
    pub fn prefixes(
        &self,
        workspace: &Workspace,
        begins: &[Timestamp],
        max_partitions: usize,
    ) -> Vec<String> {
        let name = self.tenancy.name_of(workspace);
        name.map(|name| self.path.prefixes(name, begins, max_partitions)).unwrap_or_default()
    }

    /// Returns the beginning of the partition of a workspace that an object belongs to; `None` if it belongs to none.
    pub fn partition_of(&self, workspace: &Workspace, key: &str) -> Option<Timestamp> {
        self.path.partition_of(self.tenancy.name_of(workspace)?, key)
    }
}

impl Filing {
    /// Returns the times that rows of the partition that begins at `partition` may have. An export whose
    /// window holds none of them does not look there, so a row with another time is in no export of its time.
    pub fn times(&self, partition: Timestamp) -> Range<Timestamp> {
        let start = partition.saturating_sub(self.late).unwrap_or(Timestamp::MIN);
        let end = self.calendar.end_of(partition);
        start..end.saturating_add(self.early).unwrap_or(Timestamp::MAX)
    }
}
