//! Lists of exports, newest first.
//!
//! DynamoDB filters what it reads, so that a page is full however rare the wanted exports are, and the last
//! page is known to be the last. What one call reads is bounded all the same.

use std::ops::ControlFlow;

use export::{Export, ExportId, Status, Workspace};
use jiff::Timestamp;
use tracing::error;

use crate::{
    Error, ExportTable, Result,
    record_item::{Item, export_of, pk, sk, text},
};

/// The most queries of one list. Each reads up to 1 MB of records, wanted or not.
const MAX_QUERIES: usize = 100;

/// Which exports a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// All that users see, or those with a status.
    Shown(Option<Status>),
    /// Likewise, if they match a text: see [`Export::matches`].
    Matching(Option<Status>, &'a str),
    /// Those that were asked for in a dialect.
    Of(&'a str),
}

/// Some of a workspace's exports, newest first.
#[derive(Clone, Debug)]
pub struct Page {
    /// The exports.
    pub exports: Vec<Export>,
    /// The export after which the next page begins. None on the last page.
    pub next: Option<ExportId>,
}

impl ExportTable {
    /// Reads up to `limit` exports that are wanted at `now`, newest first, after `after`.
    ///
    /// A page with fewer of them and a `next` is one for which more records than can be read in a request
    /// were looked through.
    pub async fn list(
        &self,
        workspace: &Workspace,
        wanted: Wanted<'_>,
        after: Option<ExportId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page> {
        let mut start = after.map(|id| key(workspace, id));
        let mut exports: Vec<Export> = Vec::new();
        for query in 0..MAX_QUERIES {
            // One more than wanted tells whether the page is the last.
            let first = (query == 0).then(|| i32::try_from(limit + 1).unwrap_or(i32::MAX));
            let (found, last) = self.query(workspace, wanted, start, first).await?;
            exports.extend(found.into_iter().filter(|export| wanted.is(export, now)));
            if exports.len() > limit {
                exports.truncate(limit);
                let next = exports.last().map(|export| export.id);
                return Ok(Page { exports, next });
            }
            start = last;
            if start.is_none() {
                return Ok(Page { exports, next: None });
            }
        }
        let last = start.as_ref().and_then(|key| key.get("sk")?.as_s().ok()?.strip_prefix("E#"));
        let next = last.and_then(|id| id.parse().ok());
        Ok(Page { exports, next })
    }

    /// Reads one page of records, and the key after which the next begins.
    async fn query(
        &self,
        workspace: &Workspace,
        wanted: Wanted<'_>,
        start: Option<Item>,
        limit: Option<i32>,
    ) -> Result<(Vec<Export>, Option<Item>)> {
        let query = self
            .client
            .query()
            .table_name(&self.name)
            // So that what was made a moment ago is in the list.
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :exports)")
            .expression_attribute_values(":pk", text(pk(workspace)))
            .expression_attribute_values(":exports", text("E#"))
            .set_exclusive_start_key(start)
            .set_limit(limit)
            .scan_index_forward(false);
        let query = match wanted {
            Wanted::Of(dialect) => query
                .filter_expression("#asked.#dialect = :dialect")
                .expression_attribute_names("#asked", "asked")
                .expression_attribute_names("#dialect", "dialect")
                .expression_attribute_values(":dialect", text(dialect)),
            Wanted::Shown(status) | Wanted::Matching(status, _) => {
                let mut condition = "#request.#files <> :counts".to_owned();
                let mut query = query
                    .expression_attribute_names("#request", "request")
                    .expression_attribute_names("#files", "files")
                    .expression_attribute_values(":counts", text("counts"));
                if let Some(status) = status {
                    condition += " AND (#state.#status = :first OR #state.#status = :second)";
                    let [first, second] = stored_as(status);
                    query = query
                        .expression_attribute_names("#state", "state")
                        .expression_attribute_names("#status", "status")
                        .expression_attribute_values(":first", text(first))
                        .expression_attribute_values(":second", text(second));
                }
                query.filter_expression(condition)
            }
        };
        let output = query.send().await.map_err(Error::aws("list exports"))?;
        let exports = output.items.unwrap_or_default().into_iter().filter_map(readable).collect();
        Ok((exports, output.last_evaluated_key))
    }

    /// Gives `take` the exports that are wanted at `now`, newest first, until it breaks. Returns whether it
    /// was given all of them, which it is not either where more records than can be read in a request would
    /// have to be looked through.
    pub async fn each(
        &self,
        workspace: &Workspace,
        wanted: Wanted<'_>,
        now: Timestamp,
        mut take: impl FnMut(&Export) -> ControlFlow<()>,
    ) -> Result<bool> {
        let mut start = None;
        for _ in 0..MAX_QUERIES {
            let (found, last) = self.query(workspace, wanted, start, None).await?;
            for export in found.iter().filter(|export| wanted.is(export, now)) {
                if take(export).is_break() {
                    return Ok(false);
                }
            }
            start = last;
            if start.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Wanted<'_> {
    /// Whether an export is wanted as it is at `now`: time alone ends an archive.
    fn is(self, export: &Export, now: Timestamp) -> bool {
        match self {
            Self::Shown(status) => {
                export.is_shown() && status.is_none_or(|status| export.status(now) == status)
            }
            Self::Matching(status, text) => {
                Self::Shown(status).is(export, now) && export.matches(text)
            }
            Self::Of(dialect) => {
                export.origin.as_ref().is_some_and(|origin| origin.dialect == dialect)
            }
        }
    }
}

/// Reads a record. One that cannot be read is left out, so that it does not hide all others.
fn readable(item: Item) -> Option<Export> {
    let key = item.get("sk").cloned();
    match export_of(item) {
        Ok(export) => Some(export),
        Err(error) => {
            error!(record = ?key, error = ?error, "left an export that cannot be read out of a list");
            None
        }
    }
}

/// Returns the states that a status is stored as.
fn stored_as(status: Status) -> [&'static str; 2] {
    match status {
        // The janitor is not there yet.
        Status::Expired => [status.name(), Status::Succeeded.name()],
        _ => [status.name(); 2],
    }
}

fn key(workspace: &Workspace, id: ExportId) -> Item {
    Item::from([("pk".to_owned(), text(pk(workspace))), ("sk".to_owned(), text(sk(id)))])
}

#[cfg(test)]
mod tests {
    use export::{ExportRequest, Format, TableSelection, Window};
    use jiff::SignedDuration;
    use serde_json::json;

    use super::*;
    use crate::{
        fake::{Fake, json_of_item, reply},
        record_item::item_of,
    };

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn export() -> Export {
        let window = Window::new(NOW, NOW + SignedDuration::from_hours(1)).unwrap();
        let request = ExportRequest::new(vec![TableSelection::whole("t")], window, Format::Csv);
        let (acme, time_limit) = ("acme".parse().unwrap(), SignedDuration::from_hours(24));
        Export::queued(
            ExportId::new(jiff::Timestamp::UNIX_EPOCH, [7; 10]),
            acme,
            request,
            NOW,
            time_limit,
        )
    }

    /// Answers each query by these items, and with a key to go on with.
    fn table_of(items: Vec<serde_json::Value>, more: bool) -> Fake {
        Fake::new(move |_| {
            let mut answer = json!({ "Items": items });
            if more {
                answer["LastEvaluatedKey"] =
                    json!({ "pk": { "S": "W#acme" }, "sk": { "S": "E#" } });
            }
            let body = answer.to_string();
            let headers = [("Content-Type", "application/x-amz-json-1.0")];
            reply("200 OK", &headers, body.len(), body.as_bytes())
        })
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_read_hides_no_other() {
        let export = export();
        let good = json_of_item(&item_of(&export).unwrap());
        let mut newer = good.clone();
        newer["state"] = json!({ "M": { "status": { "S": "of a later version" } } });
        let table = table_of(vec![newer, good], false).exports().await;

        let wanted = Wanted::Shown(None);
        let page = table.list(&export.workspace, wanted, None, 20, NOW).await.unwrap();

        assert_eq!(page.exports, [export]);
    }

    #[tokio::test]
    async fn a_list_asks_for_what_was_made_a_moment_ago() {
        let fake = table_of(Vec::new(), false);
        let (table, acme) = (fake.exports().await, "acme".parse().unwrap());

        table.list(&acme, Wanted::Shown(None), None, 20, NOW).await.unwrap();

        assert!(fake.requests()[0].contains(r#""ConsistentRead":true"#), "{:?}", fake.requests());
    }

    #[tokio::test]
    async fn what_is_looked_through_for_a_whole_list_has_a_bound() {
        let fake = table_of(Vec::new(), true);
        let (table, acme) = (fake.exports().await, "acme".parse().unwrap());
        let all = table.each(&acme, Wanted::Of("coveo"), NOW, |_| ControlFlow::Continue(()));

        assert!(!all.await.unwrap());
        assert_eq!(fake.connections(), MAX_QUERIES);
        let page = table.list(&acme, Wanted::Shown(None), None, 10, NOW).await.unwrap();
        assert_eq!((page.exports.len(), fake.connections()), (0, 2 * MAX_QUERIES));
    }

    #[tokio::test]
    async fn a_whole_list_ends_where_it_is_told_to() {
        let export = export();
        let item = json_of_item(&item_of(&export).unwrap());
        for (most, more, all) in [(1, false, false), (3, false, true), (3, true, false)] {
            let fake = table_of(vec![item.clone(), item.clone()], more);
            let mut left = most;
            let take = |_: &Export| {
                left -= 1;
                if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let table = fake.exports().await;
            let given = table.each(&export.workspace, Wanted::Shown(None), NOW, take).await;
            assert_eq!(given.unwrap(), all, "{most} {more}");
        }
    }
}
