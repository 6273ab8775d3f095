//! What a request for an export asks for.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

use std::collections::BTreeMap;

use export::{
    Catalog, CsvStyle, ExportRequest, Filter, Format, Limits, MAX_EXPANDED_BYTES, MAX_FILTER_BYTES,
    Scope, TableFilter, TableSelection, Window,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    choices::{Choices, ExcelBackslash, NoNewlineRows},
    error::ApiError,
    params::{Params, shown},
    tables::{self, CUSTOM_EVENTS, PREFIX, TABLES},
};

/// The most characters of a name or a description.
const MAX_NAME_CHARS: usize = 200;
const MAX_DESCRIPTION_CHARS: usize = 1000;

/// The fields of a body, and the parameters that say the same in a query.
pub(crate) const BODY_FIELDS: [(&str, &str); 11] = [
    ("from", "from"),
    ("to", "to"),
    ("commonFilters", "f"),
    ("searchesFilters", "fs"),
    ("customEventsFilters", "fc"),
    ("filename", "filename"),
    ("description", "d"),
    ("dimensions", "dimensions"),
    ("tables", "tables"),
    ("exportFormat", "format"),
    ("useDisplayNames", "useDisplayNames"),
];

/// A parameter of filters, as answers call it, and whether it is for searches and clicks, and for custom
/// events.
struct FilterKind {
    parameter: &'static str,
    field: &'static str,
    searches: bool,
    custom_events: bool,
}

const FILTERS: [FilterKind; 3] = [
    FilterKind { parameter: "f", field: "commonFilters", searches: true, custom_events: true },
    FilterKind { parameter: "fs", field: "searchesFilters", searches: true, custom_events: false },
    FilterKind {
        parameter: "fc",
        field: "customEventsFilters",
        searches: false,
        custom_events: true,
    },
];

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) request: ExportRequest,
    /// The same in this dialect's words, to be repeated.
    pub(crate) words: BTreeMap<String, Vec<String>>,
}

impl Ask {
    /// Returns the texts of all filters.
    pub(crate) fn filters(params: &Params) -> impl Iterator<Item = &str> {
        FILTERS.iter().flat_map(|kind| params.all(kind.parameter)).map(String::as_str)
    }

    /// Reads parameters. `named` are the organization's named filters.
    pub(crate) fn read(
        params: &Params,
        catalog: &Catalog,
        named: &[(String, String)],
        limits: &Limits,
        now: Timestamp,
    ) -> Result<Self, ApiError> {
        let (asked_window, last) = window(params)?;
        let window = limits.planned_window(asked_window, now).map_err(|error| {
            let message = format!("Between from and to, {error}. Ask for parts of that time.");
            ApiError::parameter(message)
        })?;
        let asked = asked_tables(params)?;
        let selections = selections(params, catalog, &asked)?;
        let filters = table_filters(params, catalog, named, &selections)?;
        let request = ExportRequest {
            filters,
            csv: style(params, Choices::of(catalog).map_err(anyhow::Error::from)?)?,
            display_names: params.flag("useDisplayNames", false)?,
            name: file_name(params)?,
            description: description(params)?,
            ..ExportRequest::new(selections, window, Format::Csv)
        };
        let mut words: BTreeMap<String, Vec<String>> = FILTERS
            .iter()
            .map(|kind| (kind.field.to_owned(), params.all(kind.parameter).to_vec()))
            .collect();
        words.insert("to".to_owned(), vec![last.as_millisecond().to_string()]);
        words.insert("tables".to_owned(), asked.into_iter().map(str::to_owned).collect());
        words.insert("dimensions".to_owned(), params.all("dimensions").to_vec());
        let ask = Self { request, words };
        ask.fits_a_record(limits.stored_bytes)?;
        Ok(ask)
    }

