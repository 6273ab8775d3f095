//! Writes the data: `data FOLDER MEGABYTES [HOURS [WORDS [noise]]]`.
//!
//! A gzip file (zlib level 6) for each hour, `FOLDER/HH.json.gz`, of JSON Lines. By default 24 hours of
//! rows of about 900 bytes.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::Path,
    thread,
};

use anyhow::Context as _;
use bench::data::{Shape, hour};
use flate2::{Compression, write::GzEncoder};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, megabytes, rest @ ..] = &arguments[..] else {
        anyhow::bail!("data FOLDER MEGABYTES [HOURS [WORDS [noise]]]")
    };
    let number = |at: usize, default: usize| -> anyhow::Result<usize> {
        rest.get(at).map_or(Ok(default), |text| text.parse().context("read a number"))
    };
    let (hours, more_words) = (number(0, 24)?, number(1, 0)?);
    let hour_bytes = megabytes.parse::<usize>()? * 1_000_000 / hours;
    let shape = Shape { hour_bytes, more_words, noise: rest.get(2).is_some() };
    fs::create_dir_all(folder)?;
    thread::scope(|scope| {
        let tasks: Vec<_> = [0, 1]
            .map(|first| {
                scope.spawn(move || {
                    (first..hours).step_by(2).try_for_each(|n| write(Path::new(folder), n, shape))
                })
            })
            .into();
        tasks.into_iter().try_for_each(|task| task.join().expect("a writer does not panic"))
    })
}

fn write(folder: &Path, number: usize, shape: Shape) -> anyhow::Result<()> {
    let file = BufWriter::new(File::create(folder.join(format!("{number:02}.json.gz")))?);
    let mut out = BufWriter::new(GzEncoder::new(file, Compression::new(6)));
    hour(&mut out, number, shape)?;
    out.into_inner()?.finish()?.flush()?;
    Ok(())
}
