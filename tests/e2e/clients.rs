//! Published clients of the APIs that are spoken as dialects, run as they are.

use std::{path::Path, process::Command};

use serde_json::{Value, json};
use tests::Stack;

use crate::{
    SMALL, at,
    coveo::put_visits,
    leanplum::{morning, put, session},
};

#[tokio::test]
async fn npm_the_coveo_platform_client_makes_lists_downloads_and_deletes_exports() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    put_visits(&user).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output = Command::new("node")
        .arg(root.join(".tools/clients/coveo.mjs"))
        .args([user.stack.base_url(), &user.token, user.workspace.as_ref()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();

    assert_eq!(told["dimension"]["type"], "NUMBER");
    assert!(told["exportable"].as_u64().unwrap() > 50);
    let mut rest = told.clone();
    for name in ["dimension", "exportable"] {
        rest.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(
        rest,
        json!({
            "status": { "status": "online" }, "health": { "status": "up" },
            "limit": { "exportRowCountLimit": 200_000 },
            "filter": { "id": "WITH_CLICKS" }, "filters": ["WITH_CLICKS"],
            "estimate": { "estimates": { "searches": 3 } },
            "made": ["PENDING", "é & more", ["searches", "clicks"]],
            "shown": ["AVAILABLE", { "commonFilters": "$WITH_CLICKS" }],
            "listed": [1, 0],
            "zip": [200, "application/zip"],
            "error": { "title": "NotFound", "detail": "There is no export with this id in the organization.", "status": 404 },
        })
    );
}

const LEANPLUM: &str = r#"
import json, sys, time, leanplum, requests
from leanplum import errors
from leanplum.client import Client
base, app, key, day = sys.argv[1:]
leanplum.api_base = base + "/api"
client = Client(app, key)

def call(method, action, client=client, **arguments):
    return client.request(method, action, arguments)["response"][0]

def raised(*arguments, **more):
    try:
        call(*arguments, **more)
    except errors.LeanplumError as error:
        return type(error).__name__

job = call("POST", "exportData", startDate=day, exportFormat="csv")["jobId"]
while (told := call("GET", "getExportResults", jobId=job))["state"] in ("PENDING", "RUNNING"):
    time.sleep(0.1)
rows = [len(requests.get(file).text.splitlines()) for file in told["files"]]
print(json.dumps([told["state"], told["numSessions"], rows,
                  raised("GET", "getExportResults", jobId="export_1_2"),
                  raised("POST", "exportData"),
                  raised("POST", "exportData", client=Client(app, "wrong"), startDate=day)]))
"#;

#[tokio::test]
async fn the_python_client_of_leanplum_exports_and_knows_every_error() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    let (morning, day) = morning();
    put(&user, morning, &[session(1, morning), session(2, morning)]).await;
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/check/bin/python"))
        .args(["-c", LEANPLUM, user.stack.base_url(), user.workspace.as_ref(), &user.token, &day])
        .output()
        .expect("run Python, which make test sets up");
    let told = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    let told: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{said}"));
    let errors = ["WrongValueError", "BadRequestError", "InvalidKeyError"];
    // A header and, of two sessions: sessions, experiments, no named states, events, parameters, attributes.
    let rows = [3, 3, 1, 3, 3, 3];
    assert_eq!(told, json!(["FINISHED", 2, rows, errors[0], errors[1], errors[2]]));
}

const MIXPANEL: &str = r#"
import json, os, sys
from mixpanel_utils import MixpanelUtils
url, pair, folder = sys.argv[1:]
os.chdir(folder)
path = MixpanelUtils("secret", token="token")._extract_amplitude_data(url, pair)
print(sum(len(json.load(open(os.path.join(path, name)))) for name in os.listdir(path)))
"#;

/// It sends no `Accept`, and repeats its credential wherever it is led, so it must not be led anywhere.
#[tokio::test]
async fn mixpanels_program_reads_what_amplitude_exports() {
    let user = Stack::connect().await.unwrap().user().await.unwrap();
    user.seed(SMALL, &["amplitude_events"], at("2026-03-01T00:00:00Z"), 2).await.unwrap();
    let folder = std::env::temp_dir().join(format!("decant-{}", user.workspace));
    std::fs::create_dir(&folder).unwrap();
    let base = user.stack.base_url();
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/check/bin/python"))
        .args(["-c", MIXPANEL])
        .arg(format!("{base}/api/2/export?start=20260301T00&end=20260301T01"))
        .arg(format!("{}:{}", &user.token[4..20], user.token))
        .arg(&folder)
        .output()
        .expect("run Python, which make test sets up");
    std::fs::remove_dir_all(&folder).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "120\n", "{said}");
}
