//! The calls about named filters: `/filters/reporting`.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use cloud::NewEntry;
use export::{Action, Filter, MAX_NAMED_FILTERS, NamedFilter, Scope, Subject, Workspace};
use serde::Serialize;
use serde_json::Value;
use web::JsonBody;

use crate::{
    app::{App, Editor, Viewer},
    error::ApiError,
    extract::{Id, Query},
    params::Params,
    tables::{self, PREFIX},
};

/// The most characters of a name.
const MAX_NAME_CHARS: usize = 200;
/// How often another id is tried where somebody was faster.
const MAX_TRIES: usize = 10;

#[derive(Serialize)]
struct List<'a> {
    filters: Vec<View<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View<'a> {
    id: &'a str,
    display_name: &'a str,
    account: &'a str,
    r#type: &'static str,
    value: &'a str,
}

#[derive(Serialize)]
struct NewId {
    id: String,
}

impl<'a> View<'a> {
    fn of(filter: &'a NamedFilter, workspace: &'a Workspace) -> Self {
        let NamedFilter { id, display_name, value } = filter;
        Self { id, display_name, account: workspace.as_ref(), r#type: "reporting", value }
    }
}

/// `GET /filters/reporting`: all named filters.
pub(crate) async fn list(viewer: Viewer, _: Query) -> Result<Response, ApiError> {
    let workspace = &viewer.workspace;
    let named = viewer.services.exports.table.named_filters(workspace).await?;
    let filters = named.iter().map(|filter| View::of(filter, workspace)).collect();
    Ok(Json(List { filters }).into_response())
}

/// `GET /filters/reporting/{id}`: one of them.
pub(crate) async fn read(viewer: Viewer, Id(id): Id, _: Query) -> Result<Response, ApiError> {
    let workspace = &viewer.workspace;
    let named = viewer.services.exports.table.named_filters(workspace).await?;
    let filter = named.iter().find(|filter| filter.id == id).ok_or_else(unknown)?;
    Ok(Json(View::of(filter, workspace)).into_response())
}

/// `POST /filters/reporting`: a new one.
pub(crate) async fn create(
    editor: Editor,
    _: Query,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let (display_name, value) = written(&body)?;
    let (exports, workspace) = (&editor.services.exports.table, &editor.workspace);
    for _ in 0..MAX_TRIES {
        let named = exports.named_filters(workspace).await?;
        let taken = |id: &str| named.iter().any(|filter| filter.id == id);
        let id = NamedFilter::id_for(&display_name, taken);
        let (display_name, value) = (display_name.clone(), value.clone());
        let filter = NamedFilter { id, display_name, value };
        check(&editor, named, &filter).await?;
        let entry = told(&editor, Action::FilterStored, &filter.id)?;
        if exports.put_named_filter(workspace, &filter, true, &entry).await? {
            return Ok((StatusCode::CREATED, Json(NewId { id: filter.id })).into_response());
        }
    }
    Err(anyhow::anyhow!("find an id for a named filter").into())
}

/// `PUT /filters/reporting/{id}`: the same with another name and value.
pub(crate) async fn replace(
    editor: Editor,
    Id(id): Id,
    _: Query,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let (display_name, value) = written(&body)?;
    let filter = NamedFilter { id: id.clone(), display_name, value };
    let (exports, workspace) = (&editor.services.exports.table, &editor.workspace);
    let named = exports.named_filters(workspace).await?;
    if !named.iter().any(|known| known.id == id) {
        return Err(unknown());
    }
    check(&editor, named, &filter).await?;
    let entry = told(&editor, Action::FilterStored, &filter.id)?;
    if !exports.put_named_filter(workspace, &filter, false, &entry).await? {
        return Err(unknown());
    }
    Ok(Json(NewId { id: filter.id }).into_response())
}

/// `DELETE /filters/reporting/{id}`: removes it. Filters that name it cannot be used any more.
pub(crate) async fn delete(editor: Editor, Id(id): Id, _: Query) -> Result<Response, ApiError> {
    let (exports, workspace) = (&editor.services.exports.table, &editor.workspace);
    if !NamedFilter::may_be_id(&id) {
        return Err(unknown());
    }
    let entry = told(&editor, Action::FilterRemoved, &id)?;
    if !exports.delete_named_filter(workspace, &id, &entry).await? {
        return Err(unknown());
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Returns the entry of the audit trail that tells of a change of a filter.
fn told(editor: &Editor, action: Action, filter: &str) -> Result<NewEntry, ApiError> {
    let (audit, what) = (&editor.services.exports.audit, (action, Subject::other(filter)));
    Ok(audit.entry(&editor.workspace, &editor.actor, what, editor.now)?)
}

/// Reads name and value of a body.
fn written(body: &Value) -> Result<(String, String), ApiError> {
    let fields = [("displayName", "displayName"), ("value", "value")];
    let params = Params::of_body(body, &fields)?;
    let one = |name, form| params.one(name).ok_or_else(|| ApiError::missing(name, form));
    let name = one("displayName", "what people call the filter")?;
    if name.chars().count() > MAX_NAME_CHARS {
        let message = format!("displayName may have {MAX_NAME_CHARS} characters at most.");
        return Err(ApiError::parameter(message));
    }
    Ok((name.to_owned(), one("value", "the filter")?.to_owned()))
}

/// Sees to it that a filter can be used, together with the others.
async fn check(app: &App, others: Vec<NamedFilter>, filter: &NamedFilter) -> Result<(), ApiError> {
    let others = others.into_iter().filter(|other| other.id != filter.id);
    let all: Vec<NamedFilter> = others.chain([filter.clone()]).collect();
    if !NamedFilter::fit(&all) {
        let message = format!(
            "An organization has {MAX_NAMED_FILTERS} named filters at most, of 1 MiB together. Delete some."
        );
        return Err(ApiError::bad("TooManyFilters", message));
    }
    let pair = |filter: NamedFilter| (filter.id, filter.value);
    let named: Vec<(String, String)> = all.into_iter().map(pair).collect();
    let catalog = app.services.catalog().await;
    let known = tables::all(&catalog).into_iter().map(|(_, table)| table.name.as_str());
    let scope = Scope::new(&catalog, known, PREFIX, &named);
    match Filter::read(&format!("${}", filter.id), &scope) {
        Ok(_) => Ok(()),
        // Where it stands in the value is said in the reason.
        Err(error) => {
            Err(ApiError::filter(format!("The filter cannot be used: {}.", error.reason)))
        }
    }
}

fn unknown() -> ApiError {
    ApiError::not_found("There is no named filter with this id in the organization.")
}
