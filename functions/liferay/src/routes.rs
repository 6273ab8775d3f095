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
    Status,
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
    let Caller { workspace } =
        services.authenticator.bearer(&headers, Privilege::Edit, now).await?;
    let ask = Ask::read(&kind, query.as_deref().unwrap_or_default(), &services.catalog, now)?;

    let joined = if method == Method::HEAD {
        match services.exports.newest(&workspace, &ask.key()).await? {
            Some(newest) if is_kept(&newest, now) => Joined::Kept(Box::new(newest)),
            before => Joined::New { before: before.map(Box::new) },
        }
    } else {
        let request = ask
            .request()
            .ok_or_else(|| Refused::Broken(anyhow::anyhow!("make a window of {ask:?}")))?;
        let new = Export::queued(ExportId::generate(), workspace, request, now, services.patience);
        let new = new.in_lane(Lane::Liferay);
        let joined = services.exports.join(&new, &ask.key(), |newest| is_kept(newest, now)).await?;
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

/// Tells whether the newest export of a URL is what the URL stands for. Otherwise a new one is made.
fn is_kept(newest: &Export, now: Timestamp) -> bool {
    match newest.status(now) {
        Status::Queued | Status::Running | Status::Succeeded => true,
        Status::Failed | Status::Cancelled | Status::Expired | Status::Deleted => false,
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

#[cfg(test)]
mod tests {
    use export::{Archive, Catalog};
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_url_gives_its_file_for_24_hours_and_a_new_one_after() {
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let query = "fromDate=2023-01-01T00:00&toDate=2023-01-31T23:59";
        let ask = Ask::read("page", query, &Catalog::built_in().unwrap(), now).ok().unwrap();
        let id = ExportId::generate();
        let day = SignedDuration::from_hours(24);
        let queued = Export::queued(id, "acme".parse().unwrap(), ask.request().unwrap(), now, day);
        let built = Archive {
            published_at: now,
            expires_at: now,
            size_bytes: 1,
            crc32: 0,
            rows: None,
            bad_rows: 0,
        };
        let ready = queued.claim(now).unwrap().succeed(now, &built);

        for (seconds, kept) in [(86_399, true), (86_400, true), (86_401, false)] {
            assert_eq!(
                is_kept(&ready, now + SignedDuration::from_secs(seconds)),
                kept,
                "{seconds}"
            );
        }
        assert!(is_kept(&queued, now + day), "who waits is never lost");
        assert!(!is_kept(&queued.cancel(now).unwrap(), now));
    }
}
