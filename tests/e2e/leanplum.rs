//! The Leanplum dialect: exportData and getExportResults.

use std::{collections::BTreeMap, time::Duration};

use export::Privilege;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use tests::{Reply, Stack, User, sample::gzip};

async fn user() -> User {
    Stack::connect().await.unwrap().user().await.unwrap()
}

/// Ten o'clock in the morning, UTC, of the day before yesterday, and the day in Los Angeles.
pub(crate) fn morning() -> (Timestamp, String) {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).start_of_day().unwrap().timestamp();
    let morning = today - SignedDuration::from_hours(38);
    (morning, morning.to_zoned(TimeZone::UTC).strftime("%Y%m%d").to_string())
}

/// Files sessions in the hour of `filed`.
pub(crate) async fn put(user: &User, filed: Timestamp, sessions: &[Value]) {
    let lines: String = sessions.iter().map(|row| format!("{row}\n")).collect();
    let hour = filed.to_zoned(TimeZone::UTC).strftime("%Y/%m/%d/%H");
    let key = format!("leanplum/sessions/{}/{hour}/a.json.gz", user.workspace);
    user.stack.put_source(&key, gzip(&lines)).await.unwrap();
}

pub(crate) fn session(id: u32, time: Timestamp) -> Value {
    json!({
        "sessionId": id.to_string(), "time": time.as_second(), "duration": 60.0, "country": "US",
        "userAttributes": { "plan": "pro" }, "experiments": [{ "id": 1, "variantId": 2 }],
        "states": [{ "stateId": 5, "events": [{ "eventId": 9, "name": "tap", "parameters": { "k": "v" } }] }],
    })
}

fn url(user: &User, action: &str, rest: &str) -> String {
    format!(
        "/api?appId={}&clientKey={}&apiVersion=1.0.6&action={action}&{rest}",
        user.workspace, user.token
    )
}

pub(crate) async fn call(user: &User, action: &str, rest: &str) -> Reply {
    let stranger = [("authorization", "")];
    let reply = user.send("GET", &url(user, action, rest), &stranger, None).await.unwrap();
    assert_eq!(reply.header("content-type"), "application/json;charset=utf-8");
    assert!(reply.body["response"][0]["success"].is_boolean(), "{}", reply.body);
    reply
}

/// Calls `exportData` for what has no data. A call that cannot count in time makes a job, by design; once that has
/// ended, the count is known.
async fn without_data(user: &User, rest: &str) -> Reply {
    for _ in 0..5 {
        let reply = call(user, "exportData", rest).await;
        let Some(job) = reply.body["response"][0]["jobId"].as_str() else { return reply };
        finished(user, job).await;
    }
    panic!("the rows of {rest} are never counted in time");
}

