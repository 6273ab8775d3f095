//! Whether somebody wants the lines of an export as they are, or a ZIP.

use axum::http::{HeaderMap, header};
use export::{ArchiveKey, PlainKey};

/// Programs that read lines, as the older documents show, and do not say so in `Accept`.
const LINE_READERS: [&str; 1] = ["bagEL"];

/// Tells whether to lead to the lines: where `Accept` names and prefers them (RFC 9110, section 12.5.1),
/// or where it leaves the choice to us and the program is known to read nothing else.
pub(crate) fn wants_lines(headers: &HeaderMap) -> bool {
    let ranges = ranges(headers);
    let lines = Preference::of(PlainKey::CONTENT_TYPE, &ranges);
    let zip = Preference::of(ArchiveKey::CONTENT_TYPE, &ranges);
    if lines.is_named || zip.is_named {
        let more = lines.quality > zip.quality;
        return lines.quality > 0.0 && (more || lines.is_named && lines.quality >= zip.quality);
    }
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    agent.is_some_and(|agent| LINE_READERS.iter().any(|known| agent.starts_with(known)))
}

/// How much somebody wants a type.
#[derive(Clone, Copy, Debug)]
struct Preference {
    quality: f32,
    /// Whether it stands in the header by its own name.
    is_named: bool,
}

impl Preference {
    /// Returns what the ranges of `Accept` say of `kind`: the most specific one counts.
    fn of(kind: &str, ranges: &[(String, f32)]) -> Self {
        let (group, _) = kind.split_once('/').unwrap_or((kind, ""));
        let of = |range: &str| ranges.iter().find(|(known, _)| known == range).map(|(_, q)| *q);
        let named = of(kind);
        let quality = named.or_else(|| of(&format!("{group}/*"))).or_else(|| of("*/*"));
        Self { quality: quality.unwrap_or_default(), is_named: named.is_some() }
    }
}

/// Returns the ranges of `Accept`, in lower case, and the quality of each.
fn ranges(headers: &HeaderMap) -> Vec<(String, f32)> {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = accepted.flat_map(|value| value.split(',')).map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse().ok()).flatten()
        });
        (kind, quality.unwrap_or(1.0))
    });
    ranges.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(accept: &str, agent: &str) -> bool {
        let pairs = [(header::ACCEPT, accept), (header::USER_AGENT, agent)];
        let sent = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        wants_lines(&sent.map(|(name, value)| (name, value.parse().unwrap())).collect())
    }

    #[test]
    fn lines_are_for_who_prefers_them() {
        for accept in [
            "application/x-ndjson",
            "Application/X-NDJSON; charset=utf-8",
            "application/x-ndjson, */*",
            "application/zip;q=0.5, application/x-ndjson;q=0.9",
            "text/html, application/x-ndjson;q=0.1",
            "application/zip;q=0, */*",
            "application/zip, application/x-ndjson",
        ] {
            assert!(wants(accept, "curl/8.5.0"), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "application/json, text/plain, */*",
            "application/x-ndjson;q=0",
            "application/x-ndjson; Q=0.000, */*",
            "application/x-ndjson;q=0.5, application/zip",
            "application/x-ndjson;q=0.5, */*",
            "application/zip",
        ] {
            assert!(!wants(accept, "curl/8.5.0"), "{accept}");
        }
    }

    #[test]
    fn a_program_that_reads_lines_gets_them_unless_it_asks_for_the_zip() {
        assert!(wants("*/*", "bagEL") && wants("", "bagEL/1.0"));
        assert!(!wants("application/zip", "bagEL"));
        assert!(!wants("application/x-ndjson;q=0, */*", "bagEL"));
        assert!(!wants("*/*", "python-requests/2.32.3"));
    }
}
