//! Copies go through their states, and what opens a bucket is checked.

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const SECOND: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

fn built() -> crate::Archive {
    crate::Archive {
        published_at: NOW,
        expires_at: NOW,
        size_bytes: 1,
        crc32: 0,
        rows: None,
        table_files: None,
        table_rows: None,
        bad_rows: 0,
        receipt: None,
    }
}

fn waiting() -> Export {
    let now = NOW;
    let window = crate::Window::new(now, now + COPY_LEASE).unwrap();
    let tables = vec![crate::TableSelection::whole("t")];
    let request = crate::ExportRequest::new(tables, window, crate::Format::Jsonl);
    let (id, acme) =
        (crate::ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]), "acme".parse().unwrap());
    let target = CopyTarget {
        bucket: "bucket".parse().unwrap(),
        prefix: KeyPrefix::default(),
        gzip: false,
        manifest: false,
    };
    let role = StoredCredentials::Role { arn: "role/decant-x".into() };
    Export::queued(id, acme, request, now, COPY_LEASE).with_copy(target, role)
}

fn copying() -> Export {
    waiting().succeed(NOW, &built()).copy_claimed(NOW).unwrap()
}

#[test]
fn a_courier_that_lost_its_copy_is_told_from_one_that_took_it_on_at_the_same_moment() {
    let now = Timestamp::UNIX_EPOCH;
    let first = copying();
    // Given back and taken on by another, whose clock shows the same.
    let second = first.copy_freed(now).unwrap().copy_claimed(now).unwrap();
    assert_eq!(first.copy_held_until(), second.copy_held_until());
    assert_eq!((first.copy_fence(), second.copy_fence()), (Some(1), Some(2)));
    assert_eq!(second.copy_ended(now, None).unwrap().copy_fence(), None);
}

#[test]
fn a_file_that_failed_is_not_counted_as_copied() {
    let copied = |export: &Export| export.copy.as_ref().unwrap().copied();
    let failed = copying().copy_advanced(Some("AccessDenied")).unwrap();
    let failed = failed.copy_advanced(Some("AccessDenied")).unwrap();
    assert_eq!((copied(&failed), failed.copy.as_ref().unwrap().done), (0, 2));
    assert_eq!(copied(&failed.copy_advanced(None).unwrap()), 1);
}

#[test]
fn names_that_could_be_a_host_of_their_own_are_no_buckets() {
    for good in ["acme-exports", "a.b-c", "123"] {
        assert!(good.parse::<BucketName>().is_ok(), "{good}");
    }
    for bad in ["", "ab", "Acme", "a/b", "a..b", "-ab", "ab.", "a@b", "a:1", &"a".repeat(64)] {
        assert!(bad.parse::<BucketName>().is_err(), "{bad}");
    }
    assert!("dirname/".parse::<KeyPrefix>().is_ok());
    for bad in ["/a", "a\n", &"a".repeat(801)] {
        assert!(bad.parse::<KeyPrefix>().is_err(), "{bad}");
    }
}

#[test]
fn a_courier_that_does_not_come_or_dies_is_sent_for_again_and_no_sooner() {
    let published = NOW + SECOND;
    let ready = waiting().succeed(published, &built());
    let due = published + RESEND_AFTER;
    assert_eq!(ready.due(), Some(due));
    assert_eq!(ready.copy_resent(due - SECOND), None);
    let resent = ready.copy_resent(due).unwrap();
    assert_eq!(resent.due(), Some(due + RESEND_AFTER));

    let held = resent.copy_claimed(due).unwrap();
    let lapses = due + COPY_LEASE;
    assert_eq!((held.copy_held_until(), held.due()), (Some(lapses), Some(lapses)));
    assert_eq!(held.copy_claimed(lapses - SECOND), None, "another courier is at it");
    assert_eq!(held.copy_claimed(lapses).unwrap().copy_fence(), Some(2));
    assert_eq!(waiting().copy_resent(lapses), None, "there is nothing to copy yet");
}

