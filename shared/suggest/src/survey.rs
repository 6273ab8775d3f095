//! Looks through keys, and suggests a catalog once some of the objects were read.

use std::collections::{BTreeMap, BTreeSet};

use export::{SourceBucket, SourceObject, Workspace};
use serde::Serialize;

use crate::{
    content::look,
    dataset::{Described, describe},
    folders::{self, Contents},
    layout::{Layout, Layouts},
    reading::Name,
    sample::Sample,
    write,
};

/// The most datasets that are suggested.
pub const MAX_DATASETS: usize = 20;
/// The most objects that are read.
pub const MAX_SAMPLES: usize = 64;
/// The most paths of objects that are left out which are told one by one.
const MAX_TOLD: usize = 10;

/// What was found in a lake.
#[derive(Debug)]
pub struct Survey {
    layouts: Vec<Layout>,
    notes: Vec<String>,
}

/// What an operator says beforehand.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whose rows they are where nothing else says it.
    pub workspace: Option<Workspace>,
    /// The bucket of the objects, if it is not that of the lake.
    pub bucket: Option<SourceBucket>,
    /// Whether there are more objects than those that are known.
    pub is_part: bool,
}

/// A catalog, and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// The catalog, with all notes as comments. Without a dataset it has nothing else.
    pub catalog: String,
    /// Its datasets.
    pub datasets: Vec<SuggestedDataset>,
    /// What is in none of them, and why.
    pub notes: Vec<String>,
}

/// What was decided of a dataset, and what is not sure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SuggestedDataset {
    /// Its name.
    pub name: String,
    /// Sentences in plain words.
    pub notes: Vec<String>,
}

impl Survey {
    /// Looks through the keys of some objects.
    pub fn of(objects: Vec<SourceObject>) -> Self {
        let total = objects.len();
        let visible = objects.into_iter().filter(|object| !is_hidden(&object.key)).collect();
        let Layouts { layouts, timeless } = Layouts::of(visible);
        let mut notes = Vec::new();
        if total == 0 {
            notes.push("Nothing was found there.".to_owned());
        }
        if let Some(first) = timeless.first() {
            notes.push(format!(
                "{} keys say no date, such as {:?}. A dataset needs one in its path.",
                timeless.len(),
                first.key
            ));
        }
        let mut kept: Vec<Layout> = Vec::new();
        let mut left: Vec<Layout> = layouts;
        left.sort_by_key(|layout| std::cmp::Reverse(layout.objects.len()));
        for layout in left {
            // What ends where others go on is rather a part of them that is filed otherwise, as `h=late` is.
            if kept.iter().any(|known| known.continues(&layout)) {
                notes.push(format!(
                    "{} objects are not read whose keys are like those of others but say no hour, such as {:?}.",
                    layout.objects.len(),
                    layout.objects[0].0.key
                ));
            } else {
                kept.push(layout);
            }
        }
        Self { layouts: kept, notes }
    }

    /// Returns the objects that should be read.
    pub fn wanted(&self) -> Vec<&SourceObject> {
        let each = (MAX_SAMPLES / self.layouts.len().max(1)).max(1);
        self.layouts.iter().flat_map(|layout| chosen(layout, each)).take(MAX_SAMPLES).collect()
    }

    /// Writes a catalog, given what was read of the objects that were wanted, by key.
    pub fn suggest(self, samples: &BTreeMap<String, Sample>, options: &Options) -> Suggestion {
        let contents: Contents =
            samples.iter().map(|(key, sample)| (key.clone(), look(key, sample))).collect();
        let (mut described, mut notes): (Vec<Described>, Vec<String>) = (Vec::new(), self.notes);
        if options.is_part {
            notes.push("Not everything was looked at: some folders of each depth, and some objects of each.".to_owned());
        }
        let mut names = BTreeSet::new();
        let mut told = 0;
        for dataset in
            self.layouts.into_iter().flat_map(|layout| folders::datasets(layout, &contents))
        {
            let (count, key) =
                (dataset.layout.objects.len(), dataset.layout.objects[0].0.key.clone());
            let found = if described.len() < MAX_DATASETS {
                describe(dataset, &contents, options, &mut names)
            } else {
                Err(format!("there are {MAX_DATASETS} datasets already"))
            };
            match found {
                Ok(found) => described.push(found),
                Err(reason) => {
                    told += 1;
                    if told <= MAX_TOLD {
                        notes.push(format!(
                            "{count} objects are left out, such as {key:?}: {reason}."
                        ));
                    }
                }
            }
        }
        if told > MAX_TOLD {
            notes.push(format!("So are those of {} further paths.", told - MAX_TOLD));
        }
        let catalog = write::catalog(&described, &notes, options);
        let dataset = |one: Described| SuggestedDataset { name: one.name, notes: one.notes };
        Suggestion { catalog, datasets: described.into_iter().map(dataset).collect(), notes }
    }
}

/// Chooses objects of a layout: the oldest, a middle and the newest one of each combination of names, as far as that
/// goes.
fn chosen(layout: &Layout, most: usize) -> Vec<&SourceObject> {
    let mut groups: BTreeMap<Vec<&str>, Vec<(&SourceObject, _)>> = BTreeMap::new();
    for (object, reading) in &layout.objects {
        let names = reading.names.iter().filter_map(|name| match name {
            Name::Other(name) => Some(&name[..]),
            Name::Dated(_) => None,
        });
        // An empty object has nothing to look at.
        if object.size_bytes > 0 {
            groups.entry(names.collect()).or_default().push((object, reading.known.order()));
        }
    }
    let groups = spread(groups.into_values().collect(), most);
    let each = (most / groups.len().max(1)).clamp(1, 8);
    groups
        .into_iter()
        .flat_map(|mut objects| {
            objects.sort_by(|left, right| (&left.1, &left.0.key).cmp(&(&right.1, &right.0.key)));
            spread(objects, each).into_iter().map(|(object, _)| object)
        })
        .collect()
}

/// Keeps the last, the first, and some evenly between them.
fn spread<T>(all: Vec<T>, most: usize) -> Vec<T> {
    let (count, kept) = (all.len(), most.min(all.len()));
    let places: BTreeSet<usize> = match kept {
        0 => BTreeSet::new(),
        1 => [count - 1].into(),
        _ => (0..kept).map(|number| number * (count - 1) / (kept - 1)).collect(),
    };
    all.into_iter().enumerate().filter(|(at, _)| places.contains(at)).map(|(_, one)| one).collect()
}

/// Whether programs leave such objects behind, which are no rows.
fn is_hidden(key: &str) -> bool {
    const FOLDERS: [&str; 4] =
        ["_delta_log", "_temporary", "_spark_metadata", "_symlink_format_manifest"];
    key.split('/').next_back().is_none_or(|name| name.starts_with(['_', '.']))
        || key.split('/').any(|name| FOLDERS.contains(&name))
}
