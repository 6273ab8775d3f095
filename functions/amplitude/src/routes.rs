//! The one route, and all that it does.

use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use axum::{
    Extension, Router,
    extract::{RawQuery, State},
    http::{HeaderMap, Method},
    middleware::from_fn_with_state,
    routing::get,
};
use cloud::{Joined, env};
use export::{
    Archive, ArchiveKey, Dataset, Export, ExportId, Privilege, State as ExportState, Window,
};
use jiff::Timestamp;
use web::{BaseUrl, Caller, Services, lead_to, tell_bad_rows, wants_redirect, with_context};

use crate::{
    answer::{Answer, Refused},
    ask::{self, Ask, TABLE},
    size,
};

/// The largest ZIP that a function answers itself, in bytes.
const DIRECT_BYTES: u64 = 4 << 20;
/// A ZIP without files.
const EMPTY_BYTES: u64 = 22;
/// How often the record is looked at while a request waits.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What this function works with.
#[derive(Clone, Debug)]
pub(crate) struct App {
    services: Services,
    /// How long a request waits for its export.
    wait: Duration,
}

impl App {
    /// Reads every setting, or says which one is missing.
    pub(crate) async fn from_env(aws: &SdkConfig) -> anyhow::Result<Self> {
        let wait = Duration::from_secs(env::required("WAIT_SECONDS")?);
        Ok(Self { services: Services::from_env(aws).await?, wait })
    }
}

pub(crate) fn all(app: App) -> Router {
    let context = from_fn_with_state(app.services.public_base_url.clone(), with_context);
    Router::new()
        .route("/api/2/export", get(export))
        .method_not_allowed_fallback(async || Refused::Method)
        .fallback(async || Refused::Nothing)
        .layer(context)
        .with_state(app)
}

/// `GET /api/2/export?start=...&end=...`: makes the export of these hours or joins it, waits for it as
/// long as a request may, and answers the ZIP or leads to it.
async fn export(
    State(app): State<App>,
    Extension(base): Extension<BaseUrl>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Answer, Refused> {
    let begun = Instant::now();
    let now = Timestamp::now();
    let services = &app.services;
    let Caller { workspace, .. } =
        services.authenticator.basic(&headers, Privilege::Edit, now).await?;
    if method != Method::GET {
        return Err(Refused::Method);
    }
    let query = query.as_deref().unwrap_or_default();
    let ask = Ask::read(query, &services.limits).map_err(Refused::Query)?;
    let redirect = wants_redirect(query).map_err(Refused::Query)?;
    let window = ask.loaded(now).ok_or(Refused::NoData)?;
    let request = ask::request(window, &workspace, &services.catalog).ok_or(Refused::NoData)?;

    let new = Export::queued(ExportId::generate(), workspace, request, now, services.patience);
    let newest = services.exports.newest(&new.workspace, &ask::key(window)).await?;
    if !newest.is_some_and(|newest| newest.stands(now)) {
        check_size(services, &new, window, &base).await?;
    }
    let joined = services.join(&new, &ask::key(window), |newest| newest.stands(now)).await?;
    let export = match joined {
        Joined::Kept(export) => *export,
        Joined::New { .. } => {
            services.submit(&new).await;
            new
        }
    };
    let archive = finished(&app, export.clone(), begun).await?;
    if archive.size_bytes <= EMPTY_BYTES {
        return Err(Refused::NoData);
    }
    let key = ArchiveKey::of(&export.workspace, export.id);
    if redirect && archive.size_bytes <= DIRECT_BYTES {
        return Ok(Answer::Zip(services.archives.read_archive(&key).await?));
    }
    let link = services.link(&archive, &key.to_string(), None, &method, Timestamp::now()).await?;
    Ok(Answer::Leads(tell_bad_rows(lead_to(link, redirect), export.id, &archive, &base)))
}

/// Refuses a range without data, and one with more than an export may hold.
async fn check_size(
    services: &Services,
    new: &Export,
    window: Window,
    base: &BaseUrl,
) -> Result<(), Refused> {
    let Some(dataset) = dataset(services) else { return Err(Refused::NoData) };
    let mut sizes = services.lake.filed_bytes(dataset, &new.workspace, window).await?;
    sizes.retain(|(_, bytes)| *bytes > 0);
    if sizes.is_empty() {
        return Err(Refused::NoData);
    }
    let parts = size::fitting(window, &sizes, dataset.max_export_bytes);
    if parts.len() > 1 {
        let url = |part: &Window| {
            base.join(&format!("/api/2/export?{}", ask::query(part.from(), part.to())))
        };
        return Err(Refused::TooLarge(parts.iter().map(url).collect()));
    }
    Ok(())
}

fn dataset(services: &Services) -> Option<&Dataset> {
    services.catalog.table(TABLE).map(|table| services.catalog.dataset_of(table))
}

/// Waits until the export has an archive.
async fn finished(app: &App, mut export: Export, begun: Instant) -> Result<Archive, Refused> {
    loop {
        match export.state {
            ExportState::Succeeded { archive } => return Ok(archive),
            ExportState::Failed { failure, .. } => return Err(Refused::Failed(failure.detail)),
            ExportState::Queued { .. } | ExportState::Running { .. }
                if begun.elapsed() < app.wait =>
            {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            // Cancelled or deleted through the native API: the next request makes a new one.
            _ => return Err(Refused::NotYet),
        }
        let found = app.services.exports.get(&export.workspace, export.id).await?;
        export =
            found.ok_or_else(|| Refused::Broken(anyhow::anyhow!("find export {}", export.id)))?;
    }
}
