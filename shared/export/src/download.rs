//! Names and link lifetimes of downloads.

use std::time::Duration;

use jiff::Timestamp;

use crate::{Archive, Export, FileName, LINK_LIFETIME};

impl Archive {
    /// Returns how long a link that is made at `now` works. It does not outlive the archive.
    ///
    /// Links begin and end with whole seconds, and S3 refuses a lifetime of less than one.
    pub fn link_lifetime(&self, now: Timestamp) -> Duration {
        let left = self.expires_at.as_second().saturating_sub(now.as_second());
        Duration::from_secs(u64::try_from(left).unwrap_or_default().max(1)).min(LINK_LIFETIME)
    }
}

impl Export {
    /// Returns the name under which its ZIP is saved.
    pub fn zip_name(&self) -> FileName {
        FileName::with_suffix(&self.download_name(), "zip")
    }

    /// Returns the name under which the list of its bad rows is saved.
    pub fn bad_rows_name(&self) -> FileName {
        FileName::with_suffix(&format!("{}.bad-rows", self.download_name()), "jsonl")
    }

    /// Returns the name under which its receipt is saved.
    pub fn receipt_name(&self) -> FileName {
        FileName::with_suffix(&format!("{}.receipt", self.download_name()), "json")
    }

    /// Whether its name, its description, one of its tables or of its labels has this text, whatever its case. A label is
    /// searched as `key:value`.
    pub fn matches(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let has = |found: &str| found.to_lowercase().contains(&text);
        let request = &self.request;
        let labels = request.labels.iter().map(|(key, value)| format!("{key}:{value}"));
        [&request.name, &request.description].into_iter().flatten().any(|found| has(found))
            || request.tables.iter().any(|table| has(&table.table))
            || labels.into_iter().any(|label| has(&label))
    }

    fn download_name(&self) -> String {
        self.request.name.clone().unwrap_or_else(|| format!("export-{}", self.id))
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::{ExportId, ExportRequest, Format, TableSelection, Window};

    #[test]
    fn a_link_lives_five_minutes_and_never_longer_than_its_archive() {
        let archive = Archive {
            published_at: Timestamp::UNIX_EPOCH,
            expires_at: "2026-03-02T00:00:00.5Z".parse().unwrap(),
            size_bytes: 22,
            crc32: 0,
            rows: None,
            table_files: None,
            table_rows: None,
            bad_rows: 0,
            receipt: None,
        };
        for (now, seconds) in [
            ("2026-03-01T12:00:00Z", 300),
            ("2026-03-01T23:55:00Z", 300),
            ("2026-03-01T23:55:00.9Z", 300),
            ("2026-03-01T23:55:01.9Z", 299),
            ("2026-03-01T23:59:59.9Z", 1),
            ("2026-03-02T00:00:00.4Z", 1),
            ("2026-03-03T00:00:00Z", 1),
        ] {
            assert_eq!(archive.link_lifetime(now.parse().unwrap()).as_secs(), seconds, "{now}");
        }
    }

    #[test]
    fn downloads_are_called_as_their_export() {
        let now = Timestamp::UNIX_EPOCH;
        let hour = SignedDuration::from_hours(1);
        let (tables, window) = (vec![TableSelection::whole("t")], Window::new(now, now + hour));
        let request = ExportRequest::new(tables, window.unwrap(), Format::Jsonl);
        let acme = "acme".parse().unwrap();
        let mut export = Export::queued(
            ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]),
            acme,
            request,
            now,
            hour,
        );
        assert_eq!(export.zip_name().to_string(), format!("export-{}.zip", export.id));
        export.request.name = Some("März.zip".to_owned());
        assert_eq!(export.zip_name().to_string(), "März.zip");
        assert_eq!(export.bad_rows_name().to_string(), "März.zip.bad-rows.jsonl");
        assert_eq!(export.receipt_name().to_string(), "März.zip.receipt.json");
    }

    #[test]
    fn an_export_is_found_by_its_name_its_description_its_tables_and_its_labels() {
        let now = Timestamp::UNIX_EPOCH;
        let window = Window::new(now, now + SignedDuration::from_hours(1)).unwrap();
        let tables = vec![TableSelection::whole("page_views")];
        let request = ExportRequest {
            name: Some("Seiten im März".to_owned()),
            description: Some("For the board".to_owned()),
            labels: [("team".to_owned(), "Web".to_owned())].into(),
            ..ExportRequest::new(tables, window, Format::Jsonl)
        };
        let (id, acme) = (ExportId::new(now, [7; 10]), "acme".parse().unwrap());
        let export = Export::queued(id, acme, request, now, SignedDuration::from_hours(1));
        for text in ["MÄRZ", "board", "_view", "team", "web", "team:web", ""] {
            assert!(export.matches(text), "{text}");
        }
        for text in ["april", "web:team", "jsonl", "acme"] {
            assert!(!export.matches(text), "{text}");
        }
    }
}
