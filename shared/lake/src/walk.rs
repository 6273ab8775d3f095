//! Objects that are only looked at: by one worker each, in no order.

use std::{
    io::{self, Read},
    ops::{ControlFlow, RangeInclusive},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use export::Compression;

use crate::{
    Account, BadRow, Object, ObjectError,
    decode::{Stop, decode},
    lines::Lines,
    records::{Records, Take},
    stored::{peek, stored_as},
};

/// What is looked at.
pub(crate) struct Look<'a> {
    /// The table whose records they are.
    pub(crate) table: &'a str,
    pub(crate) compression: Compression,
    /// How much of an object's records may be bad, in percent.
    pub(crate) max_bad_percent: u8,
    /// Which records of each object, counted from 1.
    pub(crate) wanted: RangeInclusive<u64>,
}

/// Hands the records of every object to `each`, with what its worker has so far and the number of the
/// record, until it has enough. Those of which it says what is wrong are counted as bad.
pub(crate) fn walk<A: AsMut<Account> + Send, R: Read>(
    look: &Look<'_>,
    objects: &[Object],
    workers: usize,
    open: impl Fn(usize) -> io::Result<R> + Sync,
    begin: impl Fn() -> A + Sync,
    each: impl Fn(&mut A, &Object, At, &[u8]) -> Result<ControlFlow<()>, String> + Sync,
) -> Result<Vec<A>, ObjectError> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut sum = begin();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(object) = objects.get(index) else { return Ok(sum) };
            let mut looking = Looking { look, object, sum: &mut sum, each: &each };
            let result = catch_unwind(AssertUnwindSafe(|| looking.object(|| open(index))))
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

/// Looks at one object.
struct Looking<'l, A, F> {
    look: &'l Look<'l>,
    object: &'l Object,
    sum: &'l mut A,
    each: &'l F,
}

impl<A, F> Looking<'_, A, F>
where
    A: AsMut<Account>,
    F: Fn(&mut A, &Object, At, &[u8]) -> Result<ControlFlow<()>, String>,
{
    fn object<R: Read>(
        &mut self,
        open: impl FnOnce() -> io::Result<R>,
    ) -> Result<ControlFlow<()>, ObjectError> {
        let key = || self.object.key.clone();
        let unreadable = |source| ObjectError::Unreadable { key: key(), source };
        let (head, input) = open().and_then(peek).map_err(unreadable)?;
        let stored = stored_as(self.look.compression, &self.object.key, &head)
            .map_err(|what| ObjectError::Foreign { key: key(), what })?;
        let (mut lines, mut records) = (Lines::default(), Records::default());
        let decoded = decode(stored, input, |bytes| {
            lines.push(bytes, |place, line| records.line(self, place.number, line))
        });
        let decoded = decoded.and_then(|()| {
            let rest = lines.finish(|place, line| records.line(self, place.number, line));
            rest.map_err(Stop::By)
        });
        let key = self.object.key.clone();
        match decoded {
            Ok(()) => records.check(&key, self.look.max_bad_percent).map(ControlFlow::Continue),
            Err(Stop::By(Enough::Looked)) => Ok(ControlFlow::Break(())),
            Err(Stop::By(Enough::Foreign(what))) => Err(ObjectError::Foreign { key, what }),
            Err(Stop::Corrupt(source)) => Err(ObjectError::Corrupt { key, source }),
            Err(Stop::Unreadable(source)) => Err(ObjectError::Unreadable { key, source }),
        }
    }
}

/// Why no more records of an object are wanted.
enum Enough {
    Looked,
    /// It is no JSON Lines, but this.
    Foreign(&'static str),
}

impl<A, F> Take for Looking<'_, A, F>
where
    A: AsMut<Account>,
    F: Fn(&mut A, &Object, At, &[u8]) -> Result<ControlFlow<()>, String>,
{
    type Stop = Enough;

    fn wants(&self, number: u64) -> bool {
        self.look.wanted.contains(&number)
    }

    fn take(
        &mut self,
        line: u64,
        number: u64,
        record: &[u8],
    ) -> Result<Result<(), String>, Enough> {
        match (self.each)(self.sum, self.object, At { line, record: number }, record) {
            Ok(ControlFlow::Continue(())) => Ok(Ok(())),
            Ok(ControlFlow::Break(())) => Err(Enough::Looked),
            Err(reason) => Ok(Err(reason)),
        }
    }

    fn bad(&mut self, line: u64, reason: String) {
        let (table, key) = (self.look.table, &self.object.key);
        self.sum.as_mut().bad(|| BadRow::new(table, key, line, reason, false));
    }

    fn foreign(&mut self, what: &'static str) -> Enough {
        Enough::Foreign(what)
    }
}
