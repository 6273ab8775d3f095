//! What a person is answered where something does not go on: the page to sign in, or a page that says why.

use axum::{
    Extension,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use maud::html;
use url::Url;
use web::{AuthError, BaseUrl, Problem};

use crate::frame::{self, Place};

/// Why something does not go on.
#[derive(Debug)]
pub enum Refusal {
    /// Nobody has signed in, or their token is good no more.
    SignIn,
    /// The token opens several workspaces, and none was chosen.
    ChooseWorkspace,
    /// Anything else, as the native API says it.
    Problem(Problem),
}

/// A refusal on its way out of the router, where it is known under which URL its links are.
#[derive(Clone, Debug)]
enum Told {
    SignIn,
    ChooseWorkspace,
    Problem { status: StatusCode, detail: String, headers: HeaderMap },
}

impl From<AuthError> for Refusal {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Missing | AuthError::Invalid(..) => Self::SignIn,
            AuthError::WorkspaceRequired(_) | AuthError::WorkspaceForbidden => {
                Self::ChooseWorkspace
            }
            other => Self::Problem(other.into()),
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<service::Error> for Refusal {
    fn from(error: service::Error) -> Self {
        Self::Problem(error.into())
    }
}

impl From<cloud::Error> for Refusal {
    fn from(error: cloud::Error) -> Self {
        Self::Problem(error.into())
    }
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        Self::Problem(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let told = match self {
            Self::SignIn => Told::SignIn,
            Self::ChooseWorkspace => Told::ChooseWorkspace,
            Self::Problem(problem) => {
                let (status, detail, headers) = problem.into_parts();
                Told::Problem { status, detail, headers: headers.into_iter().collect() }
            }
        };
        Extension(told).into_response()
    }
}

/// Takes forms from pages of this origin only, and answers refusals as pages.
pub async fn guard(base: BaseUrl, request: Request, next: Next) -> Response {
    let is_fragment = request.headers().contains_key("hx-request");
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = if is_safe || is_from_here(request.headers(), &base) {
        next.run(request).await
    } else {
        let detail = "The form was not sent from a page of this console, so nothing was done. Open the console \
                      and send it from there.";
        Refusal::Problem(Problem::new(StatusCode::FORBIDDEN, "other_origin", detail))
            .into_response()
    };
    let told = response.extensions_mut().remove::<Told>();
    let mut response = told.map_or(response, |told| answer(told, &base, is_fragment));
    // Browsers hide the origin of a form from pages that hide where one came from.
    let same_origin = HeaderValue::from_static("same-origin");
    response.headers_mut().insert(header::REFERRER_POLICY, same_origin);
    response
}

/// Answers a refusal.
fn answer(told: Told, base: &BaseUrl, is_fragment: bool) -> Response {
    match told {
        Told::SignIn | Told::ChooseWorkspace => {
            let page = if matches!(told, Told::SignIn) { "/sign-in" } else { "/workspaces" };
            let page = frame::url(base, page);
            match HeaderValue::from_str(&page) {
                Ok(page) if is_fragment => {
                    (StatusCode::NO_CONTENT, [("hx-redirect", page)]).into_response()
                }
                _ => Redirect::to(&page).into_response(),
            }
        }
        Told::Problem { status, detail, headers } => {
            let title = match status {
                StatusCode::NOT_FOUND => "There is nothing here",
                StatusCode::FORBIDDEN => "You may not do this",
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "Too much to do",
                status if status.is_server_error() => "Something went wrong",
                _ => "This cannot be done",
            };
            let content = html! { p.fault role="alert" { (detail) } };
            let mut page = frame::page(status, title, (base, Place::Elsewhere), &content);
            page.headers_mut().extend(headers);
            page
        }
    }
}

/// Whether a browser says that a request comes from a page of this origin. Programs say nothing of that, and are not
/// served.
fn is_from_here(headers: &HeaderMap, base: &BaseUrl) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(header::ORIGIN), text(header::HeaderName::from_static("sec-fetch-site"))) {
        (Some(origin), _) => {
            Url::parse(&base.join("")).is_ok_and(|url| url.origin().ascii_serialization() == origin)
        }
        (None, site) => site == Some("same-origin"),
    }
}
