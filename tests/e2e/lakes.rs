//! What an operator is told of a lake.

use serde_json::json;
use tests::Stack;

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