pub(crate) async fn finished(user: &User, job: &str) -> Value {
    for _ in 0..600 {
        let reply = call(user, "getExportResults", &format!("jobId={job}")).await;
        let element = reply.body["response"][0].clone();
        if !["PENDING", "RUNNING"].contains(&element["state"].as_str().unwrap()) {
            return element;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("job {job} does not finish");
}

/// Makes an export and returns what came of it, and its files by their kind.
pub(crate) async fn export(user: &User, rest: &str) -> (Value, BTreeMap<String, String>) {
    let made = call(user, "exportData", rest).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let done = finished(user, made.text("/response/0/jobId")).await;
    let mut files = BTreeMap::new();
    for link in done["files"].as_array().unwrap() {
        let link = link.as_str().unwrap();
        let stranger = [("authorization", "")];
        let lead = user.send("GET", link, &stranger, None).await.unwrap();
        let file = user.send("GET", lead.header("location"), &stranger, None).await.unwrap();
        assert_eq!((file.status, file.header("content-type")), (200, "application/octet-stream"));
        let kind = link.rsplit_once("-output").unwrap().1.to_owned();
        files.insert(kind, String::from_utf8(file.bytes).unwrap());
    }
    (done, files)
}

/// Makes an export in vain, and returns what is said of it.
pub(crate) async fn failure_of(user: &User, rest: &str) -> String {
    let made = call(user, "exportData", rest).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let done = finished(user, made.text("/response/0/jobId")).await;
    assert_eq!(done["state"], "FAILED", "{done}");
    done["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn json_has_a_session_a_line() {
    let user = user().await;
    let (morning, day) = morning();
    let sessions = [session(1, morning), session(2, morning)];
    put(&user, morning, &sessions).await;
    let (done, files) = export(&user, &format!("startDate={day}")).await;

    let text = sessions.map(|session| format!("{session}\n")).concat();
    assert_eq!(files, BTreeMap::from([("-0".to_owned(), text.clone())]));
    assert_eq!((&done["numSessions"], &done["numBytes"]), (&json!(2), &json!(text.len())));
    let job = done["jobId"].as_str().unwrap();
    assert!(job.starts_with("export_") && job.split('_').count() == 3, "{job}");
    assert!(done.get("s3CopyStatus").is_none());

    let link = done["files"][0].as_str().unwrap();
    let stranger = [("authorization", "")];
    let head = user.send("HEAD", link, &stranger, None).await.unwrap();
    let head = user.send("HEAD", head.header("location"), &stranger, None).await.unwrap();
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, text.len().to_string().as_str())
    );
    let lead = user.send("GET", link, &stranger, None).await.unwrap();
    let range = [("authorization", ""), ("range", "bytes=0-9")];
    let part = user.send("GET", lead.header("location"), &range, None).await.unwrap();
    assert_eq!((part.status, part.bytes.len()), (206, 10));
    let other = link.replace("-output-0", "-output-1");
    assert_eq!(user.send("GET", &other, &stranger, None).await.unwrap().status, 404);
}

#[tokio::test]
async fn csv_has_six_kinds() {
    let user = user().await;
    let (morning, day) = morning();
    put(&user, morning, &[session(1, morning)]).await;
    let (done, files) = export(&user, &format!("startDate={day}&exportFormat=CSV")).await;

    assert_eq!(done["numSessions"], 1);
    let kinds: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        kinds,
        [
            "eventparameters-0",
            "events-0",
            "experiments-0",
            "sessions-0",
            "states-0",
            "userattributes-0"
        ]
    );
    assert_eq!(files["eventparameters-0"], "eventId,name,value\n9,k,v\n");
    assert_eq!(files["userattributes-0"], "sessionId,name,value\n1,plan,pro\n");
    assert_eq!(files["states-0"].lines().count(), 1, "anonymous states have no row");
    assert!(files["events-0"].contains("\n9,5,1,tap,"));
    let start = morning.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S.000").to_string();
    assert!(files["sessions-0"].contains(&start), "{}", files["sessions-0"]);
}

#[tokio::test]
async fn sessions_are_exported_once_they_are_released() {
    let user = user().await;
    let (morning, day) = morning();
    put(&user, morning, &[session(1, morning)]).await;
    // One that arrived a day later is released a day later.
    let late = morning + SignedDuration::from_hours(24);
    put(&user, late, &[session(2, morning)]).await;
    let released = morning + SignedDuration::from_hours(4);
    let ids = async |rest: String| -> Vec<String> {
        let (_, files) = export(&user, &format!("startDate={day}&{rest}")).await;
        let lines = files["-0"].lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|session| session["sessionId"].as_str().unwrap().to_owned()).collect()
    };
    // Ended at one past ten, and two hours after that it is complete: released at two, when it is noon and two.
    assert_eq!(ids(format!("endTime={}", released.as_second())).await, ["1"]);
    assert_eq!(ids(format!("startTime={}", released.as_second() + 1)).await, ["2"]);
    assert_eq!(ids(String::new()).await, ["1", "2"]);
    let earlier = format!("startDate={day}&endTime={}", released.as_second() - 1);
    let before = without_data(&user, &earlier).await;
    assert_eq!(before.text("/response/0/error/message"), "No matching data found.");
}