    /// Refuses what does not fit a record, which repeats the words beside what they mean.
    fn fits_a_record(&self, most: usize) -> Result<(), ApiError> {
        let bytes = serde_json::to_vec(&(&self.request, &self.words))?.len();
        if bytes <= most {
            return Ok(());
        }
        Err(ApiError::parameter(format!(
            "The request has {bytes} bytes as it is stored, with named filters written out; {most} are \
             allowed. Name fewer dimensions, or use shorter filters."
        )))
    }
}

/// Reads the window, and its last instant as it was written.
fn window(params: &Params) -> Result<(Window, Timestamp), ApiError> {
    const FORM: &str = "an instant such as 2019-02-05T15:20:20.266Z";
    let instant = |name: &'static str| {
        let text = params.one(name).ok_or_else(|| ApiError::missing(name, FORM))?;
        instant(text).ok_or_else(|| {
            let text = shown(text);
            ApiError::parameter(format!(
                "{name} is {text}, which is no instant. Give {FORM}; the zone is needed."
            ))
        })
    };
    let ((from, _), (to, unit)) = (instant("from")?, instant("to")?);
    if from > to {
        return Err(ApiError::parameter("from is later than to. Swap them."));
    }
    let window = Window::inclusive(from, to, unit)
        .map_err(|_| ApiError::parameter("to is too far away. Choose an earlier one."))?;
    Ok((window, to))
}

/// Reads `2019-02-05T15:20:20.266Z`, also without milliseconds, and with an offset in any form; and the
/// unit of time to which it is written.
fn instant(text: &str) -> Option<(Timestamp, SignedDuration)> {
    let text = text.trim();
    let (date, time) = text.split_once('T')?;
    // A plus that was not encoded arrives as a blank.
    let time = time.replace(' ', "+");
    let plain = |c: char| c.is_ascii_digit() || matches!(c, ':' | '.' | '+' | '-' | 'Z');
    let seconds = time.get(..8).is_some_and(|time| time.matches(':').count() == 2);
    if date.len() != 10 || !seconds || !time.chars().all(plain) {
        return None;
    }
    let fraction = time[8..].strip_prefix('.').unwrap_or_default();
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let nanoseconds = 10_i64.checked_pow(u32::try_from(9_usize.checked_sub(digits)?).ok()?)?;
    Some((format!("{date}T{time}").parse().ok()?, SignedDuration::from_nanos(nanoseconds)))
}

fn asked_tables(params: &Params) -> Result<Vec<&'static str>, ApiError> {
    let mut asked = Vec::new();
    for name in params.all("tables") {
        let table = TABLES.into_iter().find(|table| table.eq_ignore_ascii_case(name.trim()));
        let table = table.ok_or_else(|| {
            let (name, names) = (shown(name), TABLES.join(", "));
            ApiError::parameter(format!("There is no table {name}. The tables are {names}."))
        })?;
        if !asked.contains(&table) {
            asked.push(table);
        }
    }
    Ok(if asked.is_empty() { TABLES.to_vec() } else { asked })
}

/// Chooses the columns of each table. A table of which none is left is left out.
fn selections(
    params: &Params,
    catalog: &Catalog,
    asked: &[&str],
) -> Result<Vec<TableSelection>, ApiError> {
    let names: Vec<&str> = params.all("dimensions").iter().map(|name| name.trim()).collect();
    let known = tables::all(catalog);
    for name in &names {
        if !known.iter().any(|(called, table)| tables::column(called, table, name).is_some()) {
            let message = format!(
                "There is no dimension {}. GET /rest/ua/v15/dimensions/exportables lists them.",
                shown(name)
            );
            return Err(ApiError::bad("InvalidDimension", message));
        }
    }
    let mut selections = Vec::new();
    for (called, table) in known.iter().filter(|(called, _)| asked.contains(called)) {
        let found: Vec<&str> = names
            .iter()
            .filter_map(|name| tables::column(called, table, name).map(|c| c.name.as_str()))
            .collect();
        let chosen = table.columns.iter().filter(|column| found.contains(&column.name.as_str()));
        let columns: Vec<String> = chosen.map(|column| column.name.clone()).collect();
        if names.is_empty() || !columns.is_empty() {
            selections.push(TableSelection {
                table: table.name.clone(),
                columns: (!names.is_empty()).then_some(columns),
                file: Some((*called).to_owned()),
            });
        }
    }
    if selections.is_empty() {
        let message = "None of the tables has any of these dimensions. Choose others of either.";
        return Err(ApiError::bad("InvalidDimension", message));
    }
    Ok(selections)
}

