//! What a handler is given: who calls, and what they may do.
//!
//! A handler reaches the content of its API's app through [`Authorized`], or through [`Public`] where no token is
//! needed. `State` gives it a [`Kit`], whose content is private, so a handler that forgets to authenticate has
//! nothing to answer with and does not compile.

use std::{convert::Infallible, fmt, marker::PhantomData, ops::Deref, sync::Arc};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts},
    http::request::Parts,
    middleware::from_fn_with_state,
    response::IntoResponse,
};
use export::{Actor, Privilege, Workspace};
use jiff::Timestamp;
use service::Clock;

use crate::{
    AuthError, Credential, RequestTime, Services, authentication::Caller, context::Client,
    with_context,
};

/// What every function needs to know to answer at all, whether or not its callers have tokens.
pub trait Site: Send + Sync + 'static {
    /// Returns what the audit trail calls it, as `native`.
    fn name(&self) -> &'static str;

    /// Returns the URL under which users reach the function, if it is not API Gateway's own.
    fn public_base_url(&self) -> Option<&str>;

    /// Returns the clock.
    fn clock(&self) -> Clock;
}

/// An API whose callers have tokens: its clients and settings, how its requests carry a credential, and how it
/// answers errors.
pub trait Api: Send + Sync + 'static {
    /// What the audit trail calls it, as `native`.
    const NAME: &'static str;

    /// The errors that it answers.
    type Error: From<AuthError> + IntoResponse + Send;

    /// Returns the clients and settings that every API has.
    fn services(&self) -> &Services;

    /// Reads the credential of a request.
    fn credential(request: &Parts) -> Result<Credential, AuthError>;
}

/// The state of a router. Its content is private, so that handlers take [`Authorized`] or [`Public`].
pub struct Kit<A>(Arc<A>);

/// A caller whose token has the privilege `P` in the workspace that they act in. It derefs to the API's app.
pub struct Authorized<A, P> {
    app: Arc<A>,
    /// The workspace that they act in.
    pub workspace: Workspace,
    /// The name of their token, or its id if it has none.
    pub name: String,
    /// Who they are to the audit trail.
    pub actor: Actor,
    /// When the request came.
    pub now: Timestamp,
    privilege: PhantomData<P>,
}

/// A caller who needs no token. Use it only where anybody may know the answer, or where calls carry their own
/// tokens. It derefs to the API's app.
pub struct Public<A> {
    app: Arc<A>,
    /// Who they are to the audit trail, as far as that is known without a credential.
    pub actor: Actor,
    /// When the request came.
    pub now: Timestamp,
}

/// A privilege that a handler requires.
pub trait Required: Send + Sync + 'static {
    /// The privilege.
    const PRIVILEGE: Privilege;
}

/// Requires [`Privilege::View`].
#[derive(Clone, Copy, Debug)]
pub struct View;

/// Requires [`Privilege::Edit`].
#[derive(Clone, Copy, Debug)]
pub struct Edit;

impl Required for View {
    const PRIVILEGE: Privilege = Privilege::View;
}

impl Required for Edit {
    const PRIVILEGE: Privilege = Privilege::Edit;
}

/// Returns the router of an API: its routes with the app, and with the context that answers and logs need.
///
/// The limit of axum for bodies is off: each API answers its own, smaller limit in its own words.
pub fn router<A: Site>(app: A, routes: Router<Kit<A>>) -> Router {
    let context = (app.public_base_url().map(str::to_owned), app.clock());
    routes
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(context, with_context))
        .with_state(Kit(Arc::new(app)))
}

impl<A: Api> Site for A {
    fn name(&self) -> &'static str {
        A::NAME
    }

    fn public_base_url(&self) -> Option<&str> {
        self.services().public_base_url.as_deref()
    }

    fn clock(&self) -> Clock {
        self.services().exports.clock
    }
}

impl<A: Api> Public<A> {
    /// Returns the holder of a credential, if their token has the privilege `P`.
    pub async fn authorize<P: Required>(
        &self,
        credential: &Credential,
    ) -> Result<Authorized<A, P>, AuthError> {
        authorize(Arc::clone(&self.app), credential, self.actor.clone(), self.now).await
    }
}

impl<A: Api> Kit<A> {
    /// Returns the clients and settings that every API has.
    pub(crate) fn services(&self) -> &Services {
        self.0.services()
    }
}

async fn authorize<A: Api, P: Required>(
    app: Arc<A>,
    credential: &Credential,
    actor: Actor,
    now: Timestamp,
) -> Result<Authorized<A, P>, AuthError> {
    let authenticator = &app.services().authenticator;
    let caller = authenticator.authorize(credential, P::PRIVILEGE, &actor, now).await?;
    let Caller { workspace, token, name } = caller;
    let actor = Actor { token: Some(token), name: Some(name.clone()), ..actor };
    Ok(Authorized { app, workspace, name, actor, now, privilege: PhantomData })
}

impl<A: Api, P: Required> FromRequestParts<Kit<A>> for Authorized<A, P> {
    type Rejection = A::Error;

    async fn from_request_parts(parts: &mut Parts, kit: &Kit<A>) -> Result<Self, A::Error> {
        let credential = A::credential(parts)?;
        let now = RequestTime::of(parts, kit.services().exports.clock);
        let actor = Client::of(parts).actor(A::NAME);
        Ok(authorize(Arc::clone(&kit.0), &credential, actor, now).await?)
    }
}

impl<A: Site> FromRequestParts<Kit<A>> for Public<A> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, kit: &Kit<A>) -> Result<Self, Infallible> {
        let now = RequestTime::of(parts, kit.0.clock());
        let actor = Client::of(parts).actor(kit.0.name());
        Ok(Self { app: Arc::clone(&kit.0), actor, now })
    }
}

impl<A> Clone for Kit<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A, P> Deref for Authorized<A, P> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.app
    }
}

impl<A> Deref for Public<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.app
    }
}

impl<A> fmt::Debug for Kit<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kit").finish_non_exhaustive()
    }
}

impl<A, P> fmt::Debug for Authorized<A, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorized").field("workspace", &self.workspace).finish_non_exhaustive()
    }
}

impl<A> fmt::Debug for Public<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Public").finish_non_exhaustive()
    }
}
