//! Leading to what can be downloaded of an export.

use axum::{
    Extension, RequestPartsExt as _,
    extract::FromRequestParts,
    http::{HeaderMap, Method, request::Parts},
    response::Response,
};
use export::{Archive, Export, Fault, FileName, Privilege};
use jiff::Timestamp;
use web::{BaseUrl, Problem, lead_to, tell_bad_rows, wants_redirect};

use crate::{
    app::App,
    read::{find, ready},
};

/// A request for something to download. It is never printed: a token is among its headers.
pub(crate) struct DownloadRequest {
    method: Method,
    headers: HeaderMap,
    base: BaseUrl,
    query: String,
    now: Timestamp,
}

impl<S: Send + Sync> FromRequestParts<S> for DownloadRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Extension(base) = parts.extract::<Extension<BaseUrl>>().await?;
        Ok(Self {
            method: parts.method.clone(),
            headers: parts.headers.clone(),
            base,
            query: parts.uri.query().unwrap_or_default().to_owned(),
            now: Timestamp::now(),
        })
    }
}

impl DownloadRequest {
    /// Finds the export for somebody who may see it, if it can be downloaded.
    pub(crate) async fn ready(&self, app: &App, id: &str) -> Result<(Export, Archive), Problem> {
        let found = find(app, &self.headers, Privilege::View, id, self.now).await?;
        let export = ready(found, self.now)?;
        let archive = export.archive().cloned();
        Ok((export, archive.ok_or_else(|| anyhow::anyhow!("find the archive of export {id}"))?))
    }

    /// Leads to an object, given its key and what it is called.
    pub(crate) async fn lead(
        &self,
        app: &App,
        export: &Export,
        archive: &Archive,
        (key, name): (&str, &FileName),
    ) -> Result<Response, Problem> {
        let wrong = |detail| Problem::invalid(Fault::new("wrong_redirect", "redirect", detail));
        let redirect = wants_redirect(&self.query).map_err(wrong)?;
        let services = &app.services;
        let link = services.link(archive, key, Some(name), &self.method, self.now).await?;
        Ok(tell_bad_rows(lead_to(link, redirect), export.id, archive, &self.base))
    }
}