#[tokio::test]
async fn what_is_wrong_is_told_in_the_envelope() {
    let user = user().await;
    let (_, day) = morning();
    let base = format!("appId={}&clientKey={}&apiVersion=1.0.6", user.workspace, user.token);
    let other = Stack::connect().await.unwrap().user().await.unwrap();
    for (query, status, message) in [
        (String::new(), 400, "Missing required parameter: action"),
        ("action=fly".to_owned(), 400, "Unknown action: fly"),
        ("action=exportData".to_owned(), 400, "Missing required parameter: appId"),
        (
            format!("action=exportData&appId={}&clientKey=&apiVersion=1.0.6", user.workspace),
            400,
            "Missing required parameter: clientKey",
        ),
        (
            format!("action=exportData&{}", base.replace("1.0.6", "1.0.5")),
            400,
            "Unsupported API version",
        ),
        (
            format!("action=exportData&appId={}&clientKey=x&apiVersion=1.0.6", user.workspace),
            403,
            "Invalid access key",
        ),
        (
            format!(
                "action=exportData&appId={}&clientKey={}&apiVersion=1.0.6",
                other.workspace, user.token
            ),
            404,
            "App not found.",
        ),
        (format!("action=exportData&{base}"), 400, "Missing required parameter: startDate"),
        (
            format!("action=exportData&{base}&startDate=yesterday"),
            400,
            "Invalid value for parameter: startDate",
        ),
        (
            format!("action=exportData&{base}&startDate=20200101"),
            200,
            "You cannot export data older than 60 days",
        ),
        (format!("action=exportUsers&{base}"), 400, "exportUsers is not offered here"),
        (format!("action=getExportResults&{base}&jobId=export_1_2"), 404, "Export job not found."),
    ] {
        let reply = user
            .send("GET", &format!("/api?{query}"), &[("authorization", "")], None)
            .await
            .unwrap();
        let told = reply.text("/response/0/error/message");
        assert_eq!(reply.status, status, "{query}: {}", reply.body);
        assert!(told.starts_with(message), "{query}: {told}");
        assert_eq!(reply.body["response"][0]["success"], false);
    }
    let none = without_data(&user, &format!("startDate={day}")).await;
    assert_eq!(none.status, 404);
    assert_eq!(none.text("/response/0/error/message"), "No matching data found.");
    let stack = &user.stack;
    let viewer = stack.user_of(user.workspace.clone(), &[Privilege::View]).await.unwrap();
    let refused = call(&viewer, "exportData", &format!("startDate={day}")).await;
    assert_eq!(refused.status, 403);
}

#[tokio::test]
async fn arguments_come_in_any_form() {
    let user = user().await;
    let (morning, day) = morning();
    put(&user, morning, &[session(1, morning)]).await;
    let all = [
        ("appId", user.workspace.as_ref()),
        ("clientKey", user.token.as_str()),
        ("apiVersion", "1.0.6"),
        ("action", "exportData"),
        ("startDate", &day),
    ];
    let form: String = all.iter().map(|(name, value)| format!("{name}={value}&")).collect();
    let json: BTreeMap<&str, &str> = all.into_iter().collect();
    let json = serde_json::to_string(&json).unwrap();
    let parts: String = all
        .iter()
        .map(|(name, value)| {
            format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        })
        .collect();
    for (kind, body) in [
        ("application/x-www-form-urlencoded", form.clone()),
        ("application/json", json),
        ("multipart/form-data; boundary=X", format!("{parts}--X--\r\n")),
    ] {
        let headers = [("authorization", ""), ("content-type", kind)];
        let reply = user.send("POST", "/api", &headers, Some(&body)).await.unwrap();
        assert_eq!(reply.body["response"][0]["success"], true, "{kind}: {}", reply.body);
    }
    let put =
        user.send("PUT", &format!("/api?{form}"), &[("authorization", "")], None).await.unwrap();
    assert_eq!((put.status, &put.body["response"][0]["success"]), (405, &json!(false)));
}

