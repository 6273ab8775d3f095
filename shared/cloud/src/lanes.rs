//! Who is next, where exports are built one at a time.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | number of the last place in a lane | `W#workspace` | `Q#lane` |
//! | place in a lane | `W#workspace` | `Q#lane#n number#id` |
//!
//! Places are numbered in the order in which they are stored: the number is counted in the same
//! transaction. Ids would not do, as they follow the clocks of the machines that made them: one that is
//! late could put an export before another that is being built already.

use aws_sdk_dynamodb::types::{Put, builders::PutBuilder};
use export::{Export, ExportId, Lane, Workspace};

use crate::{
    Error, ExportTable, Result,
    record_item::{RECORD_LIFETIME, number, pk, text},
};

/// A place in a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The export that has it. `None` if its key cannot be read.
    pub export: Option<ExportId>,
    sk: String,
}

impl ExportTable {
    /// Reads the first place in a lane.
    pub async fn first_place(&self, workspace: &Workspace, lane: &Lane) -> Result<Option<Place>> {
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :lane)")
            .expression_attribute_values(":pk", text(pk(workspace)))
            .expression_attribute_values(":lane", text(lane_prefix(lane)))
            .consistent_read(true)
            .limit(1)
            .send()
            .await
            .map_err(Error::aws("read lane"))?;
        let Some(item) = output.items.unwrap_or_default().pop() else { return Ok(None) };
        let sk = item.get("sk").and_then(|sk| sk.as_s().ok()).cloned().unwrap_or_default();
        Ok(Some(Place { export: id_of(&sk), sk }))
    }

    /// Removes a place from its lane.
    pub async fn remove_place(&self, workspace: &Workspace, place: &Place) -> Result<()> {
        self.client
            .delete_item()
            .table_name(&self.name)
            .key("pk", text(pk(workspace)))
            .key("sk", text(&place.sk))
            .send()
            .await
            .map_err(Error::aws("clear lane"))?;
        Ok(())
    }

    /// Returns what gives an export the last place in a lane. It cannot be stored once somebody else took
    /// that place.
    pub(crate) async fn last_place(&self, export: &Export, lane: &Lane) -> Result<[PutBuilder; 2]> {
        let (pk, sk) = (pk(&export.workspace), format!("Q#{}", lane.name()));
        let get = self.get_item(&pk, &sk).consistent_read(true);
        let output = get.send().await.map_err(Error::aws("read the end of a lane"))?;
        let last =
            output.item.as_ref().and_then(|item| item.get("last")?.as_n().ok()?.parse().ok());
        let next = last.unwrap_or(0_u64) + 1;
        let count = Put::builder()
            .table_name(&self.name)
            .item("pk", text(&pk))
            .item("sk", text(sk))
            .item("last", number(next));
        let count = match last {
            None => count.condition_expression("attribute_not_exists(pk)"),
            Some(last) => count
                .condition_expression("#last = :last")
                .expression_attribute_names("#last", "last")
                .expression_attribute_values(":last", number(last)),
        };
        let place = Put::builder()
            .table_name(&self.name)
            .item("pk", text(pk))
            .item("sk", text(place_of(lane, next, export.id)))
            .item("ttl", number((export.deadline + RECORD_LIFETIME).as_second()));
        Ok([count, place])
    }
}

/// How the sort keys of a lane's places begin.
fn lane_prefix(lane: &Lane) -> String {
    format!("Q#{}#", lane.name())
}

/// Returns the sort key of a place. It sorts by its number, and after places from before there were
/// numbers, which begin with a digit of an id.
fn place_of(lane: &Lane, number: u64, id: ExportId) -> String {
    format!("{}n{number:020}#{id}", lane_prefix(lane))
}

/// Returns the export that has a place.
fn id_of(place: &str) -> Option<ExportId> {
    place.rsplit('#').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use export::{ExportRequest, Format, TableSelection, Window};
    use fake_aws::{FakeAws, Reply};
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::NewIdentity;

    fn id(last: u8) -> ExportId {
        ExportId::new(Timestamp::UNIX_EPOCH, [last; 10])
    }

    fn lane() -> Lane {
        Lane::new("liferay")
    }

    #[test]
    fn places_sort_by_number_whatever_the_clocks_said_that_made_the_ids() {
        let (early, late) = (id(1), id(2));
        let places = [
            format!("{}{late}", lane_prefix(&lane())),
            place_of(&lane(), 9, late),
            place_of(&lane(), 10, early),
        ];
        assert!(early < late && places.is_sorted(), "{places:?}");
        assert_eq!(places.map(|place| id_of(&place).unwrap()), [late, late, early]);
    }

    #[tokio::test]
    async fn a_place_is_counted_in_the_transaction_that_stores_it() {
        let aws = FakeAws::start(|call| {
            let counted = call.is("GetItem") && call.body.contains("\"Q#liferay\"");
            Some(Reply::ok(if counted { r#"{"Item":{"last":{"N":"41"}}}"# } else { "{}" }))
        });
        let aws = aws.await.unwrap();
        let client = aws_sdk_dynamodb::Client::new(&aws.config().await);
        let now = Timestamp::UNIX_EPOCH;
        let window = Window::new(now, now + SignedDuration::from_hours(1)).unwrap();
        let request = ExportRequest::new(vec![TableSelection::whole("t")], window, Format::Csv);
        let (id, acme) = (id(1), "acme".parse().unwrap());
        let export = Export::queued(id, acme, request, now, SignedDuration::from_hours(1));
        let export = export.in_lane(lane());
        let table = ExportTable::new(client, "exports".into());
        let identity = NewIdentity::NaturalKey { key: "key", replaces: None };
        table.store(&export, Some(identity), None).await.unwrap();

        let written = aws.bodies("TransactWriteItems").remove(0);
        assert!(written.contains(&place_of(&lane(), 42, id)), "{written}");
        assert!(written.contains("#last = :last") && written.contains("\"41\""), "{written}");
    }
}
