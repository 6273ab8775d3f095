//! A lake of Parquet is exported as one of JSON Lines, and any lake as Parquet, which others read.

use std::process::Command;

use serde_json::{Value, json};
use tests::{Stack, User, sample::Sample};

use crate::{at, request};

const PAGES: &[u8] = include_bytes!("../../shared/columnar/tests/fixtures/pages.parquet");

#[tokio::test]
async fn rows_of_parquet_are_exported_beside_those_of_json() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let folder = format!("liferay/page/workspace={}/date=2026-03-01/hour=00", user.workspace);
    let put = async |name: &str, bytes: Vec<u8>| {
        user.stack.put_source(&format!("{folder}/{name}"), bytes).await.unwrap();
    };
    // By its first bytes, by its name, and in between a row of JSON.
    put("a", PAGES.to_vec()).await;
    put(
        "b.json",
        b"{\"eventDate\":\"2026-03-01T00:20:00Z\",\"title\":\"b\",\"views\":2}\n".to_vec(),
    )
    .await;
    put("c.parquet", PAGES.to_vec()).await;

    let mut body = request("liferay_page", "2026-03-01T00:00:00Z", "2026-03-01T00:30:00Z", "csv");
    body["columns"] = serde_json::json!({ "liferay_page": ["title", "views", "eventDate"] });
    let (done, archive) = user.export(&body).await.unwrap();

    let pages =
        "\"a, \"\"1\"\"\",1,2026-03-01T00:10:00Z\nGröße,12345678901,2026-03-01T00:29:59.999999Z\n";
    let text = archive.text("liferay_page.csv").unwrap();
    assert_eq!(text, format!("title,views,eventDate\n{pages}b,2,2026-03-01T00:20:00Z\n{pages}"));
    // Of each file, the row without a time is bad, and the one of another time is outside.
    assert_eq!(
        (done.body["archive"]["rows"].as_u64(), done.body["archive"]["bad_rows"].as_u64()),
        (Some(5), Some(2))
    );
}

#[tokio::test]
async fn damaged_parquet_fails_the_export_by_name() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let key =
        format!("liferay/page/workspace={}/date=2026-03-01/hour=00/a.parquet", user.workspace);
    user.stack.put_source(&key, PAGES[..PAGES.len() - 9].to_vec()).await.unwrap();

    let body = request("liferay_page", "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "csv");
    let done = user.finished(&user.create(&body).await.unwrap()).await.unwrap();

    assert_eq!(done.text("/failure/code"), "source_corrupt", "{}", done.body);
    let detail = done.text("/failure/detail");
    assert!(detail.contains(&key) && detail.contains("it does not end with PAR1"), "{detail}");
}

/// Reads Parquet with three programs, and compares it with rows of JSON Lines, whose types are those of the catalog.
/// What cannot be in its column is null.
const COMPARE: &str = r#"
import datetime, decimal, json, sys, duckdb, polars, pyarrow, pyarrow.parquet
lines, types, *files = sys.argv[1:]
types = json.loads(types)
UTC = datetime.timezone.utc

def value(kind, found):
    if found is None: return None
    if kind == "json": return found
    if isinstance(found, dict | list): return json.dumps(found)
    if kind == "string": return found if isinstance(found, str) else str(found)
    if kind == "integer":
        number = decimal.Decimal(str(found))
        return int(number) if number == int(number) and -2**63 <= number < 2**63 else None
    if kind == "number": return float(found)
    if kind == "boolean": return found
    if kind == "time":
        at = datetime.datetime.fromisoformat(found.replace(" UTC", "Z"))
        return at if at.tzinfo else at.replace(tzinfo=UTC)

want = [{name: value(kind, row.get(name)) for name, kind in types.items()}
        for row in map(json.loads, open(lines, encoding="utf-8"))]

def plain(rows):
    for row in rows:
        for name, kind in types.items():
            if kind == "json" and row[name] is not None: row[name] = json.loads(row[name])
            if kind == "time" and row[name] is not None: row[name] = row[name].astimezone(UTC)
    return rows

arrow = [pyarrow.parquet.read_table(file) for file in files]
kinds = {"string": ["string"], "json": ["string", "extension<arrow.json>"], "integer": ["int64"], "number": ["double"],
         "boolean": ["bool"], "time": ["timestamp[us, tz=UTC]"]}
for table in arrow:
    assert table.schema.names == list(types), table.schema
    for field in table.schema:
        assert str(field.type) in kinds[types[field.name]] and field.nullable, field
metadata = [pyarrow.parquet.ParquetFile(file).metadata for file in files]
columns = [group.column(i) for one in metadata for group in map(one.row_group, range(one.num_row_groups))
           for i in range(one.num_columns)]
assert all(column.compression == "ZSTD" for column in columns)

