//! What has to be read for an export, and how, cut into steps.

use std::ops::Range;

use export::{Catalog, ExportRequest, Files, Format, SourceObject, Table, TableSelection};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Object, is_gzip, lookups};

/// The most objects of one step: each is asked about even where none is read.
const MAX_OBJECTS: usize = 2000;

/// The smallest object that an archive refers to instead of holding a copy in its own pieces.
const MIN_REFERRED_BYTES: u64 = 32 << 20;
/// How many objects an archive may refer to: with what stands between them, each is two parts of S3's
/// 10,000, and the pieces of other objects are parts, too.
const MAX_REFERRED: u64 = 2500;

/// What a source object costs at least, in bytes of a larger one: it is asked for by a request of its own.
const MIN_OBJECT_COST: u64 = 256 << 10;

/// What has to be done, fixed when the export is first built, so that every builder of it does the
/// same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The steps, in the order of what they make.
    pub steps: Vec<Step>,
}

/// Some source objects of one table, which become one stretch of its file, or a file each.
///
/// Steps do not reach from one day into the next, nor from the edge of a window to its inside: so they
/// are the same for every window that holds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What it is for.
    pub makes: Makes,
    /// Whether everything filed there is inside of the window, as far as the partitions tell.
    pub inside: bool,
    /// The objects, in order.
    pub objects: Vec<Planned>,
}

/// What a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Makes {
    /// Rows of the request's table of this number.
    Rows(usize),
    /// What rows of other tables belong to, for the first of the request's [`lookups`] that has this
    /// number and for the others in the same table.
    Ids(usize),
}

/// A source object, and what is to be made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Which object.
    #[serde(flatten)]
    pub object: SourceObject,
    /// How it goes in.
    pub way: Way,
    /// Whether the archive may refer to what is taken over of it.
    #[serde(default)]
    pub refer: bool,
    /// When the time of its partition begins. Plans of an older version have it not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<Timestamp>,
    /// The file that it becomes, if it is one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// How a source object goes in: the cheapest way that serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// As it is: it is read to see that it is whole, and S3 copies it.
    Copy,
    /// Its compressed stream is taken over, if every row turns out to be wanted.
    Splice,
    /// It is decoded, rows are selected, and it is compressed again.
    Transcode,
}

/// Why an object goes in the way it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// All that is in it is wanted as it is.
    Whole,
    /// It is filed at the edge of the window.
    WindowEdge,
    /// Rows are written otherwise than they are stored: as CSV, with columns of their own, one for each
    /// element of a list, or not compressed.
    Rewritten,
    /// Rows are chosen by their columns.
    Filtered,
    /// It is not stored as gzip, which archives take over.
    NotGzip,
}

impl Step {
    /// The size of its objects, as stored.
    pub fn size_bytes(&self) -> u64 {
        self.objects.iter().map(|planned| planned.object.size_bytes).sum()
    }

    /// What it costs to do it, in bytes: the size of its objects, where small ones count as larger ones.
    pub fn cost_bytes(&self) -> u64 {
        self.objects.iter().map(|planned| planned.object.size_bytes.max(MIN_OBJECT_COST)).sum()
    }
}

impl Planned {
    /// Returns the object as it is to be poured.
    pub fn to_pour(&self) -> Object {
        Object {
            key: self.object.key.clone(),
            size_bytes: self.object.size_bytes,
            likely_whole: self.way == Way::Splice,
            refer: self.refer,
            partition: self.partition,
        }
    }
}

/// What was filed at a time.
pub type Filed = (Timestamp, Vec<SourceObject>);

impl Plan {
    /// Returns the steps to be done before all others: they find what the others have to know.
    pub fn first_pass(&self) -> Range<usize> {
        0..self.steps.partition_point(|step| matches!(step.makes, Makes::Ids(_)))
    }

