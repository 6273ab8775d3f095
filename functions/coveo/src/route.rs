//! Which call a method and a path are. Paths are below `/rest/ua/v15` or `/rest/v15`, and may end in `/`.

use axum::http::Method;
use percent_encoding::percent_decode_str;

/// The paths below which this dialect is. The second stands in the links of old documents.
const BASES: [&str; 2] = ["/rest/ua/v15/", "/rest/v15/"];

/// A call of this dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    ListExports,
    CreateExport,
    CreateExportFromBody,
    ReadExport(String),
    DeleteExport(String),
    DownloadLink(String),
    Estimate,
    RowLimit,
    /// Whether the service works, in one of two vocabularies.
    Health(Words),
    ListFilters,
    CreateFilter,
    ReadFilter(String),
    ReplaceFilter(String),
    DeleteFilter(String),
    ListDimensions(Which),
    ReadDimension(String),
}

/// Which dimensions are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    Custom,
}

/// What a service that works is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// `online`.
    Status,
    /// `up`.
    Health,
}

/// Why a method and a path are no call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoCall {
    /// There is nothing.
    Path,
    /// What there is takes these methods.
    Method(String),
}

impl Call {
    /// Finds the call that a request makes. `HEAD` is as `GET`.
    pub(crate) fn of(method: &Method, path: &str) -> Result<Self, NoCall> {
        let below = BASES.iter().find_map(|base| path.strip_prefix(base)).ok_or(NoCall::Path)?;
        let segments: Vec<String> = below
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let calls = Self::at(&segments);
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let names: Vec<&str> = calls.iter().map(|(name, _)| *name).collect();
        let found = calls.iter().find(|(name, _)| name == method);
        match found {
            Some((_, call)) => Ok(call.clone()),
            None if calls.is_empty() => Err(NoCall::Path),
            None => Err(NoCall::Method(names.join(", "))),
        }
    }

    /// Lists the calls of a path by their methods.
    fn at(segments: &[&str]) -> Vec<(&'static str, Self)> {
        const GET: &str = "GET";
        match segments {
            ["exports"] => vec![(GET, Self::ListExports), ("POST", Self::CreateExport)],
            ["exports", "create"] => vec![("POST", Self::CreateExportFromBody)],
            ["exports", "estimate"] => vec![(GET, Self::Estimate)],
            ["exports", "rowLimit"] => vec![(GET, Self::RowLimit)],
            ["exports" | "dimensions" | "filters", "status"]
            | ["dimensions", "custom", "status"] => {
                vec![(GET, Self::Health(Words::Status))]
            }
            ["exports" | "dimensions" | "filters", "monitoring", "health"]
            | ["dimensions", "custom", "monitoring", "health"] => {
                vec![(GET, Self::Health(Words::Health))]
            }
            // Not offered: exports of visits, and schedules.
            ["exports", "visits" | "schedules" | "monitoring", ..] => Vec::new(),
            ["exports", id] => vec![
                (GET, Self::ReadExport((*id).to_owned())),
                ("DELETE", Self::DeleteExport((*id).to_owned())),
            ],
            ["exports", id, "downloadlink"] => vec![(GET, Self::DownloadLink((*id).to_owned()))],
            ["filters", "reporting"] => {
                vec![(GET, Self::ListFilters), ("POST", Self::CreateFilter)]
            }
            ["filters", "reporting", id] => vec![
                (GET, Self::ReadFilter((*id).to_owned())),
                ("PUT", Self::ReplaceFilter((*id).to_owned())),
                ("DELETE", Self::DeleteFilter((*id).to_owned())),
            ],
            ["dimensions"] | ["dimensions", "exportables"] => {
                vec![(GET, Self::ListDimensions(Which::All))]
            }
            ["dimensions", "custom"] => vec![(GET, Self::ListDimensions(Which::Custom))],
            ["dimensions", name] | ["dimensions", "custom", name] => {
                vec![(GET, Self::ReadDimension((*name).to_owned()))]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &Method, path: &str) -> Result<Call, NoCall> {
        Call::of(method, path)
    }

    #[test]
    fn both_bases_and_a_slash_at_the_end_lead_to_the_same() {
        for path in [
            "/rest/ua/v15/exports",
            "/rest/v15/exports",
            "/rest/ua/v15/exports/",
            "/rest/v15/exports//",
        ] {
            assert_eq!(call(&Method::GET, path), Ok(Call::ListExports), "{path}");
            assert_eq!(call(&Method::POST, path), Ok(Call::CreateExport), "{path}");
        }
        assert_eq!(
            call(&Method::GET, "/rest/ua/v15/dimensions/"),
            Ok(Call::ListDimensions(Which::All))
        );
        assert_eq!(call(&Method::GET, "/rest/ua/v14/exports"), Err(NoCall::Path));
    }

    #[test]
    fn words_of_the_api_are_no_ids() {
        let at = |path: &str| call(&Method::GET, &format!("/rest/ua/v15/exports/{path}"));
        assert_eq!(at("rowLimit"), Ok(Call::RowLimit));
        assert_eq!(at("status"), Ok(Call::Health(Words::Status)));
        assert_eq!(at("abc"), Ok(Call::ReadExport("abc".into())));
        assert_eq!(at("abc/downloadlink"), Ok(Call::DownloadLink("abc".into())));
        assert_eq!(at("schedules"), Err(NoCall::Path));
        assert_eq!(at("visits/estimate"), Err(NoCall::Path));
        assert_eq!(at("create"), Err(NoCall::Method("POST".into())));
        assert_eq!(
            call(&Method::PATCH, "/rest/ua/v15/exports/abc"),
            Err(NoCall::Method("GET, DELETE".into()))
        );
    }
}
