//! Which rows an export has: filters, named filters, and rows that are related to others.

use super::*;

#[tokio::test]
async fn filters_choose_rows_and_what_belongs_to_them() {
    let user = user().await;
    put_visits(&user).await;
    let strings =
        |texts: &[&str]| -> Vec<String> { texts.iter().map(|t| (*t).to_owned()).collect() };
    for (query, want) in [
        ("f=city=='Québec'", [&["s1"][..], &["k1"], &["e2"], &["tax", "form"], &["Staff"]]),
        ("f=city == null", [&["s3"], &[], &["e3"], &[], &["Staff", "Admins"]]),
        (
            "fs=customeventtype=='getMoreResults'",
            [&["s2"], &[], &["e1", "e2", "e3"], &["rent"], &[]],
        ),
        (
            "fs=clickrank > 2 OR groupname =~ 'ADMINS'",
            [&["s1", "s3"], &["k1"], &["e1", "e2", "e3"], &["tax", "form"], &["Staff", "Admins"]],
        ),
        (
            "fc=searchcausev2=='resultsSort'",
            [
                &["s1", "s2", "s3"],
                &["k1"],
                &["e1"],
                &["tax", "form", "rent"],
                &["Staff", "Staff", "Admins"],
            ],
        ),
        (
            "f=groupname != null AND keyword IN ['tax']",
            [&["s1"], &["k1"], &["e2"], &["tax"], &["Staff"]],
        ),
    ] {
        let (name, text) = query.split_once('=').unwrap();
        let got = ids(&user, &format!("{name}={}", encode(text))).await;
        // Groups of a search that is in are all in, but for those whose own name is filtered.
        assert_eq!(got, want.map(strings), "{query}");
    }
}

#[tokio::test]
async fn related_rows_are_looked_up_within_the_range_of_the_export() {
    let user = user().await;
    put_visits(&user).await;
    let query = format!(
        "from=2026-03-01T00:00:00Z&to=2026-03-01T10:05:00Z&tables=searches&fs={}",
        encode("customeventtype IN ['copy', 'getMoreResults']")
    );
    let created = user.send("POST", &format!("{EXPORTS}?{query}"), &[], None).await.unwrap();
    let done = finished(&user, created.text("/id")).await;
    assert_eq!(
        column(&download(&user, &done).await, "searches.csv", "id"),
        ["s2"],
        "both ends are inside"
    );
}

/// More ids than a builder holds here, over several steps.
#[tokio::test]
async fn related_rows_may_be_more_than_a_builder_holds() {
    let user = user().await;
    let at = "2026-03-01T10:00:00Z";
    let id = |n: u64| format!("{:08x}-0000-4000-8000-{:012x}", n * 2_654_435_761 % (1 << 32), n);
    let searches: Vec<Value> =
        (0..150_000).map(|n| json!({ "id": id(n), "datetime": at })).collect();
    let events = (0..150_000).step_by(2).map(
        |n| json!({ "customEventId": n.to_string(), "lastSearchId": id(n), "datetime": at, "eventType": if n % 6 == 0 { "b" } else { "a" } }),
    );
    let events: Vec<Value> = events.collect();
    // Too many in several objects of one step, and in a single one.
    put_as(&user, "searches", "a", &searches[..40_000]).await;
    put_as(&user, "searches", "b", &searches[40_000..80_000]).await;
    put_as(&user, "searches", "c", &searches[80_000..]).await;
    put(&user, "custom_events", &events).await;
    let count = async |filter: &str| {
        let query = format!("{DAY}&tables=searches&fs={}", encode(filter));
        let created = user.send("POST", &format!("{EXPORTS}?{query}"), &[], None).await.unwrap();
        let done = finished(&user, created.text("/id")).await;
        let archive = download(&user, &done).await;
        archive.text("searches.csv").unwrap().lines().count() - 1
    };
    assert_eq!(count("customeventtype != 'c'").await, 75_000);
    assert_eq!(count("customeventtype == 'b'").await, 25_000);
}

#[tokio::test]
async fn named_filters_are_kept_and_used() {
    let user = user().await;
    put_visits(&user).await;
    let filters = "/rest/ua/v15/filters/reporting";
    let post = async |name: &str, value: &str| {
        user.post(filters, &json!({ "displayName": name, "value": value })).await.unwrap()
    };
    let created = post("Only Québec", "city == 'Québec'").await;
    assert_eq!((created.status, created.text("/id")), (201, "ONLY_QU_BEC"));
    assert_eq!(
        post("only Québec", "$ONLY_QU_BEC OR city == null").await.text("/id"),
        "ONLY_QU_BEC_2"
    );
    let list = user.get(filters).await.unwrap();
    assert_eq!(
        list.body["filters"][0],
        json!({
            "id": "ONLY_QU_BEC", "displayName": "Only Québec", "account": user.workspace.as_ref(),
            "type": "reporting", "value": "city == 'Québec'",
        })
    );
    let [searches, ..] = ids(&user, &format!("f={}", encode("$only_qu_bec_2"))).await;
    assert_eq!(searches, ["s1", "s3"]);

    let one = format!("{filters}/ONLY_QU_BEC");
    let put = async |value: &str| {
        let body = json!({ "displayName": "Circle", "value": value }).to_string();
        user.send("PUT", &one, &[], Some(&body)).await.unwrap()
    };
    let circle = put("$ONLY_QU_BEC_2").await;
    assert_eq!((circle.status, circle.text("/type")), (400, "InvalidFilter"));
    assert!(circle.text("/message").contains("circle"), "{}", circle.body);
    assert_eq!(put("city == 'Quebec'").await.body, json!({ "id": "ONLY_QU_BEC" }));
    assert_eq!(user.get(&one).await.unwrap().text("/displayName"), "Circle");
    let native = json!({
        "tables": ["coveo_searches"], "format": "jsonl", "filter": "$ONLY_QU_BEC",
        "window": { "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z" },
    });
    let (_, archive) = user.export(&native).await.unwrap();
    assert_eq!(archive.text("coveo_searches.jsonl").unwrap().lines().count(), 1);

    assert_eq!(user.send("DELETE", &one, &[], None).await.unwrap().status, 204);
    assert_eq!(user.send("DELETE", &one, &[], None).await.unwrap().text("/type"), "NotFound");
    let gone =
        user.send("POST", &format!("{EXPORTS}?{DAY}&f=$ONLY_QU_BEC_2"), &[], None).await.unwrap();
    assert_eq!(gone.text("/type"), "InvalidFilter");
    assert_eq!(post("", "city == 'x'").await.text("/type"), "MissingParameter");
}