#[test]
fn a_copy_whose_couriers_keep_dying_is_given_up_unless_files_go_through() {
    let taken_on_again = |export: Export, times: u32| {
        (0..times)
            .fold(export, |export, _| export.copy_freed(NOW).unwrap().copy_claimed(NOW).unwrap())
    };
    let last = taken_on_again(copying(), MAX_FAILURES - 1);
    let advanced = taken_on_again(last.copy_advanced(None).unwrap(), MAX_FAILURES);
    for export in [last, advanced] {
        assert!(export.copy_held_until().is_some());
        let given_up = export.copy_freed(NOW).unwrap().copy_claimed(NOW).unwrap();
        let copy = given_up.copy.unwrap();
        assert_eq!(copy.failure(), Some(Failure::internal().detail.as_str()));
    }
}

#[test]
fn a_copy_that_has_ended_stays_as_it_ended() {
    let of = |ended: &Export| ended.copy.as_ref().unwrap().failure().map(str::to_owned);
    assert_eq!(of(&copying()), None);
    for why in [None, Some("AccessDenied".to_owned())] {
        let ended = copying().copy_ended(NOW + SECOND, why.clone()).unwrap();
        assert_eq!(of(&ended), why);
        let deleted = ended.delete(NOW + SECOND + SECOND).unwrap();
        assert_eq!(deleted.copy, ended.copy);
        assert_eq!(deleted.copy_ended(NOW, None), None);
    }
}

#[test]
fn what_is_kept_of_why_a_file_failed_is_short() {
    let failed = copying().copy_advanced(Some(&"ü".repeat(2 * MAX_DETAIL_CHARS))).unwrap();
    assert_eq!(failed.copy.unwrap().failed[0].detail, "ü".repeat(MAX_DETAIL_CHARS));
}

#[test]
fn an_archive_is_copied_whole_and_plain_files_one_by_one() {
    let names = |export: &Export| {
        let files = export.files_to_copy().into_iter();
        let file = |file: StoredFile| (file.name, file.key, file.kind);
        files.map(file).collect::<Vec<_>>()
    };
    assert_eq!(names(&waiting()), [], "there is no archive");
    let export = copying();
    let id = export.id;
    assert_eq!(
        names(&export),
        [(format!("{id}.zip"), format!("exports/acme/{id}.zip"), "application/zip")]
    );

    let mut export = waiting();
    let parts = crate::Parts { max_bytes: 1, max_rows: None, suffix: true };
    export.request.files = crate::Files::Parts(parts);
    let archive = crate::Archive { table_files: Some(vec![2]), ..built() };
    let file = |name: &str| {
        let key = format!("exports/acme/{}/{name}", export.id);
        (name.to_owned(), key, "application/octet-stream")
    };
    let want = [file("t-0.jsonl"), file("t-1.jsonl")];
    assert_eq!(names(&export.succeed(NOW, &archive)), want);
}

#[test]
fn a_receipt_is_copied_where_there_is_one() {
    let receipt = crate::Receipt { size_bytes: 2, sha256: "ab".repeat(32), signature: None };
    let archive = crate::Archive { receipt: Some(receipt), ..built() };
    let export = waiting().succeed(NOW, &archive);
    let id = export.id;
    let file = export.receipt_to_copy().map(|file| (file.name, file.key, file.kind));
    let key = format!("exports/acme/{id}.receipt.json");
    assert_eq!(file, Some((format!("{id}.receipt.json"), key, "application/json")));
    assert!(copying().receipt_to_copy().is_none());
}

#[test]
fn a_role_is_of_an_account_and_knows_the_workspace_by_its_external_id() {
    let role = BucketCredentials::Role { arn: "arn:aws:iam::111122223333:role/decant-x".into() };
    assert_eq!(role.account(), Some("111122223333"));
    let key = BucketCredentials::Key { id: "AKIA".into(), secret: Secret::new("s".into()) };
    assert_eq!(key.account(), None);
    // Users write it into the trust policies of their roles.
    assert_eq!(external_id(&"acme".parse().unwrap()), "decant-acme");
}
