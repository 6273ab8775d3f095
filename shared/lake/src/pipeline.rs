//! Reads source objects and returns segments, on several threads.
//!
//! One worker reads an object. Any idle worker compresses what was read. Output leaves in the order of the
//! objects. So many small objects keep all threads busy, and a single huge object does, too.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, Read},
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use archive::{Extent, Segment, SegmentEncoder};

use crate::{
    Encoding, InputObject, ObjectError, Rows, Selection, Stats,
    convert::{Converter, Output, ReceiverClosed, RunError},
};

/// The most bytes of output that may wait to be emitted: of all runs together, and of the first run alone.
const MAX_WAITING_BYTES: usize = 16 << 20;

/// Which objects are converted, and how.
#[derive(Debug)]
pub struct Pipeline<'a> {
    /// Which rows are taken, and how they are written.
    pub selection: &'a Selection,
    /// The objects, in order.
    pub objects: &'a [InputObject],
    /// Which of them are converted together, each range a run.
    pub runs: Vec<Range<usize>>,
    /// How rows are encoded.
    pub encoding: Encoding,
    /// How many threads work.
    pub workers: usize,
}

/// What a run was converted into.
#[derive(Debug, Default)]
pub struct RunOutput {
    /// All its segments, joined.
    pub segment: Segment,
    /// Each of them, where rows are not compressed.
    pub plain_segments: Vec<Segment>,
    /// Each of them, where they are groups.
    pub groups: Vec<Group>,
    /// How many rows were bad or outside of the window, and how objects were read.
    pub stats: Stats,
}

/// Rows that were encoded together: see [`crate::GroupEncoder`].
#[derive(Debug)]
pub struct Group {
    /// What is known of its bytes.
    pub segment: Segment,
    /// What the end of a file says of it.
    pub footer: Vec<u8>,
}

impl RunOutput {
    /// Appends the output of the run that follows.
    pub fn add(&mut self, other: Self) {
        self.segment = self.segment.join(other.segment);
        self.plain_segments.extend(other.plain_segments);
        self.groups.extend(other.groups);
        self.stats.add(other.stats);
    }
}

/// Groups neighbouring small objects into runs of about what is encoded at a time. A large object is a run of its own.
pub fn group_runs(objects: &[InputObject], encoding: &Encoding) -> Vec<Range<usize>> {
    let (mut runs, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (index, object) in objects.iter().enumerate() {
        if index > begin && bytes + object.size_bytes > encoding.run_bytes() {
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

impl Pipeline<'_> {
    /// Converts all objects. `open` returns the stored bytes of an object by its index. `sink` receives the
    /// output of each run, in order; a [`Extent::Range`] names an object by its index.
    pub fn run<R: Read>(
        &self,
        open: impl Fn(usize) -> io::Result<R> + Sync,
        mut sink: impl FnMut(usize, Extent<usize>) -> io::Result<()>,
    ) -> Result<Vec<RunOutput>, ObjectError> {
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

    /// Passes output to `sink` in order, as it becomes ready.
    fn collect(
        &self,
        shared: &Shared,
        sink: &mut impl FnMut(usize, Extent<usize>) -> io::Result<()>,
    ) -> Result<Vec<RunOutput>, ObjectError> {
        let mut outputs: Vec<RunOutput> = Vec::with_capacity(self.runs.len());
        for run in 0..self.runs.len() {
            let mut whole = RunOutput::default();
            for number in 0.. {
                match shared.next(run, number) {
                    Next::Ready(ready) => {
                        whole.segment = whole.segment.join(ready.segment);
                        match (&self.encoding, ready.footer) {
                            (Encoding::Deflate(_), _) | (Encoding::Groups { .. }, None) => {}
                            (Encoding::Plain { .. }, _) => whole.plain_segments.push(ready.segment),
                            (Encoding::Groups { .. }, Some(footer)) => {
                                whole.groups.push(Group { segment: ready.segment, footer });
                            }
                        }
                        for extent in ready.extents {
                            sink(run, extent).map_err(ObjectError::Sink)?;
                        }
                    }
                    Next::End(ended) => {
                        whole.stats = ended?;
                        break;
                    }
                }
            }
            outputs.push(whole);
        }
        Ok(outputs)
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
    /// The next run that a worker begins.
    next_run: usize,
    /// The run that `sink` receives now.
    first_run: usize,
    /// Output that is ready, by run and number within the run.
    ready: BTreeMap<(usize, usize), Ready>,
    /// The runs that ended: how many outputs they have, and their statistics.
    ended: BTreeMap<usize, (usize, Result<Stats, ObjectError>)>,
    /// Rows that wait to be compressed.
    jobs: VecDeque<Job>,
    /// The bytes of all output that is ready or waits to be compressed.
    waiting_bytes: usize,
    /// How many workers are idle.
    idle: usize,
    /// Why rows could not be encoded.
    failed: Option<io::Error>,
    stopped: bool,
}

impl State {
    /// Returns how many bytes of a run are ready.
    fn ready_bytes(&self, run: usize) -> usize {
        self.ready.range((run, 0)..(run + 1, 0)).map(|(_, ready)| ready.bytes()).sum()
    }
}

#[derive(Debug)]
struct Ready {
    segment: Segment,
    /// What the end of a file says of it, if it is a group.
    footer: Option<Vec<u8>>,
    extents: Vec<Extent<usize>>,
}

impl Ready {
    fn bytes(&self) -> usize {
        let held = |extent: &Extent<usize>| match extent {
            Extent::Bytes(bytes) => bytes.len(),
            Extent::Range { .. } => 0,
        };
        self.extents.iter().map(held).sum()
    }
}

/// Converter to compress, and where they belong.
#[derive(Debug)]
struct Job {
    position: (usize, usize),
    raw: Vec<u8>,
    rows: u64,
}

/// Stops all threads when it is dropped, so that none waits for one that panicked.
struct Guard<'a>(&'a Shared);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

enum Next {
    Ready(Ready),
    End(Result<Stats, ObjectError>),
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

    /// Waits for output number `number` of a run, or for its end.
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
                let ended = state.ended.remove(&run).map(|(_, stats)| stats);
                return Next::End(ended.unwrap_or_else(|| Ok(Stats::default())));
            }
            if state.stopped {
                let gone = || io::Error::other("a worker is gone");
                return Next::End(Err(ObjectError::Sink(state.failed.take().unwrap_or_else(gone))));
            }
            state = self.wait(state);
        }
    }
}

/// One thread.
struct Worker<'a> {
    pipeline: &'a Pipeline<'a>,
    shared: &'a Shared,
    encoder: SegmentEncoder,
}

