//! A new export: the tables to choose from, then the form, then what came of it.

mod page;

use axum::{
    extract::RawQuery,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use console_kit::{Form, Refusal, body_of, chosen, url};
use export::{Filter, Order, Scope};
use maud::html;
use service::Created;
use web::BaseUrl;

use crate::app::{Editor, Viewer};

/// `GET /console/new`: the tables there are or, of those that the query names, the form.
pub(crate) async fn page(
    viewer: Viewer,
    base: BaseUrl,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let form = Form::of_query(query.as_deref());
    let catalog = viewer.services.catalog().await;
    let tables = chosen(&catalog, &form);
    if tables.is_empty() {
        return Ok(page::tables(&base, &catalog));
    }
    Ok(page::form(&base, &tables, &form, (StatusCode::OK, &[])))
}

/// `POST /console/new`: makes the export, or shows the form again with what is wrong.
pub(crate) async fn create(editor: Editor, base: BaseUrl, form: Form) -> Result<Response, Refusal> {
    let now = editor.now;
    let (services, workspace) = (&editor.services, &editor.workspace);
    let catalog = services.catalog().await;
    let tables = chosen(&catalog, &form);
    let named = services.named_filters(workspace, [form.text("filter")]).await?;
    let read = body_of(&form, &tables, now).and_then(|body| {
        Order::from_json(&body, &catalog, &named, &services.limits, now)
            .map_err(|faults| faults.listed().iter().map(|fault| fault.detail.clone()).collect())
    });
    let order = match read {
        Ok(order) => order,
        Err(faults) => {
            let told: (StatusCode, &[String]) = (StatusCode::BAD_REQUEST, &faults);
            return Ok(page::form(&base, &tables, &form, told));
        }
    };
    let export = services.exports.draft(workspace, order.request, now)?;
    let created = services.exports.create(&export, None, &editor.actor).await?;
    if !matches!(created, Created::New) {
        return Err(anyhow::anyhow!("create export {}: it is there already", export.id).into());
    }
    Ok(Redirect::to(&url(&base, &format!("/exports/{}", export.id))).into_response())
}

/// `POST /console/new/filter`: says what is wrong with a filter, as it is typed.
pub(crate) async fn check_filter(viewer: Viewer, form: Form) -> Result<Response, Refusal> {
    let filter = form.text("filter");
    let catalog = viewer.services.catalog().await;
    let named = viewer.services.named_filters(&viewer.workspace, [filter]).await?;
    let tables = chosen(&catalog, &form);
    let scope = Scope::new(&catalog, tables.iter().map(|table| &*table.name), "", &named);
    let told = match Filter::read(filter, &scope) {
        _ if filter.is_empty() => {
            html! { "Without a filter, all rows of the window are exported." }
        }
        Ok(_) => html! { "This filter can be used." },
        Err(error) => html! { "This filter cannot be used: " (error) "." },
    };
    Ok(told.into_string().into_response())
}
