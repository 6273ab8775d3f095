//! Nothing is lost in silence, whichever API is asked and in whichever format: each row of a random lake is in
//! the answer once, or outside of the window, or counted as bad. What is true of a row is known from how it was
//! made.

mod damaged;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use tests::{Stack, User, sample::gzip};

use crate::{amplitude, at, coveo, leanplum, liferay, request};

const SEEDS: std::ops::Range<u64> = 0..6;
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The JSON of texts. Those with half of a surrogate pair are not Unicode.
const TEXTS: [&str; 7] = [
    r#""a""#,
    r#""\u0061""#,
    r#""b,\"}{\"\n""#,
    r#""\ud83d\ude00 ä""#,
    r#""Sale \ud83d""#,
    "null",
    r#""""#,
];
/// Fields that nobody asks for, and maps and lists where others have the other.
const ODD: [&str; 6] = [
    "",
    r#","\ud83d":1"#,
    r#","zz":{"\ude00":[1]}"#,
    r#","\u0022":"\ud83d\\""#,
    r#","zz":[]"#,
    r#","zz":{}"#,
];
/// What programs leave in folders, which is no data.
const HIDDEN: [&str; 4] = ["_SUCCESS", ".a.json.gz.crc", "_temporary/0/a.json", "_committed_1"];

/// A dataset that an API exports: where its objects are, and what its fields are called.
struct Kind {
    folder: &'static str,
    id: &'static str,
    time: &'static str,
    text: &'static str,
    write_time: fn(Timestamp, &mut Rng) -> String,
    /// How far from its folder's hour a row may be filed, in minutes.
    off: i64,
}

const PAGES: Kind = Kind {
    folder: "liferay/page/workspace=WORKSPACE/date=%Y-%m-%d/hour=%H/",
    id: "sessionId",
    time: "eventDate",
    text: "title",
    write_time: iso,
    off: 60,
};
const CLICKS: Kind = Kind {
    folder: "coveo/clicks/WORKSPACE/%Y/%m/%d/%H/",
    id: "clickId",
    time: "datetime",
    text: "documentTitle",
    write_time: iso,
    off: 60,
};
/// They are filed by their time, which is not looked at where objects go in as they are.
const EVENTS: Kind = Kind {
    folder: "amplitude/events/workspace=WORKSPACE/date=%Y-%m-%d/hour=%H/",
    id: "uuid",
    time: "server_upload_time",
    text: "city",
    write_time: |at, _| format!("\"{}\"", at.strftime("%Y-%m-%d %H:%M:%S.000000")),
    off: 0,
};
const SESSIONS: Kind = Kind {
    folder: "leanplum/sessions/WORKSPACE/%Y/%m/%d/%H/",
    id: "sessionId",
    time: "time",
    text: "country",
    write_time: |at, _| at.as_second().to_string(),
    off: 0,
};

/// One instant, written as programs do.
fn iso(at: Timestamp, rng: &mut Rng) -> String {
    match rng.u8(..4) {
        0 => format!("\"{at}\""),
        1 => format!("\"{}\\u002B01:00\"", (at + HOUR).strftime("%Y-%m-%dT%H:%M:%S")),
        2 => format!("\"{}\"", at.strftime("%Y-%m-%d %H:%M:%S UTC")),
        _ => format!("\"{}\"", at.strftime("%Y-%m-%dT%H:%M:%S.000Z")),
    }
}

/// What has to be in an answer, of a lake that was filled.
#[derive(Debug, Default)]
struct Truth {
    /// The ids of the rows inside of the window.
    inside: Vec<String>,
    /// Rows without a time.
    bad: usize,
    /// Rows inside of the window whose text CSV cannot have.
    no_unicode: usize,
}

impl Kind {
    /// Fills the lake around the hour that begins at `window`, and returns what is true of it.
    async fn fill(&self, user: &User, window: Timestamp, rng: &mut Rng) -> Truth {
        let (mut truth, mut number) = (Truth::default(), 0);
        let folders = if self.off == 0 { 0..=0 } else { -1..=1 };
        for hour in folders {
            let begin = window + HOUR * hour;
            let folder = begin.to_zoned(TimeZone::UTC).strftime(self.folder).to_string();
            let folder = folder.replace("WORKSPACE", user.workspace.as_ref());
            for object in 0..rng.usize(1..4) {
                let rows: Vec<String> = (0..rng.usize(1..15))
                    .map(|_| {
                        number += 1;
                        self.row(number, begin, window, rng, &mut truth)
                    })
                    .collect();
                let (suffix, bytes) = stored(&rows, rng);
                let key = format!("{folder}{object}{suffix}");
                user.stack.put_source(&key, bytes).await.unwrap();
            }
            let hidden = HIDDEN[rng.usize(..HIDDEN.len())];
            user.stack
                .put_source(&format!("{folder}{hidden}"), b"{\"no\": data".into())
                .await
                .unwrap();
        }
        truth.inside.sort();
        truth
    }

