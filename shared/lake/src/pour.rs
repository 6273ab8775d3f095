//! Source objects in, segments out, on as many cores as there are.
//!
//! Objects are read by one worker each, what has to be compressed by whoever is free, and everything
//! comes out in the order of the objects. So many small objects keep all cores busy, and one huge
//! one does, too.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, Read},
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use archive::{SEGMENT_BYTES, Segment, SegmentEncoder};

use crate::{
    Account, Object, ObjectError, Selection, Stretch,
    rows::{Ended, Made, Rows, Stopped},
};

/// How much may wait to be handed on, in bytes: of all runs together, and of the one whose turn it is.
const MAX_WAITING_BYTES: usize = 16 << 20;

/// What is to be poured, and how.
#[derive(Debug)]
pub struct Pour<'a> {
    /// Which rows, and how they are written.
    pub selection: &'a Selection,
    /// The objects, in order.
    pub objects: &'a [Object],
    /// Which of them come out together.
    pub runs: Vec<Range<usize>>,
    /// How rows are packed.
    pub pack: Pack,
    /// How many threads work on it.
    pub workers: usize,
}

/// How rows are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pack {
    /// Compressed, at one of libdeflate's levels, 1 (fast) to 12 (small).
    Deflate(u32),
    /// As they are, in stretches.
    Plain {
        /// How long a stretch gets, in bytes.
        bytes: usize,
        /// How many rows it gets.
        rows: u64,
    },
}

impl Pack {
    /// How many bytes and rows are packed at a time.
    pub(crate) fn cut(self) -> (usize, u64) {
        match self {
            Self::Deflate(_) => (SEGMENT_BYTES, u64::MAX),
            Self::Plain { bytes, rows } => (bytes, rows),
        }
    }
}

/// What became of a run.
#[derive(Debug, Default)]
pub struct Poured {
    /// All its segments, joined.
    pub segment: Segment,
    /// Each of them, where they are not compressed.
    pub stretches: Vec<Segment>,
    /// What was noticed on the way.
    pub account: Account,
}

impl Poured {
    /// The same, followed by the other.
    pub fn add(&mut self, other: Self) {
        self.segment = self.segment.join(other.segment);
        self.stretches.extend(other.stretches);
        self.account.add(other.account);
    }
}

/// Joins neighbours until they are worth a segment: one run for each object, or for many small ones.
pub fn runs_of(objects: &[Object]) -> Vec<Range<usize>> {
    let (mut runs, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (index, object) in objects.iter().enumerate() {
        if index > begin && bytes + object.size_bytes > SEGMENT_BYTES as u64 {
            runs.push(begin..index);
            (begin, bytes) = (index, 0);
        }
        bytes += object.size_bytes;
    }
    if begin < objects.len() {
        runs.push(begin..objects.len());
    }
    runs
}

impl Pour<'_> {
    /// Pours everything. `open` gives an object's stored bytes; `sink` takes what each run is made
    /// into, in order.
    pub fn run<R: Read>(
        &self,
        open: impl Fn(usize) -> io::Result<R> + Sync,
        mut sink: impl FnMut(usize, Stretch) -> io::Result<()>,
    ) -> Result<Vec<Poured>, ObjectError> {
        let shared = Shared::default();
        thread::scope(|scope| {
            let _guard = Guard(&shared);
            for _ in 0..self.workers.max(1) {
                scope.spawn(|| {
                    let _guard = Guard(&shared);
                    Worker::new(self, &shared).work(&open);
                });
            }
            self.collect(&shared, &mut sink)
        })
    }

    /// Hands everything on in order, as it gets ready.
    fn collect(
        &self,
        shared: &Shared,
        sink: &mut impl FnMut(usize, Stretch) -> io::Result<()>,
    ) -> Result<Vec<Poured>, ObjectError> {
        let mut poured: Vec<Poured> = Vec::with_capacity(self.runs.len());
        for run in 0..self.runs.len() {
            let mut whole = Poured::default();
            for number in 0.. {
                match shared.next(run, number) {
                    Next::Ready(ready) => {
                        whole.segment = whole.segment.join(ready.segment);
                        if let Pack::Plain { .. } = self.pack {
                            whole.stretches.push(ready.segment);
                        }
                        for stretch in ready.stretches {
                            sink(run, stretch).map_err(ObjectError::Sink)?;
                        }
                    }
                    Next::End(ended) => {
                        whole.account = ended?;
                        break;
                    }
                }
            }
            poured.push(whole);
        }
        Ok(poured)
    }
}