fn table_filters(
    params: &Params,
    catalog: &Catalog,
    named: &[(String, String)],
    selections: &[TableSelection],
) -> Result<Vec<TableFilter>, ApiError> {
    let bytes: usize = Ask::filters(params).map(str::len).sum();
    if bytes > MAX_FILTER_BYTES {
        return Err(ApiError::filter(format!(
            "All filters together have {bytes} bytes; {MAX_FILTER_BYTES} are allowed."
        )));
    }
    let custom_events = tables::in_catalog(CUSTOM_EVENTS);
    let mut all = Vec::new();
    for kind in &FILTERS {
        let is_for = |table: &str| {
            if table == custom_events { kind.custom_events } else { kind.searches }
        };
        let known = tables::all(catalog).into_iter().map(|(_, table)| table.name.as_str());
        let scope = Scope::new(catalog, known.filter(|name| is_for(name)), PREFIX, named);
        let texts: Vec<&str> = params.all(kind.parameter).iter().map(String::as_str).collect();
        let filter = Filter::read_all(&texts, &scope).map_err(|error| {
            let parameter = kind.parameter;
            ApiError::filter(format!("The filter {parameter} cannot be used: {error}."))
        })?;
        let tables = selections.iter().map(|selection| selection.table.clone());
        let tables: Vec<String> = tables.filter(|table| is_for(table)).collect();
        if let Some(filter) = filter
            && !tables.is_empty()
        {
            all.push(TableFilter { tables, filter });
        }
    }
    let bytes: usize = all.iter().map(|filter| filter.filter.to_string().len()).sum();
    if bytes > MAX_EXPANDED_BYTES {
        return Err(ApiError::filter(
            "The filters are too long with all named filters written out.",
        ));
    }
    Ok(all)
}

fn style(params: &Params, choices: Choices) -> Result<CsvStyle, ApiError> {
    match params.one("format").unwrap_or("EXCEL").trim().to_ascii_uppercase().as_str() {
        "EXCEL" => Ok(match choices.excel_backslash {
            ExcelBackslash::Plain => CsvStyle::Excel,
            ExcelBackslash::Literal => CsvStyle::ExcelLiteral,
        }),
        "NO_NEWLINE" => Ok(match choices.no_newline_rows {
            NoNewlineRows::Keep => CsvStyle::NoNewline,
            NoNewlineRows::Drop => CsvStyle::NoNewlineDropped,
        }),
        other => {
            let message = format!("There is no format {}. Use EXCEL or NO_NEWLINE.", shown(other));
            Err(ApiError::parameter(message))
        }
    }
}

fn file_name(params: &Params) -> Result<Option<String>, ApiError> {
    let Some(name) = params.one("filename").map(str::trim) else { return Ok(None) };
    let wrong =
        |why: &str| Err(ApiError::parameter(format!("filename is {}, {why}.", shown(name))));
    if !name.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return wrong("and may only have printable ASCII characters");
    }
    if name.contains(['/', '\\']) || matches!(name, "." | "..") {
        return wrong("and must be the name of a file, without a folder");
    }
    if name.len() > MAX_NAME_CHARS {
        return wrong(&format!("and may have {MAX_NAME_CHARS} characters at most"));
    }
    Ok(Some(name.to_owned()))
}

