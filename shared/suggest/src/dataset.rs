//! Describes a dataset: everything that its part of the catalog says.

use std::collections::BTreeSet;

use export::{MAX_FILING_HOURS, PartitionPath, TimeFormat};
use jiff::{SignedDuration, tz::TimeZone};

use crate::{
    columns::{Column, MAX_COLUMNS, columns},
    content::{Content, Format, Record},
    dates::Piece,
    filing::{Filed, filed, nearest, zone, zone_of_days},
    folders::{Contents, Dataset, Role},
    reading::Name,
    survey::Options,
    template::template,
    tenancy::{Tenancy, tenancy, tenant},
    time::{MAX_NAME_BYTES, TimeField, time_fields},
};

/// What is written of a dataset and its table.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) zone: Option<&'static str>,
    pub(crate) time: String,
    pub(crate) time_format: TimeFormat,
    pub(crate) tenancy: Tenancy,
    pub(crate) early_hours: Option<i64>,
    pub(crate) late_hours: Option<i64>,
    pub(crate) format: Format,
    pub(crate) compression: Option<&'static str>,
    pub(crate) columns: Vec<Column>,
    pub(crate) notes: Vec<String>,
}

/// An object that was looked at.
struct Looked<'a> {
    key: String,
    tenant: String,
    content: &'a Content,
}

/// Describes a dataset, or says why that cannot be.
pub(crate) fn describe(
    mut dataset: Dataset,
    contents: &Contents,
    options: &Options,
    names: &mut BTreeSet<String>,
) -> Result<Described, String> {
    let mut notes = std::mem::take(&mut dataset.notes);
    let (mut text, mut path) = path(&mut dataset, &mut notes)?;
    let looked = looked(&dataset, contents, &mut notes)?;
    let samples: Vec<&[Record]> = looked.iter().map(|one| &one.content.records[..]).collect();
    let records: Vec<&Record> = samples.iter().copied().flatten().collect();
    let keys: Vec<(&str, &str)> =
        looked.iter().map(|one| (&one.tenant[..], &one.key[..])).collect();
    let fields = time_fields(&samples);
    let days = first_zone(&dataset, &path);
    if let Some(zone) = days.and_then(|name| TimeZone::get(name).ok()) {
        path = path.in_zone(zone);
    }
    let Some((mut time, mut in_utc)) = nearest(&path, &keys, &fields) else {
        return Err(format!(
            "no field of its rows has a time in nearly all of them, and a dataset needs one; there are {}",
            field_names(&records)
        ));
    };
    let is_zoned = || zone(&path, &keys, time, in_utc).is_some();
    if in_utc.farthest() > SignedDuration::from_hours(2)
        && !is_zoned()
        && dataset.layout.drop_hours()
    {
        (text, path) = self::path(&mut dataset, &mut notes)?;
        notes.push(
            "The number behind the date is no hour, as rows tell: it seems to count files."
                .to_owned(),
        );
        if let Some(found) = nearest(&path, &keys, &fields) {
            (time, in_utc) = found;
        }
    }
    let (zone, filed) = zoned(&path, &keys, time, in_utc, days, &mut notes);
    tell_time(time, &fields, &mut notes);
    let early_hours = hours(filed.early, "early", &mut notes);
    let late_hours = hours(filed.late, "late", &mut notes);
    let tenancy = tenancy(&dataset, &records, options, &mut notes);
    let (columns, mixed) = columns(records.iter().copied(), time);
    if !mixed.is_empty() {
        let names = mixed.into_iter().take(10).collect::<Vec<_>>().join(", ");
        notes.push(format!(
            "Values of different types are in {names}: they are json here, which takes any."
        ));
    }
    if columns.len() >= MAX_COLUMNS {
        notes.push(format!(
            "There are more than {MAX_COLUMNS} fields; the table has so many columns."
        ));
    }
    let first = looked[0].content;
    tell_format(&looked, records.len(), &mut notes);
    Ok(Described {
        name: name(&dataset, names),
        path: text,
        zone,
        time: time.path.clone(),
        time_format: time.format,
        tenancy,
        early_hours,
        late_hours,
        format: format(&looked),
        compression: first.compression,
        columns,
        notes,
    })
}

