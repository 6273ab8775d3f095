//! From a bucket to an export: what is suggested for common writers is checked, put in place, and exported.

use std::collections::BTreeSet;

use export::Catalog;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use producers::{Object, Producer, Tenants, producers};
use serde_json::json;
use tests::{Stack, User, until};

/// The objects of a writer in the bucket, and what is suggested for them, named as the writer.
struct Suggested {
    producer: Producer,
    objects: Vec<Object>,
    catalog: String,
}

/// Puts the objects of a writer below a folder, and asks for a catalog.
async fn suggested(user: &User, other: &User, producer: Producer, day: Timestamp) -> Suggested {
    let (own, others) = (user.workspace.to_string(), other.workspace.to_string());
    let tenants =
        if producer.tenants == Tenants::One { vec![&own[..]] } else { vec![&own[..], &others] };
    let prefix = format!("suggested-{own}/{}/", producer.name);
    let mut objects = producer.objects(day, &tenants);
    for object in &mut objects {
        object.key.insert_str(0, &prefix);
    }
    stream::iter(&objects)
        .map(|object| user.stack.put_source(&object.key, object.bytes.clone()))
        .buffered(8)
        .try_collect::<Vec<()>>()
        .await
        .unwrap();
    let payload = json!({ "action": "suggest_catalog", "prefix": prefix, "workspace": own });
    let answer = user.stack.admin(&payload).await.unwrap();
    let none = Vec::new();
    let [dataset] = &answer["datasets"].as_array().unwrap_or(&none)[..] else {
        panic!("{} is one dataset: {answer}", producer.name)
    };
    assert!(!dataset["notes"].as_array().unwrap().is_empty());
    let (name, text) = (dataset["name"].as_str().unwrap(), answer["catalog"].as_str().unwrap());
    let renamed = |text: &str, key: &str| {
        text.replace(
            &format!("\n{key} = \"{name}\"\n"),
            &format!("\n{key} = \"{}\"\n", producer.name),
        )
    };
    Suggested { producer, objects, catalog: renamed(&renamed(text, "name"), "dataset") }
}

/// Checks that an operator is told nothing bad of a catalog.
async fn check(user: &User, one: &Suggested) {
    let payload =
        json!({ "action": "check_catalog", "workspace": user.workspace, "catalog": one.catalog });
    let answer = user.stack.admin(&payload).await.unwrap();
    let told = answer["checked"][0]["found"].to_string();
    assert!(
        told.contains("of the last 31 days have objects"),
        "{}: {answer}\n{}",
        one.producer.name,
        one.catalog
    );
    for sign in ["exports miss them", "bad row", "failed to", "does not let"] {
        assert!(!told.contains(sign), "{}: {told}\n{}", one.producer.name, one.catalog);
    }
}

