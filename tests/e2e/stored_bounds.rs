//! Bounds of what is kept: requests as they are stored, and named filters, alone and together. One more is
//! refused by every API that keeps them.

use export::NamedFilter;
use serde_json::json;
use tests::{Reply, Stack, User};

use crate::request;

const FROM: &str = "2026-03-01T00:00:00Z";
const TO: &str = "2026-03-01T01:00:00Z";
const FILTERS: &str = "/rest/ua/v15/filters/reporting";
const KIB: usize = 1024;

async fn user() -> User {
    Stack::connect().await.unwrap().user().await.unwrap()
}

/// A condition of so many bytes.
fn condition(bytes: usize) -> String {
    format!("city == '{}'", "x".repeat(bytes - "city == ''".len()))
}

/// Keeps a named filter without asking the API, which would refuse some.
async fn keep(user: &User, id: &str, value: &str) {
    let filter = NamedFilter { id: id.into(), display_name: id.into(), value: value.into() };
    user.stack.put_named_filter(&user.workspace, &filter).await.unwrap();
}

async fn create(user: &User, name: &str, value: &str) -> Reply {
    user.post(FILTERS, &json!({ "displayName": name, "value": value })).await.unwrap()
}

/// Asks the native API and Coveo's for rows that a filter chooses, with a description of so many characters.
async fn chosen_by(user: &User, filter: &str, description: usize) -> [Reply; 2] {
    let description = "d".repeat(description);
    let mut native = request("coveo_searches", FROM, TO, "csv");
    (native["filter"], native["description"]) = (json!(filter), json!(description));
    let coveo = json!({
        "from": FROM, "to": TO, "tables": ["searches"], "commonFilters": [filter],
        "description": description,
    });
    [
        user.post("/v1/explain", &native).await.unwrap(),
        user.post("/rest/ua/v15/exports/create", &coveo).await.unwrap(),
    ]
}

/// Asserts that both APIs take a filter, or refuse it in words that have this text.
async fn assert_chosen(user: &User, filter: &str, refused: Option<&str>) {
    let replies = chosen_by(user, filter, 1).await;
    let told = replies.each_ref().map(|reply| (reply.status, reply.body.to_string()));
    match refused {
        None => assert_eq!([told[0].0, told[1].0], [200, 201], "{told:?}"),
        Some(text) => {
            assert_eq!([told[0].0, told[1].0], [400, 400], "{told:?}");
            assert_eq!(replies[0].text("/errors/0/code"), "wrong_filter");
            assert_eq!(replies[1].text("/type"), "InvalidFilter");
            assert!(told.iter().all(|(_, body)| body.contains(text)), "{told:?}");
        }
    }
}

#[tokio::test]
async fn named_filters_name_others_ten_deep() {
    let user = user().await;
    assert_eq!(create(&user, "F1", "city == 'a'").await.status, 201);
    for depth in 2..=10 {
        let made = create(&user, &format!("F{depth}"), &format!("$F{}", depth - 1)).await;
        assert_eq!(made.status, 201, "{depth}: {}", made.body);
    }
    assert_chosen(&user, "$F10", None).await;

    let deeper = create(&user, "F11", "$F10").await;
    assert_eq!((deeper.status, deeper.text("/type")), (400, "InvalidFilter"));
    assert!(deeper.text("/message").contains("at most 10 deep"), "{}", deeper.body);
    // One that is there all the same is not followed.
    keep(&user, "F11", "$F10").await;
    assert_chosen(&user, "$F11", Some("at most 10 deep")).await;
}

#[tokio::test]
async fn a_filter_has_128_kib_with_named_filters_written_out() {
    let user = user().await;
    keep(&user, "LONG", &condition(50_000)).await;
    let filter = |bytes: usize| {
        let twice = "$LONG AND $LONG AND ";
        format!("{twice}{}", condition(bytes - 2 * 50_000 - twice.len()))
    };
    assert_chosen(&user, &filter(128 * KIB), None).await;
    assert_chosen(&user, &filter(128 * KIB + 1), Some("131072 bytes")).await;
    // A named one is read by its name.
    let bytes = 128 * KIB - "$N".len();
    let refused = create(&user, "N", &filter(bytes + 1)).await;
    assert_eq!((refused.status, refused.text("/type")), (400, "InvalidFilter"));
    assert_eq!(create(&user, "N", &filter(bytes)).await.status, 201);
}

#[tokio::test]
async fn named_filters_have_1_mib_together() {
    let user = user().await;
    for number in 10..26 {
        keep(&user, &format!("F{number}"), &condition(65_000)).await;
    }
    // Ids and names count, too.
    let left = 1024 * KIB - 16 * (65_000 + 6);
    let value = |bytes: usize| condition(bytes - "ZZ".len());
    let refused = create(&user, "Z", &value(left + 1)).await;
    assert_eq!((refused.status, refused.text("/type")), (400, "TooManyFilters"), "{left}");
    assert_eq!(create(&user, "Z", &value(left)).await.status, 201);
    let replace = async |bytes: usize| {
        let body = json!({ "displayName": "Z", "value": value(bytes) }).to_string();
        user.send("PUT", &format!("{FILTERS}/Z"), &[], Some(&body)).await.unwrap()
    };
    let refused = replace(left + 1).await;
    assert_eq!((refused.status, refused.text("/type")), (400, "TooManyFilters"));
    assert_eq!(replace(left).await.status, 200);
}

/// The bytes that a refusal says a request has as it is stored.
fn stored_bytes(reply: &Reply) -> usize {
    let told = format!("{}{}", reply.text("/detail"), reply.text("/message"));
    let number = told.split("The request has ").nth(1).and_then(|rest| rest.split(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{}", reply.body))
}

#[tokio::test]
async fn a_request_has_192_kib_as_it_is_stored() {
    const MOST: usize = 192 * KIB;
    let user = user().await;
    // Each of these quotes is two bytes of JSON.
    keep(&user, "QUOTES", &format!("city == '{}'", "\"".repeat(45_000))).await;
    let ask = async |bytes: usize, description: usize| {
        let filter = format!("$QUOTES AND $QUOTES AND {}", condition(bytes));
        chosen_by(&user, &filter, description).await
    };
    let far = 40_000;
    let beyond = ask(far, 1).await;
    // Coveo's API keeps a filter as it was written, too, to repeat it.
    for (api, times, taken) in [(0, 1, 200), (1, 2, 201)] {
        let shorter = (stored_bytes(&beyond[api]) - MOST).div_ceil(times);
        let description = 1 + (MOST + times * shorter - stored_bytes(&beyond[api]));
        let most = &ask(far - shorter, description).await[api];
        assert_eq!(most.status, taken, "{}", most.body);
        let refused = &ask(far - shorter, description + 1).await[api];
        assert_eq!((refused.status, stored_bytes(refused)), (400, MOST + 1));
        let code = ["/errors/0/code", "/type"][api];
        assert_eq!(refused.text(code), ["request_too_large", "InvalidParameter"][api]);
    }
}
