//! Where a dataset's objects lie: prefixes and names that tell a tenant and a time.
//!
//! A [`PartitionPath`] is a template such as `events/{workspace}/{yyyy}/{MM}/{dd}/{HH}/`. All objects of one hour,
//! day or month of one tenant are a partition. The template may end inside of a name (`logs/{yyyy}{MM}{dd}-{HH}_`);
//! what follows belongs to the partition.

mod calendar;
mod key;
mod template;

use jiff::Timestamp;

pub use calendar::{Calendar, Grain};
pub use template::{MAX_PATH_BYTES, MAX_PLACEHOLDERS, PartitionPathError};
use template::{Part, Unit};

/// A template of the keys of a dataset's objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionPath {
    parts: Vec<Part>,
    calendar: Calendar,
}

/// The most partitions of one window: eleven years of hours, more than `MaxWindowDays` allows.
///
/// Requests are refused long before. This bound is for a window that nobody checked.
pub const MAX_PARTITIONS: i64 = 100_000;

/// A window that touches more than [`MAX_PARTITIONS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the window touches more than {MAX_PARTITIONS} partitions")]
pub struct TooManyPartitions;

impl PartitionPath {
    /// Reads a template, whose times are in UTC.
    pub fn parse(text: &str) -> Result<Self, PartitionPathError> {
        let parts = template::parse(text)?;
        let grain = template::grain(&parts)?;
        template::check(&parts)?;
        Ok(Self { parts, calendar: Calendar::new(grain, jiff::tz::TimeZone::UTC) })
    }

    /// Returns the template with its times in another time zone.
    #[must_use]
    pub fn in_zone(self, zone: jiff::tz::TimeZone) -> Self {
        Self { calendar: Calendar::new(self.calendar.grain(), zone), ..self }
    }

    /// Returns how long a partition is, and in which time zone.
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Tells whether keys name a tenant.
    pub fn has_workspace(&self) -> bool {
        self.parts.contains(&Part::Workspace)
    }

    /// Returns the beginnings of the partitions that have times from `from` to `to`, in order. Fails before the
    /// first one if there are more than [`MAX_PARTITIONS`].
    pub fn begins(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Timestamp>, TooManyPartitions> {
        let spans = to.duration_since(from).as_secs() / self.calendar.grain().seconds();
        if spans > MAX_PARTITIONS {
            return Err(TooManyPartitions);
        }
        let first = self.calendar.begin_of(from);
        let next = |at: &Timestamp| Some(self.calendar.end_of(*at)).filter(|end| end > at);
        let begins = std::iter::successors(Some(first), next).take_while(|at| *at < to);
        let begins: Vec<Timestamp> = begins.collect();
        if begins.len() > usize::try_from(MAX_PARTITIONS).unwrap_or(usize::MAX) {
            return Err(TooManyPartitions);
        }
        Ok(begins)
    }

    /// Returns the prefix of all keys of the tenant's partition that begins at `begin`. Keys of other partitions may
    /// have it, too, where the template has a wildcard or a minute.
    pub fn prefix(&self, tenant: &str, begin: Timestamp) -> String {
        let end = self.parts.iter().position(Part::is_open).unwrap_or(self.parts.len());
        self.write(&self.parts[..end], tenant, begin)
    }

    /// Returns the fewest prefixes under which all keys of these partitions are, none of which begins with another:
    /// one for each partition, or one for each day if there are more than `max_partitions` partitions.
    pub fn prefixes(
        &self,
        tenant: &str,
        begins: &[Timestamp],
        max_partitions: usize,
    ) -> Vec<String> {
        let day = if begins.len() > max_partitions { self.parts_of_day() } else { None };
        let mut prefixes: Vec<String> = match day {
            Some(parts) => begins.iter().map(|at| self.write(parts, tenant, *at)).collect(),
            None => begins.iter().map(|at| self.prefix(tenant, *at)).collect(),
        };
        prefixes.sort_unstable();
        // Of those that begin with another, the shortest comes first.
        prefixes.dedup_by(|next, kept| next.starts_with(kept.as_str()));
        prefixes
    }

    /// Returns the beginning of the partition that a tenant's object belongs to. `None` if it belongs to none, or if
    /// it is hidden: by a convention of Hadoop, the name of such a file or folder begins with `_` or `.`.
    pub fn partition_of(&self, tenant: &str, key: &str) -> Option<Timestamp> {
        key::find(&self.parts, &self.calendar, tenant, key)
    }

    /// Returns the parts that name a day, if they stand before all that tell hours.
    fn parts_of_day(&self) -> Option<&[Part]> {
        let is_within = |part: &Part| part.is_open() || part.unit() == Some(Unit::Hour);
        let parts = &self.parts[..self.parts.iter().position(is_within)?];
        template::names_day(parts).then_some(parts)
    }

    fn write(&self, parts: &[Part], tenant: &str, begin: Timestamp) -> String {
        let civil = self.calendar.civil(begin);
        let day = || self.calendar.day_of(begin);
        parts.iter().map(|part| part.write(tenant, civil, day)).collect()
    }
}

#[cfg(test)]
mod tests;
