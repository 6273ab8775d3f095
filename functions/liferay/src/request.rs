//! What a URL of this dialect asks for.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use export::{
    Catalog, ExportRequest, Files, Format, Limits, TableSelection, Window, civil_utc, sha256_hex,
};
use jiff::{SignedDuration, Timestamp};

use crate::error::RequestError;

/// The types there are, and the tables that hold them.
const TYPES: [(&str, &str); 6] = [
    ("event", "liferay_event"),
    ("identity", "liferay_identity"),
    ("individual", "liferay_individual"),
    ("membership", "liferay_membership"),
    ("page", "liferay_page"),
    ("segment", "liferay_segment"),
];

/// The types that are kept for a limited time only.
const LIMITED: [&str; 2] = ["event", "page"];

/// The forms of a date, always in UTC, and the unit of time that each stands for as the last one.
const FORMS: [(&str, SignedDuration); 3] = [
    ("%Y-%m-%dT%H:%M:%S.%3f", SignedDuration::from_millis(1)),
    ("%Y-%m-%dT%H:%M:%S", SignedDuration::from_secs(1)),
    ("%Y-%m-%dT%H:%M", SignedDuration::from_mins(1)),
];

/// What is asked for: rows of a type, from an instant up to and including another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) kind: &'static str,
    pub(crate) from: Timestamp,
    /// The last instant, as it was written.
    pub(crate) to: Timestamp,
    /// From the first instant to the end of the last minute, second or millisecond.
    asked: Window,
    /// What of it is planned.
    window: Window,
    table: &'static str,
}

