//! The one route, and all that it does.

use axum::{
    Router,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, Method, header},
    middleware::from_fn_with_state,
    routing::get,
};
use cloud::Joined;
use export::{
    ArchiveKey, Export, ExportId, LINK_LIFETIME, Lane, PlainKey, Privilege, State as ExportState,
};
use jiff::Timestamp;
use web::{Caller, Services, with_context};

use crate::{
    answer::{Answer, Refused, Told, file_name},
    ask::Ask,
};

pub(crate) fn all(services: Services) -> Router {
    Router::new()
        .route("/api/reports/export/{type}", get(export))
        .method_not_allowed_fallback(async || Refused::Method)
        .fallback(async || Refused::Nothing)
        .layer(from_fn_with_state(None, with_context))
        .with_state(services)
}

/// `GET /api/reports/export/{type}?fromDate=...&toDate=...`: makes the export behind the URL, tells
/// where it is, or leads to its file. `HEAD` answers alike and makes none.
async fn export(
    State(services): State<Services>,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Answer, Refused> {
    let now = Timestamp::now();
    let Caller { workspace, .. } =
        services.authenticator.bearer(&headers, Privilege::Edit, now).await?;
    let query = query.as_deref().unwrap_or_default();
    let ask = Ask::read(&kind, query, &services.catalog, &services.limits, now)?;

    let joined = if method == Method::HEAD {
        match services.exports.newest(&workspace, &ask.key()).await? {
            Some(newest) if newest.stands(now) => Joined::Kept(Box::new(newest)),
            before => Joined::New { before: before.map(Box::new) },
        }
    } else {
        let (id, patience) = (ExportId::generate(), services.patience);
        let new = Export::queued(id, workspace, ask.request(), now, patience);
        let new = new.in_lane(Lane::Liferay);
        let joined = services.exports.join(&new, &ask.key(), |newest| newest.stands(now)).await?;
        if let Joined::New { .. } = joined {
            services.submit(&new).await;
        }
        joined
    };
    match joined {
        Joined::New { before } => Ok(Answer::Told(Told::new(&ask, now, before.as_deref()))),
        Joined::Kept(export) => match &export.state {
            ExportState::Succeeded { archive } => {
                leads(&services, &export, ask.kind, archive.published_at, &headers).await
            }
            _ => Ok(Answer::Told(Told::unfinished(&ask, &export))),
        },
    }
}

/// Leads to the ZIP, or to its lines as they are for those who ask for lines.
async fn leads(
    services: &Services,
    export: &Export,
    kind: &str,
    completed: Timestamp,
    headers: &HeaderMap,
) -> Result<Answer, Refused> {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let lines = accepted.flat_map(|value| value.split(',')).any(|kind| {
        kind.split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .eq_ignore_ascii_case(PlainKey::CONTENT_TYPE)
    });
    let (key, name) = if lines {
        let name = file_name(kind, completed, "json");
        (PlainKey::of(&export.workspace, export.id).to_string(), name)
    } else {
        let name = file_name(kind, completed, "zip");
        (ArchiveKey::of(&export.workspace, export.id).to_string(), name)
    };
    Ok(Answer::Leads(services.archives.sign_download(&key, LINK_LIFETIME, Some(&name)).await?))
}