impl<'a> Worker<'a> {
    fn new(pipeline: &'a Pipeline<'a>, shared: &'a Shared) -> Self {
        let level = match &pipeline.encoding {
            Encoding::Deflate(level) => *level,
            Encoding::Plain { .. } | Encoding::Groups { .. } => 1,
        };
        Self { pipeline, shared, encoder: SegmentEncoder::new(level) }
    }

    /// Compresses rows that wait, or else begins the next run, until neither is left.
    fn work<R: Read>(mut self, open: &impl Fn(usize) -> io::Result<R>) {
        let mut state = self.shared.lock();
        while !state.stopped {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                self.encode(job);
                state = self.shared.lock();
                continue;
            }
            let run = state.next_run;
            let room = state.waiting_bytes < MAX_WAITING_BYTES || run == state.first_run;
            if run < self.pipeline.runs.len() && room {
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
        let result = self.convert_run(run, open, &mut made);
        let stats = match result {
            Ok(stats) => Ok(stats),
            Err(RunError::Failed(error)) => Err(error),
            Err(RunError::Closed) => return,
        };
        self.shared.lock().ended.insert(run, (made, stats));
        self.shared.changed.notify_all();
    }

    fn convert_run<R: Read>(
        &mut self,
        run: usize,
        open: &impl Fn(usize) -> io::Result<R>,
        made: &mut usize,
    ) -> Result<Stats, RunError> {
        let pipeline = self.pipeline;
        let mut rows = Converter::new(pipeline.selection, &pipeline.encoding, |next| {
            *made += 1;
            self.emit((run, *made - 1), next)
        });
        for index in pipeline.runs[run].clone() {
            let object = &pipeline.objects[index];
            let outputs = AssertUnwindSafe(|| rows.object(index, object, || open(index)));
            // Nothing is done with what a panic leaves behind: the error ends the run.
            catch_unwind(outputs).unwrap_or_else(|_| {
                Err(RunError::Failed(ObjectError::Panicked { key: object.key.clone() }))
            })?;
        }
        rows.finish()
    }

    /// Stores output of a run. While too much output waits, compresses what waits instead of reading on.
    fn emit(&mut self, position: (usize, usize), made: Output) -> Result<(), ReceiverClosed> {
        match made {
            Output::Rows { raw, rows } => {
                let mut state = self.shared.lock();
                state.waiting_bytes += raw.len();
                state.jobs.push_back(Job { position, raw, rows });
            }
            Output::Spliced { segment, extents } => {
                self.ready(position, Ready { segment, footer: None, extents });
            }
        }
        self.shared.changed.notify_all();
        loop {
            let mut state = self.shared.lock();
            if state.stopped {
                return Err(ReceiverClosed);
            }
            // The first run must never wait for later runs: their output is emitted only after its own. So
            // it counts only its own output, which the collector takes at once. Later runs count all output.
            // They may wait for the first run, which never waits for them: so there is no deadlock.
            let is_first = position.0 == state.first_run;
            let waiting =
                if is_first { state.ready_bytes(position.0) } else { state.waiting_bytes };
            let too_much = waiting > MAX_WAITING_BYTES;
            // Idle workers take the others.
            if too_much || state.jobs.len() > state.idle {
                match state.jobs.pop_front() {
                    Some(job) => {
                        drop(state);
                        self.encode(job);
                    }
                    None => drop(self.shared.wait(state)),
                }
            } else {
                return Ok(());
            }
        }
    }

    fn encode(&mut self, job: Job) {
        let Job { position, raw, rows } = job;
        let len = raw.len();
        let (segment, footer, stored) = match &self.pipeline.encoding {
            Encoding::Deflate(_) => {
                let mut stored = Vec::with_capacity(len / 4);
                (self.encoder.encode(&raw, rows, &mut stored), None, stored)
            }
            Encoding::Plain { .. } => (Segment::plain(&raw, rows), None, raw),
            Encoding::Groups { encoder, .. } => match encoder.encode(Rows { cells: raw }) {
                Ok(group) => (Segment::plain(&group.bytes, rows), Some(group.footer), group.bytes),
                Err(error) => {
                    self.shared.lock().failed = Some(error);
                    return self.shared.stop();
                }
            },
        };
        self.shared.lock().waiting_bytes -= len;
        self.ready(position, Ready { segment, footer, extents: vec![Extent::Bytes(stored)] });
    }

    fn ready(&self, position: (usize, usize), ready: Ready) {
        let mut state = self.shared.lock();
        state.waiting_bytes += ready.bytes();
        state.ready.insert(position, ready);
        drop(state);
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
pub(crate) mod tests;
