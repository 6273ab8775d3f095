//! What a URL of this dialect asks for.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use export::{
    Catalog, ExportRequest, Files, Format, Limits, Origin, TableSelection, Window, Workspace,
    civil_utc, hour_of, sha256_hex,
};
use jiff::{SignedDuration, Timestamp};

/// The table that holds the events.
pub(crate) const TABLE: &str = "amplitude_events";

/// Where the fingerprint of the lake is remembered.
const LAKE: &str = "lake";
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// The longest range, in hours: 365 days.
const MAX_HOURS: i64 = 365 * 24;
/// How long after its end an hour can be exported.
const DELAY: SignedDuration = SignedDuration::from_hours(2);

/// What is asked for: whole hours, both inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    start: Timestamp,
    /// The hour after the last.
    end: Timestamp,
}

impl Ask {
    /// Reads a query, or says what is wrong with it. Parameters that this API does not know are ignored.
    pub(crate) fn read(query: &str, limits: &Limits) -> Result<Self, String> {
        let start = hour(query, "start")?;
        let end = hour(query, "end")?;
        if start > end {
            return Err("start is later than end. Swap them.".to_owned());
        }
        let end = end.checked_add(HOUR).map_err(|_| "end is too far away.".to_owned())?;
        let hours = end.duration_since(start).as_hours();
        let most = limits.longest_window().as_hours().min(MAX_HOURS);
        if hours > most {
            let days = most.checked_div(24).unwrap_or_default();
            return Err(format!(
                "The range has {hours} hours; {days} days ({most} hours) are allowed."
            ));
        }
        Ok(Self { start, end })
    }

    /// Writes it as a query.
    pub(crate) fn query(&self) -> String {
        query(self.start, self.end)
    }

    /// Returns what is stored of the identity: the same hours are the same export. Those are the hours that
    /// are asked for, not those that are complete: whoever asks again while an export is made waits for that
    /// one, though another hour has become complete meanwhile.
    pub(crate) fn key(&self) -> String {
        sha256_hex(format!("amplitude/{}/{}", self.start, self.end).as_bytes())
    }

    /// Returns what of it can be exported at `now`: an hour is complete two hours after its end.
    pub(crate) fn loaded(&self, now: Timestamp) -> Option<Window> {
        let complete = hour_of(now).checked_sub(DELAY).ok()?;
        Window::new(self.start, self.end.min(complete)).ok()
    }
}

/// Returns what an export remembers: who requested it first, and the fingerprint of the lake at that time.
pub(crate) fn origin(requested_by: String, lake: &str) -> Origin {
    let params = [(LAKE.to_owned(), vec![lake.to_owned()])].into();
    Origin { dialect: "amplitude".to_owned(), requested_by, params }
}

/// Returns the fingerprint that the lake had when an export was requested.
pub(crate) fn lake_of(origin: &Origin) -> Option<&str> {
    origin.params.get(LAKE)?.first().map(String::as_str)
}

/// Returns the request that stands for the hours of `window`; none if the catalog has no events.
pub(crate) fn request(
    window: Window,
    workspace: &Workspace,
    catalog: &Catalog,
) -> Option<ExportRequest> {
    let table = catalog.table(TABLE)?;
    let columns =
        table.fill.then(|| table.columns.iter().map(|column| column.name.clone()).collect());
    let table = TableSelection { columns, ..TableSelection::whole(TABLE) };
    let plain = ExportRequest::new(vec![table], window, Format::Jsonl);
    Some(ExportRequest { files: Files::Hourly(app(workspace)), ..plain })
}

/// Returns the number that clients expect in file names: the workspace's name if it is one, else a
/// number that is always the same for it.
fn app(workspace: &Workspace) -> String {
    let name = workspace.as_ref();
    if name.bytes().all(|b| b.is_ascii_digit()) {
        return name.to_owned();
    }
    let hash = sha256_hex(name.as_bytes());
    u32::from_str_radix(&hash[..7], 16).unwrap_or_default().to_string()
}

/// Reads an hour as `20260301T05`; some scripts leave out its leading zero.
fn hour(query: &str, name: &str) -> Result<Timestamp, String> {
    let mut found = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    let first = found.next();
    if found.next().is_some() {
        return Err(format!("The parameter {name} is there twice. Send it once."));
    }
    let Some((_, text)) = first else {
        return Err(format!(
            "The parameter {name} is missing. Give an hour in UTC, as 20260301T05."
        ));
    };
    let padded = match text.split_once('T') {
        Some((day, hour)) if hour.len() == 1 => format!("{day}T0{hour}"),
        _ => text.to_string(),
    };
    civil_utc(&format!("{padded}00"), &["%Y%m%dT%H%M"])
        .filter(|_| padded.len() == 11)
        .ok_or_else(|| no_hour(name, &text))
}

