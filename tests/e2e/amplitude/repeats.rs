//! What is asked for again, and published clients, which do so.

use super::*;

/// The hour that began so many hours ago, and how a query writes it.
fn hour_ago(hours: i64) -> (Timestamp, String) {
    let at = Timestamp::now() - SignedDuration::from_hours(hours);
    (at, at.strftime("%Y%m%dT%H").to_string())
}

/// Files an event in the hour of an instant.
async fn put_event(user: &User, at: Timestamp) {
    let row =
        format!("{{\"server_upload_time\":\"{}\"}}\n", at.strftime("%Y-%m-%d %H:%M:%S.000000"));
    let hour = at.strftime("date=%Y-%m-%d/hour=%H");
    let key = format!("amplitude/events/workspace={}/{hour}/a.json.gz", user.workspace);
    user.stack.put_source(&key, gzip(&row)).await.unwrap();
}

/// Makes the newest export one that was made an hour ago, of the hours that were complete by then.
async fn as_of_an_hour_ago(user: &User, change: impl Fn(Export) -> Export) {
    let listed = user.get("/v1/exports").await.unwrap();
    let id: ExportId = listed.text("/exports/0/id").parse().unwrap();
    let older = |export: &Export| {
        let mut older = change(export.clone());
        let window = older.request.window;
        let to = window.to() - SignedDuration::from_hours(1);
        older.request.window = Window::new(window.from(), to).unwrap();
        Some(Export { version: export.version + 1, ..older })
    };
    user.stack.exports().change(&user.workspace, id, older).await.unwrap();
}

#[tokio::test]
async fn an_end_in_the_future_is_another_export_only_once_there_are_more_events() {
    let user = user().await;
    let (first, start) = hour_ago(8);
    put_event(&user, first).await;
    let query = format!("start={start}&end={}", hour_ago(-30).1);
    assert_eq!(files(&ask(&user, &query).await.bytes).len(), 1);

    // Another hour is complete, without events.
    as_of_an_hour_ago(&user, |export| export).await;
    assert_eq!(files(&ask(&user, &query).await.bytes).len(), 1);
    assert_eq!(count_exports(&user).await, 1);

    // And with events.
    put_event(&user, hour_ago(4).0).await;
    assert_eq!(files(&ask(&user, &query).await.bytes).len(), 2);
    assert_eq!(count_exports(&user).await, 2);
}

#[tokio::test]
async fn an_export_that_is_made_is_waited_for_though_another_hour_is_complete() {
    let user = user().await;
    put_event(&user, hour_ago(8).0).await;
    let query = format!("start={}&end={}", hour_ago(8).1, hour_ago(-30).1);
    assert_eq!(ask(&user, &query).await.status, 200);
    // A builder that does not exist holds it since an hour ago.
    let held = |export: Export| {
        let (now, day) = (Timestamp::now(), SignedDuration::from_hours(24));
        let ago = now - SignedDuration::from_hours(1);
        let begun =
            Export::queued(export.id, export.workspace.clone(), export.request.clone(), ago, day);
        let begun = begun.claim(now).unwrap();
        Export { origin: export.origin, ..begun }
    };
    as_of_an_hour_ago(&user, held).await;
    put_event(&user, hour_ago(4).0).await;

    let waited = ask_once(&user, &query).await;

    assert_eq!(waited.status, 503, "{:?}", waited.bytes);
    assert_eq!(count_exports(&user).await, 1);
}

/// Two clients that others published, each with its base URL changed and nothing else.
const CLIENTS: &str = r#"
import io, sys, zipfile, gzip
base, key, secret, path = sys.argv[1:]

from amplitude.client import AmplitudeExport
AmplitudeExport.URL = base + "/api/2/export"
print(len(AmplitudeExport(key, secret).export("20260301T00", "20260301T01")))

from amplitude_data_wrapper import analytics_api
analytics_api.API_DOMAINS["eu"] = base
analytics_api.export_project_data("20260301T00", "20260301T01", key, secret, path)
with zipfile.ZipFile(path) as z:
    print(sum(len(gzip.decompress(z.read(name)).splitlines()) for name in z.namelist()))
"#;

#[tokio::test]
async fn published_clients_read_every_event() {
    let user = user().await;
    user.seed(SMALL, &["amplitude_events"], at(BEGIN), 2).await.unwrap();
    let path = std::env::temp_dir().join(format!("decant-{}.zip", user.workspace));
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/check/bin/python"))
        .args([
            "-c",
            CLIENTS,
            user.stack.base_url(),
            &user.token[4..20],
            &user.token,
            path.to_str().unwrap(),
        ])
        .output()
        .expect("run Python, which make test sets up");
    std::fs::remove_file(path).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "120\n120\n", "{}", String::from_utf8_lossy(&output.stderr));
}