#[tokio::test]
async fn several_actions_are_answered_in_one_envelope() {
    let user = user().await;
    let (morning, day) = morning();
    put(&user, morning, &[session(1, morning)]).await;
    let body = json!({
        "action": "multi", "appId": user.workspace.as_ref(), "clientKey": user.token, "apiVersion": "1.0.6",
        "data": [
            { "action": "exportData", "startDate": day },
            { "action": "exportData" },
            { "action": "getExportResults", "jobId": "export_1_2" },
        ],
    });
    let stranger = [("authorization", "")];
    let reply = user.send("POST", "/api", &stranger, Some(&body.to_string())).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(reply.text("/response/0/jobId").starts_with("export_"), "{}", reply.body);
    let told = |at: usize| reply.text(&format!("/response/{at}/error/message")).to_owned();
    assert_eq!(
        (told(1), told(2)),
        ("Missing required parameter: startDate".into(), "Export job not found.".into())
    );
    assert!(reply.header("expires").ends_with(" GMT"), "{:?}", reply.headers);
}

#[tokio::test]
async fn so_many_exports_a_day_and_those_that_fail_do_not_count() {
    let user = user().await;
    let (morning, day) = morning();
    put(&user, morning, &[session(1, morning)]).await;
    let mut jobs = Vec::new();
    for _ in 0..24 {
        let made = call(&user, "exportData", &format!("startDate={day}")).await;
        assert_eq!(made.body["response"][0]["success"], true, "{}", made.body);
        jobs.push(made.text("/response/0/jobId").to_owned());
    }
    let refused = call(&user, "exportData", &format!("startDate={day}")).await;
    let told = refused.text("/response/0/error/message");
    assert_eq!((refused.status, told), (200, "You can only export data 24 times per day"));

    finished(&user, &jobs[7]).await;
    // A source object that is damaged fails the next; first, one of those that count has to fail.
    let exports = user.stack.exports();
    let key = export::sha256_hex(format!("leanplum/{}", jobs[7]).as_bytes());
    let one = exports.newest(&user.workspace, &key).await.unwrap().unwrap();
    let fail = |e: &export::Export| Some(e.fail(Timestamp::now(), export::Failure::internal()));
    exports.change(&user.workspace, one.id, fail).await.unwrap();
    assert_eq!(finished(&user, &jobs[7]).await["state"], "FAILED");
    let again = call(&user, "exportData", &format!("startDate={day}")).await;
    assert_eq!(again.body["response"][0]["success"], true, "{}", again.body);
    let refused = call(&user, "exportData", &format!("startDate={day}")).await;
    assert_eq!(refused.body["response"][0]["success"], false);
}

#[tokio::test]
async fn of_many_exports_at_once_no_more_than_so_many_are_made() {
    let user = user().await;
    let (morning, day) = morning();
    put(&user, morning, &[session(1, morning)]).await;
    let rest = format!("startDate={day}");
    let calls = (0..30).map(|_| call(&user, "exportData", &rest));
    let made = futures_util::future::join_all(calls).await;
    let made = made.iter().filter(|reply| reply.body["response"][0]["success"] == true).count();
    assert_eq!(made, 24);
}

#[tokio::test]
async fn a_damaged_lake_fails_the_job_and_says_why() {
    let user = user().await;
    let (morning, day) = morning();
    let hour = morning.to_zoned(TimeZone::UTC).strftime("%Y/%m/%d/%H");
    let key = format!("leanplum/sessions/{}/{hour}/cut.json.gz", user.workspace);
    let whole = gzip(&session(1, morning).to_string());
    user.stack.put_source(&key, whole[..whole.len() - 4].to_vec()).await.unwrap();
    let made = call(&user, "exportData", &format!("startDate={day}")).await;
    let done = finished(&user, made.text("/response/0/jobId")).await;
    assert_eq!((&done["state"], &done["success"]), (&json!("FAILED"), &json!(true)));
    assert!(done["error"]["message"].as_str().unwrap().contains(&key), "{done}");
}