fn description(params: &Params) -> Result<Option<String>, ApiError> {
    let text = params.one("d");
    if text.is_some_and(|text| text.chars().count() > MAX_DESCRIPTION_CHARS) {
        let message = format!("d may have {MAX_DESCRIPTION_CHARS} characters at most.");
        return Err(ApiError::parameter(message));
    }
    Ok(text.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "from=2019-01-01T00:00:00.000Z&to=2019-03-01T00:00:00.000Z";

    fn read(query: &str) -> Result<Ask, ApiError> {
        let named = [("NO_BLANK".to_owned(), "queryExpression != ''".to_owned())];
        let params = Params::of_query(&format!("{TIME}&{query}"))?;
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        Ask::read(&params, &Catalog::built_in().unwrap(), &named, &Limits::default(), now)
    }

    fn columns(query: &str) -> Vec<(String, Option<Vec<String>>)> {
        let selections = read(query).unwrap().request.tables;
        selections.into_iter().map(|s| (s.file.unwrap(), s.columns)).collect()
    }

    #[test]
    fn what_does_not_fit_a_record_is_refused() {
        assert!(read(&"dimensions=city&".repeat(10_000)).is_ok());
        let refused = read(&"dimensions=city&".repeat(30_000)).unwrap_err();
        let (_, _, message) = refused.told();
        assert!(message.contains("as it is stored"), "{message}");
    }

    #[test]
    fn every_form_of_an_instant_is_understood() {
        let at: Timestamp = "2019-02-05T14:20:20.266Z".parse().unwrap();
        for text in [
            "2019-02-05T14:20:20.266Z",
            "2019-02-05T16:20:20.266+0200",
            "2019-02-05T16:20:20.266 0200",
            "2019-02-05T16:20:20.266+02:00",
            "2019-02-05T12:20:20.266-02:00",
        ] {
            assert_eq!(instant(text), Some((at, SignedDuration::from_millis(1))), "{text}");
        }
        for (text, micros) in [
            ("2019-02-05T14:20:20Z", 1_000_000),
            ("2019-02-05T15:20:20+01:00", 1_000_000),
            ("2019-02-05T14:20:20.0Z", 100_000),
            ("2019-02-05T14:20:20.000000Z", 1),
        ] {
            let second = at - SignedDuration::from_millis(266);
            assert_eq!(
                instant(text),
                Some((second, SignedDuration::from_micros(micros))),
                "{text}"
            );
        }
        for text in
            ["2019-02-05", "2019-02-05T14:20:20", "2019-02-05T14:20Z", "1549376420266", "T", ""]
        {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn both_ends_are_inside_the_last_one_to_the_end_of_its_unit() {
        for (to, end, shown) in [
            ("2019-03-01T00:00:00.000Z", "2019-03-01T00:00:00.001Z", "1551398400000"),
            ("2019-02-28T23:59:59.999Z", "2019-03-01T00:00:00Z", "1551398399999"),
            ("2019-02-28T23:59:59Z", "2019-03-01T00:00:00Z", "1551398399000"),
        ] {
            let params = Params::of_query(&format!("from=2019-01-01T00:00:00Z&to={to}")).unwrap();
            let (limits, now) = (Limits::default(), "2026-06-01T00:00:00Z".parse().unwrap());
            let ask = Ask::read(&params, &Catalog::built_in().unwrap(), &[], &limits, now).unwrap();
            assert_eq!(ask.request.window.to(), end.parse().unwrap(), "{to}");
            assert_eq!(ask.words["to"], [shown]);
        }
    }

    #[test]
    fn an_end_in_the_future_is_repeated_and_not_planned() {
        let params = Params::of_query("from=2026-05-01T00:00:00Z&to=9999-12-30T00:00:00Z").unwrap();
        let (limits, now) = (Limits::default(), "2026-06-01T00:00:00Z".parse().unwrap());
        let ask = Ask::read(&params, &Catalog::built_in().unwrap(), &[], &limits, now).unwrap();
        assert_eq!(ask.request.window.to(), "2026-06-03T00:00:00Z".parse().unwrap());
        assert_eq!(ask.words["to"], ["253402128000000"]);
    }

    #[test]
    fn dimensions_restrict_the_columns_of_every_table() {
        assert_eq!(columns("tables=CLICKS&tables=Searches").len(), 2);
        assert_eq!(
            columns("dimensions=originlevel1&dimensions=CLICKS.documentTitle"),
            [
                ("searches".to_owned(), Some(vec!["originLevel1".to_owned()])),
                ("custom_events".to_owned(), Some(vec!["originLevel1".to_owned()])),
                ("clicks".to_owned(), Some(vec!["originLevel1".into(), "documentTitle".into()])),
            ]
        );
    }

    #[test]
    fn each_filter_is_for_its_tables() {
        let of = |query: &str| -> Vec<(usize, String)> {
            let filters = read(query).unwrap().request.filters;
            filters.into_iter().map(|f| (f.tables.len(), f.filter.to_string())).collect()
        };
        assert_eq!(
            of("f=city=='a'&f=$no_blank"),
            [(5, "city == 'a' AND queryExpression != ''".into())]
        );
        assert_eq!(
            of("fs=customeventtype=='a'"),
            [(4, "coveo_custom_events.eventType == 'a'".into())]
        );
        assert_eq!(of("fc=clickRank>1&tables=custom_events"), [(1, "clickRank > 1".into())]);
        assert_eq!(of("fc=city=='a'&tables=clicks"), []);
        assert_eq!(of("f=&fs=%20"), []);
    }

    #[test]
    fn what_the_documents_leave_open_is_switched_in_the_catalog() {
        let choices = |text: &str| Choices::of(&Catalog::parse("test", text).unwrap());
        let text = "[dialect.coveo]\nexcel_backslash = \"literal\"\nno_newline_rows = \"drop\"";
        let (plain, literal) = (choices("").unwrap(), choices(text).unwrap());
        assert!(choices("[dialect.coveo]\nexcel_backslash = \"odd\"").is_err());
        for (format, choices, want) in [
            ("", plain, CsvStyle::Excel),
            ("format=excel", literal, CsvStyle::ExcelLiteral),
            ("format=NO_NEWLINE", plain, CsvStyle::NoNewline),
            ("format=NO_NEWLINE", literal, CsvStyle::NoNewlineDropped),
        ] {
            assert_eq!(
                style(&Params::of_query(format).unwrap(), choices).unwrap(),
                want,
                "{format}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_its_type() {
        let long = format!("fs=city=='{}'", "x".repeat(MAX_FILTER_BYTES));
        for (query, kind) in [
            ("tables=visits", "InvalidParameter"),
            ("tables=ALL_EVENTS", "InvalidParameter"),
            ("format=XML", "InvalidParameter"),
            ("useDisplayNames=yes", "InvalidParameter"),
            ("filename=a/b", "InvalidParameter"),
            ("filename=%C3%A9", "InvalidParameter"),
            ("f=city", "InvalidFilter"),
            ("fc=nothing=='x'", "InvalidFilter"),
            (&long, "InvalidFilter"),
            ("dimensions=nothing", "InvalidDimension"),
            ("tables=groups&dimensions=documentTitle", "InvalidDimension"),
        ] {
            let refused = read(query).unwrap_err();
            let (status, told, message) = refused.told();
            assert_eq!((status, told), (400, kind), "{query}: {message}");
        }
        let catalog = Catalog::built_in().unwrap();
        for (query, kind) in [
            ("", "MissingParameter"),
            ("from=2019-01-01T00:00:00Z", "MissingParameter"),
            ("from=2019-01-02T00:00:00Z&to=2019-01-01T00:00:00Z", "InvalidParameter"),
            ("from=2010-01-02T00:00:00Z&to=2019-01-01T00:00:00Z", "InvalidParameter"),
            ("from=0001-01-02T00:00:00Z&to=9999-01-01T00:00:00Z", "InvalidParameter"),
        ] {
            let (limits, now) = (Limits::default(), "2026-06-01T00:00:00Z".parse().unwrap());
            let params = Params::of_query(query).unwrap();
            let refused = Ask::read(&params, &catalog, &[], &limits, now).unwrap_err();
            let (status, told, message) = refused.told();
            assert_eq!((status, told), (400, kind), "{query}: {message}");
        }
    }
}