    /// Adds the steps that find what rows of others have to belong to, which come first: see
    /// [`Makes::Ids`].
    pub fn add_lookup(
        &mut self,
        catalog: &Catalog,
        request: &ExportRequest,
        index: usize,
        filed: Vec<Filed>,
        step_bytes: u64,
    ) -> Option<()> {
        let table = catalog.table(&lookups(catalog, request).get(index)?.table)?;
        let ways = Ways { catalog, request, table, selection: None };
        self.add(&ways, Makes::Ids(index), filed, step_bytes)
    }

    /// Adds the steps of the request's table number `index`, of about `step_bytes` at most. `filed` is
    /// what lies in its partitions, in order of time.
    pub fn add_table(
        &mut self,
        catalog: &Catalog,
        request: &ExportRequest,
        index: usize,
        filed: Vec<Filed>,
        step_bytes: u64,
    ) -> Option<()> {
        self.add(&Ways::new(catalog, request, index)?, Makes::Rows(index), filed, step_bytes)
    }

    fn add(
        &mut self,
        ways: &Ways<'_>,
        makes: Makes,
        filed: Vec<Filed>,
        step_bytes: u64,
    ) -> Option<()> {
        let day = |at: Timestamp| at.as_second().div_euclid(86_400);
        let (mut last, mut bytes) = (None, 0);
        for (hour, objects) in filed {
            let inside = ways.inside(hour);
            let objects = objects.into_iter().filter(|object| object.size_bytes > 0);
            for (number, object) in objects.enumerate() {
                let place = Some((day(hour), inside));
                let full = |step: &Step| step.objects.len() >= MAX_OBJECTS;
                if last != place
                    || bytes + object.size_bytes > step_bytes
                    || self.steps.last().is_some_and(full)
                {
                    self.steps.push(Step { makes, inside, objects: Vec::new() });
                    (last, bytes) = (place, 0);
                }
                bytes += object.size_bytes;
                let (way, _) = ways.of(hour, &object);
                let file = match &ways.request.files {
                    Files::Hourly(folder) => Some(Files::hourly_name(folder, hour, number)),
                    Files::Tables | Files::Single(_) | Files::Parts(_) | Files::Counts => None,
                };
                self.steps.last_mut()?.objects.push(Planned {
                    object,
                    way,
                    refer: false,
                    partition: Some(hour),
                    file,
                });
            }
        }
        Some(())
    }

    /// Marks the objects that the archive may refer to, once all tables are added: S3 copies each of
    /// them as a part of its own, and there are only so many.
    pub fn mark_referred(&mut self) {
        let total: u64 = self.steps.iter().map(Step::size_bytes).sum();
        let least = MIN_REFERRED_BYTES.max(total / MAX_REFERRED);
        for planned in self.steps.iter_mut().flat_map(|step| &mut step.objects) {
            planned.refer = planned.object.size_bytes >= least;
        }
    }

    /// Counts the source objects of all steps.
    pub fn object_count(&self) -> usize {
        self.steps.iter().map(|step| step.objects.len()).sum()
    }

    /// Tells whether a single builder does all of it, if one takes on about `step_bytes` at most.
    pub fn is_small(&self, step_bytes: u64) -> bool {
        self.steps.iter().map(Step::cost_bytes).sum::<u64>() <= step_bytes
            || self.batches(step_bytes).len() <= 1
    }

    /// Cuts the steps into what one builder does: about `step_bytes` at most by what they cost, or one step.
    /// What is done before all others is not mixed with them.
    pub fn batches(&self, step_bytes: u64) -> Vec<Range<usize>> {
        let (mut batches, mut begin, mut bytes) = (Vec::new(), 0, 0);
        for (number, step) in self.steps.iter().enumerate() {
            let size = step.cost_bytes();
            let second = number == self.first_pass().end;
            if number > begin && (bytes + size > step_bytes || second) {
                batches.push(begin..number);
                (begin, bytes) = (number, 0);
            }
            bytes += size;
        }
        if begin < self.steps.len() {
            batches.push(begin..self.steps.len());
        }
        batches
    }
}

