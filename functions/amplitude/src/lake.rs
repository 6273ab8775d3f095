//! What the lake holds of a range, and whether an export still is what it would make.

use std::time::Duration;

use cloud::Tally;
use export::{
    Calendar, Dataset, Export, FailureCode, Grain, State, Status, Window, Workspace, sha256_hex,
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use web::Services;

use crate::{
    error::ApiError,
    request::{self, TABLE},
    size::{self, MAX_OBJECTS},
};

/// How long a failure is answered again that only a change of the lake can mend.
const FAILURE_LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// How long an export for which no request could wait is answered, though the lake has changed.
const PICKUP_TIME: SignedDuration = SignedDuration::from_mins(5);

/// What is filed in a range.
#[derive(Debug)]
pub(crate) struct Lake {
    sizes: Vec<(Timestamp, u64)>,
    max_bytes: u64,
    print: String,
}

/// What came of looking at a range.
#[derive(Debug)]
pub(crate) enum Looked {
    /// This is filed there.
    Filed(Lake),
    /// There are more than [`MAX_OBJECTS`], and they were not all listed.
    TooManyObjects,
}

impl Lake {
    /// Lists what is filed in a range, which costs the workspace as many requests as it is work.
    pub(crate) async fn look(
        services: &Services,
        workspace: &Workspace,
        window: Window,
        now: Timestamp,
    ) -> Result<Looked, ApiError> {
        let catalog = services.catalog().await;
        let table = catalog.table(TABLE).ok_or(ApiError::NoData)?;
        let dataset = catalog.dataset_of(table);
        services.exports.spend_lists(workspace, [dataset], window, now).await?;
        match catalog.lake.tallies(dataset, workspace, window, MAX_OBJECTS).await {
            Ok(tallies) => Ok(Looked::Filed(Self::of(&tallies, dataset, window))),
            Err(cloud::Error::TooManyObjects) => Ok(Looked::TooManyObjects),
            Err(error) => Err(error.into()),
        }
    }

    fn of(tallies: &[(Timestamp, Tally)], dataset: &Dataset, window: Window) -> Self {
        let line = |(at, tally): &(Timestamp, Tally)| format!("{at} {:x}\n", tally.print);
        let mut lines: String = tallies.iter().map(line).collect();
        // Where each hour's rows are filed in that hour, another hour without any objects changes nothing.
        // Elsewhere, where a range ends chooses among the rows of an object.
        let by_hour = dataset.path.calendar() == &Calendar::new(Grain::Hour, TimeZone::UTC);
        if !(dataset.early.is_zero() && dataset.late.is_zero() && by_hour) {
            lines += &window.to().to_string();
        }
        let print = sha256_hex(lines.as_bytes());
        let max_bytes = dataset.max_export_bytes;
        let sizes = tallies.iter().map(|(at, tally)| (*at, tally.bytes));
        Self { sizes: sizes.filter(|(_, bytes)| *bytes > 0).collect(), max_bytes, print }
    }

    /// Returns a fingerprint of what is filed: another one whenever it changes.
    pub(crate) fn print(&self) -> &str {
        &self.print
    }

    /// Cuts a range into parts that an export may hold; none if nothing is filed in it.
    pub(crate) fn parts(&self, window: Window) -> Option<Vec<Window>> {
        let parts = || size::fitting(window, &self.sizes, self.max_bytes);
        (!self.sizes.is_empty()).then(parts)
    }
}

/// Tells whether an export may still come to an end: whoever asks for the same hours waits for it, too.
pub(crate) fn is_unfinished(export: &Export) -> bool {
    matches!(export.state, State::Queued { .. } | State::Running { .. })
}

/// Tells whether an export that took longer than a request may has only just ended. Its clients ask
/// again for it: if they got a new export whenever the lake has changed, they might never see the end of one.
pub(crate) fn is_awaited(export: &Export, wait: Duration, now: Timestamp) -> bool {
    let ended = match &export.state {
        State::Succeeded { archive } => archive.published_at,
        State::Failed { finished_at, .. } => *finished_at,
        State::Queued { .. }
        | State::Running { .. }
        | State::Cancelled { .. }
        | State::Expired { .. }
        | State::Deleted { .. } => return false,
    };
    let took = ended.duration_since(export.created_at);
    Duration::try_from(took).is_ok_and(|took| took >= wait)
        && now.duration_since(ended) < PICKUP_TIME
}

/// Tells whether a new export over the lake with this fingerprint would come to the same.
pub(crate) fn is_current(export: &Export, lake: &str, now: Timestamp) -> bool {
    if export.origin.as_ref().and_then(request::lake_of) != Some(lake) {
        return false;
    }
    match &export.state {
        State::Failed { finished_at, failure } => {
            is_of_the_lake(failure.code) && now.duration_since(*finished_at) < FAILURE_LIFETIME
        }
        _ => export.status(now) == Status::Succeeded,
    }
}

/// Tells whether an export fails in the same way for as long as the lake's listing is the same.
fn is_of_the_lake(code: FailureCode) -> bool {
    match code {
        FailureCode::SourceCorrupt
        | FailureCode::SourceUnsupported
        | FailureCode::TooManyRows
        | FailureCode::TooManyFiles
        | FailureCode::FileTooLarge
        | FailureCode::TooManyObjects => true,
        // Restoring an object, or granting access to it, does not change the listing.
        FailureCode::SourceArchived
        | FailureCode::AccessDenied
        | FailureCode::SourceChanged
        | FailureCode::TableRemoved
        | FailureCode::DeadlineExceeded
        | FailureCode::Internal => false,
    }
}

#[cfg(test)]
mod tests {
    use export::{
        Archive, Catalog, ExportId, ExportRequest, Failure, Format, PartitionPath, TableSelection,
    };

    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    /// The dataset of events that ships with the code, of which an export may have 10 bytes.
    fn dataset() -> Dataset {
        let catalog = Catalog::built_in().unwrap();
        let dataset = catalog.dataset_of(catalog.table(TABLE).unwrap());
        Dataset { max_export_bytes: 10, ..dataset.clone() }
    }

    fn hours(from: i32, to: i32) -> Window {
        Window::new(NOW + HOUR * from, NOW + HOUR * to).unwrap()
    }

    fn lake(tallies: &[(Timestamp, Tally)]) -> Lake {
        Lake::of(tallies, &dataset(), hours(0, 1))
    }

    fn running(lake: &str) -> Export {
        let tables = vec![TableSelection::whole(TABLE)];
        let request = ExportRequest::new(tables, hours(0, 1), Format::Jsonl);
        let acme = "acme".parse().unwrap();
        Export::queued(
            ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]),
            acme,
            request,
            NOW,
            HOUR * 24,
        )
        .with_origin(request::origin("me".to_owned(), lake))
        .claim(NOW)
        .unwrap()
    }

    fn failed(code: FailureCode) -> Export {
        running("lake").fail(NOW, Failure { code, detail: String::new() })
    }

    fn archive(published_at: Timestamp) -> Archive {
        Archive {
            published_at,
            expires_at: published_at,
            size_bytes: 100,
            crc32: 0,
            rows: None,
            table_files: None,
            table_rows: None,
            bad_rows: 0,
            receipt: None,
        }
    }

    #[test]
    fn whoever_had_to_ask_again_is_told_the_end_of_an_export_though_the_lake_has_changed() {
        let wait = Duration::from_secs(25);
        let (soon, late) =
            (NOW + SignedDuration::from_secs(24), NOW + SignedDuration::from_secs(25));
        let succeeded = |at| running("lake").succeed(at, &archive(at));
        let failure = Failure { code: FailureCode::Internal, detail: String::new() };
        let failed = |at| running("lake").fail(at, failure.clone());

        for export in [succeeded(late), failed(late)] {
            assert!(is_awaited(&export, wait, late));
            assert!(is_awaited(&export, wait, late + SignedDuration::from_secs(299)));
            assert!(!is_awaited(&export, wait, late + SignedDuration::from_mins(5)));
        }
        for export in [succeeded(soon), failed(soon), running("lake")] {
            assert!(!is_awaited(&export, wait, late), "a request could wait for it: {export:?}");
        }
    }

    #[test]
    fn a_row_that_was_filed_late_makes_a_new_export() {
        let tally = |bytes, print| (NOW, Tally { bytes, print });
        let before = lake(&[tally(5, 1)]);
        let after = lake(&[tally(5, 2)]);
        let ready = running(before.print()).succeed(NOW, &archive(NOW));

        assert!(is_current(&ready, before.print(), NOW));
        assert!(!is_current(&ready, after.print(), NOW));
        assert!(!is_current(&ready, before.print(), NOW + HOUR * 25), "its archive is gone");
    }

    #[test]
    fn an_hour_without_objects_makes_a_new_export_only_where_rows_are_filed_in_another() {
        let filed = [(NOW, Tally { bytes: 1, print: 1 })];
        let same = |dataset: &Dataset| {
            let print = |window| Lake::of(&filed, dataset, window).print;
            print(hours(0, 1)) == print(hours(0, 2))
        };
        let by_hour = dataset();
        assert!(same(&by_hour));
        assert!(!same(&Dataset { late: HOUR, ..by_hour.clone() }));
        assert!(!same(&Dataset { early: HOUR, ..by_hour.clone() }));
        let path = "{workspace}/{yyyy}/{MM}/{dd}/";
        assert!(!same(&Dataset { path: PartitionPath::parse(path).unwrap(), ..by_hour }));
    }

    #[test]
    fn what_only_the_lake_can_mend_is_not_tried_again_at_each_request() {
        let corrupt = failed(FailureCode::SourceCorrupt);
        assert!(is_current(&corrupt, "lake", NOW + SignedDuration::from_mins(59)));
        assert!(is_current(&failed(FailureCode::SourceUnsupported), "lake", NOW));
        assert!(!is_current(&corrupt, "lake", NOW + HOUR), "a catalog may have been mended");
        assert!(!is_current(&corrupt, "other lake", NOW));
        for code in
            [FailureCode::SourceChanged, FailureCode::DeadlineExceeded, FailureCode::Internal]
        {
            assert!(!is_current(&failed(code), "lake", NOW), "{code:?}");
        }
    }

    #[test]
    fn a_range_in_which_nothing_is_filed_has_no_parts() {
        let window = hours(0, 1);
        assert_eq!(lake(&[]).parts(window), None);
        assert_eq!(lake(&[(NOW, Tally::default())]).parts(window), None);
        let filed = Tally { bytes: 1, print: 1 };
        assert_eq!(lake(&[(NOW, filed)]).parts(window), Some(vec![window]));
    }
}
