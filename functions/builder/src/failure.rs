//! Why an export fails for good by what the engine finds.

use export::{Failure, FailureCode};
use lake::ObjectError;

use crate::{
    archive::FileTooLarge,
    parquet::TooManyRowGroups,
    parts::TooManyFiles,
    plan::{TableRemoved, TooManyObjects},
};

/// Why an export fails for good, if the error is such a reason.
pub(crate) fn failure_of(error: &anyhow::Error) -> Option<Failure> {
    if let Some(FileTooLarge { bytes, most }) = error.downcast_ref() {
        let detail = format!(
            "The file would have {bytes} bytes, more than the {most} that one can have. Choose a shorter window \
             or fewer columns, and create the export again."
        );
        return Some(Failure { code: FailureCode::FileTooLarge, detail });
    }
    if let Some(TooManyRowGroups) = error.downcast_ref() {
        let detail = "The Parquet would have more row groups than a file may, or than can be told of. Choose a \
                      shorter window, fewer columns, or plain files (\"layout\": \"files\"), and create the \
                      export again."
            .to_owned();
        return Some(Failure { code: FailureCode::FileTooLarge, detail });
    }
    if let Some(TooManyObjects(most)) = error.downcast_ref() {
        let detail = format!(
            "The export reads more than {most} source objects, the most that a builder can keep track of. \
             Choose a shorter window or fewer tables and create it again, or ask your operator for builders \
             with more memory."
        );
        return Some(Failure { code: FailureCode::TooManyObjects, detail });
    }
    if let Some(TableRemoved(table)) = error.downcast_ref() {
        let detail = format!(
            "The table {table} was removed before the export was planned. GET /v1/tables lists those there are."
        );
        return Some(Failure { code: FailureCode::TableRemoved, detail });
    }
    if let Some(failure) = error.downcast_ref().and_then(of_object) {
        return Some(failure);
    }
    if let Some(TooManyFiles(files)) = error.downcast_ref() {
        let detail = format!(
            "The export would have {files} files, more than there may be. Choose larger files or a shorter \
             window, and create it again."
        );
        return Some(Failure { code: FailureCode::TooManyFiles, detail });
    }
    None
}

/// What is wrong with a source object, and no other attempt would change.
fn of_object(error: &ObjectError) -> Option<Failure> {
    let (code, detail) = match error {
        ObjectError::Corrupt { key, source } => (
            FailureCode::SourceCorrupt,
            format!(
                "The source object {key} is damaged: {source}. Repair or remove it, or choose a window \
                 without it, and create the export again."
            ),
        ),
        ObjectError::Unsupported { key, source } => (
            FailureCode::SourceUnsupported,
            format!(
                "The source object {key} cannot be read: {source}. Write it otherwise, or remove it, or choose a \
                 window without it, and create the export again."
            ),
        ),
        ObjectError::Foreign { key, what } => (
            FailureCode::SourceUnsupported,
            format!(
                "The source object {key} is not JSON Lines: it seems to be {what}. Write it as JSON Lines, one \
                 record a line in UTF-8, plain or compressed with gzip or Zstandard, or remove it, or choose a \
                 window without it, and create the export again."
            ),
        ),
        ObjectError::MostlyBad { key, rows, bad, line, reason } => (
            FailureCode::SourceUnsupported,
            format!(
                "Of the {rows} rows of the source object {key}, {bad} cannot be read; the first is on line {line}: \
                 {reason}. Write it as JSON Lines, or remove it, or choose a window without it, and create the export \
                 again. Your operator can have such objects exported without these rows: max_bad_percent of the \
                 dataset."
            ),
        ),
        ObjectError::Panicked { .. } | ObjectError::Unreadable { .. } | ObjectError::Sink(_) => {
            return None;
        }
    };
    Some(Failure { code, detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_is_not_json_lines_fails_an_export_by_what_it_is() {
        let error = ObjectError::Foreign { key: "a/b".to_owned(), what: "Avro" };
        let failure = failure_of(&anyhow::Error::from(error).context("convert")).unwrap();
        assert_eq!(failure.code, FailureCode::SourceUnsupported);
        assert!(failure.detail.contains("a/b is not JSON Lines: it seems to be Avro"));
    }

    #[test]
    fn an_object_that_is_stored_in_a_way_that_is_not_read_fails_an_export_by_how() {
        let source = std::io::Error::new(std::io::ErrorKind::Unsupported, "it is encrypted");
        let error = ObjectError::Unsupported { key: "a/b".to_owned(), source };
        let failure = failure_of(&anyhow::Error::from(error).context("convert")).unwrap();
        assert_eq!(failure.code, FailureCode::SourceUnsupported);
        assert!(failure.detail.contains("a/b cannot be read: it is encrypted. Write it otherwise"));
    }

    #[test]
    fn an_object_of_bad_rows_fails_an_export_by_its_first() {
        let (key, reason) = ("a/b".to_owned(), "it is not UTF-8".to_owned());
        let error = ObjectError::MostlyBad { key, rows: 200, bad: 199, line: 2, reason };
        let failure = failure_of(&anyhow::Error::from(error).context("convert")).unwrap();
        assert_eq!(failure.code, FailureCode::SourceUnsupported);
        let told = "Of the 200 rows of the source object a/b, 199 cannot be read; the first is on line 2: it is \
                    not UTF-8. ";
        assert!(failure.detail.starts_with(told), "{}", failure.detail);
    }

    #[test]
    fn an_export_of_too_many_objects_fails_with_what_to_do() {
        let error = anyhow::Error::from(TooManyObjects(7)).context("plan the export");
        let failure = failure_of(&error).unwrap();
        assert_eq!(failure.code, FailureCode::TooManyObjects);
        assert!(failure.detail.contains("more than 7 source objects"), "{}", failure.detail);
    }

    #[test]
    fn an_export_of_too_many_row_groups_fails_with_what_to_do() {
        let error = anyhow::Error::from(TooManyRowGroups).context("assemble");
        let failure = failure_of(&error).unwrap();
        assert_eq!(failure.code, FailureCode::FileTooLarge);
        assert!(failure.detail.contains("\"layout\": \"files\""), "{}", failure.detail);
    }

    #[test]
    fn an_export_of_a_table_that_is_gone_fails_by_its_name() {
        let error = anyhow::Error::from(TableRemoved("visits".to_owned())).context("plan");
        let failure = failure_of(&error).unwrap();
        assert_eq!(failure.code, FailureCode::TableRemoved);
        assert!(failure.detail.starts_with("The table visits was removed"), "{}", failure.detail);
    }

    #[test]
    fn an_export_of_a_file_that_is_too_large_fails_with_what_to_do() {
        let error = anyhow::Error::from(FileTooLarge { bytes: 94, most: 93 });
        let failure = failure_of(&error.context("assemble the archive")).unwrap();
        assert_eq!(failure.code, FailureCode::FileTooLarge);
        let detail = failure.detail;
        assert!(detail.contains("94 bytes, more than the 93"), "{detail}");
        assert!(detail.contains("shorter window"), "{detail}");
    }
}