/// Returns the path of a dataset that reads all of its keys, in UTC or any zone.
fn path(dataset: &mut Dataset, notes: &mut Vec<String>) -> Result<(String, PartitionPath), String> {
    let parsed = |dataset: &Dataset| {
        let (text, is_guess) = template(dataset).ok_or("it has no key")?;
        let path = PartitionPath::parse(&text)
            .map_err(|error| format!("the path {text:?} cannot be: {error}"))?;
        Ok::<_, String>((text, is_guess, path))
    };
    let first = parsed(dataset);
    let (text, is_guess, path) = match first {
        Ok(first) => first,
        Err(error) if dataset.roles.contains(&Role::Workspace) => {
            // Where a tenant could be taken for another one, its name is not read from keys.
            let roles = dataset.roles.iter_mut().filter(|role| **role == Role::Workspace);
            roles.for_each(|role| *role = Role::Wildcard);
            notes.push(format!("The tenant is not taken from the path: {error}."));
            parsed(dataset)?
        }
        Err(error) => return Err(error),
    };
    if is_guess {
        notes.push(
            "All numbers of dates have two digits in the keys that were seen. If they have no zeros in front where they \
             have one, write {M}, {d} and {H} for {MM}, {dd} and {HH}."
                .to_owned(),
        );
    }
    if let Some((before, _)) = text.split_once("{*}")
        && !["{yyyy}", "{epoch_"].iter().any(|date| before.contains(date))
    {
        notes.push(format!(
            "Each export lists everything under {before:?}, since {{*}} stands before the date."
        ));
    }
    Ok((text, path))
}

/// Returns the zone in which days begin, where keys count from 1970 to the beginning of a day that is none of UTC.
fn first_zone(dataset: &Dataset, path: &PartitionPath) -> Option<&'static str> {
    let is_epoch = |name: &Name| match name {
        Name::Dated(pieces) => pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Epoch { seconds, .. } if seconds % 86_400 != 0)),
        Name::Other(_) => false,
    };
    dataset.layout.first()?.names.iter().any(is_epoch).then_some(())?;
    let objects = dataset.layout.objects.iter();
    let keys: Vec<(&str, &str)> = objects
        .map(|(object, reading)| (tenant(&dataset.roles, reading), &object.key[..]))
        .collect();
    zone_of_days(path, &keys)
}

/// Returns the objects that were read and have the format that most have.
fn looked<'a>(
    dataset: &Dataset,
    contents: &'a Contents,
    notes: &mut Vec<String>,
) -> Result<Vec<Looked<'a>>, String> {
    let (mut found, mut failed) = (Vec::new(), None);
    for (object, reading) in &dataset.layout.objects {
        match contents.get(&object.key) {
            Some(Ok(content)) => {
                let tenant = tenant(&dataset.roles, reading).to_owned();
                found.push(Looked { key: object.key.clone(), tenant, content });
            }
            Some(Err(reason)) => failed = Some((&object.key, reason)),
            None => {}
        }
    }
    let kind = |content: &Content| std::mem::discriminant(&content.format);
    let counts = found.iter().map(|one| {
        (
            found.iter().filter(|other| kind(other.content) == kind(one.content)).count(),
            kind(one.content),
        )
    });
    let Some((_, best)) = counts.max_by_key(|(count, _)| *count) else {
        return Err(failed.map_or_else(
            || "none of it was looked at".to_owned(),
            |(key, reason)| format!("{key:?} cannot be read: {reason}"),
        ));
    };
    if let Some((key, reason)) = failed {
        notes.push(format!("{key:?} cannot be read: {reason}."));
    }
    // Parquet may lie beside JSON.
    found.retain(|one| kind(one.content) == best);
    Ok(found)
}

fn field_names(records: &[&Record]) -> String {
    let names: BTreeSet<&str> = records.iter().flat_map(|record| record.names()).collect();
    let count = names.len();
    let names = names.into_iter().filter(|name| name.len() <= MAX_NAME_BYTES);
    let some = names.take(10).collect::<Vec<_>>().join(", ");
    if count > 10 { format!("{some} and others") } else { some }
}

/// Decides in which zone folders are.
fn zoned(
    path: &PartitionPath,
    keys: &[(&str, &str)],
    time: &TimeField,
    in_utc: Filed,
    days: Option<&'static str>,
    notes: &mut Vec<String>,
) -> (Option<&'static str>, Filed) {
    if let Some(name) = days {
        notes.push(format!(
            "Days begin as in {name}. Other zones have the same offset from UTC: write yours as zone."
        ));
        return (Some(name), filed(path, keys, time).unwrap_or_default());
    }
    match zone(path, keys, time, in_utc) {
        Some(zoned) if zoned.is_likely => {
            notes.push(format!(
                "Rows fit folders whose times are those of {}, and not of UTC. Other zones have the same offset: write \
                 yours as zone, or leave it out if rows are rather filed hours from their time.",
                zoned.name
            ));
            (Some(zoned.name), zoned.filed)
        }
        Some(zoned) => {
            notes.push(format!(
                "Folders are taken to be in UTC. Rows would be nearer to them in {}: if folders are in such a zone, \
                 write it as zone.",
                zoned.name
            ));
            (None, in_utc)
        }
        None => {
            if in_utc.farthest() <= SignedDuration::from_hours(1) && !is_hourly(path) {
                notes.push(
                    "Folders are taken to be in UTC, as rows do not contradict that; a few rows of a day may not tell."
                        .to_owned(),
                );
            }
            (None, in_utc)
        }
    }
}

