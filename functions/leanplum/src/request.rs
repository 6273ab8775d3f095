//! What `exportData` asks for.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use std::collections::BTreeMap;

use export::{
    BucketCredentials, CallbackUrl, CopyTarget, ExportRequest, Files, Format, Limits, Parts,
    Released, Secret, TableSelection, Window, Workspace, is_key_id, is_secret, sha256_hex,
};
use jiff::{SignedDuration, Timestamp, ToSpan as _, civil::Date, tz::TimeZone};

use crate::{arguments::Arguments, error::ApiError};

/// The zone whose days are meant.
const ZONE: &str = "America/Los_Angeles";
/// How far back data can be exported.
const OLDEST_DAYS: i64 = 60;
/// When a file is followed by the next, in bytes.
const FILE_BYTES: u64 = 256 << 20;
/// How often data is released. What was released by now is what was by the last of these.
const RELEASE_SECONDS: i64 = 2 * 3600;

/// The kinds of rows of CSV, and the tables that have them.
const KINDS: [(&str, &str); 6] = [
    ("sessions", "leanplum_sessions"),
    ("experiments", "leanplum_experiments"),
    ("states", "leanplum_states"),
    ("events", "leanplum_events"),
    ("eventparameters", "leanplum_eventparameters"),
    ("userattributes", "leanplum_userattributes"),
];

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ask {
    format: Format,
    window: Window,
    released: Released,
    /// The first day.
    start: Date,
    /// Who is told that it is done.
    pub(crate) callback: Option<CallbackUrl>,
    /// Where its files are copied to, and what opens that.
    pub(crate) copy: Option<(CopyTarget, BucketCredentials)>,
}

/// Returns the zone whose days are meant.
pub(crate) fn zone() -> anyhow::Result<TimeZone> {
    Ok(TimeZone::get(ZONE)?)
}

impl Ask {
    /// Reads the arguments, in the order in which the documents have them.
    pub(crate) fn read(arguments: &Arguments, now: Timestamp) -> Result<Self, ApiError> {
        const DAY: &str = "Give a day as 20140223.";
        const SECONDS: &str = "Give seconds since 1970, UTC.";
        let zone = zone()?;
        let day = |name| match arguments.get(name) {
            None => Ok(None),
            Some(text) => day(text).map(Some).ok_or_else(|| ApiError::wrong(name, DAY)),
        };
        arguments.required("startDate")?;
        let start = day("startDate")?.ok_or_else(|| ApiError::missing("startDate"))?;
        let format = match arguments.get("exportFormat").map(str::to_ascii_lowercase).as_deref() {
            None | Some("json") => Format::Jsonl,
            Some("csv") => Format::Csv,
            Some(_) => return Err(ApiError::wrong("exportFormat", "It is json or csv.")),
        };
        let end = day("endDate")?.unwrap_or(start);
        if end < start {
            return Err(ApiError::wrong("endDate", "It is before startDate."));
        }
        let instant = |name| match arguments.get(name) {
            None => Ok(None),
            Some(text) => seconds(text).map(Some).ok_or_else(|| ApiError::wrong(name, SECONDS)),
        };
        let (from, to) = (instant("startTime")?, instant("endTime")?);
        if from.zip(to).is_some_and(|(from, to)| to < from) {
            return Err(ApiError::wrong("endTime", "It is before startTime."));
        }
        let (callback, copy) = (callback(arguments)?, copy(arguments)?);
        let midnight = |date: Date| date.to_zoned(zone.clone()).map(|zoned| zoned.timestamp());
        let after = end.checked_add(1.day());
        let ends = midnight(start).and_then(|from| Ok((from, midnight(after?)?)));
        let (first, last) = ends.map_err(|_| ApiError::wrong("endDate", DAY))?;
        let window = Window::new(first, last)
            .map_err(|_| ApiError::wrong("endDate", "It is before startDate."))?;
        let since_release = now.as_second().rem_euclid(RELEASE_SECONDS);
        let latest = Timestamp::from_second(now.as_second().saturating_sub(since_release));
        let latest = latest.unwrap_or(now);
        let released = Released { from, to: to.map_or(latest, |to| to.min(latest)) };
        Ok(Self { format, window, released, start, callback, copy })
    }

