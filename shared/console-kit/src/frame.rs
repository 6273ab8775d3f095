//! The frame of the console's pages: the links to all of them, and who has signed in.

use axum::{http::StatusCode, response::Response};
use maud::{Markup, html};
use pages::{Frame, Policy};
use web::BaseUrl;

/// Where a page stands among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The list of exports.
    Exports,
    /// A new export.
    New,
    /// The workspace.
    Workspace,
    /// The audit trail.
    Audit,
    /// Below one of them, or beside all.
    Elsewhere,
    /// Where nobody has signed in.
    Outside,
}

/// Returns the URL of a path of the console.
pub fn url(base: &BaseUrl, path: &str) -> String {
    base.join(&format!("/console{path}"))
}

/// Answers a page of the console.
pub fn page(
    status: StatusCode,
    title: &str,
    (base, place): (&BaseUrl, Place),
    content: &Markup,
) -> Response {
    page_that_leads(status, title, (base, place), Vec::new(), content)
}

/// Answers a page with forms that are led to these URLs in the end.
pub fn page_that_leads(
    status: StatusCode,
    title: &str,
    (base, place): (&BaseUrl, Place),
    forms_lead_to: Vec<String>,
    content: &Markup,
) -> Response {
    let frame = Frame {
        title: title.to_owned(),
        head: Some(head(base)),
        top: (place != Place::Outside).then(|| top(base, place)),
        policy: Policy { scripts: true, forms_lead_to },
    };
    pages::page(status, &frame, content)
}

fn head(base: &BaseUrl) -> Markup {
    html! {
        meta name="htmx-config" content=r#"{"includeIndicatorStyles":false,"allowEval":false,"historyCacheSize":0}"#;
        script src=(url(base, "/htmx.js")) defer {}
        script src=(url(base, "/console.js")) defer {}
    }
}

fn top(base: &BaseUrl, place: Place) -> Markup {
    let links = [
        (Place::Exports, "", "Exports"),
        (Place::New, "/new", "New export"),
        (Place::Workspace, "/workspace", "Workspace"),
        (Place::Audit, "/audit", "Audit trail"),
    ];
    html! {
        header {
            strong { "Decant" }
            nav aria-label="Pages" {
                ul {
                    @for (of, path, name) in links {
                        li { a href=(url(base, path)) aria-current=[(of == place).then_some("page")] { (name) } }
                    }
                }
            }
            form method="post" action=(url(base, "/sign-out")) { button type="submit" { "Sign out" } }
        }
    }
}
