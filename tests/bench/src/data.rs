//! Rows of events, of about 900 bytes, nested, in several scripts, in order of time.

use std::io::{self, Write};

use fastrand::Rng;
use serde_json::{Value, json};

const WORDS: [&str; 12] = [
    "checkout",
    "search",
    "größe",
    "pricing",
    "signup",
    "profile",
    "dashboard",
    "café",
    "settings",
    "cart",
    "help",
    "日本語",
];
const COUNTRIES: [&str; 5] = ["Germany", "France", "Japan", "Brazil", "United States"];
const SECONDS: f64 = 3600.0;

/// How the rows of a data set are made.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Bytes of rows in each hour.
    pub hour_bytes: usize,
    /// How many words are added to a row.
    pub more_words: usize,
    /// Whether these are noise, which hardly compresses.
    pub noise: bool,
}

/// Writes the rows of one hour of 2026-03-01. The same hour and shape give the same rows.
pub fn hour(out: &mut impl Write, hour: usize, shape: Shape) -> io::Result<()> {
    let mut rng = Rng::with_seed(hour as u64);
    let mut written = 0;
    while written < shape.hour_bytes {
        #[expect(clippy::cast_precision_loss, reason = "a place in time need not be exact")]
        let at = SECONDS * written as f64 / shape.hour_bytes as f64;
        let mut row = serde_json::to_vec(&event(&mut rng, hour, at, shape))?;
        row.push(b'\n');
        out.write_all(&row)?;
        written += row.len();
    }
    Ok(())
}

fn event(rng: &mut Rng, hour: usize, at: f64, shape: Shape) -> Value {
    let [one, two, three, four, five] = [(); 5].map(|()| WORDS[rng.usize(..WORDS.len())]);
    let more: Vec<String> = (0..shape.more_words)
        .map(|_| {
            if shape.noise {
                format!("{:016x}", rng.u64(..))
            } else {
                WORDS[rng.usize(..WORDS.len())].to_owned()
            }
        })
        .collect();
    json!({
        "time": format!("2026-03-01 {hour:02}:{:02.0}:{:09.6}", (at / 60.0).floor(), at % 60.0),
        "uuid": format!("{:032x}", rng.u128(..)),
        "user": format!("u{}", rng.u32(..50_000)),
        "session": rng.u64(..),
        "country": COUNTRIES[rng.usize(..COUNTRIES.len())],
        "city": "München",
        "os": "iOS",
        "os_version": format!("17.{}", rng.u8(..9)),
        "device": format!("iPhone {}", rng.u8(8..16)),
        "n": rng.u32(..1000),
        "amount": f64::from(rng.u32(..50_000)) / 100.0,
        "ok": rng.bool(),
        "path": format!("/{one}/{two}?q={three}"),
        "referrer": format!("https://example.com/{four}/{five}"),
        "ip_address": format!("10.{}.{}.{}", rng.u8(..), rng.u8(..), rng.u8(..)),
        "library": format!("web/2.{}", rng.u8(..40)),
        "language": "de",
        "carrier": null,
        "idfa": null,
        "props": {
            "page": two,
            "tags": [one, four],
            "nested": { "deep": { "v": rng.u32(..), "none": null } },
            "text": format!("{one} {two} {three} {four} {five} {}", more.join(" ")),
        },
        "user_properties": {
            "plan": five,
            "since": "2024-01-02",
            "score": rng.u8(..100),
            "groups": [1, 2, 3],
            "locale": "de_DE",
        },
        "group_properties": {},
        "data": { "path": "/2/httpapi", "vacuum_source_id": rng.u32(..9000).to_string() },
        "server": rng.u64(..).to_string(),
    })
}
