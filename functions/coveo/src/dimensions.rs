//! The calls about dimensions: what filters and exports may name.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use export::{Catalog, Column, ColumnType};
use serde::Serialize;

use crate::{
    app::Viewer,
    error::ApiError,
    extract::{Id, Query},
    params::Params,
    tables::{self, EVENTS},
};

/// What the names of an organization's own dimensions begin with.
const CUSTOM: &str = "c_";

/// A dimension: a column, of one table or of several.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Dimension {
    r#type: &'static str,
    display_name: String,
    api_names: Vec<String>,
    return_name: String,
    custom: bool,
    event_types: Vec<&'static str>,
    status: &'static str,
    /// What it is called in tables.
    #[serde(skip)]
    name: String,
}

/// `GET /dimensions`: all of them, a bare list.
pub(crate) async fn list(viewer: Viewer, Query(params): Query) -> Result<Response, ApiError> {
    let custom = params.flag("includeCustom", true)?;
    listed(&viewer, &params, |dimension| custom || !dimension.custom).await
}

/// `GET /dimensions/custom`: those of the organization alone.
pub(crate) async fn list_custom(
    viewer: Viewer,
    Query(params): Query,
) -> Result<Response, ApiError> {
    params.flag("includeCustom", true)?;
    listed(&viewer, &params, |dimension| dimension.custom).await
}

async fn listed(
    viewer: &Viewer,
    params: &Params,
    wanted: impl Fn(&&Dimension) -> bool,
) -> Result<Response, ApiError> {
    let only_parents = params.flag("includeOnlyParents", false)?;
    let catalog = viewer.services.catalog().await;
    let all = all(&catalog);
    let parent = |dimension: &&Dimension| !only_parents || !is_child(dimension, &all);
    let listed: Vec<&Dimension> = all.iter().filter(wanted).filter(parent).collect();
    Ok(Json(listed).into_response())
}

/// `GET /dimensions/{name}`: one of them, by any of its names.
pub(crate) async fn read(viewer: Viewer, Id(name): Id, _: Query) -> Result<Response, ApiError> {
    let catalog = viewer.services.catalog().await;
    let mut all = all(&catalog);
    let called = |dimension: &mut Dimension| {
        let same = |other: &String| other.eq_ignore_ascii_case(&name);
        dimension.api_names.iter().any(same) || same(&dimension.return_name)
    };
    let found = all.iter_mut().find_map(|dimension| called(dimension).then_some(dimension));
    let found = found.ok_or_else(|| ApiError::not_found("There is no dimension of this name."))?;
    Ok(Json(found).into_response())
}

/// Lists the dimensions of a catalog, in the order of its tables and columns.
fn all(catalog: &Catalog) -> Vec<Dimension> {
    let mut all: Vec<Dimension> = Vec::new();
    for (table, column) in tables::all(catalog)
        .into_iter()
        .flat_map(|(name, t)| t.columns.iter().map(move |c| (name, c)))
    {
        // Keywords and groups are those of searches.
        let event = if EVENTS.contains(&table) { table } else { "searches" };
        let api_name = format!("{}.{}", table, column.name).to_uppercase();
        let custom = column.name.starts_with(CUSTOM);
        let known = all.iter_mut().find(|known| {
            known.name.eq_ignore_ascii_case(&column.name) && !custom && known.r#type == kind(column)
        });
        if let Some(known) = known {
            known.api_names.push(api_name);
            if !known.event_types.contains(&event) {
                known.event_types.push(event);
            }
            continue;
        }
        all.push(Dimension {
            r#type: kind(column),
            display_name: column.display.clone(),
            return_name: if custom { api_name.to_lowercase() } else { column.name.clone() },
            api_names: vec![api_name],
            custom,
            event_types: vec![event],
            status: "AVAILABLE",
            name: column.name.clone(),
        });
    }
    all
}

fn kind(column: &Column) -> &'static str {
    match column.kind {
        ColumnType::String | ColumnType::Json => "TEXT",
        ColumnType::Integer | ColumnType::Number => "NUMBER",
        ColumnType::Boolean => "BOOLEAN",
        ColumnType::Time => "DATETIME",
    }
}

/// Tells whether a dimension is what another of several events covers, as `originLevel1` does
/// `clickOriginLevel1`.
fn is_child(dimension: &Dimension, all: &[Dimension]) -> bool {
    let name = dimension.name.to_lowercase();
    let covers = |rest: &str| {
        all.iter().any(|other| other.event_types.len() > 1 && other.name.eq_ignore_ascii_case(rest))
    };
    ["search", "click", "customevent"]
        .iter()
        .filter_map(|event| name.strip_prefix(event))
        .any(covers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dimension_of_several_tables_is_one() {
        let all = all(&Catalog::built_in().unwrap());
        let city = all.iter().find(|dimension| dimension.name == "city").unwrap();

        assert_eq!(city.api_names, ["SEARCHES.CITY", "CUSTOM_EVENTS.CITY", "CLICKS.CITY"]);
        assert_eq!(city.event_types, ["searches", "custom_events", "clicks"]);
        let children: Vec<&str> =
            all.iter().filter(|d| is_child(d, &all)).map(|d| d.name.as_str()).collect();
        assert!(
            children.contains(&"clickOriginLevel1") && children.contains(&"searchOriginLevel2")
        );
        assert!(!children.contains(&"originLevel1") && !children.contains(&"searchId"));
    }
}
