//! How fast rows are poured, beside the libraries' own inflate: `make bench`.
//!
//! The data is made here, seeded: 24 hourly gzip files (zlib level 6) of JSON Lines, about 900 bytes a
//! row, 128 MB in all before compression. One thread. Each line is the median of five rounds in which
//! every contender ran once, so that a noisy moment falls on all of them.
//!
//! - `read only`: flate2 with zlib-rs decodes the files and does nothing else, the limit for whoever
//!   has to see the rows;
//! - `splice`: JSON Lines of a window that wants every row;
//! - `transcode`: the same objects, decoded and compressed again (level 6);
//! - `csv`: twelve columns of every row, one of them nested.

#![expect(clippy::print_stdout, reason = "a benchmark reports")]
#![expect(clippy::unwrap_used, reason = "a benchmark fails where it cannot go on")]

use std::{
    hint::black_box,
    io::{Read as _, Write as _},
    time::Instant,
};

use export::{Catalog, Format, TableSelection, Window};
use flate2::{Compression, bufread::MultiGzDecoder, write::GzEncoder};
use lake::{Object, Pour, Selection, Stretch, runs_of};

const HOURS: usize = 24;
const BYTES: usize = 128 << 20;
const ROUNDS: usize = 5;

const CATALOG: &str = r#"
[[dataset]]
name = "events"
path = "{workspace}/{yyyy}/{MM}/{dd}/{HH}/"
time = "time"
compression = "gzip"

[[table]]
name = "events"
dataset = "events"
columns = ["time:time", "uuid", "user", "country", "city", "os", "device", "n:integer", "amount:number", "ok:boolean", "path", "props:json"]
"#;

/// Takes the files and returns the size of what came out.
type Contender = fn(&[Vec<u8>]) -> usize;

fn main() {
    let files: Vec<Vec<u8>> = (0..HOURS).map(file).collect();
    let raw: usize = files.iter().map(|file| read_only(file)).sum();
    let stored: usize = files.iter().map(Vec::len).sum();
    let mib = |bytes: usize| bytes >> 20;
    println!("{} MiB in {HOURS} files of {} MiB\n", mib(raw), mib(stored));

    let contenders: [(&str, Contender); 4] = [
        ("read only", |files| files.iter().map(|file| read_only(file)).sum()),
        ("splice", |files| poured(files, Format::Jsonl, true)),
        ("transcode", |files| poured(files, Format::Jsonl, false)),
        ("csv", |files| poured(files, Format::Csv, false)),
    ];
    let mut times = [const { Vec::new() }; 4];
    let mut sizes = [0; 4];
    for _ in 0..ROUNDS {
        for (i, (_, run)) in contenders.iter().enumerate() {
            let begun = Instant::now();
            sizes[i] = black_box(run(black_box(&files)));
            times[i].push(begun.elapsed().as_secs_f64());
        }
    }
    let medians = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    });
    println!("{:<12}{:>8}{:>8}{:>12}{:>12}", "", "s", "MB/s", "x read only", "MiB out");
    for (i, (name, _)) in contenders.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let speed = raw as f64 / 1e6 / medians[i];
        println!(
            "{name:<12}{:>8.3}{speed:>8.0}{:>12.2}{:>12}",
            medians[i],
            medians[i] / medians[0],
            mib(sizes[i])
        );
    }
}

fn read_only(file: &[u8]) -> usize {
    let (mut decoder, mut buffer, mut read) = (MultiGzDecoder::new(file), vec![0; 256 * 1024], 0);
    loop {
        match decoder.read(&mut buffer).unwrap() {
            0 => return read,
            len => read += black_box(&buffer[..len]).len(),
        }
    }
}

/// Pours all files and returns the size of what came out.
fn poured(files: &[Vec<u8>], format: Format, likely_whole: bool) -> usize {
    let catalog = Catalog::parse("bench", CATALOG).unwrap();
    let day = Window::new(
        "2026-03-01T00:00:00Z".parse().unwrap(),
        "2026-03-02T00:00:00Z".parse().unwrap(),
    );
    let table = TableSelection { table: "events".to_owned(), columns: None };
    let selection = &Selection::new(&catalog, &table, day.unwrap(), format).unwrap();
    let object = |file: &Vec<u8>| Object {
        key: "a.json.gz".to_owned(),
        size_bytes: file.len() as u64,
        likely_whole,
    };
    let objects = &files.iter().map(object).collect::<Vec<_>>()[..];
    let runs = runs_of(objects);
    let pour = Pour { selection, objects, runs, level: 5, workers: 1 };
    let mut out = 0;
    let poured = pour.run(
        |index| Ok(&files[index][..]),
        |_, stretch| {
            if let Stretch::Bytes(bytes) = stretch {
                out += bytes.len();
            }
            Ok(())
        },
    );
    assert_eq!(poured.unwrap().iter().map(|run| run.account.bad_rows).sum::<u64>(), 0);
    out
}

fn file(hour: usize) -> Vec<u8> {
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
    let mut rng = fastrand::Rng::with_seed(hour as u64);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    let mut written = 0;
    while written < BYTES / HOURS {
        let mut word = || WORDS[rng.usize(..WORDS.len())];
        let [one, two, three, four, five] = [(); 5].map(|()| word());
        let row = format!(
            "{{\"time\":\"2026-03-01 {hour:02}:{:02}:{:02}.{:06}\",\"uuid\":\"{:032x}\",\"user\":\"u{}\",\"session\":{},\
             \"country\":\"Germany\",\"city\":\"München\",\"os\":\"iOS\",\"os_version\":\"17.{}\",\"device\":\"iPhone {}\",\
             \"n\":{},\"amount\":{}.{},\"ok\":{},\"path\":\"/{one}/{two}?q={three}\",\"referrer\":\"https://example.com/{four}/{five}\",\
             \"ip_address\":\"10.{}.{}.{}\",\"library\":\"web/2.{}\",\"language\":\"de\",\"carrier\":null,\"idfa\":null,\
             \"props\":{{\"page\":\"{two}\",\"tags\":[\"{one}\",\"{four}\"],\"nested\":{{\"deep\":{{\"v\":{},\"none\":null}}}},\"text\":\"{one} {two} {three} {four} {five}\"}},\
             \"user_properties\":{{\"plan\":\"{five}\",\"since\":\"2024-01-02\",\"score\":{},\"groups\":[1,2,3],\"locale\":\"de_DE\"}},\
             \"group_properties\":{{}},\"data\":{{\"path\":\"/2/httpapi\",\"vacuum_source_id\":\"{}\"}},\"server\":\"{}\"}}\n",
            rng.u8(..60),
            rng.u8(..60),
            rng.u32(..1_000_000),
            rng.u128(..),
            rng.u32(..50_000),
            rng.u64(..),
            rng.u8(..9),
            rng.u8(8..16),
            rng.u32(..1000),
            rng.u16(..500),
            rng.u8(..99),
            rng.bool(),
            rng.u8(..),
            rng.u8(..),
            rng.u8(..),
            rng.u8(..40),
            rng.u32(..),
            rng.u8(..100),
            rng.u32(..9000),
            rng.u64(..),
        );
        encoder.write_all(row.as_bytes()).unwrap();
        written += row.len();
    }
    encoder.finish().unwrap()
}