    /// Tells whether it is about days too long ago.
    pub(crate) fn is_too_old(&self, now: Timestamp) -> Result<bool, ApiError> {
        let today = now.to_zoned(zone()?).date();
        let oldest = today.checked_sub(OLDEST_DAYS.days());
        Ok(oldest.is_ok_and(|oldest| self.start < oldest))
    }

    /// Returns what of it is planned, or refuses days that are too many.
    pub(crate) fn planned(self, limits: &Limits, now: Timestamp) -> Result<Self, ApiError> {
        let wrong = |error| ApiError::wrong("endDate", &format!("From startDate on, {error}."));
        let window = limits.planned_window(self.window, now).map_err(wrong)?;
        Ok(Self { window, ..self })
    }

    /// Returns the request it stands for, whose files have names that nobody guesses.
    pub(crate) fn request(&self, app: u64, secret: &str) -> ExportRequest {
        let stem = |kind: &str| Some(format!("export-{app}-{secret}-output{kind}"));
        let tables = match self.format {
            Format::Csv => KINDS
                .iter()
                .map(|(kind, table)| TableSelection {
                    file: stem(kind),
                    ..TableSelection::whole(table)
                })
                .collect(),
            Format::Jsonl | Format::Parquet => {
                vec![TableSelection { file: stem(""), ..TableSelection::whole(KINDS[0].1) }]
            }
        };
        let parts = Parts { max_bytes: FILE_BYTES, max_rows: None, suffix: false };
        ExportRequest {
            files: Files::Parts(parts),
            released: Some(self.released),
            ..ExportRequest::new(tables, self.window, self.format)
        }
    }

    /// Returns the request for the sessions alone.
    pub(crate) fn sessions(&self) -> ExportRequest {
        let tables = vec![TableSelection::whole(KINDS[0].1)];
        let plain = ExportRequest::new(tables, self.window, Format::Jsonl);
        ExportRequest { released: Some(self.released), ..plain }
    }

    /// Returns the parameters that an export remembers.
    pub(crate) fn params(job: &str) -> BTreeMap<String, Vec<String>> {
        [("jobId".to_owned(), vec![job.to_owned()])].into()
    }
}

/// Returns the number of an app, always the same for a workspace: its name, if that is one.
pub(crate) fn app_number(workspace: &Workspace) -> u64 {
    let name = workspace.as_ref();
    name.parse().unwrap_or_else(|_| {
        let hash = sha256_hex(name.as_bytes());
        u64::from_str_radix(&hash[..13], 16).unwrap_or_default()
    })
}

/// Returns the secret in the name of a file.
pub(crate) fn secret_of(file: &str) -> Option<&str> {
    let (_, rest) = file.strip_prefix("export-")?.split_once('-')?;
    let secret = rest.get(..36)?;
    rest[36..].starts_with("-output").then_some(secret)
}

/// Reads who is told. `responseWebhook` is what some call it.
fn callback(arguments: &Arguments) -> Result<Option<CallbackUrl>, ApiError> {
    let named = ["callbackUrl", "responseWebhook"].map(|name| Some((name, arguments.get(name)?)));
    let Some((name, url)) = named.into_iter().flatten().next() else { return Ok(None) };
    url.parse()
        .map(Some)
        .map_err(|error| ApiError::wrong(name, &format!("It is no such URL: {error}.")))
}

