//! Writes a sample lake into a folder: `sample-lake FOLDER WORKSPACE FROM HOURS ROWS_PER_HOUR [SEED]`.

use std::{env, fs, path::Path};

use anyhow::{Context as _, bail};
use export::{Catalog, Workspace};
use jiff::{SignedDuration, Timestamp};
use tests::sample::Sample;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, workspace, from, hours, rows, seed @ ..] = &arguments[..] else {
        bail!("usage: sample-lake FOLDER WORKSPACE FROM HOURS ROWS_PER_HOUR [SEED]");
    };
    let workspace: Workspace = workspace.parse()?;
    let from: Timestamp = from.parse().context("read FROM, as 2026-03-01T00:00:00Z")?;
    let sample = Sample {
        seed: seed.first().map_or(Ok(1), |seed| seed.parse()).context("read SEED")?,
        rows_per_hour: rows.parse().context("read ROWS_PER_HOUR")?,
        objects_per_hour: 2,
    };
    let catalog = Catalog::built_in()?;
    for hour in 0..hours.parse().context("read HOURS")? {
        let hour = from + SignedDuration::from_hours(hour);
        for dataset in catalog.datasets() {
            for object in sample.hour(&catalog, dataset, &workspace, hour) {
                let path = Path::new(folder).join(&object.key);
                fs::create_dir_all(path.parent().context("name the object's folder")?)?;
                fs::write(&path, object.bytes)
                    .with_context(|| format!("write {}", path.display()))?;
            }
        }
    }
    Ok(())
}
