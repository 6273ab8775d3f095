//! Who holds an export while it is built.

use aws_sdk_dynamodb::types::AttributeValue;
use export::Export;
use jiff::Timestamp;

use crate::{
    Error, ExportTable, Result,
    condition::conditional,
    record_item::{number, pk, sk, text},
};

impl ExportTable {
    /// Renews a lease of an export. Tells whether it still was the latest, and in use.
    pub async fn renew(&self, export: &Export, lease: u64, until: Timestamp) -> Result<bool> {
        let due = until.min(export.deadline);
        let sent = self
            .update_item(pk(&export.workspace), sk(export.id))
            .update_expression(
                "SET #state.lease.#until = :until, #state.lease.look_at = :until, due_at = :due \
                 ADD version :one",
            )
            .condition_expression(
                "#state.#status = :running AND #state.lease.#number = :lease \
                 AND #state.lease.released = :no",
            )
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#until", "until")
            .expression_attribute_names("#number", "number")
            .expression_attribute_values(":until", text(until))
            .expression_attribute_values(":due", number(due.as_second()))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":running", text("running"))
            .expression_attribute_values(":lease", number(lease))
            .expression_attribute_values(":no", AttributeValue::Bool(false))
            .send()
            .await;
        Ok(conditional("renew lease", sent)?.is_some())
    }

    /// Tells whether an export is still to be built, as far as is known: this reads what was stored some
    /// moments ago, at half the price.
    pub async fn is_wanted(&self, export: &Export) -> Result<bool> {
        let output = self
            .get_item(pk(&export.workspace), sk(export.id))
            .projection_expression("#state.#status")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#status", "status")
            .send()
            .await
            .map_err(Error::aws("look at export"))?;
        let state = output.item.as_ref().and_then(|item| item.get("state")?.as_m().ok());
        let status = state.and_then(|state| state.get("status")?.as_s().ok());
        Ok(status.is_none_or(|status| matches!(status.as_str(), "queued" | "running")))
    }
}
