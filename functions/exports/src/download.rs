//! Redirects to the downloads of an export.

use axum::{
    extract::FromRequestParts,
    http::{Method, request::Parts},
    response::Response,
};
use export::{Archive, Export, Fault, FileName};
use web::{BaseUrl, Kit, Problem, lead_to, link_method, tell_bad_rows, wants_redirect};

use crate::{
    app::{App, Viewer},
    find::{find, ready},
};

/// A request to download something.
pub(crate) struct DownloadRequest {
    viewer: Viewer,
    method: Method,
    base: BaseUrl,
    query: String,
}

impl FromRequestParts<Kit<App>> for DownloadRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, kit: &Kit<App>) -> Result<Self, Problem> {
        let viewer = Viewer::from_request_parts(parts, kit).await?;
        let Ok(base) = BaseUrl::from_request_parts(parts, kit).await;
        let query = parts.uri.query().unwrap_or_default().to_owned();
        Ok(Self { viewer, method: parts.method.clone(), base, query })
    }
}

impl DownloadRequest {
    /// Finds an export that can be downloaded, and its archive.
    pub(crate) async fn ready(&self, id: &str) -> Result<(Export, Archive), Problem> {
        let export = ready(find(&self.viewer, id).await?, self.viewer.now)?;
        let archive = export.archive().cloned();
        Ok((export, archive.ok_or_else(|| anyhow::anyhow!("find the archive of export {id}"))?))
    }

    /// Redirects to an object, given its key and the name to save it under, or answers the link.
    pub(crate) async fn lead(
        &self,
        export: &Export,
        archive: &Archive,
        (key, name): (&str, &FileName),
    ) -> Result<Response, Problem> {
        let wrong = |detail| Problem::invalid(Fault::new("wrong_redirect", "redirect", detail));
        let redirect = wants_redirect(&self.query).map_err(wrong)?;
        let (services, method) = (&self.viewer.services, link_method(&self.method));
        let (actor, now) = (&self.viewer.actor, self.viewer.now);
        let link = services.links.give((export, archive), (key, name), method, actor, now).await?;
        Ok(tell_bad_rows(lead_to(link, redirect), export.id, archive, &self.base))
    }
}