/// What the workers and the collector share.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The next run to be begun.
    next_run: usize,
    /// The run that is being handed on.
    first_run: usize,
    /// What is ready, by run and number in it.
    ready: BTreeMap<(usize, usize), Ready>,
    /// How runs ended, and how much they were made into.
    ended: BTreeMap<usize, (usize, Result<Account, ObjectError>)>,
    /// What has to be compressed.
    jobs: VecDeque<Job>,
    /// The size of all that is ready or has to be compressed, in bytes.
    waiting_bytes: usize,
    /// How many workers have nothing to do.
    idle: usize,
    stopped: bool,
}

impl State {
    /// How much of a run is ready, in bytes.
    fn ready_bytes(&self, run: usize) -> usize {
        self.ready.range((run, 0)..(run + 1, 0)).map(|(_, ready)| ready.bytes()).sum()
    }
}

#[derive(Debug)]
struct Ready {
    segment: Segment,
    stretches: Vec<Stretch>,
}

impl Ready {
    fn bytes(&self) -> usize {
        let held = |stretch: &Stretch| match stretch {
            Stretch::Bytes(bytes) => bytes.len(),
            Stretch::Object { .. } => 0,
        };
        self.stretches.iter().map(held).sum()
    }
}

/// Rows to compress, and where they belong.
#[derive(Debug)]
struct Job {
    place: (usize, usize),
    raw: Vec<u8>,
    rows: u64,
}

/// Stops everybody when its thread ends, so that nobody waits for one that panicked.
struct Guard<'a>(&'a Shared);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

enum Next {
    Ready(Ready),
    End(Result<Account, ObjectError>),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for what comes next of a run.
    fn next(&self, run: usize, number: usize) -> Next {
        let mut state = self.lock();
        if state.first_run != run {
            state.first_run = run;
            self.changed.notify_all();
        }
        loop {
            if let Some(ready) = state.ready.remove(&(run, number)) {
                state.waiting_bytes -= ready.bytes();
                self.changed.notify_all();
                return Next::Ready(ready);
            }
            if state.ended.get(&run).is_some_and(|(count, _)| *count == number) {
                let ended = state.ended.remove(&run).map(|(_, account)| account);
                return Next::End(ended.unwrap_or_else(|| Ok(Account::default())));
            }
            if state.stopped {
                let gone = io::Error::other("a worker is gone");
                return Next::End(Err(ObjectError::Sink(gone)));
            }
            state = self.wait(state);
        }
    }
}

/// One thread.
struct Worker<'a> {
    pour: &'a Pour<'a>,
    shared: &'a Shared,
    encoder: SegmentEncoder,
}

impl<'a> Worker<'a> {
    fn new(pour: &'a Pour<'a>, shared: &'a Shared) -> Self {
        let level = match pour.pack {
            Pack::Deflate(level) => level,
            Pack::Plain { .. } => 1,
        };
        Self { pour, shared, encoder: SegmentEncoder::new(level) }
    }

