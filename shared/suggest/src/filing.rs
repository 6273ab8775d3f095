//! How far from their own time rows are filed, and in which time zone their folders are.

use export::PartitionPath;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::time::TimeField;

/// The zones that folders are tried in, one or two for each offset from UTC.
const ZONES: [&str; 22] = [
    "Europe/London",
    "Europe/Berlin",
    "Europe/Helsinki",
    "Europe/Istanbul",
    "Asia/Dubai",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Dhaka",
    "Asia/Bangkok",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Pacific/Auckland",
    "Atlantic/Azores",
    "America/Sao_Paulo",
    "America/Halifax",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
];

/// How far rows are filed from their own time, at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filed {
    pub(crate) early: SignedDuration,
    pub(crate) late: SignedDuration,
}

impl Filed {
    pub(crate) fn farthest(self) -> SignedDuration {
        self.early.max(self.late)
    }
}

/// The keys that samples have, each with what the lake calls its tenant.
pub(crate) type Keys<'a> = [(&'a str, &'a str)];

/// Returns how far from its folder each time of a field is, at most; none if no folder can be read.
pub(crate) fn filed(path: &PartitionPath, keys: &Keys<'_>, field: &TimeField) -> Option<Filed> {
    let begins: Vec<Option<Timestamp>> =
        keys.iter().map(|(tenant, key)| path.partition_of(tenant, key)).collect();
    let mut filed = None::<Filed>;
    for (sample, time) in &field.times {
        let Some(begin) = begins.get(*sample).copied().flatten() else { continue };
        let end = path.calendar().end_of(begin);
        let known = filed.get_or_insert_default();
        known.late = known.late.max(begin.duration_since(*time));
        known.early = known.early.max(time.duration_since(end));
    }
    filed
}

/// Returns the field by which rows are filed: the one whose times are the nearest to the folders, and of those that
/// are about as near, the one whose name says so.
pub(crate) fn nearest<'f>(
    path: &PartitionPath,
    keys: &Keys<'_>,
    fields: &'f [TimeField],
) -> Option<(&'f TimeField, Filed)> {
    let bucket = |filed: Filed| match filed.farthest().as_hours() {
        ..=2 => 0,
        3..=24 => 1,
        25..=400 => 2,
        _ => 3,
    };
    let all = fields.iter().filter_map(|field| Some((field, filed(path, keys, field)?)));
    all.min_by_key(|(field, filed)| (bucket(*filed), field.rank, field.names.len()))
}

/// A time zone in which rows are filed at about their own time, where in UTC they are not.
pub(crate) struct Zoned {
    pub(crate) name: &'static str,
    pub(crate) filed: Filed,
    /// Whether nothing but a zone explains it. That rows are a few hours late is common.
    pub(crate) is_likely: bool,
}

/// Looks for the time zone of folders.
pub(crate) fn zone(
    path: &PartitionPath,
    keys: &Keys<'_>,
    field: &TimeField,
    in_utc: Filed,
) -> Option<Zoned> {
    let hour = SignedDuration::from_hours(1);
    if in_utc.farthest() <= hour {
        return None;
    }
    let zoned = ZONES.iter().filter_map(|name| {
        let path = path.clone().in_zone(TimeZone::get(name).ok()?);
        let filed = filed(&path, keys, field)?;
        (filed.farthest() <= hour).then_some(Zoned { name, filed, is_likely: false })
    });
    let best = zoned.min_by_key(|zoned| zoned.filed.early + zoned.filed.late)?;
    // Only a clock that is wrong files rows long before their time.
    let is_likely = in_utc.early > hour || in_utc.late >= hour * 4;
    Some(Zoned { is_likely, ..best })
}

/// Returns the time zone whose days begin when keys say.
pub(crate) fn zone_of_days(path: &PartitionPath, keys: &Keys<'_>) -> Option<&'static str> {
    ZONES.iter().copied().find(|name| {
        let zone = TimeZone::get(name);
        zone.is_ok_and(|zone| {
            let path = path.clone().in_zone(zone);
            keys.iter().all(|(tenant, key)| path.partition_of(tenant, key).is_some())
        })
    })
}
