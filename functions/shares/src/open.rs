//! A request to open a shared link, and what the link leads to.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::{Method, StatusCode, header, request::Parts},
    response::Response,
};
use cloud::Link;
use export::{Archive, ArchiveKey, Export, Fault, FileKey, FileName, Share, ShareSecret};
use service::Opened;
use web::{Kit, Problem, Public, lead_to, link_method, wants_redirect};

use crate::{
    app::App,
    refuse::{ended, not_ready, unknown},
};

/// How soon to look again at an export that is not finished, in seconds.
pub(crate) const LOOK_AGAIN_SECONDS: u64 = 5;

/// A request to open a shared link.
pub(crate) struct OpenRequest {
    pub(crate) app: Public<App>,
    pub(crate) method: Method,
    /// Whether a person looks, with a browser: then the answer is a page.
    pub(crate) wants_page: bool,
    secret: String,
    file: String,
    query: String,
}

/// An export that can be downloaded, and the share that opened it. The archive ends when the share does.
pub(crate) struct Ready {
    pub(crate) share: Share,
    pub(crate) export: Export,
    pub(crate) archive: Archive,
}

impl FromRequestParts<Kit<App>> for OpenRequest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, kit: &Kit<App>) -> Result<Self, Infallible> {
        let app = Public::from_request_parts(parts, kit).await?;
        // A parameter that is no text leads nowhere, as any other that is none of ours.
        let params = RawPathParams::from_request_parts(parts, kit).await.ok();
        let param = |name: &str| {
            let found = params.iter().flatten().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let accepts = parts.headers.get_all(header::ACCEPT).iter();
        let mut accepts = accepts.filter_map(|value| value.to_str().ok());
        let query = parts.uri.query().unwrap_or_default().to_owned();
        Ok(Self {
            secret: param("secret"),
            file: param("name"),
            method: parts.method.clone(),
            wants_page: accepts.any(|accept| accept.contains("text/html")),
            query,
            app,
        })
    }
}

impl OpenRequest {
    /// Looks up what the link leads to. An export that is not finished is no error here.
    pub(crate) async fn opened(&self) -> Result<Opened, Problem> {
        let Ok(secret) = self.secret.parse::<ShareSecret>() else { return Ok(Opened::Unknown) };
        Ok(self.app.shares.open(&secret, self.app.now).await?)
    }

    /// Returns the export that can be downloaded, or says why there is none.
    pub(crate) async fn ready(&self) -> Result<Ready, Problem> {
        match self.opened().await? {
            Opened::Unknown => Err(unknown()),
            Opened::Gone(gone) => Err(ended(gone)),
            Opened::Unfinished(_) => Err(not_ready()),
            Opened::Ready(share, export, archive) => {
                Ok(Ready { share: *share, export: *export, archive })
            }
        }
    }

    /// Whether to lead to a file by a redirect, as without the parameter `redirect`.
    pub(crate) fn wants_redirect(&self) -> Result<bool, Problem> {
        let wrong = |detail| Problem::invalid(Fault::new("wrong_redirect", "redirect", detail));
        wants_redirect(&self.query).map_err(wrong)
    }

    /// The path of the link, and of a file below it.
    pub(crate) fn path(&self, file: Option<&str>) -> String {
        let link = format!("/s/{}", self.secret);
        file.map_or(link.clone(), |name| format!("{link}/files/{name}"))
    }

    /// Signs a link to the ZIP.
    pub(crate) async fn zip_link(&self, ready: &Ready) -> Result<Link, Problem> {
        let key = ArchiveKey::of(&ready.export.workspace, ready.export.id).to_string();
        self.sign(ready, &key, &ready.export.zip_name()).await
    }

    /// Signs a link to a plain file.
    pub(crate) async fn file_link(&self, ready: &Ready, name: &str) -> Result<Link, Problem> {
        let key = FileKey::of(&ready.export.workspace, ready.export.id, name).to_string();
        self.sign(ready, &key, &FileName::plain(name)).await
    }

    async fn sign(&self, ready: &Ready, key: &str, name: &FileName) -> Result<Link, Problem> {
        let (links, method) = (&self.app.shares.links, link_method(&self.method));
        Ok(links.sign(&ready.archive, key, name, method, self.app.now).await?)
    }

    /// Counts a use of the share. To look by HEAD is none.
    pub(crate) async fn take(&self, ready: &Ready, file: Option<&str>) -> Result<(), Problem> {
        if self.method == Method::HEAD {
            return Ok(());
        }
        let app = &self.app;
        app.shares.take(&ready.share, file, &app.actor, app.now).await?.map_err(ended)
    }

    /// Writes down that the page of the link is opened.
    pub(crate) async fn record_opened(&self, ready: &Ready) -> Result<(), Problem> {
        Ok(self.app.shares.record_opened(&ready.share, &self.app.actor, self.app.now).await?)
    }

    /// Leads to what a link was signed for, or shows the link.
    pub(crate) fn lead(&self, ready: &Ready, link: Link) -> Result<Response, Problem> {
        let mut response = lead_to(link, self.wants_redirect()?);
        if self.method == Method::POST && response.status() == StatusCode::FOUND {
            *response.status_mut() = StatusCode::SEE_OTHER;
        }
        if ready.archive.bad_rows > 0 {
            response.headers_mut().insert("decant-bad-rows", ready.archive.bad_rows.into());
        }
        Ok(response)
    }

    /// The name of the file that the path asks for, if the export has it.
    pub(crate) fn file<'a>(&'a self, ready: &Ready) -> Option<&'a str> {
        let counts = ready.archive.table_files.as_deref().unwrap_or_default();
        ready.export.request.part_names(counts).contains(&self.file).then_some(&*self.file)
    }
}