/// Reads where files are copied to. Without a bucket, what else is said of it is ignored.
fn copy(arguments: &Arguments) -> Result<Option<(CopyTarget, BucketCredentials)>, ApiError> {
    let Some(bucket) = arguments.get("s3BucketName") else { return Ok(None) };
    let bucket = bucket.parse();
    let bucket = bucket.map_err(|e| ApiError::wrong("s3BucketName", &format!("For S3, {e}.")))?;
    let id = arguments.required("s3AccessId")?;
    if !is_key_id(id) {
        return Err(ApiError::wrong("s3AccessId", "It is the id of an access key of AWS."));
    }
    // Some clients do not escape it: a plus in a query is a blank, and secrets have none.
    let secret = arguments.required("s3AccessKey")?.replace(' ', "+");
    if !is_secret(&secret) {
        return Err(ApiError::wrong("s3AccessKey", "It is the secret of an access key of AWS."));
    }
    let prefix = arguments.get("s3ObjectPrefix").unwrap_or_default().parse();
    let prefix = prefix.map_err(|e| ApiError::wrong("s3ObjectPrefix", &format!("For S3, {e}.")))?;
    let gzip = match arguments.get("compressData").map(str::to_ascii_lowercase).as_deref() {
        None | Some("false" | "0") => false,
        Some("true" | "1") => true,
        Some(_) => return Err(ApiError::wrong("compressData", "It is true or false.")),
    };
    let target = CopyTarget { bucket, prefix, gzip, manifest: false };
    let opener = BucketCredentials::Key { id: id.to_owned(), secret: Secret::new(secret) };
    Ok(Some((target, opener)))
}

fn day(text: &str) -> Option<Date> {
    let plain = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| Date::strptime("%Y%m%d", text).ok()).flatten()
}

