//! Lakes in several buckets, and what an operator is told of a lake.

use serde_json::json;
use tests::{Stack, until};

#[tokio::test]
async fn an_operator_is_told_what_a_workspace_has_and_what_exports_would_miss() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let payload = json!({ "action": "check_catalog", "workspace": user.workspace });
    let found = async || {
        let answer = user.stack.admin(&payload).await.unwrap();
        let checked = answer["checked"].as_array().unwrap().clone();
        let events = checked.iter().find(|one| one["dataset"] == "amplitude_events").unwrap();
        events["found"]
            .as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let nothing = found().await;
    assert!(nothing[0].starts_with("No object of the last 31 days was found."), "{nothing:?}");

    // Filed in this hour, by a writer that is ten minutes late.
    let now = jiff::Timestamp::now();
    let dataset = user.stack.catalog.datasets().find(|d| d.name == "amplitude_events").unwrap();
    let hour = dataset.path.calendar().begin_of(now);
    let late = (hour - jiff::SignedDuration::from_mins(10)).strftime("%Y-%m-%d %H:%M:%S");
    let rows = format!("{{\"server_upload_time\":\"{late}\",\"user_id\":\"u1\"}}\nno row\n");
    let folder = dataset.path.prefix(user.workspace.as_ref(), hour);
    user.stack.put_source(&format!("{folder}a.json"), rows.into_bytes()).await.unwrap();

    let told = found().await.join("\n");
    for part in [
        "1 of the last 31 days have objects: 1 of ",
        "of 1 objects, up to 10000 rows each, 1 rows have a time and 1 are bad.",
        "the first bad row is on line 2 of ",
        "rows are filed up to 10 minutes late, and the dataset allows 0: exports miss them.",
        "no row has $insert_id, ",
    ] {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
}

#[tokio::test]
async fn datasets_in_buckets_of_this_account_and_of_another_are_exported() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    for (table, account, bucket) in [
        ("other_visits", "test", "decant-other-lake"),
        ("role_visits", "333333333333", "decant-role-lake"),
    ] {
        let key = format!("visits/{}/2026/03/01/00/a.json.gz", user.workspace);
        let rows = format!("{{\"at\":\"2026-03-01T00:10:00Z\",\"page\":\"{table}\"}}\n");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, rows.as_bytes()).unwrap();
        user.stack.put_elsewhere(account, bucket, &key, gzip.finish().unwrap()).await.unwrap();

        let mut body =
            crate::request(table, "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "jsonl");
        let planned = user.post("/v1/explain", &body).await.unwrap();
        assert_eq!(planned.body["tables"][0]["ways"][0]["objects"], 1, "{}", planned.body);
        for format in ["jsonl", "csv"] {
            body["format"] = json!(format);
            let url = user.create(&body).await.unwrap();
            let done = user.finished(&url).await.unwrap();
            assert_eq!(
                (done.text("/status"), &done.body["archive"]["rows"]),
                ("succeeded", &json!(1)),
                "{}",
                done.body
            );
        }
        let payload = json!({ "action": "check_catalog", "workspace": user.workspace });
        let checked = user.stack.admin(&payload).await.unwrap().to_string();
        assert!(!checked.contains("does not let it be read"), "{checked}");
    }
}

#[tokio::test]
async fn a_changed_catalog_is_taken_up_by_functions_that_are_warm() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let tables = user.get("/v1/tables").await.unwrap().body.to_string();
    assert!(!tables.contains("added_visits"), "{tables}");
    let added =
        "\n[[table]]\nname = \"added_visits\"\ndataset = \"other_visits\"\ncolumns = [\"page\"]\n";

    let mut body =
        crate::request("added_visits", "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z", "csv");
    body["columns"] = json!({ "added_visits": ["page"] });
    // Each warm function looks at the catalog by itself, so one may know the table before another does.
    let created = async || {
        let answer = user.post("/v1/exports", &body).await?;
        Ok((answer.status == 202).then(|| answer.header("location").to_owned()))
    };
    let exported = async || user.finished(&until("the new table", created).await?).await;
    let exported = user.stack.with_added_catalog(added, exported).await.unwrap();
    assert_eq!(exported.text("/status"), "succeeded", "{}", exported.body);
}