read = {
    "pyarrow": [row for table in arrow for row in table.to_pylist()],
    "polars": [row for file in files for row in polars.read_parquet(file).to_dicts()],
    "duckdb": [],
}
for file in files:
    found = duckdb.sql(f"SELECT * FROM read_parquet('{file}')")
    duck = {"string": "VARCHAR", "json": "JSON", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN",
            "time": "TIMESTAMP WITH TIME ZONE"}
    assert [str(kind) for kind in found.types] == [duck[kind] for kind in types.values()], found.types
    # Without another package, Python gets instants of DuckDB as numbers.
    times = [f'epoch_us("{name}") AS "{name}"' for name, kind in types.items() if kind == "time"]
    for row in found.project(f"* REPLACE ({', '.join(times)})").fetchall():
        row = dict(zip(types, row))
        for name, kind in types.items():
            if kind == "time" and row[name] is not None:
                row[name] = datetime.datetime(1970, 1, 1, tzinfo=UTC) + datetime.timedelta(microseconds=row[name])
        read["duckdb"].append(row)
for program, rows in read.items():
    rows = plain(rows)
    assert len(rows) == len(want), (program, len(rows), len(want))
    for one, other in zip(rows, want):
        assert one == other, (program, one, other)
print(json.dumps([[one.num_row_groups, one.num_rows] for one in metadata]))
"#;

/// In the order of names, which is how columns are asked for here.
const TYPES: &str = r#"{"amplitude_id":"integer","country":"string","data":"json","event_id":"integer",
    "event_properties":"json","location_lat":"number","paying":"boolean","server_upload_time":"time","user_id":"string"}"#;

/// The body of an export of events with columns of every type.
fn events(format: &str, to: &str) -> Value {
    let mut body = request("amplitude_events", "2026-03-01T00:00:00Z", to, format);
    let types: Value = serde_json::from_str(TYPES).unwrap();
    let names: Vec<&String> = types.as_object().unwrap().keys().collect();
    body["columns"] = json!({ "amplitude_events": names });
    body
}

/// Compares files of Parquet with what JSON Lines have of the same rows. Returns how many row groups and rows each has.
fn compare(user: &User, types: &str, lines: &str, files: &[Vec<u8>]) -> Vec<(u64, u64)> {
    let folder = std::env::temp_dir().join(format!("decant-parquet-{}", user.workspace));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("rows.jsonl"), lines).unwrap();
    let mut command = Command::new("python3");
    command.args(["-c", COMPARE]).arg(folder.join("rows.jsonl")).arg(types);
    for (number, file) in files.iter().enumerate() {
        let path = folder.join(format!("{number}.parquet"));
        std::fs::write(&path, file).unwrap();
        command.arg(path);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::remove_dir_all(folder).unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn member(archive: &tests::Archive, name: &str) -> Vec<u8> {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&archive.0)).unwrap();
    let mut file = zip.by_name(name).unwrap();
    assert_eq!(file.compression(), zip::CompressionMethod::Stored, "its pages are compressed");
    let mut bytes = Vec::new();
    std::io::copy(&mut file, &mut bytes).unwrap();
    bytes
}

/// Fills the lake so that several builders take part, with values that cannot be in their column.
async fn user_with_events() -> User {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let sample = Sample { seed: 5, rows_per_hour: 2500, objects_per_hour: 3 };
    user.seed(sample, &["amplitude_events"], at("2026-03-01T00:00:00Z"), 6).await.unwrap();
    let rows = [
        ("9223372036854775807", "1.5", "true"),
        ("9223372036854775808", "2.5", "false"),
        ("3", "9007199254740993", "null"),
    ];
    let rows: String = rows
        .iter()
        .map(|(id, lat, paying)| {
            format!(
                "{{\"server_upload_time\":\"2026-03-01 00:30:00.000001\",\"event_id\":{id},\
                 \"location_lat\":{lat},\"paying\":{paying},\"user_id\":\"ä\\\"\"}}\n"
            )
        })
        .collect();
    let folder = format!("amplitude/events/workspace={}/date=2026-03-01/hour=00", user.workspace);
    user.stack.put_source(&format!("{folder}/zz.json"), rows.into_bytes()).await.unwrap();
    user
}

