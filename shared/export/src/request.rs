//! Requests for exports, after they were checked.

mod check;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    BucketCredentials, CallbackUrl, CopyTarget, CsvStyle, Files, Filter, Format, Parts,
    ShareRequest, TableFilter, TableSelection, Window,
};

/// A request for an export, and for the work that follows its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The export.
    pub request: ExportRequest,
    /// The URL that is called when it has ended.
    pub callback: Option<CallbackUrl>,
    /// The destination of a copy of its files, and the credentials for it.
    pub copy: Option<(CopyTarget, BucketCredentials)>,
    /// The link to it that needs no credential.
    pub share: Option<ShareRequest>,
}

/// The rows and files that a user wants. Every name in it exists in the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRequest {
    /// The tables, in the order of the request; at least one.
    pub tables: Vec<TableSelection>,
    /// The window: rows whose record carries a time inside it.
    pub window: Window,
    /// Conditions on the columns of rows. All of them must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<TableFilter>,
    /// The span in which rows must have been released, for datasets with releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Released>,
    /// The format of rows.
    pub format: Format,
    /// The style of CSV.
    #[serde(default)]
    pub csv: CsvStyle,
    /// Whether headers of CSV have the display names of columns.
    #[serde(default)]
    pub display_names: bool,
    /// The files to make.
    #[serde(default)]
    pub files: Files,
    /// The most rows. With more, the export fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rows: Option<u64>,
    /// The user's name for the export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The user's description of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The user's own keys and values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// A span of release times, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// The first instant. `None` means without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The last instant.
    pub to: Timestamp,
}

impl ExportRequest {
    /// Returns a request for these tables, with the default for everything else.
    pub fn new(tables: Vec<TableSelection>, window: Window, format: Format) -> Self {
        Self {
            tables,
            window,
            filters: Vec::new(),
            released: None,
            format,
            csv: CsvStyle::default(),
            display_names: false,
            files: Files::default(),
            max_rows: None,
            name: None,
            description: None,
            labels: BTreeMap::new(),
        }
    }

    /// Returns the names of the plain files, given how many each table has.
    pub fn part_names(&self, table_files: &[u32]) -> Vec<String> {
        let Files::Parts(parts) = &self.files else { return Vec::new() };
        let counted = self.tables.iter().zip(table_files);
        let names = counted.flat_map(|(table, count)| {
            (0..*count as usize).map(move |number| self.part_name(table, parts, number))
        });
        names.collect()
    }

    /// Returns the filters on the rows of a table.
    pub fn filters_of(&self, table: &str) -> impl Iterator<Item = &Filter> {
        let of = move |filter: &&TableFilter| filter.tables.iter().any(|name| name == table);
        self.filters.iter().filter(of).map(|filter| &filter.filter)
    }

    /// Returns the name of the file of a table.
    pub fn file_name(&self, selection: &TableSelection) -> String {
        match &self.files {
            Files::Single(name) => name.clone(),
            Files::Tables | Files::Hourly(_) | Files::Counts | Files::Parts(_) => {
                format!("{}.{}", selection.stem(), self.format)
            }
        }
    }

    /// Returns the name of a table's plain file `number`, from 0.
    pub fn part_name(&self, selection: &TableSelection, parts: &Parts, number: usize) -> String {
        let suffix = if parts.suffix { format!(".{}", self.format) } else { String::new() };
        format!("{}-{number}{suffix}", selection.stem())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(files: Files) -> ExportRequest {
        let now = Timestamp::UNIX_EPOCH;
        let window = Window::new(now, now + jiff::SignedDuration::from_hours(1)).unwrap();
        let renamed = TableSelection { file: Some("b".into()), ..TableSelection::whole("u") };
        let tables = vec![TableSelection::whole("t"), renamed];
        ExportRequest { files, ..ExportRequest::new(tables, window, Format::Csv) }
    }

    #[test]
    fn files_are_named_after_their_tables_or_as_was_asked() {
        let names = |files: Files| {
            let request = request(files);
            request.tables.iter().map(|table| request.file_name(table)).collect::<Vec<_>>()
        };
        assert_eq!(names(Files::Tables), ["t.csv", "b.csv"]);
        assert_eq!(names(Files::Single("all.json".into())), ["all.json", "all.json"]);
    }

    #[test]
    fn plain_files_are_numbered_by_table() {
        for (suffix, want) in
            [(true, ["t-0.csv", "b-0.csv", "b-1.csv"]), (false, ["t-0", "b-0", "b-1"])]
        {
            let parts = Parts { max_bytes: 1, max_rows: None, suffix };
            assert_eq!(request(Files::Parts(parts)).part_names(&[1, 2]), want);
        }
        assert!(request(Files::Tables).part_names(&[1, 2]).is_empty());
    }

    #[test]
    fn a_table_has_the_filters_that_name_it() {
        let filter = |tables: &[&str], text: &str| TableFilter {
            tables: tables.iter().map(|&table| table.to_owned()).collect(),
            filter: text.parse().unwrap(),
        };
        let (t, both) = (filter(&["t"], "a == 1"), filter(&["t", "u"], "b == 2"));
        let filters = vec![t.clone(), both.clone()];
        let request = ExportRequest { filters, ..request(Files::Tables) };
        let of = |table| request.filters_of(table).collect::<Vec<_>>();
        assert_eq!(of("t"), [&t.filter, &both.filter]);
        assert_eq!(of("u"), [&both.filter]);
        assert!(of("v").is_empty());
    }
}
