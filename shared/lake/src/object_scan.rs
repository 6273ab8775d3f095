//! Passes records of objects to a function, with several workers, in any order.

use std::{
    io::{self, Read},
    ops::{ControlFlow, RangeInclusive},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use export::Compression;

use crate::{
    BadRow, InputObject, ObjectError, Stats,
    decode::{Stop, decode},
    delimited::DelimitedReader,
    detect::{detect, peek},
    framing::Framing,
    lines::LineSplitter,
    records::{RecordReader, RecordVisitor},
};

/// Which records are passed on.
pub(crate) struct ScanOptions<'a> {
    /// The table whose records they are.
    pub(crate) table: &'a str,
    pub(crate) compression: Compression,
    /// How much of an object's records may be bad, in percent.
    pub(crate) max_bad_percent: u8,
    pub(crate) framing: &'a Framing,
    /// Which records of each object, counted from 1.
    pub(crate) wanted: RangeInclusive<u64>,
}

/// Calls `each` with the sum of its worker and every record of the objects, until it breaks. A record for which
/// it returns an error is counted as bad.
pub(crate) fn scan_objects<A: AsMut<Stats> + Send, R: Read>(
    options: &ScanOptions<'_>,
    objects: &[InputObject],
    workers: usize,
    open: impl Fn(usize) -> io::Result<R> + Sync,
    begin: impl Fn() -> A + Sync,
    each: impl Fn(&mut A, &InputObject, At, &[u8]) -> Result<ControlFlow<()>, String> + Sync,
) -> Result<Vec<A>, ObjectError> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut sum = begin();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(object) = objects.get(index) else { return Ok(sum) };
            let mut scan = ObjectScan { options, object, sum: &mut sum, each: &each };
            let result = catch_unwind(AssertUnwindSafe(|| scan.object(|| open(index))))
                .unwrap_or_else(|_| Err(ObjectError::Panicked { key: object.key.clone() }));
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

/// Where a record stands in its object, counted from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) line: u64,
    pub(crate) record: u64,
}

/// The scan of one object.
struct ObjectScan<'l, A, F> {
    options: &'l ScanOptions<'l>,
    object: &'l InputObject,
    sum: &'l mut A,
    each: &'l F,
}

impl<A, F> ObjectScan<'_, A, F>
where
    A: AsMut<Stats>,
    F: Fn(&mut A, &InputObject, At, &[u8]) -> Result<ControlFlow<()>, String>,
{
    fn object<R: Read>(
        &mut self,
        open: impl FnOnce() -> io::Result<R>,
    ) -> Result<ControlFlow<()>, ObjectError> {
        let key = || self.object.key.clone();
        let unreadable = |source| ObjectError::of_read(&self.object.key, source);
        let (head, input) = open().and_then(peek).map_err(unreadable)?;
        let stored = detect(self.options.compression, &self.object.key, &head)
            .map_err(|what| ObjectError::Foreign { key: key(), what })?;
        let mut records = RecordReader::new(self.options.framing.nesting());
        let decoded = match self.options.framing {
            Framing::Delimited(format) => {
                let mut rows = DelimitedReader::new(format);
                let decoded = decode(stored, input, |bytes| {
                    rows.push(bytes, |line, row| records.row(self, line, row))
                });
                decoded.and_then(|()| {
                    rows.finish(|line, row| records.row(self, line, row)).map_err(Stop::By)
                })
            }
            Framing::Plain | Framing::Nested(_) => {
                let mut lines = LineSplitter::default();
                let decoded = decode(stored, input, |bytes| {
                    lines.push(bytes, |position, line| records.line(self, position.number, line))
                });
                decoded.and_then(|()| {
                    let rest =
                        lines.finish(|position, line| records.line(self, position.number, line));
                    rest.map_err(Stop::By)
                })
            }
        };
        let key = self.object.key.clone();
        match decoded {
            Ok(()) => records.check(&key, self.options.max_bad_percent).map(ControlFlow::Continue),
            Err(Stop::By(ScanEnd::Done)) => Ok(ControlFlow::Break(())),
            Err(Stop::By(ScanEnd::Foreign(what))) => Err(ObjectError::Foreign { key, what }),
            Err(Stop::Corrupt(source)) => Err(ObjectError::Corrupt { key, source }),
            Err(Stop::Unreadable(source)) => Err(ObjectError::of_read(&key, source)),
        }
    }
}

/// Why a scan ends before the end of its object.
enum ScanEnd {
    Done,
    /// It is not JSON Lines, but this.
    Foreign(&'static str),
}

impl<A, F> RecordVisitor for ObjectScan<'_, A, F>
where
    A: AsMut<Stats>,
    F: Fn(&mut A, &InputObject, At, &[u8]) -> Result<ControlFlow<()>, String>,
{
    type Stop = ScanEnd;

    fn wants(&self, number: u64) -> bool {
        self.options.wanted.contains(&number)
    }

    fn visit(
        &mut self,
        line: u64,
        number: u64,
        record: &[u8],
    ) -> Result<Result<(), String>, ScanEnd> {
        match (self.each)(self.sum, self.object, At { line, record: number }, record) {
            Ok(ControlFlow::Continue(())) => Ok(Ok(())),
            Ok(ControlFlow::Break(())) => Err(ScanEnd::Done),
            Err(reason) => Ok(Err(reason)),
        }
    }

    fn bad(&mut self, line: u64, reason: String) {
        let (table, key) = (self.options.table, &self.object.key);
        self.sum.as_mut().bad(|| BadRow::new(table, key, line, reason, false));
    }

    fn foreign(&mut self, what: &'static str) -> ScanEnd {
        ScanEnd::Foreign(what)
    }
}
