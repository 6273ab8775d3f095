//! Only decodes the files, on two threads, by flate2 with zlib-rs: the limit for whoever has to see
//! the rows. `inflate FOLDER`.

use std::{
    fs::File,
    hint::black_box,
    io::{BufReader, Read as _},
    path::PathBuf,
    thread,
};

use flate2::bufread::MultiGzDecoder;

fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).expect("inflate FOLDER");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    files.sort();
    let files = &files;
    thread::scope(|scope| {
        let tasks = [0, 1].map(|first| {
            scope.spawn(move || {
                files[first.min(files.len())..].iter().step_by(2).try_for_each(inflate)
            })
        });
        tasks.into_iter().try_for_each(|task| task.join().expect("a reader does not panic"))
    })
}

fn inflate(path: &PathBuf) -> anyhow::Result<()> {
    let file = BufReader::with_capacity(256 * 1024, File::open(path)?);
    let (mut decoder, mut buffer) = (MultiGzDecoder::new(file), vec![0; 256 * 1024]);
    while decoder.read(&mut buffer)? > 0 {
        black_box(&buffer);
    }
    Ok(())
}
