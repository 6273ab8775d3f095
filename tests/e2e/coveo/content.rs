//! The files of an export, row by row.

use super::*;

#[tokio::test]
async fn the_last_millisecond_is_inside_to_its_end() {
    let user = user().await;
    let at = "2026-03-01T10:59:59.999400Z";
    let row = json!({ "clickId": "k", "datetime": at, "trackingId": "shop" });
    put(&user, "clicks", &[row]).await;
    let filter = encode("trackingId=='shop'");
    for (from, to, want) in [
        ("2026-03-01T00:00:00.000Z", "2026-03-01T10:59:59.999Z", 1),
        ("2026-03-01T11:00:00.000Z", "2026-03-01T23:59:59.999Z", 0),
        ("2026-03-01T10:59:59Z", "2026-03-01T10:59:59Z", 1),
    ] {
        let query = format!("from={from}&to={to}&tables=clicks&f={filter}");
        let created = user.send("POST", &format!("{EXPORTS}?{query}"), &[], None).await.unwrap();
        let done = finished(&user, created.text("/id")).await;
        let archive = download(&user, &done).await;
        assert_eq!(column(&archive, "clicks.csv", "trackingId").len(), want, "{from} {to}");
    }
}

/// As the program in the documents: create, poll, download, unzip, join and sort.
#[tokio::test]
async fn the_documented_steps_lead_to_all_events_in_order() {
    let user = user().await;
    put_visits(&user).await;
    let done = export(&user, "d=all&filename=visits+of+March").await;
    let archive = download(&user, &done).await;

    let mut all: Vec<(String, String, &str)> = Vec::new();
    for (file, kind) in
        [("clicks.csv", "Click"), ("searches.csv", "Search"), ("custom_events.csv", "Custom")]
    {
        let rows = rows(&archive, file).into_iter();
        all.extend(rows.map(|row| (row["visitId"].clone(), row["datetime"].clone(), kind)));
    }
    all.sort();
    let kinds: Vec<&str> = all.iter().map(|(_, _, kind)| *kind).collect();
    assert_eq!(kinds, ["Search", "Search", "Custom", "Search", "Click", "Custom", "Custom"]);
}

#[tokio::test]
async fn files_are_csv_as_documented() {
    let user = user().await;
    put_visits(&user).await;
    let archive = download(&user, &export(&user, "useDisplayNames=true&filename=a+b").await).await;
    let names: Vec<String> = archive.listing().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["searches.csv", "custom_events.csv", "keywords.csv", "groups.csv", "clicks.csv"]
    );
    assert_eq!(column(&archive, "searches.csv", "User Name"), ["", "", ""]);
    assert_eq!(column(&archive, "searches.csv", "Date Time")[0], "2026-03-01T10:01:00.000Z");
    assert_eq!(column(&archive, "searches.csv", "Has Clicks"), ["true", "false", ""]);
    assert_eq!(column(&archive, "searches.csv", "Custom Data")[0], "{\"a\":\"b\\\"c\"}");
    assert_eq!(column(&archive, "clicks.csv", "Click Date Time"), ["2026-03-01T10:04:00.000Z"]);
    assert_eq!(column(&archive, "clicks.csv", "Document Title"), ["Taxes, \"2026\"\nand \\ more"]);

    let query =
        "format=NO_NEWLINE&tables=clicks&dimensions=documentTitle&dimensions=clicks.clickrank";
    let archive = download(&user, &export(&user, query).await).await;
    assert_eq!(
        archive.text("clicks.csv").unwrap(),
        "\u{feff}clickRank,documentTitle\n3,\"Taxes, \\\"2026\\\" and \\\\ more\"\n"
    );
    let empty = export(&user, &format!("tables=groups&f={}", encode("city == 'nowhere'"))).await;
    let archive = download(&user, &empty).await;
    assert_eq!(archive.text("groups.csv").unwrap(), "\u{feff}searchId,groupName,datetime\n");
}

/// Reads CSV from standard input and writes its rows as JSON; with an argument, that escapes.
const PYTHON: &str = r"
import csv, io, json, sys
text = io.TextIOWrapper(sys.stdin.buffer, 'utf-8-sig', newline='')
escape = dict(doublequote=False, escapechar=sys.argv[1]) if len(sys.argv) > 1 else {}
json.dump(list(csv.reader(text, strict=True, **escape)), sys.stdout)
";

#[tokio::test]
async fn csv_of_any_text_is_read_back_by_two_parsers() {
    let user = user().await;
    let mut rng = fastrand::Rng::with_seed(11);
    let mut odd = || -> String {
        let pieces = ["a", ",", "\"", "\\", "\n", "\r", " ", "ä", "'", ";", "\t", "日"];
        (0..rng.usize(0..7)).map(|_| pieces[rng.usize(..pieces.len())]).collect()
    };
    let texts: Vec<[String; 2]> = (0..400).map(|_| [odd(), odd()]).collect();
    let at = "2026-03-01T10:00:00Z";
    let row = |[title, author]: &[String; 2]| json!({ "datetime": at, "documentTitle": title, "documentAuthor": author });
    put(&user, "clicks", &texts.iter().map(row).collect::<Vec<_>>()).await;
    for (format, escape) in [("EXCEL", None), ("NO_NEWLINE", Some("\\"))] {
        let query = format!(
            "tables=clicks&dimensions=documentAuthor&dimensions=documentTitle&format={format}"
        );
        let archive = download(&user, &export(&user, &query).await).await;
        let text = archive.text("clicks.csv").unwrap();
        let line = |text: &String| match escape {
            Some(_) => text.replace(['\n', '\r'], " "),
            None => text.clone(),
        };
        let want: Vec<Vec<String>> =
            texts.iter().map(|[title, author]| vec![line(author), line(title)]).collect();

        let mut reader = csv::ReaderBuilder::new()
            .terminator(csv::Terminator::Any(b'\n'))
            .double_quote(escape.is_none())
            .escape(escape.map(|_| b'\\'))
            .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let read: Vec<Vec<String>> =
            reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
        assert_eq!(read, want, "{format}");

        let mut python = std::process::Command::new("python3")
            .args(["-c", PYTHON])
            .args(escape)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut python.stdin.take().unwrap(), text.as_bytes()).unwrap();
        let output = python.wait_with_output().unwrap();
        let read: Vec<Vec<String>> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(read[1..], want, "{format}");
    }
}
