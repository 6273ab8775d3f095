//! Why an export fails for good by what its stores say, or by how many rows it has.

use export::{Failure, FailureCode};

/// An export has more rows than it may.
#[derive(Debug, thiserror::Error)]
#[error("the export has more than {0} rows")]
pub(super) struct TooManyRows(pub(super) u64);

/// Returns why an export fails for good by this error; `None` if another attempt may succeed, or if the error is
/// of another kind.
pub(super) fn failure_of_stores(error: &anyhow::Error) -> Option<Failure> {
    if let Some(TooManyRows(most)) = error.downcast_ref() {
        let detail = format!(
            "The export has more than {most} rows, the most there may be. Choose a shorter window, fewer \
             tables or a filter, and create it again."
        );
        return Some(Failure { code: FailureCode::TooManyRows, detail });
    }
    error.downcast_ref().and_then(failure_of_store)
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

/// Returns what S3 refuses and would refuse again.
fn failure_of_store(error: &cloud::Error) -> Option<Failure> {
    let (code, detail) = match error {
        cloud::Error::SourceChanged(key) => (
            FailureCode::SourceChanged,
            format!(
                "The source object {key} was changed or removed while the export was built. Create the \
                 export again to read it as it is now."
            ),
        ),
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
        | cloud::Error::Contended(_)
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
                let detail = failure_of_store(&error).unwrap().detail;
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
            let failure =
                failure_of_stores(&anyhow::Error::from(error).context("do a step")).unwrap();
            assert_eq!(failure.code, code);
            assert!(failure.detail.contains(said) && failure.detail.contains("a.json.gz"));
        }
        let aws = cloud::Error::Stale(export::ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]));
        assert!(failure_of_stores(&aws.into()).is_none());
    }

    #[test]
    fn a_file_that_is_larger_than_objects_of_s3_fails_an_export_without_naming_its_work() {
        let error = anyhow::Error::from(cloud::Error::TooLarge("work/acme/1/0".to_owned()));
        let failure = failure_of_stores(&error.context("assemble the archive")).unwrap();
        assert_eq!(failure.code, FailureCode::FileTooLarge);
        let detail = failure.detail;
        assert!(detail.contains("an object of S3") && !detail.contains("work/"), "{detail}");
    }
}