/// Chooses ways for the objects of one table.
#[derive(Clone, Copy, Debug)]
pub struct Ways<'a> {
    catalog: &'a Catalog,
    request: &'a ExportRequest,
    table: &'a Table,
    /// None where nothing is written.
    selection: Option<&'a TableSelection>,
}

impl<'a> Ways<'a> {
    /// Returns what chooses for the request's table number `index`; none if there is no such table.
    pub fn new(catalog: &'a Catalog, request: &'a ExportRequest, index: usize) -> Option<Self> {
        let selection = request.tables.get(index)?;
        let table = catalog.table(&selection.table)?;
        Some(Self { catalog, request, table, selection: Some(selection) })
    }

    /// Returns how an object goes in that was filed at `hour`, and why.
    pub fn of(&self, hour: Timestamp, object: &SourceObject) -> (Way, Reason) {
        let dataset = self.catalog.dataset_of(self.table);
        let Some(selection) = self.selection else { return (Way::Transcode, Reason::Filtered) };
        let rewritten = self.request.format != Format::Jsonl
            || self.request.released.is_some()
            || matches!(self.request.files, Files::Parts(_))
            || !self.table.explode.is_empty()
            || selection.columns.is_some();
        if rewritten {
            return (Way::Transcode, Reason::Rewritten);
        }
        if !is_gzip(dataset.compression, &object.key) {
            return (Way::Transcode, Reason::NotGzip);
        }
        if !self.inside(hour) {
            return (Way::Transcode, Reason::WindowEdge);
        }
        // The first row that is not wanted says that they are not whole.
        if self.request.filters_of(&selection.table).next().is_some() {
            return (Way::Splice, Reason::Filtered);
        }
        let way = match &self.request.files {
            // Where rows are filed by their own time, nobody has to look at it.
            Files::Hourly(_)
                if dataset.early.is_zero()
                    && dataset.late.is_zero()
                    && self.table.omit.is_none() =>
            {
                Way::Copy
            }
            Files::Hourly(_)
            | Files::Tables
            | Files::Single(_)
            | Files::Parts(_)
            | Files::Counts => Way::Splice,
        };
        (way, Reason::Whole)
    }

    /// Returns true if all rows that belong to the partition of `hour` are inside of the window.
    fn inside(&self, hour: Timestamp) -> bool {
        let times = self.catalog.dataset_of(self.table).filing().times(hour);
        self.request.window.from() <= times.start && times.end <= self.request.window.to()
    }
}

#[cfg(test)]
mod tests {
    use export::Window;
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    const CATALOG: &str = r#"
        [[dataset]]
        name = "visits"
        path = "{workspace}/{yyyy}/{MM}/{dd}/{HH}/"
        time = "at"
        early_hours = 0
        compression = "gzip"

