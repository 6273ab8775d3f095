//! Reads the first rows of a table as the engine writes them.

use std::{
    io,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use archive::Extent;
use cloud::Lake;
use export::SourceObject;
use jiff::Timestamp;
use lake::{Encoding, InputObject, ObjectError, Pipeline, PlannedObject, Selection, Way};
use sources::{ObjectOpener, feed};
use tokio::time::{Instant, timeout};

/// Rows that were read, as they are written, and how far.
#[derive(Debug)]
pub(crate) struct FirstRows<B> {
    /// The rows of each record that has any.
    pub(crate) records: Vec<Vec<u8>>,
    /// Why the reader broke off; `None` if it did not.
    pub(crate) broke: Option<B>,
    /// How many objects were opened.
    pub(crate) objects: usize,
    /// What is wrong with an object, because of which an export would fail.
    pub(crate) fault: Option<String>,
    /// Whether time was up before the end.
    pub(crate) out_of_time: bool,
}

/// Reads these objects until `look` breaks off at the rows of a record, which are then not taken, or until `ends`.
pub(crate) async fn first_rows<B: Send + 'static>(
    lake: &Lake,
    selection: Selection,
    objects: &[(Timestamp, SourceObject)],
    ends: Instant,
    mut look: impl FnMut(&[u8]) -> ControlFlow<B> + Send + 'static,
) -> anyhow::Result<FirstRows<B>> {
    let planned: Vec<PlannedObject> = objects.iter().map(planned).collect();
    let inputs: Vec<InputObject> = planned.iter().map(PlannedObject::to_input).collect();
    let sources: Vec<SourceObject> = objects.iter().map(|(_, object)| object.clone()).collect();
    let (opener, asked) = ObjectOpener::new(selection.needs(), planned);
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&begun);
    let reading = tokio::task::spawn_blocking(move || {
        let (mut records, mut broke) = (Vec::new(), None);
        let runs = (0..inputs.len()).map(|index| index..index + 1).collect();
        // Each record is a segment of its own.
        let encoding = Encoding::Plain { bytes: usize::MAX, rows: 1 };
        let (selection, objects) = (&selection, &inputs[..]);
        let pipeline = Pipeline { selection, objects, runs, encoding, workers: 1 };
        let ended = pipeline.run(
            |index| {
                counted.fetch_max(index + 1, Ordering::Relaxed);
                opener.open(index)
            },
            |_, extent| {
                let Extent::Bytes(rows) = extent else { return Ok(()) };
                if let ControlFlow::Break(reason) = look(&rows) {
                    broke = Some(reason);
                    return Err(io::Error::other("there are enough rows"));
                }
                records.push(rows);
                Ok(())
            },
        );
        (records, broke, ended.map(|_| ()))
    });
    let left = ends.saturating_duration_since(Instant::now());
    let fed = timeout(left, feed(lake, &sources, asked)).await;
    let (records, broke, ended) = reading.await.context("read source objects")?;
    let out_of_time = fed.is_err();
    fed.unwrap_or(Ok(()))?;
    let fault = match ended {
        Ok(()) | Err(ObjectError::Sink(_)) => None,
        Err(ObjectError::Unreadable { .. }) if out_of_time => None,
        Err(error @ (ObjectError::Unreadable { .. } | ObjectError::Panicked { .. })) => {
            return Err(error.into());
        }
        Err(error) => Some(chain(&error)),
    };
    Ok(FirstRows { records, broke, objects: begun.load(Ordering::Relaxed), fault, out_of_time })
}

/// Returns an error with all that caused it.
fn chain(error: &ObjectError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn planned((partition, object): &(Timestamp, SourceObject)) -> PlannedObject {
    PlannedObject {
        object: object.clone(),
        way: Way::Transcode,
        refer: false,
        partition: Some(*partition),
        file: None,
    }
}

/// The longest that a preview reads, for all tables together.
pub(crate) const MAX_READING: Duration = Duration::from_secs(8);

#[cfg(test)]
mod tests {
    use export::{Catalog, ExportRequest, Format, Window};
    use fake_aws::{FakeAws, Reply};
    use jiff::SignedDuration;

    use super::*;

    #[tokio::test]
    async fn what_is_not_read_in_time_is_left() {
        let aws = FakeAws::start(|call| {
            // The second object is never answered.
            let rows = "{\"eventDate\":\"1970-01-01T00:10:00Z\"}\n";
            call.operation.contains("first").then(|| Reply::ok(rows))
        });
        let aws = aws.await.unwrap();
        let lake = Lake::new(cloud::s3_client(&aws.config().await), "lake".to_owned());
        let catalog = Catalog::built_in().unwrap();
        let begin = Timestamp::UNIX_EPOCH;
        let window = Window::new(begin, begin + SignedDuration::from_hours(1)).unwrap();
        let table = vec![export::TableSelection::whole("liferay_page")];
        let request = ExportRequest::new(table, window, Format::Jsonl);
        let selection = Selection::new(&catalog, &"acme".parse().unwrap(), &request, 0).unwrap();
        let object = |key: &str| {
            let (key, etag) = (key.to_owned(), "\"e\"".to_owned());
            (begin, SourceObject { bucket: None, key, etag, size_bytes: 9 })
        };
        let objects = [object("first.json"), object("second.json")];
        let ends = Instant::now() + Duration::from_millis(500);
        let look = |_: &[u8]| ControlFlow::<()>::Continue(());
        let read = first_rows(&lake, selection, &objects, ends, look).await.unwrap();
        assert!(read.out_of_time);
        assert_eq!((read.records.len(), read.objects, read.fault), (1, 2, None));
    }
}