    /// Compresses what there is to compress, else begins the next run, until there is neither.
    fn work<R: Read>(mut self, open: &impl Fn(usize) -> io::Result<R>) {
        let mut state = self.shared.lock();
        while !state.stopped {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                self.pack(job);
                state = self.shared.lock();
                continue;
            }
            let run = state.next_run;
            let room = state.waiting_bytes < MAX_WAITING_BYTES || run == state.first_run;
            if run < self.pour.runs.len() && room {
                state.next_run += 1;
                drop(state);
                self.run(run, open);
                state = self.shared.lock();
                continue;
            }
            state.idle += 1;
            state = self.shared.wait(state);
            state.idle -= 1;
        }
    }

    fn run<R: Read>(&mut self, run: usize, open: &impl Fn(usize) -> io::Result<R>) {
        let mut made = 0;
        let result = self.pour_run(run, open, &mut made);
        let account = match result {
            Ok(account) => Ok(account),
            Err(Ended::Failed(error)) => Err(error),
            Err(Ended::Stopped) => return,
        };
        self.shared.lock().ended.insert(run, (made, account));
        self.shared.changed.notify_all();
    }

    fn pour_run<R: Read>(
        &mut self,
        run: usize,
        open: &impl Fn(usize) -> io::Result<R>,
        made: &mut usize,
    ) -> Result<Account, Ended> {
        let pour = self.pour;
        let mut rows = Rows::new(pour.selection, pour.pack, |next| {
            *made += 1;
            self.hand_on((run, *made - 1), next)
        });
        for index in pour.runs[run].clone() {
            let object = &pour.objects[index];
            let poured = AssertUnwindSafe(|| rows.object(index, object, || open(index)));
            // Nothing is done with what a panic leaves behind: the error ends the run.
            catch_unwind(poured).unwrap_or_else(|_| {
                Err(Ended::Failed(ObjectError::Panicked { key: object.key.clone() }))
            })?;
        }
        rows.finish()
    }

    /// Puts what was made where it belongs, and makes itself useful while there is too much of it.
    fn hand_on(&mut self, place: (usize, usize), made: Made) -> Result<(), Stopped> {
        match made {
            Made::Rows { raw, rows } => {
                let mut state = self.shared.lock();
                state.waiting_bytes += raw.len();
                state.jobs.push_back(Job { place, raw, rows });
            }
            Made::Spliced { segment, stretches } => self.ready(place, Ready { segment, stretches }),
        }
        self.shared.changed.notify_all();
        loop {
            let mut state = self.shared.lock();
            if state.stopped {
                return Err(Stopped);
            }
            // The run whose turn it is only waits for itself, as all others wait for it.
            let is_first = place.0 == state.first_run;
            let waiting = if is_first { state.ready_bytes(place.0) } else { state.waiting_bytes };
            let too_much = waiting > MAX_WAITING_BYTES;
            // Those who have nothing to do take some.
            if too_much || state.jobs.len() > state.idle {
                match state.jobs.pop_front() {
                    Some(job) => {
                        drop(state);
                        self.pack(job);
                    }
                    None => drop(self.shared.wait(state)),
                }
            } else {
                return Ok(());
            }
        }
    }

    fn pack(&mut self, job: Job) {
        let Job { place, raw, rows } = job;
        let len = raw.len();
        let (segment, stored) = match self.pour.pack {
            Pack::Deflate(_) => {
                let mut stored = Vec::with_capacity(len / 4);
                (self.encoder.encode(&raw, rows, &mut stored), stored)
            }
            Pack::Plain { .. } => {
                let (crc32, bytes) = (crc32fast::hash(&raw), len as u64);
                let (stored_crc32, stored_bytes) = (crc32, bytes);
                (Segment { crc32, raw_bytes: bytes, stored_crc32, stored_bytes, rows }, raw)
            }
        };
        self.shared.lock().waiting_bytes -= len;
        self.ready(place, Ready { segment, stretches: vec![Stretch::Bytes(stored)] });
    }

    fn ready(&self, place: (usize, usize), ready: Ready) {
        let mut state = self.shared.lock();
        state.waiting_bytes += ready.bytes();
        state.ready.insert(place, ready);
        drop(state);
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
pub(crate) mod tests;