        [[table]]
        name = "visits"
        dataset = "visits"
        columns = ["at"]
    "#;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(hours * 3600).unwrap()
    }

    proptest! {
        #[test]
        fn a_window_gets_exactly_its_rows_however_they_were_filed(
            early in 0..4_i64, late in 0..30_i64, daily in any::<bool>(), from in 0..200_i64, minutes in 1..6000_i64,
            rows in prop::collection::vec((0..12_000_i64, -1000..=1000_i64), 0..200)
        ) {
            let (hours, span) = if daily { ("", 1440) } else { ("{HH}/", 60) };
            let catalog = CATALOG.replace("{HH}/", hours)
                .replace("early_hours = 0", &format!("early_hours = {early}\nlate_hours = {late}"));
            let catalog = Catalog::parse("test", &catalog).unwrap();
            let dataset = catalog.dataset_of(catalog.table("visits").unwrap());
            let minute = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
            let window = Window::new(minute(from * 40), minute(from * 40 + minutes)).unwrap();
            let tables = vec![TableSelection::whole("visits")];
            let request = ExportRequest::new(tables, window, Format::Jsonl);
            let ways = Ways::new(&catalog, &request, 0).unwrap();
            let listed: Vec<Timestamp> = dataset.path
                .partitions(&"acme".parse().unwrap(), window, (dataset.early, dataset.late)).unwrap()
                .map(|(at, _)| at).collect();
            for (time, off) in rows {
                // Filed up to `early` before its time, or up to `late` after it.
                let most = if off < 0 { early } else { late };
                let filed = time + off * most * 60 / 1000;
                let partition = minute(filed.div_euclid(span) * span);
                let time = minute(time);
                if window.contains(time) {
                    prop_assert!(listed.contains(&partition), "{} filed at {}", time, partition);
                } else {
                    prop_assert!(!listed.contains(&partition) || !ways.inside(partition), "{} filed at {}", time, partition);
                }
            }
        }
    }

    /// A plan over hours of two objects of ten bytes.
    fn plan(window: Range<i64>, step_bytes: u64) -> Plan {
        let to = at(window.end) - SignedDuration::from_mins(30);
        let tables = vec![TableSelection::whole("visits")];
        let request =
            ExportRequest::new(tables, Window::new(at(window.start), to).unwrap(), Format::Jsonl);
        let object = |hour, number| SourceObject {
            key: format!("{hour}/{number}"),
            etag: String::new(),
            size_bytes: 10,
        };
        let filed = window.map(|hour| (at(hour), vec![object(hour, 0), object(hour, 1)]));
        let mut plan = Plan::default();
        let catalog = Catalog::parse("test", CATALOG).unwrap();
        plan.add_table(&catalog, &request, 0, filed.collect(), step_bytes).unwrap();
        plan
    }

    #[test]
    fn steps_hold_every_object_once_in_order() {
        let plan = plan(20..30, 60);
        let keys: Vec<&str> =
            plan.steps.iter().flat_map(|s| &s.objects).map(|o| o.object.key.as_str()).collect();
        let want: Vec<String> =
            (20..30).flat_map(|hour| [format!("{hour}/0"), format!("{hour}/1")]).collect();
        assert_eq!(keys, want);

        let sizes: Vec<(u64, bool)> =
            plan.steps.iter().map(|step| (step.size_bytes(), step.inside)).collect();
        // Four hours to midnight, five after it, and half an hour at the edge.
        assert_eq!(sizes, [(60, true), (20, true), (60, true), (40, true), (20, false)]);
        let ways: Vec<Way> = plan.steps.iter().map(|step| step.objects[0].way).collect();
        assert_eq!(ways[3..], [Way::Splice, Way::Transcode]);
    }

    #[test]
    fn a_day_inside_two_windows_has_the_same_steps_in_both() {
        let second_day = |plan: &Plan| -> Vec<Step> {
            let of_day = |step: &&Step| {
                let hour: i64 =
                    step.objects[0].object.key.split('/').next().unwrap().parse().unwrap();
                (24..48).contains(&hour)
            };
            plan.steps.iter().filter(of_day).cloned().collect()
        };
        let (long, short) = (plan(0..72, 60), plan(17..52, 60));
        assert_eq!(second_day(&long), second_day(&short));
        assert_eq!(second_day(&long).len(), 8);
    }

    #[test]
    fn only_so_many_objects_are_referred_to() {
        let object = |size_bytes| Planned {
            object: SourceObject { key: String::new(), etag: String::new(), size_bytes },
            way: Way::Splice,
            refer: false,
            partition: None,
            file: None,
        };
        let referred = |sizes: &[u64]| {
            let objects = sizes.iter().copied().map(object).collect();
            let mut plan =
                Plan { steps: vec![Step { makes: Makes::Rows(0), inside: true, objects }] };
            plan.mark_referred();
            plan.steps[0].objects.iter().filter(|planned| planned.refer).count()
        };
        assert_eq!(referred(&[31 << 20, 32 << 20, 5 << 30]), 2);
        assert_eq!(referred(&vec![40 << 20; 10_000]), 0, "as pieces, they fit into an upload");
    }

    #[test]
    fn batches_hold_every_step_once() {
        let plan = plan(0..72, 60);
        assert_eq!(plan.batches(u64::MAX).len(), 1);
        assert_eq!(plan.batches(1).len(), plan.steps.len());
        assert_eq!(plan.batches(3 << 20).iter().flat_map(Clone::clone).count(), plan.steps.len());
        assert!(Plan::default().batches(1).is_empty());
    }

    #[test]
    fn many_small_objects_are_shared_out() {
        let object = |number: i64| SourceObject {
            key: number.to_string(),
            etag: String::new(),
            size_bytes: 1000,
        };
        let filed = (0..365).map(|day| (at(24 * day), (0..575).map(object).collect())).collect();
        let tables = vec![TableSelection::whole("visits")];
        let window = Window::new(at(0), at(365 * 24)).unwrap();
        let request = ExportRequest::new(tables, window, Format::Jsonl);
        let (mut plan, catalog) = (Plan::default(), Catalog::parse("test", CATALOG).unwrap());
        plan.add_table(&catalog, &request, 0, filed, 256 << 20).unwrap();

        assert_eq!(plan.steps.len(), 365);
        let batches = plan.batches(256 << 20);
        assert!(batches.len() > 180, "{}", batches.len());
        assert!(!plan.is_small(256 << 20));
    }

    #[test]
    fn a_plan_of_a_few_objects_is_small() {
        assert!(plan(0..72, 60).is_small(256 << 20));
        assert!(Plan::default().is_small(1));
        assert!(plan(24..25, 20).is_small(1), "a step is not shared out");
        assert!(!plan(24..26, 20).is_small(1));
    }

    #[test]
    fn rows_are_only_taken_over_where_they_go_in_as_they_are() {
        let catalog = CATALOG.to_owned()
            + "[[table]]\nname = \"listed\"\ndataset = \"visits\"\nexplode = \"list\"\ncolumns = [\"at\"]\n\
               [[table]]\nname = \"fewer\"\ndataset = \"visits\"\nomit = \"gone\"\ncolumns = [\"at\"]\n";
        let way = |catalog: &str, change: &dyn Fn(&mut ExportRequest), hour: i64, key: &str| {
            let catalog = Catalog::parse("test", catalog).unwrap();
            let tables = vec![TableSelection::whole("visits")];
            let window = Window::new(at(20), at(30)).unwrap();
            let mut request = ExportRequest::new(tables, window, Format::Jsonl);
            change(&mut request);
            let object = SourceObject { key: key.to_owned(), etag: String::new(), size_bytes: 10 };
            Ways::new(&catalog, &request, 0).unwrap().of(at(hour), &object)
        };
        let of = |change: &dyn Fn(&mut ExportRequest)| way(&catalog, change, 20, "a.gz");
        assert_eq!(of(&|_| {}), (Way::Splice, Reason::Whole));
        let parts = export::Parts { max_bytes: 1, max_rows: None, suffix: true };
        let released = export::Released { from: None, to: at(1) };
        let rewritten: [&dyn Fn(&mut ExportRequest); 5] = [
            &|request| request.format = Format::Csv,
            &|request| request.released = Some(released),
            &|request| request.files = Files::Parts(parts),
            &|request| request.tables[0].columns = Some(vec!["at".into()]),
            &|request| request.tables[0].table = "listed".into(),
        ];
        for change in rewritten {
            assert_eq!(of(change), (Way::Transcode, Reason::Rewritten));
        }
        for (hour, whole) in [(19, false), (20, true), (29, true), (30, false)] {
            let edge = (Way::Transcode, Reason::WindowEdge);
            let want = if whole { (Way::Splice, Reason::Whole) } else { edge };
            assert_eq!(way(&catalog, &|_| {}, hour, "a.gz"), want, "{hour}");
        }
        let plain = catalog.replace("\"gzip\"", "\"none\"");
        assert_eq!(way(&plain, &|_| {}, 20, "a"), (Way::Transcode, Reason::NotGzip));

        // Where rows are filed by their own time and all of them are wanted, objects are copied.
        let hourly = |request: &mut ExportRequest| request.files = Files::Hourly("f".into());
        assert_eq!(of(&hourly), (Way::Copy, Reason::Whole));
        let late = catalog.replace("early_hours = 0", "early_hours = 0\nlate_hours = 1");
        let early = catalog.replace("early_hours = 0", "early_hours = 1");
        for other in [late, early] {
            assert_eq!(way(&other, &hourly, 25, "a.gz"), (Way::Splice, Reason::Whole));
        }
        let fewer = |request: &mut ExportRequest| {
            hourly(request);
            request.tables[0].table = "fewer".into();
        };
        assert_eq!(of(&fewer), (Way::Splice, Reason::Whole));
    }

    #[test]
    fn what_is_looked_up_comes_first_and_alone() {
        let catalog = CATALOG.to_owned()
            + "relation = { name = \"r\", column = \"at\" }\n\
               [[dataset]]\nname = \"clicks\"\npath = \"clicks/{workspace}/{yyyy}/{MM}/{dd}/{HH}/\"\ntime = \"at\"\n\
               [[table]]\nname = \"clicks\"\ndataset = \"clicks\"\ncolumns = [\"at\", \"title\"]\n\
               relation = { name = \"r\", column = \"at\" }\n";
        let catalog = Catalog::parse("test", &catalog).unwrap();
        let filter = "clicks.title == 'a'".parse().unwrap();
        let filters = vec![export::TableFilter { tables: vec!["visits".into()], filter }];
        let tables = vec![TableSelection::whole("visits")];
        let window = Window::new(at(20), at(30)).unwrap();
        let request =
            ExportRequest { filters, ..ExportRequest::new(tables, window, Format::Jsonl) };
        let filed = |count: i64| {
            let object = |hour: i64| SourceObject {
                key: hour.to_string(),
                etag: String::new(),
                size_bytes: 10,
            };
            (20..20 + count).map(|hour| (at(hour), vec![object(hour)])).collect::<Vec<_>>()
        };
        let mut plan = Plan::default();
        assert_eq!(plan.add_lookup(&catalog, &request, 1, filed(1), 10), None);
        plan.add_lookup(&catalog, &request, 0, filed(2), 10).unwrap();
        plan.add_table(&catalog, &request, 0, filed(3), 10).unwrap();
        let makes: Vec<Makes> = plan.steps.iter().map(|step| step.makes).collect();
        let (ids, rows) = (Makes::Ids(0), Makes::Rows(0));
        assert_eq!(makes, [ids, ids, rows, rows, rows]);
        assert_eq!((plan.first_pass(), plan.object_count()), (0..2, 5));
        assert_eq!(plan.batches(u64::MAX), [0..2, 2..5]);
        let planned = |step: usize| &plan.steps[step].objects[0];
        assert_eq!((planned(0).way, planned(2).way), (Way::Transcode, Way::Splice));
        assert!(!planned(0).to_pour().likely_whole && planned(2).to_pour().likely_whole);
    }

    #[test]
    fn steps_and_batches_are_filled_to_the_last_byte() {
        let sizes = |plan: &Plan| plan.steps.iter().map(Step::size_bytes).collect::<Vec<_>>();
        assert_eq!(sizes(&plan(20..22, 20)), [20, 20]);
        assert_eq!(sizes(&plan(20..22, 19)), [10, 10, 10, 10]);
        // Small objects count as if they had 256 KiB.
        let (plan, cost) = (plan(24..28, 20), 512 << 10);
        assert_eq!(plan.batches(2 * cost), [0..2, 2..4]);
        assert_eq!(plan.batches(2 * cost - 1), [0..1, 1..2, 2..3, 3..4]);
        assert!(plan.is_small(4 * cost) && !plan.is_small(4 * cost - 1));
    }
}