#[tokio::test]
async fn three_programs_read_rows_of_parquet_as_json_lines_have_them() {
    let user = user_with_events().await;
    let to = "2026-03-01T06:00:00Z";
    let (_, lines) = user.export(&events("jsonl", to)).await.unwrap();
    let (done, archive) = user.export(&events("parquet", to)).await.unwrap();

    let lines = lines.text("amplitude_events.jsonl").unwrap().replace("9007199254740993", "null");
    let file = member(&archive, "amplitude_events.parquet");
    let found = compare(&user, TYPES, &lines, &[file]);
    assert_eq!(done.body["archive"]["rows"], lines.lines().count());
    assert!(found[0].0 > 2, "row groups of several steps: {found:?}");

    assert_eq!(done.body["archive"]["bad_rows"], 2);
    let list = user.get(done.text("/links/bad_rows")).await.unwrap();
    let list = user.send("GET", list.header("location"), &[("authorization", "")], None).await;
    let list = String::from_utf8(list.unwrap().bytes).unwrap();
    let told: Vec<Value> = list.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!(
        told.iter().map(|row| (&row["line"], &row["exported"], &row["reason"])).collect::<Vec<_>>(),
        [
            (&json!(2), &json!(true), &json!("event_id is no whole number of 64 bits: it is null")),
            (
                &json!(3),
                &json!(true),
                &json!(
                    "location_lat is a whole number that a floating-point number cannot have: it is null"
                )
            ),
        ]
    );

    let (again, _) = user.export(&events("parquet", to)).await.unwrap();
    assert_eq!(again.body["archive"]["crc32"], done.body["archive"]["crc32"], "the same bytes");
}

#[tokio::test]
async fn plain_files_of_parquet_have_so_many_rows_at_most_and_each_stands_alone() {
    let user = user_with_events().await;
    let to = "2026-03-01T03:00:00Z";
    let (_, lines) = user.export(&events("jsonl", to)).await.unwrap();
    let mut body = events("parquet", to);
    body["tables"] = json!(["amplitude_events", "liferay_segment"]);
    (body["layout"], body["max_file_rows"]) = (json!("files"), json!(1000));
    body["filter"] = Value::Null;
    let done = user.finished(&user.create(&body).await.unwrap()).await.unwrap();
    assert_eq!(done.text("/status"), "succeeded", "{}", done.body);

    let list = user.get(done.text("/links/files")).await.unwrap();
    let (mut files, mut rows) = (Vec::new(), Vec::new());
    for file in list.body["files"].as_array().unwrap() {
        let link = user.get(file["link"].as_str().unwrap()).await.unwrap();
        let got = user.send("GET", link.header("location"), &[("authorization", "")], None).await;
        let got = got.unwrap().bytes;
        assert_eq!(got.len() as u64, file["size_bytes"]);
        rows.push(file["rows"].as_u64().unwrap());
        files.push((file["name"].as_str().unwrap().to_owned(), got));
    }
    // A table without rows has a file that says its columns.
    let (name, empty) = files.pop().unwrap();
    assert_eq!((&name[..], rows.pop()), ("liferay_segment-0.parquet", Some(0)));
    let types = "{\"id\":\"string\",\"name\":\"string\",\"channelId\":\"string\",\"authorId\":\"string\",\
                 \"authorName\":\"string\",\"createDate\":\"time\",\"modifiedDate\":\"time\",\"filter\":\"string\",\
                 \"includeAnonymousUsers\":\"boolean\",\"state\":\"string\",\"status\":\"string\",\"type\":\"string\"}";
    assert_eq!(compare(&user, types, "", &[empty]), [(0, 0)]);

    assert!(files.len() > 2, "{}", files.len());
    assert_eq!(files[0].0, "amplitude_events-0.parquet");
    let lines = lines.text("amplitude_events.jsonl").unwrap().replace("9007199254740993", "null");
    let files: Vec<Vec<u8>> = files.into_iter().map(|(_, file)| file).collect();
    let found = compare(&user, TYPES, &lines, &files);
    assert_eq!(found.iter().map(|(_, rows)| *rows).collect::<Vec<_>>(), rows);
    assert!(rows.iter().all(|rows| *rows <= 1000), "{rows:?}");
}

#[tokio::test]
async fn parquet_of_lists_has_the_rows_that_a_filter_and_a_window_choose() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let sample = Sample { seed: 6, rows_per_hour: 400, objects_per_hour: 2 };
    user.seed(sample, &["coveo_searches"], at("2026-03-01T00:00:00Z"), 3).await.unwrap();
    let body = |format| {
        let mut body =
            request("coveo_keywords", "2026-03-01T00:20:00Z", "2026-03-01T02:10:00Z", format);
        body["filter"] = json!("coveo_searches.numberOfResults > 3");
        body
    };
    let (_, lines) = user.export(&body("jsonl")).await.unwrap();
    let (done, archive) = user.export(&body("parquet")).await.unwrap();
    let lines = lines.text("coveo_keywords.jsonl").unwrap();
    assert!(lines.lines().count() > 10, "{}", lines.len());
    let types = r#"{"searchId":"string","keyword":"string","datetime":"time"}"#;
    let file = member(&archive, "coveo_keywords.parquet");
    compare(&user, types, &lines, &[file]);
    assert_eq!(done.body["archive"]["rows"], lines.lines().count());
}