fn is_hourly(path: &PartitionPath) -> bool {
    path.calendar().grain() == export::Grain::Hour
}

fn tell_time(time: &TimeField, fields: &[TimeField], notes: &mut Vec<String>) {
    let others: Vec<&str> = fields
        .iter()
        .filter(|other| other.path != time.path)
        .map(|other| &other.path[..])
        .take(8)
        .collect();
    let others = if others.is_empty() {
        "no other field has one in nearly all rows".to_owned()
    } else {
        format!("other fields with times are {}", others.join(", "))
    };
    notes.push(format!(
        "The time of a row is {}, since it is near to the folders and its name suits; {others}.",
        time.path
    ));
}

/// Returns how many hours off rows may be filed, if it is more than without saying so. Tells what was seen.
fn hours(seen: SignedDuration, what: &str, notes: &mut Vec<String>) -> Option<i64> {
    if seen <= SignedDuration::from_hours(1) {
        return None;
    }
    let whole = (seen.as_secs() + 3599) / 3600;
    let most = i64::from(MAX_FILING_HOURS);
    let hours = (whole + whole / 4 + 1).min(most);
    notes.push(format!(
        "Rows are filed up to {whole} hours {what}, as far as was seen; {what}_hours = {hours} leaves some room. Rows \
         further off would be missed, so raise it if there are any."
    ));
    Some(hours)
}

fn tell_format(looked: &[Looked<'_>], rows: usize, notes: &mut Vec<String>) {
    let objects = looked.len();
    let what = match &looked[0].content.format {
        Format::Json { unwrap: true, .. } => "each value is a text that has the JSON of a row",
        Format::Json { records: Some(_), .. } => "rows are the elements of a list in each value",
        Format::Json { .. } if looked.iter().any(|one| is_joined(one.content)) => {
            "rows are JSON, several on a line"
        }
        Format::Json { .. } => "rows are JSON",
        Format::Delimited { names: Some(_), .. } => {
            "rows are lines of fields without a header, so see that columns has their right names"
        }
        Format::Delimited { .. } => "rows are lines of fields, and the first line has their names",
        Format::Parquet => "rows are Parquet",
    };
    let count = |count: usize, what: &str| {
        if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
    };
    notes.push(format!("As {} of {} tell, {what}.", count(rows, "row"), count(objects, "object")));
}

fn is_joined(content: &Content) -> bool {
    matches!(content.format, Format::Json { has_many_on_a_line: true, .. })
}

/// Returns the format of all objects: fields are of a type if they are so in each.
fn format(looked: &[Looked<'_>]) -> Format {
    let mut format = looked[0].content.format.clone();
    for other in &looked[1..] {
        if let (Format::Delimited { types, .. }, Format::Delimited { types: others, .. }) =
            (&mut format, &other.content.format)
        {
            types.retain(|known| others.contains(known));
        }
    }
    format
}

/// Returns a name for the dataset that no other has: that of the nearest folder that does not vary.
fn name(dataset: &Dataset, taken: &mut BTreeSet<String>) -> String {
    let names = dataset.layout.first().map(|reading| &reading.names[..]).unwrap_or_default();
    let dated = names.iter().position(|name| matches!(name, Name::Dated(_))).unwrap_or(names.len());
    let text = match names.get(dated) {
        Some(Name::Dated(pieces)) => match pieces.first() {
            Some(Piece::Text(text)) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    };
    let constant =
        names[..dated].iter().zip(&dataset.roles).rev().filter_map(|(name, role)| match name {
            Name::Other(name) if *role == Role::Constant => {
                Some(name.split_once('=').map_or(&name[..], |(_, value)| value).to_owned())
            }
            _ => None,
        });
    let is_word = |text: &String| {
        let plain = text.to_ascii_lowercase();
        let said = ["date", "dt", "day", "year", "run", "d", "y", "hour", "ds"];
        text.len() > 1
            && text.chars().any(|c| c.is_ascii_alphabetic())
            && !said.contains(&&plain[..])
    };
    let clean = |text: String| {
        let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        text.chars().map(fits).take(50).collect::<String>().trim_matches('_').to_owned()
    };
    let found = text.into_iter().map(clean).chain(constant.map(clean)).find(is_word);
    let name = found.unwrap_or_else(|| "events".to_owned());
    let mut free = std::iter::once(name.clone()).chain((2..).map(|n| format!("{name}_{n}")));
    let name = free.find(|name| !taken.contains(name)).unwrap_or(name);
    taken.insert(name.clone());
    name
}