fn no_hour(name: &str, text: &str) -> String {
    let sent: String = text.chars().take(40).collect();
    format!("{name} is \"{sent}\", which is no hour. Give it in UTC, as 20260301T05.")
}

fn written(hour: Timestamp) -> String {
    hour.strftime("%Y%m%dT%H").to_string()
}

/// Writes a range of hours as a query.
pub(crate) fn query(from: Timestamp, to: Timestamp) -> String {
    let last = to.saturating_sub(HOUR).unwrap_or(from);
    format!("start={}&end={}", written(from), written(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn read(query: &str) -> Result<Ask, String> {
        Ask::read(query, &Limits::default())
    }

    #[test]
    fn both_hours_are_inside() {
        let ask = read("start=20260301T00&end=20260301T23&sort=asc").unwrap();
        assert_eq!(ask, Ask { start: at("2026-03-01T00:00:00Z"), end: at("2026-03-02T00:00:00Z") });
        assert_eq!(query(ask.start, ask.end), "start=20260301T00&end=20260301T23");
        assert_eq!(
            read("start=20260301T5&end=20260301T5"),
            read("start=20260301T05&end=20260301T05")
        );
        assert!(read("start=20250101T00&end=20251231T23").is_ok(), "8760 hours");
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for (query, want) in [
            ("end=20260301T00", "start is missing"),
            ("start=20260301T00", "end is missing"),
            ("start=20260301T00&end=20260301T01&start=20260301T00", "start is there twice"),
            ("start=20260301&end=20260301T01", "start is \"20260301\""),
            ("start=2026-03-01T00:00&end=20260301T01", "no hour"),
            ("start=20260301T13H&end=20260301T14", "no hour"),
            ("start=20260301T24&end=20260301T24", "no hour"),
            ("start=20260230T00&end=20260301T01", "no hour"),
            ("start=&end=20260301T01", "no hour"),
            ("start=20260301T02&end=20260301T01", "later than end"),
            ("start=20250101T00&end=20260101T00", "8761 hours"),
            ("start=99991230T21&end=99991230T22", "end is too far away"),
        ] {
            let told = read(query).unwrap_err();
            assert!(told.contains(want), "{query}: {told}");
        }
        let month = Limits { window_days: 31, ..Limits::default() };
        assert!(Ask::read("start=20260301T00&end=20260331T23", &month).is_ok());
        let told = Ask::read("start=20260301T00&end=20260401T00", &month).unwrap_err();
        assert!(told.contains("31 days (744 hours) are allowed"), "{told}");
    }

    #[test]
    fn an_hour_can_be_exported_two_hours_after_its_end() {
        let ask = read("start=20260301T20&end=20260301T21").unwrap();
        let loaded = |now| ask.loaded(at(now)).map(|window| window.to());

        assert_eq!(loaded("2026-03-01T22:59:59Z"), None);
        assert_eq!(loaded("2026-03-01T23:00:00Z"), Some(at("2026-03-01T21:00:00Z")));
        assert_eq!(loaded("2026-03-02T00:00:00Z"), Some(at("2026-03-01T22:00:00Z")));
        assert_eq!(loaded("2027-01-01T00:00:00Z"), Some(at("2026-03-01T22:00:00Z")));
    }

    #[test]
    fn the_same_hours_are_the_same_export_whatever_of_them_is_complete() {
        let day = read("start=20260301T00&end=20260301T23").unwrap();
        let loaded = |now| day.loaded(at(now)).unwrap();
        assert_ne!(loaded("2026-03-01T05:00:00Z"), loaded("2026-03-01T06:00:00Z"));
        assert_eq!(day.key(), read("start=20260301T0&end=20260301T23&x=y").unwrap().key());
        assert_ne!(day.key(), read("start=20260301T00&end=20260302T00").unwrap().key());
    }

    #[test]
    fn records_are_rewritten_with_all_columns_only_where_the_catalog_asks_for_it() {
        let text = include_str!("../../../shared/export/catalog.toml");
        let filled = text.replacen(
            "dataset = \"amplitude_events\"",
            "dataset = \"amplitude_events\"\nfill = true",
            1,
        );
        let columns = |text: &str| {
            let catalog = Catalog::parse("test", text).unwrap();
            let window =
                Window::new(at("2026-03-01T00:00:00Z"), at("2026-03-01T01:00:00Z")).unwrap();
            let request = request(window, &"acme".parse().unwrap(), &catalog).unwrap();
            request.tables[0].columns.as_ref().map(Vec::len)
        };
        assert_eq!((columns(text), columns(&filled)), (None, Some(55)));
    }

    #[test]
    fn a_workspace_named_by_a_number_keeps_it() {
        assert_eq!(app(&"374182".parse().unwrap()), "374182");
        let number = app(&"acme".parse().unwrap());
        assert!(number.parse::<u32>().is_ok() && number == app(&"acme".parse().unwrap()));
    }
}