    fn row(
        &self,
        number: u32,
        begin: Timestamp,
        window: Timestamp,
        rng: &mut Rng,
        truth: &mut Truth,
    ) -> String {
        let id = format!("row-{number:04}");
        let at = begin + SignedDuration::from_mins(rng.i64(-self.off..60 + self.off));
        let (text, odd) = (TEXTS[rng.usize(..TEXTS.len())], ODD[rng.usize(..ODD.len())]);
        let time = if self.off > 0 && rng.u8(..12) == 0 {
            truth.bad += 1;
            ["null", "\"never\"", "{}"][rng.usize(..3)].to_owned()
        } else {
            if window <= at && at < window + HOUR {
                truth.inside.push(id.clone());
                truth.no_unicode += usize::from(text.ends_with("\\ud83d\""));
            }
            (self.write_time)(at, rng)
        };
        let Self { id: name, time: time_name, text: text_name, .. } = self;
        format!(r#"{{"{name}":"{id}","{time_name}":{time},"{text_name}":{text}{odd}}}"#)
    }

    /// The ids in JSON Lines, which may have texts that are no Unicode.
    fn ids(&self, text: &str) -> Vec<String> {
        let start = format!("\"{}\":\"", self.id);
        let id = |line: &str| {
            let (_, rest) = line.split_once(&start).expect(line);
            rest.split('"').next().unwrap().to_owned()
        };
        sorted(text.lines().map(id).collect())
    }
}

/// How rows stand in an object and how it is stored: the end of its key, and its bytes.
fn stored(rows: &[String], rng: &mut Rng) -> (&'static str, Vec<u8>) {
    let text = match rng.u8(..5) {
        0 => rows.concat(),
        1 => format!("[{}]", rows.join(", ")),
        2 => rows.join("\r\n"),
        _ => rows.iter().map(|row| format!("{row}\n")).collect(),
    };
    match rng.u8(..5) {
        0 => ("", text.into_bytes()),
        1 => (".json", gzip(&text)),
        2 => (".json.zst", zstd::encode_all(text.as_bytes(), 1).unwrap()),
        _ => (".json.gz", gzip(&text)),
    }
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

fn csv_ids(text: &str, name: &str) -> Vec<String> {
    sorted(crate::column(text.trim_start_matches('\u{feff}'), name))
}

async fn user() -> User {
    Stack::connect().await.unwrap().user().await.unwrap()
}

const FROM: &str = "2026-03-01T10:00:00Z";
const TO: &str = "2026-03-01T11:00:00Z";

#[tokio::test]
async fn the_native_api_and_liferays_lose_no_row_in_silence() {
    for seed in SEEDS {
        let (user, mut rng) = (user().await, Rng::with_seed(seed));
        let truth = PAGES.fill(&user, at(FROM), &mut rng).await;
        for format in ["jsonl", "csv"] {
            let (done, archive) =
                user.export(&request("liferay_page", FROM, TO, format)).await.unwrap();
            let text = archive.text(&format!("liferay_page.{format}")).unwrap();
            let (ids, bad) = if format == "csv" {
                (csv_ids(&text, PAGES.id), truth.bad + truth.no_unicode)
            } else {
                (PAGES.ids(&text), truth.bad)
            };
            assert_eq!(ids, truth.inside, "seed {seed}, {format}");
            let told = &done.body["archive"]["bad_rows"];
            assert_eq!(told.as_u64(), Some(bad as u64), "seed {seed}, {format}");
        }
        let (lead, text) =
            liferay::lines_of(&user, "fromDate=2026-03-01T10:00&toDate=2026-03-01T10:59").await;
        assert_eq!(PAGES.ids(&text), truth.inside, "seed {seed}, Liferay");
        let bad = if truth.bad == 0 { String::new() } else { truth.bad.to_string() };
        assert_eq!(lead.header("decant-bad-rows"), bad, "seed {seed}, Liferay");
    }
}

#[tokio::test]
async fn coveos_api_loses_no_row_in_silence() {
    for seed in SEEDS {
        let (user, mut rng) = (user().await, Rng::with_seed(seed));
        let truth = CLICKS.fill(&user, at(FROM), &mut rng).await;
        let query = "from=2026-03-01T10:00:00.000Z&to=2026-03-01T10:59:59.999Z&tables=clicks";
        let (done, text) = coveo::file_of(&user, query, "clicks.csv").await;
        assert_eq!(csv_ids(&text, CLICKS.id), truth.inside, "seed {seed}");
        let bad = (truth.bad + truth.no_unicode) as u64;
        assert_eq!(done.body["badRows"].as_u64().unwrap_or_default(), bad, "seed {seed}");
    }
}

#[tokio::test]
async fn amplitudes_api_loses_no_row_in_silence() {
    for seed in SEEDS {
        let (user, mut rng) = (user().await, Rng::with_seed(seed));
        let truth = EVENTS.fill(&user, at(FROM), &mut rng).await;
        let text = amplitude::lines_of(&user, "start=20260301T10&end=20260301T10").await;
        assert_eq!(EVENTS.ids(&text), truth.inside, "seed {seed}");
    }
}

#[tokio::test]
async fn leanplums_api_loses_no_row_in_silence() {
    for seed in SEEDS {
        let (user, mut rng) = (user().await, Rng::with_seed(seed));
        let (morning, day) = leanplum::morning();
        let truth = SESSIONS.fill(&user, morning, &mut rng).await;
        for format in ["json", "csv"] {
            let query = format!("startDate={day}&endDate={day}&exportFormat={format}");
            let (done, files) = leanplum::export(&user, &query).await;
            let texts = || {
                files.iter().filter(|(kind, _)| {
                    kind.starts_with(if format == "csv" { "sessions" } else { "-" })
                })
            };
            let ids: Vec<String> = texts()
                .flat_map(|(_, text)| {
                    if format == "csv" { csv_ids(text, SESSIONS.id) } else { SESSIONS.ids(text) }
                })
                .collect();
            assert_eq!(sorted(ids), truth.inside, "seed {seed}, {format}, {:?}", files.keys());
            let bad = if format == "csv" { truth.no_unicode } else { 0 };
            let told = done["numBadRows"].as_u64().unwrap_or_default();
            assert_eq!(told, bad as u64, "seed {seed}, {format}");
        }
    }
}