impl Ask {
    /// Reads type and query, in the order in which the documents say what is checked.
    pub(crate) fn read(
        kind: &str,
        query: &str,
        catalog: &Catalog,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<Self, RequestError> {
        let found =
            TYPES.into_iter().find(|(name, table)| *name == kind && catalog.table(table).is_some());
        let Some((kind, table)) = found else {
            let names = TYPES.map(|(name, _)| name).join(", ");
            return refuse(format!(
                "There is no type \"{}\". The types are {names}.",
                shorten(kind)
            ));
        };
        let all = |name: &str| {
            let pairs = form_urlencoded::parse(query.as_bytes());
            let values = pairs.filter(|(key, _)| key == name);
            values.map(|(_, value)| value.trim().to_owned()).collect::<Vec<_>>()
        };
        if let Some(name) = ["fromDate", "toDate"].into_iter().find(|name| all(name).len() > 1) {
            return refuse(format!("The parameter {name} is there twice. Send it once."));
        }
        let of = |name: &str| all(name).pop();
        let given = |name| of(name).filter(|value| !value.is_empty());
        let (from, to) = match (given("fromDate"), given("toDate")) {
            (Some(from), Some(to)) => (from, to),
            (None, _) => return refuse("The parameter fromDate is missing.".to_owned()),
            (Some(_), None) => {
                let message = "The parameter toDate is missing. In a shell, put the URL in quotes: without \
                               them, & ends the command and only fromDate is sent.";
                return refuse(message.to_owned());
            }
        };
        let ((from, _), (to, unit)) = (date("fromDate", &from)?, date("toDate", &to)?);
        if from > to {
            return refuse("fromDate is later than toDate. Swap them.".to_owned());
        }
        let asked = Window::inclusive(from, to, unit);
        let asked =
            asked.map_err(|error| RequestError::Request(format!("For toDate, {error}.")))?;
        let window = limits.planned_window(asked, now).map_err(|error| {
            RequestError::Request(format!(
                "From fromDate to toDate, {error}. Ask for parts of that time."
            ))
        })?;
        Ok(Self { kind, from, to, asked, window, table })
    }

    /// Says why an export of this may not be made at `now`, if it reaches back to what is not kept. One
    /// that was made before stays what it is.
    pub(crate) fn beyond_retention(
        &self,
        catalog: &Catalog,
        now: Timestamp,
    ) -> Option<RequestError> {
        let retention = catalog.dataset_of(catalog.table(self.table)?).retention?;
        let oldest = now.checked_sub(retention).ok()?;
        if !LIMITED.contains(&self.kind) || oldest <= self.from {
            return None;
        }
        let days = retention.as_hours() / 24;
        Some(RequestError::Retention(format!(
            "Data of this type is kept for {days} days. Choose a later fromDate."
        )))
    }

    /// Returns what is stored of the identity: the same type and instants are the same export.
    pub(crate) fn key(&self) -> String {
        let (from, to) = (self.asked.from(), self.asked.to());
        sha256_hex(format!("liferay/{}/{from}/{to}", self.kind).as_bytes())
    }

    /// Returns the request it stands for.
    pub(crate) fn request(&self) -> ExportRequest {
        let tables = vec![TableSelection::whole(self.table)];
        let plain = ExportRequest::new(tables, self.window, Format::Jsonl);
        ExportRequest { files: Files::Single("data.json".to_owned()), ..plain }
    }
}

/// Reads a date, and the unit of time to which it is written. The quotes around `T` and `Z` in the
/// documented form are meant for programmers, and are copied all the same.
fn date(name: &str, text: &str) -> Result<(Timestamp, SignedDuration), RequestError> {
    let plain = text.replace('\'', "");
    let plain = plain.strip_suffix('Z').unwrap_or(&plain);
    // Milliseconds may stand without seconds.
    let plain = match plain.split_once('.') {
        Some((minute, millis)) if minute.len() == "2026-03-01T00:00".len() => {
            format!("{minute}:00.{millis}")
        }
        _ => plain.to_owned(),
    };
    let read = FORMS.iter().find_map(|(form, unit)| Some((civil_utc(&plain, &[form])?, *unit)));
    read.ok_or_else(|| {
        RequestError::Request(format!(
            "{name} is \"{}\", which is no date. Give it in UTC as 2026-03-01T00:00:00.000Z.",
            shorten(text)
        ))
    })
}

fn refuse<T>(message: String) -> Result<T, RequestError> {
    Err(RequestError::Request(message))
}

fn shorten(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-06-01T00:00:00Z";

    fn read(kind: &str, query: &str) -> Result<Ask, String> {
        let catalog = Catalog::built_in().unwrap();
        let limits = Limits::default();
        Ask::read(kind, query, &catalog, &limits, NOW.parse().unwrap()).map_err(|refusal| {
            match refusal {
                RequestError::Request(message) | RequestError::Retention(message) => message,
            }
        })
    }

    #[test]
    fn every_accepted_form_of_a_date_is_the_same_request() {
        let want =
            read("page", "fromDate=2023-01-01T00:00:00.000Z&toDate=2023-01-31T23:59:00.000Z")
                .unwrap();
        for query in [
            "fromDate=2023-01-01T00:00&toDate=2023-01-31T23:59.000",
            "fromDate=2023-01-01T00:00Z&toDate=2023-01-31T23:59:00.000",
            "toDate=2023-01-31T23%3A59.000Z&fromDate=2023-01-01T00:00:00&x=y",
            "fromDate=2023-01-01'T'00:00:00.000'Z'&toDate=2023-01-31'T'23:59:00.000'Z'",
        ] {
            assert_eq!(read("page", query).as_ref(), Ok(&want), "{query}");
            assert_eq!(read("page", query).unwrap().key(), want.key());
        }
        assert_ne!(
            read("event", "fromDate=2023-01-01T00:00&toDate=2023-01-31T23:59:00.000")
                .unwrap()
                .key(),
            want.key()
        );
    }

    #[test]
    fn the_last_minute_second_or_millisecond_is_inside() {
        for (to, end) in [
            ("2023-01-31T23:59", "2023-02-01T00:00:00Z"),
            ("2023-01-31T23:59:59Z", "2023-02-01T00:00:00Z"),
            ("2023-01-31T23:59:59.999Z", "2023-02-01T00:00:00Z"),
            ("2023-01-31T23:59.500", "2023-01-31T23:59:00.501Z"),
        ] {
            let ask = read("page", &format!("fromDate=2023-01-01T00:00&toDate={to}")).unwrap();
            assert_eq!(ask.window.to(), end.parse().unwrap(), "{to}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_in_the_documented_order() {
        let good = "fromDate=2023-01-01T00:00&toDate=2023-01-31T23:59";
        for (kind, query, want) in [
            ("pages", "", "There is no type \"pages\""),
            ("Page", good, "There is no type \"Page\""),
            ("page", "", "fromDate is missing"),
            ("page", "fromDate=%20&toDate=x", "fromDate is missing"),
            ("page", "fromDate=2023-01-01T00:00", "put the URL in quotes"),
            ("page", "fromDate=a&toDate=b&toDate=c", "toDate is there twice"),
            ("page", "fromDate=2023-01-01&toDate=2023-01-31", "fromDate is \"2023-01-01\""),
            ("page", "fromDate=2023-01-01T00:00&toDate=2023-02-30T00:00", "toDate is \"2023-02-30"),
            ("page", "fromDate=2023-01-01T00:00%2B01:00&toDate=2023-02-01T00:00", "fromDate is"),
            ("page", "fromDate=2023-01-01T00:00:00.00Z&toDate=2023-02-01T00:00", "fromDate is"),
            ("page", "fromDate=2023-02-01T00:00&toDate=2023-01-01T00:00", "later than toDate"),
            ("segment", "fromDate=0001-01-01T00:00&toDate=2026-01-01T00:00", "366 are allowed"),
        ] {
            let told = read(kind, query).unwrap_err();
            assert!(told.contains(want), "{kind}?{query}: {told}");
        }
        assert!(
            read("page", "fromDate=2023-01-01T00:00&toDate=2023-01-01T00:00").is_ok(),
            "equal is fine"
        );
    }

    #[test]
    fn a_date_in_the_future_is_not_planned() {
        let query = "fromDate=2026-05-01T00:00&toDate=9999-12-30T22:00";
        let ask = read("segment", query).unwrap();
        assert_eq!(ask.to, "9999-12-30T22:00:00Z".parse().unwrap(), "it is told as it was asked");
        let window = ask.request().window;
        assert_eq!(window.to(), "2026-06-03T00:00:00Z".parse().unwrap());
    }

    #[test]
    fn what_is_older_than_the_retention_is_refused_for_the_limited_types() {
        let text = include_str!("../../../shared/export/catalog.toml");
        let text = text.replace("late_hours = 1", "late_hours = 1\nretention_days = 30");
        let catalog = Catalog::parse("test", &text).unwrap();
        let (limits, now) = (Limits::default(), NOW.parse().unwrap());
        let refused = |kind, from: &str| {
            let query = format!("fromDate={from}&toDate=2026-05-31T00:00");
            let ask = Ask::read(kind, &query, &catalog, &limits, now).unwrap();
            ask.beyond_retention(&catalog, now)
        };
        assert!(matches!(refused("page", "2026-05-01T23:59"), Some(RequestError::Retention(_))));
        assert_eq!(refused("page", "2026-05-02T00:00"), None);
        assert_eq!(refused("segment", "2026-05-01T23:59"), None);
    }
}
