//! One pass over source objects that writes nothing: which ids there are, or how many rows.
//!
//! Objects are read by one worker each, in no order.

use std::{
    io::{self, Read},
    mem,
    ops::ControlFlow,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use export::{Catalog, Compression, ExportRequest, Table, Window};
use jiff::Timestamp;

use crate::{
    Account, Object, ObjectError, Selection,
    decode::{Stop, decode},
    fields::Room,
    ids::{Ids, id_of},
    lines::{Line, Lines, TOO_LONG},
    names::Names,
    place::{Place, place},
    rule::{Binder, Row, Rule, lookups},
    selection::{Time, found},
};

/// How many ids are held before they are put in order, each once.
const LEAST_IDS: usize = 1 << 20;

/// Looks at the records of one table, for what rows of others belong to.
#[derive(Debug)]
pub struct Gather {
    table: String,
    compression: Compression,
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
    /// Where there was no room for more: the last line of an object that was looked at. Of several
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
            window,
            time: Time::of(catalog, table, &mut names),
            omit: table.omit.as_ref().map(|path| place(&mut names, path)),
            relation: place(&mut names, table.relation_path()?),
            rules,
            names: Names::new(names),
        })
    }

    /// Looks at the records of these objects, of each from line `first_line` on, until some `most` ids
    /// are held. `open` gives an object's stored bytes.
    pub fn run<R: Read>(
        &self,
        objects: &[Object],
        first_line: u64,
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
        let found = walk(
            self.compression,
            objects,
            workers,
            open,
            empty,
            |found, object, number, line| {
                if number < first_line {
                    return ControlFlow::Continue(());
                }
                let Gathering { heaps, account, full } = found;
                match self.record(line, heaps) {
                    Ok(Some(time)) => account.span(time),
                    Ok(None) => account.outside += 1,
                    Err(reason) => account.bad(&self.table, &object.key, number, reason),
                }
                if heaps.iter().any(Heap::is_full) {
                    *full = Some(number);
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            },
        )?;
        let mut ids: Vec<Vec<u128>> = vec![Vec::new(); self.rules.len()];
        let (mut account, mut full) = (Account::default(), None);
        for one in found {
            account.add(one.account);
            full = full.max(one.full);
            for (all, heap) in ids.iter_mut().zip(one.heaps) {
                all.extend(heap.ids);
            }
        }
        Ok(Gathered { ids: ids.into_iter().map(Ids::new).collect(), account, full })
    }

    /// Takes what a record belongs to, if it passes. Returns its time; none if it is outside.
    fn record(&self, line: Line<'_>, heaps: &mut [Heap]) -> Result<Option<Timestamp>, String> {
        let Line::Whole(record) = line else { return Err(TOO_LONG.to_owned()) };
        let mut room = Room::default();
        let (_, found) = found(record, &self.names, &mut room)?;
        let time = self.time.read(found)?;
        if !self.window.contains(time) {
            return Ok(None);
        }
        let omitted = self.omit.as_ref().and_then(|place| place.find(found)) == Some("true");
        let id = self.relation.find(found).and_then(id_of).filter(|_| !omitted);
        let Some(id) = id else { return Ok(Some(time)) };
        let row = Row { found, elements: &[], id: None };
        for (rule, heap) in self.rules.iter().zip(heaps) {
            if rule.passes(row, &[]) {
                heap.push(id);
            }
        }
        Ok(Some(time))
    }
}

/// What a worker found so far.
struct Gathering {
    heaps: Vec<Heap>,
    account: Account,
    full: Option<u64>,
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
        if self.ids.len() >= LEAST_IDS.max(2 * self.different).min(self.most) {
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
        let empty = || (0, Account::default());
        let counted =
            walk(self.compression, objects, workers, open, empty, |sum, object, number, line| {
                if !self.takes(number) {
                    return ControlFlow::Continue(());
                }
                let (rows, account) = sum;
                let counted = match line {
                    Line::Whole(record) => self.count_rows(record, object.arrived),
                    Line::TooLong => Err(TOO_LONG.to_owned()),
                };
                match counted {
                    Ok(Some((time, more))) => {
                        *rows += more;
                        account.span(time);
                    }
                    Ok(None) => account.outside += 1,
                    Err(reason) => account.bad(&self.table, &object.key, number, reason),
                }
                ControlFlow::Continue(())
            })?;
        let add = |(rows, mut account): (u64, Account), (more, other)| {
            account.add(other);
            (rows + more, account)
        };
        Ok(counted.into_iter().fold(empty(), add))
    }
}

/// Hands every line of every object that is not blank to `each`, with what its worker has so far, until it
/// has enough.
fn walk<A: Send, R: Read>(
    compression: Compression,
    objects: &[Object],
    workers: usize,
    open: impl Fn(usize) -> io::Result<R> + Sync,
    begin: impl Fn() -> A + Sync,
    each: impl Fn(&mut A, &Object, u64, Line<'_>) -> ControlFlow<()> + Sync,
) -> Result<Vec<A>, ObjectError> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut sum = begin();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(object) = objects.get(index) else { return Ok(sum) };
            let key = &object.key;
            let unreadable = |source| ObjectError::Unreadable { key: key.clone(), source };
            let input = open(index).map_err(unreadable)?;
            let result = lines_of(key, compression, input, |number, line| {
                each(&mut sum, object, number, line)
            });
            if !matches!(result, Ok(ControlFlow::Continue(()))) {
                // The others need not begin another one.
                next.store(objects.len(), Ordering::Relaxed);
            }
            _ = result?;
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers.max(1)).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| {
                let gone = |_| ObjectError::Sink(io::Error::other("a worker is gone"));
                thread.join().map_err(gone).flatten()
            })
            .collect()
    })
}

fn lines_of(
    key: &str,
    compression: Compression,
    input: impl Read,
    mut each: impl FnMut(u64, Line<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, ObjectError> {
    let mut take = |number: u64, line: Line<'_>| match line {
        Line::Whole(record) if record.iter().all(u8::is_ascii_whitespace) => Ok(()),
        line => each(number, line).is_continue().then_some(()).ok_or(Enough),
    };
    let mut lines = Lines::default();
    let decoded = decode(key, compression, input, |bytes| {
        lines.push(bytes, |place, line| take(place.number, line))
    });
    let decoded = decoded
        .and_then(|()| lines.finish(|place, line| take(place.number, line)).map_err(Stop::By));
    let key = key.to_owned();
    match decoded {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(Stop::By(Enough)) => Ok(ControlFlow::Break(())),
        Err(Stop::Corrupt(source)) => Err(ObjectError::Corrupt { key, source }),
        Err(Stop::Unreadable(source)) => Err(ObjectError::Unreadable { key, source }),
    }
}

/// No more lines are wanted.
struct Enough;
