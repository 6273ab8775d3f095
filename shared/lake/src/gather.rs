//! One pass over source objects that writes nothing: which ids there are, or how many rows.
//!
//! Objects are read by one worker each, in no order.

use std::{
    io::{self, Read},
    mem,
    ops::ControlFlow,
};

use export::{Catalog, Compression, ExportRequest, Table, Window};
use jiff::Timestamp;

use crate::{
    Account, BadRow, Object, ObjectError, Selection,
    fields::Room,
    ids::{Ids, id_of},
    names::Names,
    place::{Place, place},
    rule::{Binder, Row, Rule, lookups},
    selection::{Outcome, Time, found},
    walk::{Look, walk},
};

/// How many ids are held before they are put in order, each once.
const MIN_IDS: usize = 1 << 20;

/// Looks at the records of one table, for what rows of others belong to.
#[derive(Debug)]
pub struct Gather {
    table: String,
    compression: Compression,
    max_bad_percent: u8,
    window: Window,
    names: Names,
    time: Time,
    omit: Option<Place>,
    relation: Place,
    rules: Vec<Rule>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Gathered {
    /// What rows belong to that pass, for each thing that was looked up.
    pub ids: Vec<Ids>,
    /// What was noticed on the way.
    pub account: Account,
    /// Where there was no room for more: the last record of an object that was looked at. Of several
    /// objects, what was found then is of no use.
    pub full: Option<u64>,
}

impl Gather {
    /// Prepares what `request` looks up in a table, in the order of [`lookups`]; none if the catalog
    /// lacks the table, or a column.
    pub fn new(catalog: &Catalog, request: &ExportRequest, table: &str) -> Option<Self> {
        let table = catalog.table(table)?;
        let lookups = lookups(catalog, request);
        let mut names = Vec::new();
        let mut binder = Binder { catalog, table, lookups: &lookups, names: &mut names };
        let here = lookups.iter().filter(|lookup| lookup.table == table.name);
        let rules = here.map(|lookup| binder.lookup(lookup)).collect::<Option<_>>()?;
        Self::with(catalog, table, request.window, names, rules)
    }

    /// Prepares to find all that rows of a table belong to.
    pub fn every(catalog: &Catalog, request: &ExportRequest, table: &str) -> Option<Self> {
        let all = vec![Rule::All(Vec::new())];
        Self::with(catalog, catalog.table(table)?, request.window, Vec::new(), all)
    }

    fn with(
        catalog: &Catalog,
        table: &Table,
        window: Window,
        mut names: Vec<String>,
        rules: Vec<Rule>,
    ) -> Option<Self> {
        Some(Self {
            table: table.name.clone(),
            compression: catalog.dataset_of(table).compression,
            max_bad_percent: catalog.dataset_of(table).max_bad_percent,
            window,
            time: Time::of(catalog, table, &mut names),
            omit: table.omit.as_ref().map(|path| place(&mut names, path)),
            relation: place(&mut names, table.relation_path()?),
            rules,
            names: Names::new(names),
        })
    }

