//! Opening a link: its page, and the downloads behind it.

use axum::response::Response;
use service::Opened;
use web::{BaseUrl, Problem};

use crate::{
    list,
    open::{OpenRequest, Ready},
    page,
    refuse::{post_required, unknown},
};

/// `GET /s/{secret}`: to a person, a page that says what there is; to a program, the file itself, or the list of
/// files. A link for one use is not used up by looking.
pub(crate) async fn look(request: OpenRequest, base: BaseUrl) -> Response {
    let answered = async {
        if request.wants_page
            && request.wants_redirect()?
            && let Opened::Unfinished(export) = request.opened().await?
        {
            return Ok(page::unfinished(&export));
        }
        let ready = request.ready().await?;
        let has_files = ready.archive.table_files.is_some();
        if request.wants_page && request.wants_redirect()? {
            return overview(&request, &ready, &base).await;
        }
        match (ready.share.once, has_files) {
            (true, _) => Err(post_required()),
            (false, true) => Ok(list::json(&request.files(&ready, &base).await?)),
            (false, false) => zip(&request, &ready).await,
        }
    };
    answered.await.unwrap_or_else(|problem| request.refuse(problem))
}

/// `POST /s/{secret}`: downloads the ZIP, or lists the files. It uses a link up that is for one use.
pub(crate) async fn take(request: OpenRequest, base: BaseUrl) -> Response {
    let answered = async {
        let ready = request.ready().await?;
        if ready.archive.table_files.is_none() {
            return zip(&request, &ready).await;
        }
        if !ready.share.once {
            return Ok(if request.wants_page {
                overview(&request, &ready, &base).await?
            } else {
                list::json(&request.files(&ready, &base).await?)
            });
        }
        // Before the use is counted: a list that cannot be read uses nothing up.
        let files = request.signed_files(&ready).await?;
        request.take(&ready, None).await?;
        Ok(if request.wants_page { page::taken(&ready, &files) } else { list::json(&files) })
    };
    answered.await.unwrap_or_else(|problem| request.refuse(problem))
}

/// `GET /s/{secret}/files/{name}`: downloads one of several files.
pub(crate) async fn file(request: OpenRequest) -> Response {
    let answered = async {
        let ready = request.ready().await?;
        if ready.share.once {
            return Err(post_required());
        }
        let name = request.file(&ready).ok_or_else(|| {
            let detail =
                "The export has no file of this name. Open the link itself for those there are.";
            Problem::not_found("file_not_found", detail)
        })?;
        let link = request.file_link(&ready, name).await?;
        let response = request.lead(&ready, link)?;
        request.take(&ready, Some(name)).await?;
        Ok(response)
    };
    answered.await.unwrap_or_else(|problem| request.refuse(problem))
}

/// Any other path: no link leads there.
pub(crate) async fn elsewhere(request: OpenRequest) -> Response {
    request.refuse(unknown())
}

async fn zip(request: &OpenRequest, ready: &Ready) -> Result<Response, Problem> {
    let link = request.zip_link(ready).await?;
    // Before the use is counted: a wrong parameter uses nothing up.
    let response = request.lead(ready, link)?;
    request.take(ready, None).await?;
    Ok(response)
}

async fn overview(
    request: &OpenRequest,
    ready: &Ready,
    base: &BaseUrl,
) -> Result<Response, Problem> {
    let link = request.zip_link(ready).await?;
    request.record_opened(ready).await?;
    let files = match (&ready.archive.table_files, ready.share.once) {
        (Some(_), false) => request.files(ready, base).await?,
        (Some(_), true) | (None, _) => Vec::new(),
    };
    Ok(page::ready(ready, &files, &base.join(&request.path(None)), &link.url))
}
