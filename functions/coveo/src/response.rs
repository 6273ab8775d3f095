//! What users of this dialect see of an export.

use std::collections::BTreeMap;

use export::{Export, FileName, Origin, State, Status, Window};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use web::BaseUrl;

/// An export. All its keys are always there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct View {
    id: String,
    author: String,
    download_link: String,
    /// Milliseconds since 1970, as all times.
    start_date: i64,
    from: i64,
    to: i64,
    filters: BTreeMap<String, String>,
    description: Option<String>,
    size: u64,
    status: &'static str,
    tables: Vec<String>,
    downloadable: bool,
    dimensions: Vec<String>,
    replayable: bool,
    using_display_names: bool,
    schedule_id: Option<String>,
    /// How many rows have something that could not be exported. Only there if there are any: the
    /// documents do not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    bad_rows: Option<u64>,
    /// Why the export failed. Only there if it did: the documents do not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
}

/// The name under which this dialect's exports are stored.
pub(crate) const DIALECT: &str = "coveo";

/// Returns how an export was requested. `None` if not by this API, or if it was deleted by it.
pub(crate) fn origin(export: &Export) -> Option<&Origin> {
    export.origin.as_ref().filter(|origin| origin.dialect == DIALECT)
}

/// Returns the status of an export in this dialect's words; none if there is no such export for it.
pub(crate) fn status(export: &Export, now: Timestamp) -> Option<&'static str> {
    match export.status(now) {
        Status::Queued | Status::Running => Some("PENDING"),
        Status::Succeeded => Some("AVAILABLE"),
        Status::Failed => Some("FAILED"),
        Status::Expired => Some("EXPIRED"),
        Status::Cancelled | Status::Deleted => None,
    }
}

impl View {
    /// Shows an export as it is at `now`; none if there is no such export for this dialect.
    pub(crate) fn of(export: &Export, base: &BaseUrl, now: Timestamp) -> Option<Self> {
        let origin = origin(export)?;
        let status = status(export, now)?;
        let values = |name: &str| origin.params.get(name).cloned().unwrap_or_default();
        let filters = ["commonFilters", "searchesFilters", "customEventsFilters"];
        let filters = filters.map(|name| (name.to_owned(), joined(&values(name))));
        let archive = match &export.state {
            State::Succeeded { archive } | State::Expired { archive, .. } => Some(archive),
            _ => None,
        };
        let failure_reason = match &export.state {
            State::Failed { failure, .. } => Some(failure.detail.clone()),
            _ => None,
        };
        Some(Self {
            id: export.id.to_string(),
            author: origin.requested_by.clone(),
            download_link: base.join(&format!("/rest/ua/v15/exports/{}?redirect=true", export.id)),
            start_date: export.created_at.as_millisecond(),
            from: export.request.window.from().as_millisecond(),
            to: last(origin, export.request.window),
            filters: filters.into_iter().filter(|(_, text)| !text.is_empty()).collect(),
            description: export.request.description.clone(),
            size: archive.map_or(0, |archive| archive.size_bytes),
            status,
            tables: values("tables"),
            downloadable: matches!(status, "PENDING" | "AVAILABLE"),
            dimensions: values("dimensions"),
            replayable: false,
            using_display_names: export.request.display_names,
            schedule_id: None,
            bad_rows: archive.map(|archive| archive.bad_rows).filter(|rows| *rows > 0),
            failure_reason,
        })
    }
}

/// Returns the last instant that was asked for, in milliseconds since 1970.
fn last(origin: &Origin, window: Window) -> i64 {
    let written = origin.params.get("to").and_then(|values| values.first()?.parse().ok());
    let inside = window.to() - SignedDuration::from_micros(1);
    written.unwrap_or_else(|| inside.as_millisecond())
}

/// Joins filters that must all hold.
fn joined(filters: &[String]) -> String {
    match filters {
        [only] => only.clone(),
        several => {
            let operands: Vec<String> = several.iter().map(|text| format!("({text})")).collect();
            operands.join(" AND ")
        }
    }
}

/// Returns the name of the ZIP.
pub(crate) fn file_name(export: &Export) -> FileName {
    let id = export.id.to_string();
    FileName::with_suffix(export.request.name.as_ref().unwrap_or(&id), "zip")
}
