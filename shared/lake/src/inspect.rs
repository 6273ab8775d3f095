//! Looks at some rows of an object, to tell whether the catalog describes them.

use std::{
    io::{self, Read},
    ops::ControlFlow,
};

use export::{Catalog, Table, Workspace};
use jiff::SignedDuration;

use crate::{
    BadRow, InputObject, ObjectError, Stats,
    field_ref::{FieldRef, field_ref},
    fields::FieldBuffer,
    framing::Framing,
    names::Names,
    object_scan::{ScanOptions, scan_objects},
    row_time::RowTime,
    selection::read_fields,
    tenant::Tenant,
};

/// The most rows of an object that are looked at.
pub const MAX_INSPECTED_ROWS: u64 = 10_000;

/// What was found in some rows of objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Rows of the workspace that could be read, with their time.
    pub rows: u64,
    /// Rows that could not be read.
    pub bad_rows: u64,
    /// The first of them.
    pub first_bad: Option<BadRow>,
    /// How long before its own time a row was filed, at most.
    pub early: SignedDuration,
    /// How long after its own time a row was filed, at most.
    pub late: SignedDuration,
    /// The columns of the record that no row has, in their order.
    pub missing: Vec<String>,
}

impl Inspection {
    /// Adds what was found in another object of the same table.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            bad_rows: self.bad_rows + other.bad_rows,
            first_bad: self.first_bad.or(other.first_bad),
            early: self.early.max(other.early),
            late: self.late.max(other.late),
            missing: self.missing.into_iter().filter(|name| other.missing.contains(name)).collect(),
        }
    }
}

/// What was seen so far.
struct Seen {
    stats: Stats,
    inspection: Inspection,
    has: Vec<bool>,
}

impl AsMut<Stats> for Seen {
    fn as_mut(&mut self) -> &mut Stats {
        &mut self.stats
    }
}

/// Looks at up to [`MAX_INSPECTED_ROWS`] rows of an object, as an export of `table` would read them. `open` returns its
/// stored bytes. An object that cannot be read at all is an error.
pub fn inspect<R: Read>(
    catalog: &Catalog,
    workspace: &Workspace,
    table: &Table,
    object: &InputObject,
    open: impl Fn() -> io::Result<R> + Sync,
) -> Result<Inspection, ObjectError> {
    let dataset = catalog.dataset_of(table);
    let mut names = Vec::new();
    let time = RowTime::of(catalog, table, &mut names);
    let tenant = Tenant::of(dataset, workspace, &mut names);
    let columns: Vec<(&str, FieldRef)> = table
        .columns
        .iter()
        .filter(|column| column.level.is_none())
        .map(|column| (&column.name[..], field_ref(&mut names, &column.path)))
        .collect();
    let (names, framing) = (Names::new(names), Framing::of(dataset));
    let options = ScanOptions {
        table: &table.name,
        compression: dataset.compression,
        max_bad_percent: 100,
        framing: &framing,
        wanted: 1..=u64::MAX,
    };
    let empty = || Seen {
        stats: Stats::default(),
        inspection: Inspection::default(),
        has: vec![false; columns.len()],
    };
    let objects = std::slice::from_ref(object);
    let seen = scan_objects(
        &options,
        objects,
        1,
        |_| open(),
        empty,
        |seen, object, at, record| {
            // Rows of others and bad rows count too: an object is not read much further than this.
            if at.record > MAX_INSPECTED_ROWS {
                return Ok(ControlFlow::Break(()));
            }
            let mut buffer = FieldBuffer::default();
            let (_, found) = read_fields(record, &names, &mut buffer)?;
            if tenant.as_ref().is_some_and(|tenant| !tenant.owns(found)) {
                return Ok(ControlFlow::Continue(()));
            }
            let at_time = time.read(found)?;
            let inspection = &mut seen.inspection;
            inspection.rows += 1;
            if let Some(begin) = object.partition {
                let end = dataset.path.calendar().end_of(begin);
                inspection.late = inspection.late.max(begin.duration_since(at_time));
                inspection.early = inspection.early.max(at_time.duration_since(end));
            }
            for ((_, field), has) in columns.iter().zip(&mut seen.has) {
                *has |= field.find(found).is_some_and(|value| value != "null");
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    let Some(Seen { stats, inspection, has }) = seen.into_iter().next() else {
        return Ok(Inspection::default());
    };
    let missing = columns.iter().zip(has).filter(|(_, has)| !has);
    Ok(Inspection {
        bad_rows: stats.bad_rows,
        first_bad: stats.listed.into_iter().next(),
        missing: missing.map(|((name, _), _)| (*name).to_owned()).collect(),
        ..inspection
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATALOG: &str = r#"
        [[dataset]]
        name = "visits"
        path = "{yyyy}/{MM}/{dd}/{HH}/"
        time = "at"
        workspace = { field = "org" }

        [[table]]
        name = "visits"
        dataset = "visits"
        columns = ["id:integer", "gone", { name = "deep", path = "a.b" }]
    "#;

    #[test]
    fn rows_tell_how_far_off_they_were_filed_and_what_they_lack() {
        let catalog = Catalog::parse("test", CATALOG).unwrap();
        let look = |text: &str| {
            let object = InputObject {
                key: "2026/03/01/10/a.json".to_owned(),
                size_bytes: 1,
                likely_whole: false,
                refer: false,
                partition: Some("2026-03-01T10:00:00Z".parse().unwrap()),
            };
            let table = catalog.table("visits").unwrap();
            let acme = "acme".parse().unwrap();
            inspect(&catalog, &acme, table, &object, || Ok(text.as_bytes())).unwrap()
        };
        let row = |org: &str, at: &str, more: &str| {
            format!("{{\"org\":\"{org}\",\"at\":\"2026-03-01T{at}Z\"{more}}}\n")
        };
        let text = row("acme", "09:55:00", ",\"id\":1,\"gone\":null")
            + &row("acme", "11:02:00", "")
            + "bad\n"
            + &row("globex", "23:00:00", ",\"gone\":1")
            + &row("acme", "never", "");
        let found = look(&text);
        assert_eq!((found.rows, found.bad_rows), (2, 2));
        assert_eq!(found.first_bad.as_ref().map(|row| row.line), Some(3));
        let minutes = SignedDuration::from_mins;
        assert_eq!((found.late, found.early), (minutes(5), minutes(2)));
        assert_eq!(found.missing, ["gone", "deep"]);
        let other = look(&row("acme", "10:00:00", ",\"gone\":1"));
        assert_eq!((other.late, other.early), (SignedDuration::ZERO, SignedDuration::ZERO));
        let both = found.and(other);
        assert_eq!(
            (both.rows, both.late, &both.missing[..]),
            (3, minutes(5), &["deep".to_owned()][..])
        );
        let many = row("acme", "10:00:00", "").repeat(10_500);
        assert_eq!(look(&many).rows, MAX_INSPECTED_ROWS);
        let others = row("globex", "10:00:00", "").repeat(10_500);
        assert_eq!(look(&(others + &row("acme", "10:00:00", ""))).rows, 0, "rows of others count");
    }
}
