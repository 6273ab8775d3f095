//! Why an export fails for good.

use export::{Failure, FailureCode};
use lake::ObjectError;

use crate::{
    archive::FileTooLarge,
    parts::TooManyFiles,
    plan::{TableRemoved, TooManyObjects},
    progress::TooManyRows,
};

/// Why an export fails for good, if the error is such a reason.
pub(crate) fn failure_of(error: &anyhow::Error) -> Option<Failure> {
    if let Some(cloud::Error::SourceChanged(key)) = error.downcast_ref() {
        let detail = format!(
            "The source object {key} was changed or removed while the export was built. Create the \
             export again to read it as it is now."
        );
        return Some(Failure { code: FailureCode::SourceChanged, detail });
    }
    if let Some(failure) = error.downcast_ref().and_then(refused) {
        return Some(failure);
    }
    if let Some(FileTooLarge { bytes, most }) = error.downcast_ref() {
        let detail = format!(
            "The file would have {bytes} bytes, more than the {most} that one can have. Choose a shorter window \
             or fewer columns, and create the export again."
        );
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
    if let Some(TooManyRows(most)) = error.downcast_ref() {
        let detail = format!(
            "The export has more than {most} rows, the most there may be. Choose a shorter window, fewer \
             tables or a filter, and create it again."
        );
        return Some(Failure { code: FailureCode::TooManyRows, detail });
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

/// Returns what S3 says without the ARNs in it, which name the operator's roles, keys, and buckets. The log
/// has them.
fn without_arns(reason: &str) -> String {
    let mut rest = reason;
    let mut shown = String::new();
    while let Some(start) = rest.find("arn:") {
        shown.push_str(&rest[..start]);
        shown.push_str("(an ARN)");
        let ends =
            |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | ')' | ']' | '<');
        rest = rest[start..].find(ends).map_or("", |len| &rest[start + len..]);
    }
    shown + rest
}

/// What S3 refuses, and no other attempt would change.
fn refused(error: &cloud::Error) -> Option<Failure> {
    let (code, detail) = match error {
        cloud::Error::Archived { key, reason } => (
            FailureCode::SourceArchived,
            format!(
                "The source object {key} is in an archive class of S3, which says: {}. Ask your operator \
                 to restore it, or choose a window without it, and create the export again.",
                without_arns(reason)
            ),
        ),
        cloud::Error::Denied { action, key, reason } => {
            let object = key.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
            let reason = without_arns(reason);
            let detail = format!(
                "S3 does not let us {action}{object}, and says: {reason}. Ask your operator, naming this \
                 export's id, and create it again once that is changed."
            );
            (FailureCode::AccessDenied, detail)
        }
        cloud::Error::TooLarge(_) => (
            FailureCode::FileTooLarge,
            "What is made of one source object, or the export's file as a whole, would be larger than an \
             object of S3 can be. Choose a shorter window or fewer tables, or let the lake be written in \
             smaller objects, and create the export again."
                .to_owned(),
        ),
        cloud::Error::Stale(_)
        | cloud::Error::SourceChanged(_)
        | cloud::Error::TooManyObjects
        | cloud::Error::Exists(_)
        | cloud::Error::Conflict(_)
        | cloud::Error::Unreadable(_)
        | cloud::Error::Aws { .. } => return None,
    };
    Some(Failure { code, detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_is_not_json_lines_fails_an_export_by_what_it_is() {
        let error = ObjectError::Foreign { key: "a/b".to_owned(), what: "Avro" };
        let failure = failure_of(&anyhow::Error::from(error).context("pour")).unwrap();
        assert_eq!(failure.code, FailureCode::SourceUnsupported);
        assert!(failure.detail.contains("a/b is not JSON Lines: it seems to be Avro"));
    }

    #[test]
    fn an_object_that_is_stored_in_a_way_that_is_not_read_fails_an_export_by_how() {
        let source = std::io::Error::new(std::io::ErrorKind::Unsupported, "it is encrypted");
        let error = ObjectError::Unsupported { key: "a/b".to_owned(), source };
        let failure = failure_of(&anyhow::Error::from(error).context("pour")).unwrap();
        assert_eq!(failure.code, FailureCode::SourceUnsupported);
        assert!(failure.detail.contains("a/b cannot be read: it is encrypted. Write it otherwise"));
    }

    #[test]
    fn an_object_of_bad_rows_fails_an_export_by_its_first() {
        let (key, reason) = ("a/b".to_owned(), "it is not UTF-8".to_owned());
        let error = ObjectError::MostlyBad { key, rows: 200, bad: 199, line: 2, reason };
        let failure = failure_of(&anyhow::Error::from(error).context("pour")).unwrap();
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
    fn an_export_of_a_table_that_is_gone_fails_by_its_name() {
        let error = anyhow::Error::from(TableRemoved("visits".to_owned())).context("plan");
        let failure = failure_of(&error).unwrap();
        assert_eq!(failure.code, FailureCode::TableRemoved);
        assert!(failure.detail.starts_with("The table visits was removed"), "{}", failure.detail);
    }

    #[test]
    fn an_export_of_a_file_that_is_too_large_fails_with_what_to_do() {
        let whole = anyhow::Error::from(FileTooLarge { bytes: 94, most: 93 });
        let piece = anyhow::Error::from(cloud::Error::TooLarge("work/acme/1/0".to_owned()));
        for (error, said) in [(whole, "94 bytes, more than the 93"), (piece, "an object of S3")] {
            let failure = failure_of(&error.context("assemble the archive")).unwrap();
            assert_eq!(failure.code, FailureCode::FileTooLarge);
            let detail = failure.detail;
            assert!(detail.contains(said) && detail.contains("shorter window"), "{detail}");
            assert!(!detail.contains("work/"), "{detail}");
        }
    }

    #[test]
    fn a_failure_names_no_arn_of_the_operator() {
        let reason = "AccessDenied: User: arn:aws:sts::123456789012:assumed-role/decant-builder/x is not \
                      authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::lake/a\" because no \
                      identity-based policy allows it";
        for (reason, shown) in [
            (
                reason,
                "AccessDenied: User: (an ARN) is not authorized to perform: s3:GetObject on resource: \
                 \"(an ARN)\" because no identity-based policy allows it",
            ),
            ("KMS.DisabledException: arn:aws-cn:kms:x:1:key/2", "KMS.DisabledException: (an ARN)"),
            ("AccessDenied: no kms:Decrypt", "AccessDenied: no kms:Decrypt"),
        ] {
            let reason = reason.to_owned();
            let archived = cloud::Error::Archived { key: "a".to_owned(), reason: reason.clone() };
            let denied = cloud::Error::Denied { action: "read", key: None, reason };
            for error in [archived, denied] {
                let detail = refused(&error).unwrap().detail;
                assert!(detail.contains(&format!("says: {shown}. Ask")), "{detail}");
            }
        }
    }

    #[test]
    fn what_no_retry_mends_fails_at_once_with_s3s_reason() {
        let key = || "lake/a.json.gz".to_owned();
        let archived =
            cloud::Error::Archived { key: key(), reason: "InvalidObjectState: cold".into() };
        let reason = "AccessDenied: no kms:Decrypt".to_owned();
        let denied =
            cloud::Error::Denied { action: "read source object", key: Some(key()), reason };
        for (error, code, said) in [
            (archived, FailureCode::SourceArchived, "InvalidObjectState: cold"),
            (denied, FailureCode::AccessDenied, "AccessDenied: no kms:Decrypt"),
        ] {
            let failure = failure_of(&anyhow::Error::from(error).context("do a step")).unwrap();
            assert_eq!(failure.code, code);
            assert!(failure.detail.contains(said) && failure.detail.contains("a.json.gz"));
        }
        let aws = cloud::Error::Stale(export::ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]));
        assert!(failure_of(&aws.into()).is_none());
    }
}
