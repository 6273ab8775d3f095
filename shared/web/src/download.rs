//! Leading to what can be downloaded, and telling what is not in it or not as it was.

use axum::{
    Json,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use cloud::{Link, LinkMethod};
use export::{Archive, ExportId};
use jiff::Timestamp;
use serde::Serialize;

use crate::BaseUrl;

/// The header that says how many rows of an export have something that could not be exported.
const BAD_ROWS: &str = "decant-bad-rows";

#[derive(Serialize)]
struct LinkView {
    url: String,
    expires_at: Timestamp,
}

/// Reads from a query whether to lead to a file by a redirect, as without the parameter `redirect`.
/// With `redirect=false` the link is shown: some clients would send their token along to S3, which
/// refuses that.
pub fn wants_redirect(query: &str) -> Result<bool, String> {
    let mut wanted = None;
    for (_, value) in form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == "redirect")
    {
        let value = match &*value.to_ascii_lowercase() {
            "true" => true,
            "false" => false,
            _ => return Err("redirect is true or false. Send one of them.".to_owned()),
        };
        if wanted.is_some_and(|wanted| wanted != value) {
            return Err("redirect is both true and false. Send it once.".to_owned());
        }
        wanted = Some(value);
    }
    Ok(wanted.unwrap_or(true))
}

/// Returns the method that a link has to be signed for if a request of this method is led to it.
pub fn link_method(method: &Method) -> LinkMethod {
    if method == Method::HEAD { LinkMethod::Head } else { LinkMethod::Get }
}

/// Leads to a file, or shows the link to it. Nobody may keep the answer: a link is made at each click.
pub fn lead_to(link: Link, redirect: bool) -> Response {
    let no_store = (header::CACHE_CONTROL, "no-store");
    if redirect {
        return (StatusCode::FOUND, [(header::LOCATION, &*link.url), no_store]).into_response();
    }
    let view = LinkView { url: link.url, expires_at: link.expires_at };
    ([no_store], Json(view)).into_response()
}

/// Says in the headers of an answer about an export how many bad rows it has, and where they are listed:
/// clients of every dialect take headers that they do not know.
pub fn tell_bad_rows(
    mut response: Response,
    export: ExportId,
    archive: &Archive,
    base: &BaseUrl,
) -> Response {
    if archive.bad_rows == 0 {
        return response;
    }
    let list = base.join(&format!("/v1/exports/{export}/bad-rows"));
    response.headers_mut().insert(BAD_ROWS, HeaderValue::from(archive.bad_rows));
    if let Ok(link) = HeaderValue::from_str(&format!("<{list}>; rel=\"describedby\"")) {
        response.headers_mut().append(header::LINK, link);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_false_asks_for_the_link_itself() {
        for query in [
            "",
            "redirect=true",
            "redirect=TRUE&x=y",
            "redirects=false",
            "redirect=true&redirect=true",
        ] {
            assert_eq!(wants_redirect(query), Ok(true), "{query}");
        }
        for query in ["redirect=false", "x=y&redirect=False"] {
            assert_eq!(wants_redirect(query), Ok(false), "{query}");
        }
        for query in ["redirect", "redirect=no", "redirect=true&redirect=false"] {
            assert!(wants_redirect(query).is_err(), "{query}");
        }
    }

    #[test]
    fn a_link_is_followed_or_shown_and_never_kept() {
        let expires_at: Timestamp = "2026-03-01T00:05:00Z".parse().unwrap();
        let link = Link { url: "https://s3/x?y".to_owned(), expires_at };
        let (led, shown) = (lead_to(link.clone(), true), lead_to(link, false));

        assert_eq!(
            (led.status(), &led.headers()[header::LOCATION]),
            (StatusCode::FOUND, &HeaderValue::from_static("https://s3/x?y"))
        );
        assert_eq!((shown.status(), shown.headers().get(header::LOCATION)), (StatusCode::OK, None));
        for response in [led, shown] {
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        }
    }
}
