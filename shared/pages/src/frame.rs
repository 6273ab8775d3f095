//! The frame that every page stands in.

use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse as _, Response},
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::Policy;

/// The style of all pages. [`Policy`] allows it by its hash.
pub(crate) const STYLE: &str = include_str!("style.css");

/// What stands around the content of a page.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// What the page is called. It may come from a user.
    pub title: String,
    /// What stands in the head beside the style, as scripts.
    pub head: Option<Markup>,
    /// What stands above the content on every page, as links to the others.
    pub top: Option<Markup>,
    /// What a browser may do with the page.
    pub policy: Policy,
}

/// Answers a page.
pub fn page(status: StatusCode, frame: &Frame, content: &Markup) -> Response {
    let Frame { title, head, top, policy } = frame;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
                @if let Some(head) = head { (head) }
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                @if let Some(top) = top { (top) }
                main #content { h1 dir="auto" { (title) } (content) }
            }
        }
    };
    let policy = (header::CONTENT_SECURITY_POLICY, policy.header());
    (status, [policy], Html(page.into_string())).into_response()
}
