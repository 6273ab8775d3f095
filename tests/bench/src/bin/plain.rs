//! A program as one would write it first: flate2, `serde_json`, zip, one thread.
//! `plain FOLDER OUT jsonl|csv|gzip FROM TO [COUNTRY]`.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, BufWriter, Write as _},
};

use flate2::bufread::MultiGzDecoder;
use serde_json::Value;
use zip::{ZipWriter, write::SimpleFileOptions};

const COLUMNS: [&str; 12] = [
    "time", "uuid", "user", "country", "city", "os", "device", "n", "amount", "ok", "path", "props",
];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, out, format, from, to, country @ ..] = &arguments[..] else {
        anyhow::bail!("plain FOLDER OUT jsonl|csv|gzip FROM TO [COUNTRY]")
    };
    let mut files: Vec<_> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    files.sort();
    let mut zip = ZipWriter::new(BufWriter::new(File::create(out)?));
    let options = SimpleFileOptions::default().compression_level(Some(6));
    if format != "gzip" {
        zip.start_file("events", options)?;
    }
    if format == "csv" {
        writeln!(zip, "{}", COLUMNS.join(","))?;
    }
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = BufReader::new(File::open(&path)?);
        if format == "gzip" {
            zip.start_file(name, options)?;
        }
        let mut rows = BufReader::new(MultiGzDecoder::new(file));
        let mut row = String::new();
        while rows.read_line(&mut row)? > 0 {
            if format == "gzip" {
                zip.write_all(row.as_bytes())?;
                row.clear();
                continue;
            }
            let value: Value = serde_json::from_str(&row)?;
            let time = value["time"].as_str().unwrap_or_default();
            let wanted = country.first().is_none_or(|country| value["country"] == country.as_str());
            if from.as_str() <= time && time < to.as_str() && wanted {
                if format == "csv" {
                    zip.write_all(csv(&value).as_bytes())?;
                } else {
                    zip.write_all(row.as_bytes())?;
                }
            }
            row.clear();
        }
    }
    zip.finish()?.flush()?;
    Ok(())
}

fn csv(value: &Value) -> String {
    let cells: Vec<String> = COLUMNS
        .iter()
        .map(|column| match &value[*column] {
            Value::Null => String::new(),
            Value::String(text) => quoted(text),
            other => quoted(&other.to_string()),
        })
        .collect();
    cells.join(",") + "\n"
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
