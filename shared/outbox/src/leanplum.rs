//! What the Leanplum dialect says of a job, whether it was asked or calls back: one element in an
//! envelope. Source: the documents of `getExportResults` and recordings of it.

use export::{BucketCopy, Export, Origin, State};
use serde::Serialize;

/// What is answered to a call, an element for each action in it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Envelope {
    /// The elements.
    pub response: Vec<Element>,
}

/// What is said of one action. What does not apply is left out.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Element {
    /// Whether it was done.
    pub success: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Message>,
    /// The job it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// `PENDING`, `RUNNING`, `FINISHED` or `FAILED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// The URLs of the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<String>>,
    /// Sessions in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_sessions: Option<u64>,
    /// Bytes of all files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_bytes: Option<u64>,
    /// Rows of the lake that could not be read, if there are any. No field of Leanplum's: clients ignore it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_bad_rows: Option<u64>,
    /// The path of the native API that leads to the list of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad_rows_path: Option<String>,
    /// What came of the copy into a bucket, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_copy_status: Option<CopyStatus>,
}

/// A text for people, which some programs look for.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The text.
    pub message: String,
}

/// What came of the copy of each file.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct CopyStatus {
    success: Vec<CopiedFile>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failure: Vec<CopiedFile>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct CopiedFile {
    source_file: String,
    dest_file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Element {
    /// Returns what is said of an action that was not done.
    pub fn refused(message: String) -> Self {
        Self { error: Some(Message { message }), ..Self::default() }
    }

    /// Returns the envelope with this element only.
    pub fn alone(self) -> Envelope {
        Envelope { response: vec![self] }
    }
}

impl Envelope {
    /// Returns the JSON of it.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The name under which this dialect's exports are stored.
pub const DIALECT: &str = "leanplum";

/// Returns the id of a job, as it was given to who asked.
pub fn job_of(origin: &Origin) -> &str {
    origin.params.get("jobId").and_then(|ids| ids.first()).map_or("", String::as_str)
}

/// Tells of a job; `files` is the URL to which names of files are appended.
pub fn results(export: &Export, origin: &Origin, files: &str) -> Element {
    let of = |state| Element {
        success: true,
        job_id: Some(job_of(origin).to_owned()),
        state: Some(state),
        ..Element::default()
    };
    let failed = |message: &str| Element {
        error: Some(Message { message: message.to_owned() }),
        ..of("FAILED")
    };
    let archive = match &export.state {
        State::Queued { .. } => return of("PENDING"),
        State::Running { .. } => return of("RUNNING"),
        State::Failed { failure, .. } => return failed(&failure.detail),
        State::Cancelled { .. } => return failed("The export was cancelled."),
        State::Succeeded { archive }
        | State::Expired { archive, .. }
        | State::Deleted { archive, .. } => archive,
    };
    let copy = export.copy.as_ref();
    let base = match copy {
        Some(copy) if !copy.has_ended() => return of("RUNNING"),
        Some(copy) => copy.failure().map_or_else(|| of("FINISHED"), failed),
        None => of("FINISHED"),
    };
    let names = export.request.part_names(archive.table_files.as_deref().unwrap_or_default());
    let urls: Vec<String> = names.iter().map(|name| format!("{files}/{name}")).collect();
    let bad_rows = Some(archive.bad_rows).filter(|count| *count > 0);
    let rows = archive.table_rows.as_ref().and_then(|rows| rows.first().copied());
    Element {
        s3_copy_status: copy.map(|copy| copied(copy, &names, &urls)),
        files: Some(urls),
        num_sessions: Some(rows.unwrap_or_default()),
        num_bytes: Some(archive.size_bytes),
        num_bad_rows: bad_rows,
        bad_rows_path: bad_rows.map(|_| format!("/v1/exports/{}/bad-rows", export.id)),
        ..base
    }
}

fn copied(copy: &BucketCopy, names: &[String], urls: &[String]) -> CopyStatus {
    let mut status = CopyStatus::default();
    for (number, (name, url)) in (0..).zip(names.iter().zip(urls)) {
        let failed = copy.failed.iter().find(|failed| failed.file == number);
        // What was not come to fails for what the whole does.
        let error = failed.map(|failed| failed.detail.as_str());
        let error = error.or_else(|| copy.failure().filter(|_| number >= copy.done));
        let file = CopiedFile {
            source_file: url.clone(),
            dest_file: copy.target.key(name),
            error: error.map(str::to_owned),
        };
        if error.is_some() { status.failure.push(file) } else { status.success.push(file) }
    }
    status
}

#[cfg(test)]
mod tests {
    use export::{
        Archive, CopyTarget, ExportId, ExportRequest, Files, Format, Parts, StoredCredentials,
        TableSelection, Window,
    };
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn finished(copy: bool) -> Export {
        let window = Window::new(NOW, NOW + SignedDuration::from_hours(1)).unwrap();
        let table = TableSelection { file: Some("f".into()), ..TableSelection::whole("t") };
        let request = ExportRequest {
            files: Files::Parts(Parts { max_bytes: 1, max_rows: None, suffix: false }),
            ..ExportRequest::new(vec![table], window, Format::Jsonl)
        };
        let day = SignedDuration::from_hours(24);
        let acme = "acme".parse().unwrap();
        let params = [("jobId".to_owned(), vec!["export_1_2".to_owned()])].into();
        let origin = Origin { dialect: DIALECT.to_owned(), requested_by: "me".into(), params };
        let new = Export::queued(
            ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]),
            acme,
            request,
            NOW,
            day,
        )
        .with_origin(origin);
        let target = CopyTarget {
            bucket: "bucket".parse().unwrap(),
            prefix: "dir/".parse().unwrap(),
            gzip: true,
            manifest: false,
        };
        let key = StoredCredentials::Key { id: "AKIA".into(), sealed: "sealed".into() };
        let new = if copy { new.with_copy(target, key) } else { new };
        let built = Archive {
            published_at: NOW,
            expires_at: NOW,
            size_bytes: 2,
            crc32: 0,
            rows: Some(1),
            table_files: Some(vec![2]),
            table_rows: Some(vec![1]),
            bad_rows: 0,
            receipt: None,
        };
        new.claim(NOW).unwrap().succeed(NOW, &built)
    }

    fn told(export: &Export) -> String {
        results(export, export.origin.as_ref().unwrap(), "https://a").alone().to_json()
    }

    #[test]
    fn a_job_is_told_of_as_clients_know_it() {
        insta::assert_snapshot!(told(&finished(false)), @r#"{"response":[{"success":true,"jobId":"export_1_2","state":"FINISHED","files":["https://a/f-0","https://a/f-1"],"numSessions":1,"numBytes":2}]}"#);
    }

    /// A thousand files, each said three times with the longest prefix, of which each byte is escaped twice,
    /// and as many failures as there may be.
    #[test]
    fn the_largest_job_fits_into_a_message() {
        const MAX_MESSAGE: usize = 1 << 20;
        let mut export = finished(true);
        let State::Succeeded { archive } = &mut export.state else { panic!("it has succeeded") };
        archive.table_files = Some(vec![1000]);
        let mut random = 7_u64;
        let mut text = |len: usize| -> String {
            let mut next = || {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from(
                    b" \"\\abcdefghijklmnopqrstuvwxyz012"[usize::try_from(random >> 59).unwrap()],
                )
            };
            (0..len).map(|_| next()).collect()
        };
        let copy = export.copy.as_mut().unwrap();
        copy.target.prefix = text(800).parse().unwrap();
        let failed = |file| export::FailedFile { file, detail: text(300) };
        copy.failed = (0..100).map(failed).collect();
        copy.state = export::CopyState::Ended { at: NOW, failure: Some("No.".into()) };
        let export = export.with_callback(
            "https://example.com/".parse().unwrap(),
            format!("https://{}/files", "a".repeat(90)),
        );
        let notice = crate::WebhookMessage::of(&export, NOW).unwrap();
        assert!(notice.body.text().len() > MAX_MESSAGE, "{}", notice.body.text().len());
        let sent = serde_json::to_string(&notice).unwrap();
        assert!(sent.len() < MAX_MESSAGE / 4, "{}", sent.len());
        assert_eq!(serde_json::from_str::<crate::WebhookMessage>(&sent).unwrap(), notice);
    }

    #[test]
    fn rows_that_could_not_be_read_are_told_beside_what_clients_read() {
        let mut export = finished(false);
        if let State::Succeeded { archive } = &mut export.state {
            archive.bad_rows = 3;
        }
        let path = format!("/v1/exports/{}/bad-rows", export.id);
        let want = format!(r#""numBytes":2,"numBadRows":3,"badRowsPath":"{path}"}}"#);
        assert!(told(&export).contains(&want), "{}", told(&export));
    }

    #[test]
    fn a_job_is_finished_when_its_files_are_copied() {
        let waiting = finished(true);
        assert!(told(&waiting).contains(r#""state":"RUNNING"}"#));
        let copied = waiting.copy_claimed(NOW).unwrap().copy_advanced(None).unwrap();
        let copied = copied.copy_advanced(Some("SlowDown: Later.")).unwrap();
        insta::assert_snapshot!(told(&copied.copy_ended(NOW, None).unwrap()), @r#"{"response":[{"success":true,"jobId":"export_1_2","state":"FINISHED","files":["https://a/f-0","https://a/f-1"],"numSessions":1,"numBytes":2,"s3CopyStatus":{"success":[{"sourceFile":"https://a/f-0","destFile":"dir/f-0.gz"}],"failure":[{"sourceFile":"https://a/f-1","destFile":"dir/f-1.gz","error":"SlowDown: Later."}]}}]}"#);
    }

    #[test]
    fn a_file_that_was_not_copied_is_told_as_failed_though_all_of_them_were() {
        let claimed = finished(true).copy_claimed(NOW).unwrap();
        let no = Some("SlowDown: Later.");
        let failed = claimed.copy_advanced(no).unwrap().copy_advanced(no).unwrap();
        let ended = failed.copy_ended(NOW, None).unwrap();
        let status = results(&ended, ended.origin.as_ref().unwrap(), "https://a").s3_copy_status;
        let status = status.unwrap();
        assert_eq!((status.success.len(), status.failure.len()), (0, 2));
        assert!(status.failure.iter().all(|file| file.error.as_deref() == no));
        assert_eq!(ended.copy.unwrap().copied(), 0);
    }

    #[test]
    fn a_copy_that_is_refused_fails_the_job_whose_files_are_still_there() {
        let claimed = finished(true).copy_claimed(NOW).unwrap();
        let refused = claimed.copy_ended(NOW, Some("AccessDenied: No.".into())).unwrap();
        insta::assert_snapshot!(told(&refused), @r#"{"response":[{"success":true,"error":{"message":"AccessDenied: No."},"jobId":"export_1_2","state":"FAILED","files":["https://a/f-0","https://a/f-1"],"numSessions":1,"numBytes":2,"s3CopyStatus":{"success":[],"failure":[{"sourceFile":"https://a/f-0","destFile":"dir/f-0.gz","error":"AccessDenied: No."},{"sourceFile":"https://a/f-1","destFile":"dir/f-1.gz","error":"AccessDenied: No."}]}}]}"#);
    }
}