fn seconds(text: &str) -> Option<Timestamp> {
    let number: f64 = text.trim().parse().ok().filter(|n: &f64| n.is_finite() && *n >= 0.0)?;
    Timestamp::UNIX_EPOCH.checked_add(SignedDuration::try_from_secs_f64(number).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use axum::{body::Bytes, http::HeaderMap, response::IntoResponse as _};

    use super::*;

    const NOW: &str = "2026-06-01T13:00:00Z";

    async fn read(query: &str) -> Result<Ask, ApiError> {
        let arguments = Arguments::read(query, &HeaderMap::new(), &Bytes::new()).await.unwrap();
        Ask::read(&arguments, NOW.parse().unwrap())
    }

    #[tokio::test]
    async fn days_are_those_of_los_angeles() {
        for (query, from, to) in [
            ("startDate=20260301", "2026-03-01T08:00:00Z", "2026-03-02T08:00:00Z"),
            ("startDate=20260308", "2026-03-08T08:00:00Z", "2026-03-09T07:00:00Z"),
            ("startDate=20251102", "2025-11-02T07:00:00Z", "2025-11-03T08:00:00Z"),
            ("startDate=20260301&endDate=20260308", "2026-03-01T08:00:00Z", "2026-03-09T07:00:00Z"),
        ] {
            let window = read(query).await.unwrap().window;
            assert_eq!(
                (window.from().to_string(), window.to().to_string()),
                (from.into(), to.into())
            );
        }
    }

    #[tokio::test]
    async fn days_without_an_end_are_planned_until_tomorrow() {
        let now = NOW.parse().unwrap();
        let to = async |query: &str, limits: &Limits| {
            read(query).await.unwrap().planned(limits, now).map(|ask| ask.window.to().to_string())
        };
        let limits = Limits::default();
        let ever = "startDate=20260601&endDate=99991229";
        assert_eq!(to(ever, &limits).await.unwrap(), "2026-06-03T00:00:00Z");
        assert_eq!(to("startDate=20260601", &limits).await.unwrap(), "2026-06-02T07:00:00Z");
        let month = Limits { window_days: 31, ..Limits::default() };
        let refused = to("startDate=20260415&endDate=20260531", &month).await.unwrap_err();
        assert_eq!(refused.into_response().status(), 400);
    }

    #[tokio::test]
    async fn what_is_released_is_bounded_by_the_call() {
        let released = async |query: &str| {
            read(&format!("startDate=20260601&{query}")).await.unwrap().released
        };
        assert_eq!(released("").await.to, "2026-06-01T12:00:00Z".parse().unwrap());
        let bounded = released("startTime=1780000000.5&endTime=1780010000").await;
        assert_eq!(bounded.from.unwrap().to_string(), "2026-05-28T20:26:40.5Z");
        assert_eq!(bounded.to.to_string(), "2026-05-28T23:13:20Z");
        assert_eq!(
            released("endTime=9999999999").await.to,
            "2026-06-01T12:00:00Z".parse().unwrap()
        );
    }

    #[tokio::test]
    async fn what_is_wrong_is_refused_by_its_name() {
        let bucket = "s3BucketName=bucket";
        let id = format!("{bucket}&s3AccessId=AKIAEXAMPLE");
        let key = format!("{id}&s3AccessKey=abcd");
        for (query, name) in [
            ("startDate=2026-03-01".to_owned(), "startDate"),
            ("startDate=20260230".to_owned(), "startDate"),
            (String::new(), "startDate"),
            ("exportFormat=xml".to_owned(), "exportFormat"),
            ("endDate=20260228".to_owned(), "endDate"),
            ("startTime=-1".to_owned(), "startTime"),
            ("startTime=NaN".to_owned(), "startTime"),
            ("startTime=2&endTime=1".to_owned(), "endTime"),
            ("callbackUrl=example.com".to_owned(), "callbackUrl"),
            ("responseWebhook=ftp://example.com".to_owned(), "responseWebhook"),
            ("s3BucketName=B".to_owned(), "s3BucketName"),
            (bucket.to_owned(), "s3AccessId"),
            (id.clone(), "s3AccessKey"),
            (format!("{id}&s3AccessKey=%0A%0A%0A%0A"), "s3AccessKey"),
            (format!("{bucket}&s3AccessId=A/B.C&s3AccessKey=abcd"), "s3AccessId"),
            (format!("{key}&s3ObjectPrefix=%0A"), "s3ObjectPrefix"),
            (format!("{key}&compressData=x"), "compressData"),
        ] {
            let day = if name == "startDate" { "" } else { "startDate=20260301&" };
            let refused = read(&format!("{day}{query}")).await.unwrap_err();
            let told = format!("{refused:?}");
            assert!(told.contains(&format!("parameter: {name}")), "{query}: {told}");
            assert_eq!(refused.into_response().status(), 400, "{query}");
        }
        let now = NOW.parse().unwrap();
        assert!(!read("startDate=20260402").await.unwrap().is_too_old(now).unwrap());
        assert!(read("startDate=20260401").await.unwrap().is_too_old(now).unwrap());
    }

    #[tokio::test]
    async fn a_secret_whose_plus_was_not_escaped_is_mended() {
        let key = "s3BucketName=bucket&s3AccessId=AKIAEXAMPLE&s3AccessKey=ab+cd/ef";
        let ask = read(&format!("startDate=20260301&{key}&s3ObjectPrefix=a/")).await.unwrap();
        let (target, opener) = ask.copy.unwrap();
        assert_eq!((target.key("b"), target.gzip), ("a/b".to_owned(), false));
        assert!(
            matches!(opener, BucketCredentials::Key { secret, .. } if secret.reveal() == "ab+cd/ef")
        );
        let without = "startDate=20260301&s3AccessId=x&s3AccessKey=y&compressData=z";
        assert_eq!(read(without).await.unwrap().copy, None);
    }

    #[test]
    fn a_files_name_has_its_secret() {
        let secret = "6d1aeb86-6a02-4d3c-b3a3-5d1d3ac5a9be";
        assert_eq!(secret_of(&format!("export-7-{secret}-outputsessions-0")), Some(secret));
        assert_eq!(secret_of("export-7-6d1aeb86-output-0"), None);
        assert_eq!(secret_of("..."), None);
    }
}
