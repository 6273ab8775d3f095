//! From the fields of the form to the body that the native API takes.

use export::{Catalog, Table};
use jiff::{Span, Timestamp, ToSpan as _, Zoned, civil::DateTime, tz::TimeZone};
use serde_json::{Map, Value, json};

use crate::form::Form;

/// The windows that are a click away, each with its name in the form and what people call it.
pub const WINDOWS: [(&str, &str); 7] = [
    ("hour", "The last full hour"),
    ("24h", "The last 24 full hours"),
    ("yesterday", "Yesterday"),
    ("7d", "The last 7 days"),
    ("month", "This month until now"),
    ("last-month", "Last month"),
    ("own", "From and to, as below"),
];

/// Returns the tables that the form names, in the order of the catalog.
pub fn chosen<'a>(catalog: &'a Catalog, form: &Form) -> Vec<&'a Table> {
    catalog.tables().filter(|table| form.has("table", &table.name)).collect()
}

/// Returns the body, or what is wrong with fields that only the form has.
pub fn body_of(form: &Form, tables: &[&Table], now: Timestamp) -> Result<Value, Vec<String>> {
    let (from, to) = window(form, now).map_err(|fault| vec![fault])?;
    let columns: Map<String, Value> = tables
        .iter()
        .filter_map(|table| {
            let field = format!("columns.{}", table.name);
            let chosen: Vec<&str> = form.all(&field).collect();
            let is_some = !chosen.is_empty() && chosen.len() < table.columns.len();
            is_some.then(|| (table.name.clone(), json!(chosen)))
        })
        .collect();
    let names: Vec<&str> = tables.iter().map(|table| &*table.name).collect();
    let mut body = json!({
        "tables": names,
        "columns": columns,
        "window": { "from": from.to_string(), "to": to.to_string() },
        "format": form.text("format"),
        "layout": form.text("layout"),
    });
    for field in ["filter", "name"] {
        if !form.text(field).is_empty() {
            body[field] = form.text(field).into();
        }
    }
    if form.text("format") == "csv" && form.names("style") {
        body["csv"] = json!({ "style": form.text("style") });
    }
    Ok(body)
}

/// Returns both ends of the window that was chosen, by days of the time zone that was chosen.
fn window(form: &Form, now: Timestamp) -> Result<(Timestamp, Timestamp), String> {
    let zone = match form.text("zone") {
        "" => TimeZone::UTC,
        name => TimeZone::get(name).map_err(|_| {
            format!("There is no time zone {name:?}. Write one as Europe/Berlin, or UTC.")
        })?,
    };
    let now = now.to_zoned(zone.clone());
    let wrong = |e: jiff::Error| format!("The window cannot be worked out: {e}.");
    let back = |from: &Zoned, span: Span| from.checked_sub(span).map_err(wrong);
    let day = now.start_of_day().map_err(wrong)?;
    let hour = now.with().minute(0).second(0).subsec_nanosecond(0).build().map_err(wrong)?;
    let month = day.first_of_month().and_then(|day| day.start_of_day()).map_err(wrong)?;
    let (from, to) = match form.text("window") {
        "hour" => (back(&hour, 1.hour())?, hour),
        "24h" => (back(&hour, 24.hours())?, hour),
        "yesterday" => (back(&day, 1.day())?, day),
        "7d" => (back(&day, 7.days())?, day),
        "month" => (month, now),
        "last-month" => (back(&month, 1.month())?, month),
        _ => {
            let end = |name: &str| {
                let local: DateTime = form.text(name).parse().map_err(|_| {
                    format!("Say when the window begins and ends, as 2026-03-01T00:00; {name} is missing.")
                })?;
                local.to_zoned(zone.clone()).map_err(wrong)
            };
            (end("from")?, end("to")?)
        }
    };
    Ok((from.timestamp(), to.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window_of(query: &str) -> Result<String, String> {
        let now = "2026-03-30T10:20:30.5Z".parse().unwrap();
        let window = window(&Form::of_query(Some(query)), now);
        window.map(|(from, to)| format!("{from} {to}"))
    }

    #[test]
    fn windows_are_days_and_hours_of_the_chosen_zone() {
        for (query, want) in [
            ("window=hour", "2026-03-30T09:00:00Z 2026-03-30T10:00:00Z"),
            ("window=24h", "2026-03-29T10:00:00Z 2026-03-30T10:00:00Z"),
            ("window=yesterday", "2026-03-29T00:00:00Z 2026-03-30T00:00:00Z"),
            // Summer time began on this day, which has 23 hours.
            ("window=yesterday&zone=Europe/Berlin", "2026-03-28T23:00:00Z 2026-03-29T22:00:00Z"),
            ("window=7d", "2026-03-23T00:00:00Z 2026-03-30T00:00:00Z"),
            ("window=month", "2026-03-01T00:00:00Z 2026-03-30T10:20:30.5Z"),
            ("window=last-month", "2026-02-01T00:00:00Z 2026-03-01T00:00:00Z"),
            (
                "window=own&from=2026-03-01T00:00&to=2026-03-01T06:30&zone=Asia/Kolkata",
                "2026-02-28T18:30:00Z 2026-03-01T01:00:00Z",
            ),
        ] {
            assert_eq!(window_of(query).as_deref(), Ok(want), "{query}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_window_is_told() {
        for (query, told) in [
            ("window=hour&zone=Mars", "no time zone \"Mars\""),
            ("window=own&from=2026-03-01T00:00", "to is missing"),
            ("window=own&from=yesterday&to=2026-03-01T00:00", "from is missing"),
        ] {
            let fault = window_of(query).unwrap_err();
            assert!(fault.contains(told), "{fault}");
        }
    }
}
