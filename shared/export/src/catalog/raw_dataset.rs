//! Reads a dataset of the catalog.

use std::collections::BTreeMap;

use jiff::{SignedDuration, tz::TimeZone};
use serde::Deserialize;
use toml::Spanned;

use super::{
    Compression, Dataset, FieldPath, MAX_BAD_PERCENT, MAX_DELIVERY_MINUTES, MAX_FILING_HOURS,
    Release, SourceBucket, Tenancy,
    dataset::DELIVERY,
    format::{Kind, RawFormat},
    read::Fault,
};
use crate::{BucketName, PartitionPath, TimeFormat};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDataset {
    pub(super) name: Spanned<String>,
    bucket: Option<Spanned<String>>,
    path: Spanned<String>,
    time: Spanned<String>,
    #[serde(default)]
    time_format: TimeFormat,
    /// The time zone of the path, as `Asia/Tokyo`; UTC without it.
    zone: Option<Spanned<String>>,
    workspace: Option<Spanned<RawTenancy>>,
    early_hours: Option<Spanned<u32>>,
    early_minutes: Option<Spanned<u32>>,
    late_hours: Option<Spanned<u32>>,
    late_minutes: Option<Spanned<u32>>,
    delivery_minutes: Option<Spanned<u32>>,
    #[serde(default)]
    compression: Compression,
    format: Option<Spanned<Kind>>,
    unwrap: Option<Spanned<bool>>,
    records: Option<Spanned<String>>,
    header: Option<Spanned<bool>>,
    separator: Option<Spanned<String>>,
    columns: Option<Spanned<Vec<String>>>,
    release: Option<Spanned<RawRelease>>,
    retention_days: Option<u16>,
    max_export_megabytes: Option<u32>,
    max_bad_percent: Option<Spanned<u8>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRelease {
    every_hours: u16,
    after_hours: u16,
    duration: String,
}

/// `"acme"`, or a table that says where a row or a path names its tenant.
#[derive(Deserialize)]
#[serde(untagged, expecting = "workspace is \"name\" or { field, names }")]
enum RawTenancy {
    Constant(String),
    Named(NamedTenancy),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedTenancy {
    field: Option<String>,
    names: Option<BTreeMap<String, String>>,
}

impl RawDataset {
    pub(super) fn build(self, buckets: &BTreeMap<String, SourceBucket>) -> Result<Dataset, Fault> {
        let name = self.name.into_inner();
        let bucket =
            self.bucket.as_ref().map(|bucket| named_bucket(bucket, buckets)).transpose()?;
        let path = PartitionPath::parse(self.path.get_ref())
            .map_err(|error| (self.path.span().start, error.to_string()))?;
        let path = match &self.zone {
            None => path,
            Some(zone) => path.in_zone(time_zone(zone)?),
        };
        let tenancy = match self.workspace {
            None => Tenancy::of_path(),
            Some(raw) => tenancy(raw)?,
        };
        let is_parquet = |kind: &&Spanned<Kind>| *kind.get_ref() == Kind::Parquet;
        if let Some(kind) = self.format.as_ref().filter(is_parquet)
            && self.compression != Compression::Auto
        {
            let reason = "Parquet says itself how it is compressed: leave compression out";
            return Err((kind.span().start, reason.to_owned()));
        }
        tenancy.check(&path).map_err(|error| (self.path.span().start, error.to_string()))?;
        Ok(Dataset {
            name,
            bucket,
            path,
            tenancy,
            time: FieldPath::parse(self.time.get_ref())
                .map_err(|reason| (self.time.span().start, reason))?,
            time_format: self.time_format,
            early: filed(self.early_hours, self.early_minutes)?,
            late: filed(self.late_hours, self.late_minutes)?,
            delivery: self.delivery_minutes.as_ref().map_or(Ok(DELIVERY), delivery)?,
            format: RawFormat {
                format: self.format,
                unwrap: self.unwrap,
                records: self.records,
                header: self.header,
                separator: self.separator,
                columns: self.columns,
            }
            .build()?,
            compression: self.compression,
            max_bad_percent: self.max_bad_percent.as_ref().map_or(Ok(MAX_BAD_PERCENT), percent)?,
            release: self.release.map(release).transpose()?,
            max_export_bytes: u64::from(self.max_export_megabytes.unwrap_or(4000)) * 1_000_000,
            retention: self
                .retention_days
                .map(|days| SignedDuration::from_hours(24 * i64::from(days))),
        })
    }
}

fn named_bucket(
    name: &Spanned<String>,
    buckets: &BTreeMap<String, SourceBucket>,
) -> Result<BucketName, Fault> {
    let found = buckets.get(name.get_ref()).map(|bucket| bucket.name.clone());
    found.ok_or_else(|| {
        let reason = format!("there is no [[bucket]] with the name {:?}", name.get_ref());
        (name.span().start, reason)
    })
}

fn time_zone(name: &Spanned<String>) -> Result<TimeZone, Fault> {
    TimeZone::get(name.get_ref()).map_err(|_| {
        let reason =
            format!("{:?} is no time zone of the IANA list, as Asia/Tokyo", name.get_ref());
        (name.span().start, reason)
    })
}

fn tenancy(raw: Spanned<RawTenancy>) -> Result<Tenancy, Fault> {
    let at = raw.span().start;
    let built = match raw.into_inner() {
        RawTenancy::Constant(name) => Tenancy::of_one(&name),
        RawTenancy::Named(NamedTenancy { field, names }) => {
            let field = field.as_deref().map(FieldPath::parse).transpose();
            Tenancy::named(field.map_err(|reason| (at, reason))?, names)
        }
    };
    built.map_err(|error| (at, error.to_string()))
}

/// Returns how far from its time a row may be filed: an hour, unless it is set.
fn filed(
    hours: Option<Spanned<u32>>,
    minutes: Option<Spanned<u32>>,
) -> Result<SignedDuration, Fault> {
    let (value, minutes) = match (hours, minutes) {
        (None, None) => return Ok(SignedDuration::from_hours(1)),
        (Some(hours), None) => (hours, 60),
        (None, Some(minutes)) => (minutes, 1),
        (Some(hours), Some(_)) => {
            return Err((
                hours.span().start,
                "it is set in hours or in minutes, not both".to_owned(),
            ));
        }
    };
    let total = i64::from(*value.get_ref()) * minutes;
    if total > i64::from(MAX_FILING_HOURS) * 60 {
        let reason = format!("a row is filed {MAX_FILING_HOURS} hours from its time at most");
        return Err((value.span().start, reason));
    }
    Ok(SignedDuration::from_mins(total))
}

fn delivery(minutes: &Spanned<u32>) -> Result<SignedDuration, Fault> {
    let found = *minutes.get_ref();
    if found > MAX_DELIVERY_MINUTES {
        let most = MAX_DELIVERY_MINUTES;
        let reason = format!("objects arrive {most} minutes after their partition at most");
        return Err((minutes.span().start, reason));
    }
    Ok(SignedDuration::from_mins(found.into()))
}

fn percent(percent: &Spanned<u8>) -> Result<u8, Fault> {
    match *percent.get_ref() {
        percent @ 0..=100 => Ok(percent),
        other => Err((percent.span().start, format!("max_bad_percent is 0 to 100; got {other}"))),
    }
}

fn release(raw: Spanned<RawRelease>) -> Result<Release, Fault> {
    let at = raw.span().start;
    let RawRelease { every_hours, after_hours, duration } = raw.into_inner();
    if every_hours == 0 {
        return Err((at, "rows are released every hour at most".to_owned()));
    }
    Ok(Release {
        every: SignedDuration::from_hours(i64::from(every_hours)),
        after: SignedDuration::from_hours(i64::from(after_hours)),
        duration: FieldPath::parse(&duration).map_err(|reason| (at, reason))?,
    })
}
