//! Pages: what they show, and that whatever an export is called stays text.

use axum::body::to_bytes;
use export::{
    ExportId, Files, Format, Parts, PlainFile, Share, ShareRequest, ShareSecret, TableSelection,
    Window,
};
use jiff::{SignedDuration, Timestamp};

use super::*;

fn export(name: Option<&str>) -> Export {
    let from: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let window = Window::new(from, from + SignedDuration::from_hours(24)).unwrap();
    let tables = vec![TableSelection::whole("page"), TableSelection::whole("visit")];
    let request = ExportRequest {
        name: name.map(str::to_owned),
        files: Files::Parts(Parts { max_bytes: 1, max_rows: None, suffix: true }),
        ..ExportRequest::new(tables, window, Format::Csv)
    };
    let id = ExportId::new(from, [7; 10]);
    Export::queued(id, "acme".parse().unwrap(), request, from, SignedDuration::from_hours(24))
}

fn shared(once: bool) -> Ready {
    let export = export(None);
    let secret = ShareSecret::from_random([7; 32]);
    let request = ShareRequest { once, ..ShareRequest::default() };
    let of = (&export.workspace, export.id);
    let share = Share::new(of, &secret, request, "ana", export.created_at);
    let expires_at = export.created_at + SignedDuration::from_hours(30);
    let archive = Archive {
        published_at: export.created_at,
        expires_at,
        size_bytes: 1_234_567,
        crc32: 0,
        rows: Some(12_345),
        table_files: Some(vec![1, 0]),
        table_rows: None,
        bad_rows: 3,
        receipt: None,
    };
    Ready { share, export, archive }
}

fn file() -> FileView {
    let file = PlainFile {
        crc32: None,
        name: "page-0.csv".into(),
        table: "page".into(),
        size_bytes: 999,
        rows: 12_345,
    };
    FileView { file, link: "https://api/s/x/files/page-0.csv".into(), link_expires_at: None }
}

async fn text(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let page = String::from_utf8(bytes.to_vec()).unwrap();
    // The style is that of all pages.
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, rest) = rest.split_once("</style>").unwrap();
    format!("{head}{rest}").replace("><", ">\n<")
}

#[tokio::test]
async fn a_page_shows_what_there_is_and_until_when() {
    let (link, target) = ("https://api/s/x", "https://archives.s3.amazonaws.com/k?signature");
    let response = ready(&shared(false), &[file()], link, target);
    insta::assert_snapshot!("files", text(response).await);
    let response = ready(&shared(true), &[], link, target);
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.contains("form-action 'self' https://archives.s3.amazonaws.com;"), "{policy}");
    insta::assert_snapshot!("once", text(response).await);
}

#[tokio::test]
async fn a_page_of_an_unfinished_export_says_how_far_it_is_and_looks_again() {
    let mut export = export(None).claim(Timestamp::UNIX_EPOCH).unwrap().planned(4);
    export.steps_done = [0, 2].into();
    let response = unfinished(&export);
    assert_eq!(response.headers()[header::REFRESH], "5");
    let text = text(response).await;
    assert!(text.contains("2 of 4 parts are done"), "{text}");
}

#[tokio::test]
async fn a_hostile_name_is_shown_as_text() {
    let name = "<script>alert(1)</script>\"'&\u{202e}";
    let text = text(unfinished(&export(Some(name)))).await;
    assert!(!text.contains("<script"), "{text}");
    assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{text}");
}
