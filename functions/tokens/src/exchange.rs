//! `POST /v1/tokens`: a token of ours for one of the provider's.

use std::collections::BTreeMap;

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use export::{Privilege, Workspace};
use serde::Serialize;
use serde_json::{Map, Value};
use service::Grant;
use tracing::info;
use web::Public;

use crate::{
    app::App,
    fault::Fault,
    request::{ACCESS_TOKEN, MAX_WORKSPACES, TokenRequest},
    verify::{Verified, verify},
};

/// The claims that tell people who somebody is, the best first.
const NAMES: [&str; 3] = ["email", "preferred_username", "sub"];

/// A token of ours (RFC 8693, section 2.2.1).
#[derive(Serialize)]
struct Issued {
    access_token: String,
    #[serde(rename = "issued_token_type")]
    kind: &'static str,
    token_type: &'static str,
    expires_in: i64,
    scope: &'static str,
    /// The workspaces that it is for.
    workspaces: Vec<Workspace>,
}

pub(crate) async fn exchange(app: Public<App>, request: TokenRequest) -> Result<Response, Fault> {
    let Some(provider) = &app.provider else {
        let detail = "Signing in by a provider is not set up here. Ask your operator for a token, or to set OidcIssuer.";
        return Err(Fault::absent(StatusCode::NOT_FOUND, "sign_in_not_set_up", detail));
    };
    let verified = verify(&request.subject_token, provider, &app.audiences, app.now).await;
    let Verified { claims, ends_at } =
        verified.inspect_err(|fault| info!("refused a token of the provider: {fault:?}"))?;
    let granted = app.rules.granted(&claims);
    let grant = choose(granted, &request, name(&claims))?;
    let (scope, presented) = (scope(grant.privilege), (&*request.subject_token, ends_at));
    let made = app.sign_in.exchange(grant, presented, &app.actor, app.now).await?;
    let Some((token, record)) = made else {
        return Err(Fault::grant(
            "subject_token was exchanged before. Sign in at your provider again for another one.",
        ));
    };
    info!(token.id = record.id, "exchanged a token of the provider for token {}", record.id);
    let issued = Issued {
        access_token: token.reveal(),
        kind: ACCESS_TOKEN,
        token_type: "Bearer",
        expires_in: app.sign_in.lifetime.as_secs(),
        scope,
        workspaces: record.workspaces,
    };
    Ok(([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(issued))
        .into_response())
}

/// Returns what a token is made for, of all that is granted.
fn choose(
    mut granted: BTreeMap<Workspace, Privilege>,
    request: &TokenRequest,
    name: String,
) -> Result<Grant, Fault> {
    if let Some(other) = request.workspaces.iter().find(|name| !granted.contains_key(*name)) {
        return Err(Fault::target(format!("You may not use the workspace {other}.")));
    }
    if !request.workspaces.is_empty() {
        granted.retain(|workspace, _| request.workspaces.contains(workspace));
    }
    let Some(least) = granted.values().min().copied() else {
        let detail = "No rule gives you a workspace. Ask your operator.";
        return Err(Fault::grant(detail));
    };
    // What a token may do, it may do in each of its workspaces.
    let privilege = request.privilege.unwrap_or(least);
    if privilege > least {
        let all = "You may not edit in each of these workspaces. Name those in which you may by audience, or ask for \
                   scope=view.";
        return Err(Fault::scope(all));
    }
    if granted.len() > MAX_WORKSPACES {
        let detail =
            format!("A token is for {MAX_WORKSPACES} workspaces at most. Name them by audience.");
        return Err(Fault::target(detail));
    }
    Ok(Grant { workspaces: granted.into_keys().collect(), privilege, name })
}

/// Returns who somebody is.
fn name(claims: &Map<String, Value>) -> String {
    let text = |claim: &&str| claims.get(*claim).and_then(Value::as_str);
    NAMES.iter().find_map(text).unwrap_or_default().chars().take(200).collect()
}

fn scope(privilege: Privilege) -> &'static str {
    match privilege {
        Privilege::View => "view",
        Privilege::Edit => "view edit",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(
        granted: &[(&str, Privilege)],
        audience: &[&str],
        privilege: Option<Privilege>,
    ) -> Result<(Vec<String>, Privilege), &'static str> {
        let parsed = |name: &&str| name.parse::<Workspace>().unwrap();
        let granted = granted.iter().map(|(name, privilege)| (parsed(name), *privilege)).collect();
        let workspaces = audience.iter().map(parsed).collect();
        let request = TokenRequest { subject_token: String::new(), workspaces, privilege };
        let grant = choose(granted, &request, String::new()).map_err(|fault| fault.told().0)?;
        Ok((grant.workspaces.iter().map(ToString::to_string).collect(), grant.privilege))
    }

    #[test]
    fn a_token_is_for_what_is_granted_and_never_for_more() {
        let (view, edit) = (Privilege::View, Privilege::Edit);
        let granted = [("acme", edit), ("globex", view)];
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(chosen(&granted, &[], None), Ok((names(&["acme", "globex"]), view)));
        assert_eq!(chosen(&granted, &["acme"], None), Ok((names(&["acme"]), edit)));
        assert_eq!(chosen(&granted, &["acme"], Some(view)), Ok((names(&["acme"]), view)));
        assert_eq!(chosen(&granted, &[], Some(edit)), Err("invalid_scope"));
        assert_eq!(chosen(&granted, &["globex"], Some(edit)), Err("invalid_scope"));
        assert_eq!(chosen(&granted, &["initech"], None), Err("invalid_target"));
        assert_eq!(chosen(&[], &[], None), Err("invalid_grant"));
    }

    #[test]
    fn a_token_is_for_90_workspaces_at_most() {
        let names: Vec<String> = (0..91).map(|n| format!("w{n}")).collect();
        let granted: Vec<_> = names.iter().map(|name| (name.as_str(), Privilege::View)).collect();
        assert!(chosen(&granted[..90], &[], None).is_ok());
        assert_eq!(chosen(&granted, &[], None), Err("invalid_target"));
    }
}