    /// Looks at the records of these objects, of each from record `first` on, until some `most` ids are
    /// held. `open` gives an object's stored bytes.
    pub fn run<R: Read>(
        &self,
        objects: &[Object],
        first: u64,
        most: usize,
        workers: usize,
        open: impl Fn(usize) -> io::Result<R> + Sync,
    ) -> Result<Gathered, ObjectError> {
        let heaps = self.rules.len() * workers.clamp(1, objects.len().max(1));
        let empty = || Gathering {
            heaps: vec![Heap::new(most / heaps); self.rules.len()],
            account: Account::default(),
            full: None,
        };
        let look = Look {
            table: &self.table,
            compression: self.compression,
            max_bad_percent: self.max_bad_percent,
            wanted: first..=u64::MAX,
        };
        let found = walk(&look, objects, workers, open, empty, |found, object, at, record| {
            let Gathering { heaps, account, full } = found;
            let time = self.record(record, heaps)?;
            if self.window.contains(time) {
                account.span(time);
            } else {
                let row = |reason| BadRow::new(&self.table, &object.key, at.line, reason, false);
                account.outside(self.time.misfiled(time, object.partition).map(row));
            }
            if heaps.iter().any(Heap::is_full) {
                *full = Some(at.record);
                return Ok(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let mut ids: Vec<Vec<u128>> = vec![Vec::new(); self.rules.len()];
        let (mut accounts, mut full) = (Vec::new(), None);
        for one in found {
            accounts.push(one.account);
            full = full.max(one.full);
            for (all, heap) in ids.iter_mut().zip(one.heaps) {
                all.extend(heap.ids);
            }
        }
        let account = Account::of_workers(objects, accounts);
        Ok(Gathered { ids: ids.into_iter().map(Ids::new).collect(), account, full })
    }

    /// Takes what a record belongs to, if it is inside of the window and passes. Returns its time.
    fn record(&self, record: &[u8], heaps: &mut [Heap]) -> Result<Timestamp, String> {
        let mut room = Room::default();
        let (_, found) = found(record, &self.names, &mut room)?;
        let time = self.time.read(found)?;
        if !self.window.contains(time) {
            return Ok(time);
        }
        let omitted = self.omit.as_ref().and_then(|place| place.find(found)) == Some("true");
        let id = self.relation.find(found).and_then(id_of).filter(|_| !omitted);
        let Some(id) = id else { return Ok(time) };
        let row = Row { found, elements: &[], id: None };
        for (rule, heap) in self.rules.iter().zip(heaps) {
            if rule.passes(row, &[]) {
                heap.push(id);
            }
        }
        Ok(time)
    }
}

/// What a worker found so far.
struct Gathering {
    heaps: Vec<Heap>,
    account: Account,
    full: Option<u64>,
}

impl AsMut<Account> for Gathering {
    fn as_mut(&mut self) -> &mut Account {
        &mut self.account
    }
}

/// Ids as they come, not many more than there are different ones.
#[derive(Clone, Debug)]
struct Heap {
    ids: Vec<u128>,
    different: usize,
    most: usize,
}

impl Heap {
    fn new(most: usize) -> Self {
        Self { ids: Vec::new(), different: 0, most: most.max(2) }
    }

    fn push(&mut self, id: u128) {
        self.ids.push(id);
        if self.ids.len() >= MIN_IDS.max(2 * self.different).min(self.most) {
            self.ids = Ids::new(mem::take(&mut self.ids)).into();
            self.different = self.ids.len();
        }
    }

    /// Tells whether so many are different that putting them in order hardly makes room any more.
    fn is_full(&self) -> bool {
        self.different > self.most / 2
    }
}

impl Selection {
    /// Counts the rows that are taken of these objects. `open` gives an object's stored bytes.
    pub fn count<R: Read>(
        &self,
        objects: &[Object],
        workers: usize,
        open: impl Fn(usize) -> io::Result<R> + Sync,
    ) -> Result<(u64, Account), ObjectError> {
        let empty = || Counting { rows: 0, account: Account::default() };
        let look = Look {
            table: &self.table,
            compression: self.compression,
            max_bad_percent: self.max_bad_percent,
            wanted: self.wanted(),
        };
        let counted = walk(&look, objects, workers, open, empty, |sum, object, at, record| {
            match self.count_rows(record, object.partition)? {
                Outcome::Taken(taken) => {
                    sum.rows += taken.rows;
                    sum.account.span(taken.time);
                    if let Some(flaw) = taken.flaw {
                        let exported = taken.rows > 0;
                        let row = || BadRow::new(&self.table, &object.key, at.line, flaw, exported);
                        sum.account.bad(row);
                    }
                }
                Outcome::Outside(time) => {
                    let row =
                        |reason| BadRow::new(&self.table, &object.key, at.line, reason, false);
                    sum.account.outside(self.time.misfiled(time, object.partition).map(row));
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let rows = counted.iter().map(|one| one.rows).sum();
        Ok((rows, Account::of_workers(objects, counted.into_iter().map(|one| one.account))))
    }
}

/// What a worker counted so far.
struct Counting {
    rows: u64,
    account: Account,
}

impl AsMut<Account> for Counting {
    fn as_mut(&mut self) -> &mut Account {
        &mut self.account
    }
}

#[cfg(test)]
mod tests {
    use export::{Format, TableSelection};

    use super::*;

    const CATALOG: &str = r#"
        [[dataset]]
        name = "visits"
        path = "{workspace}/{yyyy}/{MM}/{dd}/{HH}/"
        time = "at"

        [[table]]
        name = "visits"
        dataset = "visits"
        omit = "hidden"
        relation = { name = "visit", column = "id" }
        columns = ["id", "at:time"]

        [[table]]
        name = "words"
        dataset = "visits"
        explode = "pages[].words[]"
        columns = ["id", { name = "word", element = "" }]
    "#;

    const ROWS: &str = concat!(
        r#"{"id":"a","at":"2026-03-01T00:10:00Z","pages":[{"words":["x","y"]},{"words":"z"}]}"#,
        "\n",
        r#"{"id":"b","at":"2026-03-01T01:00:00Z","pages":[]}"#,
        "\n",
        r#"{"id":"b","at":"2026-03-01T02:00:00Z","pages":[]}"#,
        "\n",
        r#"{"id":"c","at":"2026-03-01T00:50:00Z","hidden":true}"#,
        "\n",
        r#"{"id":null,"at":"2026-03-01T00:05:00Z","pages":"none"}"#,
        "\n",
        r#"{"id":"d"}"#,
        "\n",
        r#"{"id":"a","at":"2026-03-01T00:20:00Z"}"#,
        "\n",
    );

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn request(table: &str) -> ExportRequest {
        let window = Window::new(at("2026-03-01T00:00:00Z"), at("2026-03-01T01:00:00Z")).unwrap();
        ExportRequest::new(vec![TableSelection::whole(table)], window, Format::Jsonl)
    }

    fn objects() -> Vec<Object> {
        let object = |key: &str| Object {
            key: key.to_owned(),
            size_bytes: ROWS.len() as u64,
            likely_whole: true,
            refer: false,
            partition: None,
        };
        vec![object("0"), object("1")]
    }

    fn told(account: &Account) -> Vec<(&str, u64, bool)> {
        account.listed.iter().map(|row| (&row.object[..], row.line, row.exported)).collect()
    }

    #[test]
    fn what_is_passed_over_while_ids_are_gathered_is_counted() {
        let catalog = Catalog::parse("test", CATALOG).unwrap();
        let gather = Gather::every(&catalog, &request("visits"), "visits").unwrap();
        let open = |_| Ok(ROWS.as_bytes());
        let Gathered { ids, account, full } = gather.run(&objects(), 1, 1000, 2, open).unwrap();
        assert_eq!((&ids[..], full), (&[Ids::new(vec![id_of("\"a\"").unwrap()])][..], None));
        assert_eq!((account.outside, account.bad_rows), (4, 2));
        assert_eq!(told(&account), [("0", 6, false), ("1", 6, false)]);
        let times = (at("2026-03-01T00:05:00Z"), at("2026-03-01T00:50:00Z"));
        assert_eq!(account.times, Some(times));
    }

    #[test]
    fn where_there_is_no_room_for_more_ids_it_says_so() {
        let catalog = Catalog::parse("test", CATALOG).unwrap();
        let gather = Gather::every(&catalog, &request("visits"), "visits").unwrap();
        let rows: String = (0..20)
            .map(|n| format!("{{\"id\":\"{}\",\"at\":\"2026-03-01T00:10:00Z\"}}\n", n / 2))
            .collect();
        let objects = &objects()[..1];
        let run =
            |first, most| gather.run(objects, first, most, 4, |_| Ok(rows.as_bytes())).unwrap();
        let all = run(1, 1000);
        assert_eq!((all.ids[0].len(), all.full), (10, None));
        // In portions, all of them are found, and each portion goes on behind the one before.
        let (mut found, mut first, mut portions) = (Vec::new(), 1, 0);
        loop {
            let portion = run(first, 8);
            assert!(portion.ids[0].len() <= 8, "{}", portion.ids[0].len());
            found.extend(portion.ids);
            portions += 1;
            let Some(full) = portion.full else { break };
            assert!(full >= first);
            first = full + 1;
        }
        assert_eq!(Ids::joined(found), all.ids[0]);
        assert!((2..=4).contains(&portions), "{portions}");
    }

    #[test]
    fn rows_are_counted_with_what_is_missed_of_them() {
        let catalog = Catalog::parse("test", CATALOG).unwrap();
        let selection = Selection::new(&catalog, &request("words"), 0).unwrap();
        let open = |_| Ok(ROWS.as_bytes());
        let (rows, account) = selection.count(&objects(), 2, open).unwrap();
        assert_eq!((rows, account.outside, account.bad_rows), (4, 4, 6));
        let of_each = [(1, true), (5, false), (6, false)];
        let both = ["0", "1"].map(|key| of_each.map(|(line, exported)| (key, line, exported)));
        assert_eq!(told(&account), both.concat());
    }
}
