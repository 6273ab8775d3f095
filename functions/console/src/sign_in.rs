//! Signing in by a token, choosing a workspace, and signing out.

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
};
use console_kit::{Form, Place, Refusal, url};
use maud::html;
use web::{AuthError, BaseUrl, Credential, Public, View};

use crate::app::App;

/// `GET /console/sign-in`: the page to sign in.
pub(crate) async fn page(base: BaseUrl) -> Response {
    form(&base, StatusCode::OK, None)
}

/// `POST /console/sign-in`: signs in by a token.
pub(crate) async fn sign_in(
    app: Public<App>,
    base: BaseUrl,
    form: Form,
) -> Result<Response, Refusal> {
    let token = form.text("token");
    let authorized = app.authorize::<View>(&Credential::token(token)).await;
    let page = match authorized {
        Ok(_) => "",
        Err(AuthError::WorkspaceRequired(_)) => "/workspaces",
        Err(AuthError::Missing | AuthError::Invalid(..)) => {
            let detail = "This is no token that can be used. Send the whole token as it was given to you, or ask your \
                          operator for one.";
            return Ok(self::form(&base, StatusCode::UNAUTHORIZED, Some(detail)));
        }
        Err(other) => return Err(other.into()),
    };
    let Some(cookie) = console_kit::keep(&base, token, None) else { return Err(Refusal::SignIn) };
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&url(&base, page))).into_response())
}

/// `GET /console/workspaces`: the workspaces that the token opens, to choose one.
pub(crate) async fn workspaces(
    app: Public<App>,
    base: BaseUrl,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let (token, _) = console_kit::read(&headers).ok_or(Refusal::SignIn)?;
    let names = match app.authorize::<View>(&Credential::token(&token)).await {
        Ok(_) => return Ok(Redirect::to(&url(&base, "")).into_response()),
        Err(AuthError::WorkspaceRequired(names)) => names,
        Err(other) => return Err(other.into()),
    };
    let content = html! {
        p { "Your token opens several workspaces." }
        form method="post" action=(url(&base, "/workspaces")) {
            @for name in names.split(", ") {
                button.inline type="submit" name="workspace" value=(name) { (name) }
            }
        }
    };
    Ok(console_kit::page(StatusCode::OK, "Choose a workspace", (&base, Place::Outside), &content))
}

/// `POST /console/workspaces`: chooses a workspace.
pub(crate) async fn choose(
    app: Public<App>,
    base: BaseUrl,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Refusal> {
    let (token, _) = console_kit::read(&headers).ok_or(Refusal::SignIn)?;
    let workspace = form.text("workspace");
    let credential = Credential::token(&token).in_workspace(Some(workspace));
    app.authorize::<View>(&credential).await?;
    let cookie = console_kit::keep(&base, &token, Some(workspace)).ok_or(Refusal::SignIn)?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&url(&base, ""))).into_response())
}

/// `POST /console/sign-out`: the browser forgets the token.
pub(crate) async fn sign_out(base: BaseUrl) -> Response {
    let cookie = [(header::SET_COOKIE, console_kit::forget(&base))];
    (cookie, Redirect::to(&url(&base, "/sign-in"))).into_response()
}

fn form(base: &BaseUrl, status: StatusCode, fault: Option<&str>) -> Response {
    let content = html! {
        @if let Some(fault) = fault { p.fault role="alert" { (fault) } }
        form method="post" action=(url(base, "/sign-in")) {
            label for="token" { "Token" }
            input #token type="password" name="token" required autocomplete="current-password" size="40";
            p.hint { "It begins with dct_. Your operator gives you one." }
            button type="submit" { "Sign in" }
        }
    };
    console_kit::page(status, "Sign in to Decant", (base, Place::Outside), &content)
}