/// The ids of rows that stand in a text, of all that there are.
fn ids<'a>(one: &'a Suggested, text: &str) -> BTreeSet<&'a str> {
    let rows = one.objects.iter().flat_map(|object| &object.rows);
    // Behind an id there is no further digit.
    let is_in = |id: &str| {
        text.split(id).skip(1).any(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    rows.map(|row| &row.id[..]).filter(|id| is_in(id)).collect()
}

#[tokio::test]
async fn what_is_suggested_for_each_writer_exports_its_rows_and_no_others() {
    let stack = Stack::connect().await.unwrap();
    let (user, other) = (stack.user().await.unwrap(), stack.user().await.unwrap());
    let now = Timestamp::now();
    let day =
        export::hour_of(now) - SignedDuration::from_hours(24 * 5 + now.as_second() / 3600 % 24);
    // Nothing here writes Parquet; tests of the suggestion read its rows.
    let mut all = Vec::new();
    for producer in producers() {
        let one = producer.objects(day, &["acme"]);
        if one.iter().all(|object| !object.is_parquet) {
            let one = suggested(&user, &other, producer, day).await;
            check(&user, &one).await;
            all.push(one);
        }
    }
    assert!(all.len() > 20);
    let added: String = all.iter().map(|one| format!("\n{}", one.catalog)).collect();
    Catalog::parse("added", &added).unwrap();

    let exported = user.stack.with_added_catalog(&added, async || {
        let mut exported = Vec::new();
        for one in &all {
            let body = crate::request(
                one.producer.name,
                &day.to_string(),
                &(day + SignedDuration::from_hours(24 * 4)).to_string(),
                "jsonl",
            );
            let created = async || {
                let answer = user.post("/v1/exports", &body).await?;
                let is_unknown = answer.status == 422 || answer.status == 400;
                anyhow::ensure!(answer.status == 202 || is_unknown, "{}", answer.body);
                Ok((answer.status == 202).then(|| answer.header("location").to_owned()))
            };
            exported.push(until("the suggested table", created).await?);
        }
        let mut done = Vec::new();
        for url in &exported {
            done.push(user.finished(url).await?);
        }
        Ok(done)
    });
    for (one, done) in all.iter().zip(exported.await.unwrap()) {
        let name = one.producer.name;
        assert_eq!(done.text("/status"), "succeeded", "{name}: {}\n{}", done.body, one.catalog);
        assert_eq!(done.body["archive"]["bad_rows"], 0, "{name}: {}", done.body);
        let archive = user.download(done.text("/links/download")).await.unwrap();
        let text = archive.text(&format!("{name}.jsonl")).unwrap();
        let own = one.objects.iter().flat_map(|object| &object.rows);
        let inside = day..day + SignedDuration::from_hours(24 * 4);
        let own: BTreeSet<&str> = own
            .filter(|row| row.tenant == user.workspace.as_ref() && inside.contains(&row.at))
            .map(|row| &row.id[..])
            .collect();
        assert!(own.len() > 50);
        assert_eq!(ids(one, &text), own, "{name}\n{}", one.catalog);
        assert_eq!(text.lines().count(), own.len(), "{name}");
    }
}

#[tokio::test]
async fn parquet_and_what_cannot_be_described_are_told_apart() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let pages = include_bytes!("../../shared/columnar/tests/fixtures/duckdb.parquet");
    let prefix = format!("suggested-{}/", user.workspace);
    for (key, bytes) in [
        ("lake/year=2026/month=3/day=1/a", &pages[..]),
        ("lake/year=2026/month=3/day=2/b.parquet", &pages[..]),
        ("avro/date=2026-03-01-10/a.avro", b"Obj\x01"),
        ("avro-without-date/a.avro", b"Obj\x01"),
    ] {
        user.stack.put_source(&format!("{prefix}{key}"), bytes.to_vec()).await.unwrap();
    }
    let payload = json!({ "action": "suggest_catalog", "prefix": prefix });
    let answer = user.stack.admin(&payload).await.unwrap();
    let catalog = answer["catalog"].as_str().unwrap_or_default();
    assert!(catalog.contains("format = \"parquet\""), "{catalog}");
    assert!(catalog.contains("lake/year={yyyy}/month={M}/day={d}/"), "{catalog}");
    let notes = answer["notes"].to_string();
    assert!(
        notes.contains("it is not JSON Lines but Avro") && notes.contains("say no date"),
        "{notes}"
    );
    let unknown = json!({ "action": "suggest_catalog", "bucket": "no-such-bucket" });
    let answer = user.stack.admin(&unknown).await.unwrap().to_string();
    assert!(answer.contains("the catalog has no [[bucket]] of that name"), "{answer}");
    let other =
        json!({ "action": "suggest_catalog", "bucket": "decant-role-lake", "prefix": "none/" });
    let answer = user.stack.admin(&other).await.unwrap();
    assert_eq!(answer["notes"][0], "Nothing was found there.", "{answer}");
}

#[tokio::test]
async fn what_is_wrong_with_a_catalog_is_told_before_it_is_deployed() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let bad = "[[dataset]]\nname = 1\n";
    let payload = json!({ "action": "check_catalog", "catalog": bad });
    let answer = user.stack.admin(&payload).await.unwrap().to_string();
    assert!(answer.contains("catalog:2: "), "{answer}");
}
