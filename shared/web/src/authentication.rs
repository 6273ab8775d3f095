//! Who calls.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use cloud::TokenTable;
use export::{Privilege, Token, TokenRecord, Workspace};
use jiff::Timestamp;

use crate::Problem;

/// The header by which the holder of a token for several workspaces chooses one.
const WORKSPACE_HEADER: &str = "decant-workspace";

/// Finds out who calls.
#[derive(Clone, Debug)]
pub struct Authenticator {
    tokens: TokenTable,
}

/// Somebody whose token is good for what they do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The workspace they act in.
    pub workspace: Workspace,
}

impl Authenticator {
    /// Returns one that looks tokens up in `tokens`.
    pub fn new(tokens: TokenTable) -> Self {
        Self { tokens }
    }

    /// Finds out who sent a request with a bearer token (RFC 6750), and that they may do what needs
    /// `privilege`.
    pub async fn bearer(
        &self,
        headers: &HeaderMap,
        privilege: Privilege,
        now: Timestamp,
    ) -> Result<Caller, Problem> {
        let token: Token = match bearer(headers) {
            None => {
                return Err(unauthorized(
                    "Bearer",
                    "token_missing",
                    "Send a token: Authorization: Bearer dct_...",
                ));
            }
            Some(text) => text.parse().map_err(|e| {
                unauthorized(
                    INVALID,
                    "token_invalid",
                    format!("Send the token as it was given to you: {e}."),
                )
            })?,
        };
        let record = self.tokens.get(token.id()).await?;
        let record = record.filter(|record| record.matches(&token)).ok_or_else(|| {
            unauthorized(
                INVALID,
                "token_invalid",
                "There is no such token. Ask your operator for one.",
            )
        })?;
        if !record.is_live(now) {
            let detail = "The token was revoked or has expired. Ask your operator for a new one.";
            return Err(unauthorized(INVALID, "token_ended", detail));
        }
        caller(&record, headers, privilege)
    }
}

/// Chooses the workspace and checks the privilege.
fn caller(
    record: &TokenRecord,
    headers: &HeaderMap,
    privilege: Privilege,
) -> Result<Caller, Problem> {
    let workspace = match (headers.get(WORKSPACE_HEADER), &record.workspaces[..]) {
        (None, [only]) => only.clone(),
        (None, several) => {
            let names = several.iter().map(Workspace::as_ref).collect::<Vec<_>>().join(", ");
            let detail = format!(
                "The token opens several workspaces ({names}). Choose one: Decant-Workspace: ..."
            );
            return Err(Problem::new(StatusCode::BAD_REQUEST, "workspace_required", detail));
        }
        (Some(chosen), mine) => {
            let found =
                mine.iter().find(|workspace| workspace.as_ref().as_bytes() == chosen.as_bytes());
            found.cloned().ok_or_else(|| {
                let detail = "The token does not open the workspace that Decant-Workspace names.";
                Problem::new(StatusCode::FORBIDDEN, "workspace_forbidden", detail)
            })?
        }
    };
    if !record.privileges.contains(&privilege) {
        let name = match privilege {
            Privilege::View => "view",
            Privilege::Edit => "edit",
        };
        let detail = format!("This needs the privilege \"{name}\", which the token does not have.");
        return Err(Problem::new(StatusCode::FORBIDDEN, "privilege_missing", detail));
    }
    Ok(Caller { workspace })
}

/// The credential of an `Authorization` header whose scheme is Bearer, in any case.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, credential) =
        headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim())
}

const INVALID: &str = "Bearer error=\"invalid_token\"";

fn unauthorized(challenge: &'static str, code: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, detail)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(workspaces: &[&str], privileges: &[Privilege]) -> TokenRecord {
        TokenRecord {
            id: "0".into(),
            secret_sha256: String::new(),
            workspaces: workspaces.iter().map(|name| name.parse().unwrap()).collect(),
            privileges: privileges.into(),
            description: String::new(),
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: None,
            revoked_at: None,
        }
    }

    fn chosen(workspace: &str) -> HeaderMap {
        HeaderMap::from_iter([(WORKSPACE_HEADER.parse().unwrap(), workspace.parse().unwrap())])
    }

    #[test]
    fn the_workspace_comes_from_the_token_alone() {
        let view = Privilege::View;
        let one = record(&["acme"], &[view]);
        let two = record(&["acme", "beta"], &[view]);

        assert_eq!(caller(&one, &HeaderMap::new(), view).unwrap().workspace.as_ref(), "acme");
        assert!(caller(&one, &chosen("beta"), view).is_err());
        assert!(caller(&two, &HeaderMap::new(), view).is_err());
        assert_eq!(caller(&two, &chosen("beta"), view).unwrap().workspace.as_ref(), "beta");
    }

    #[test]
    fn viewing_does_not_allow_editing() {
        let viewer = record(&["acme"], &[Privilege::View]);
        assert!(caller(&viewer, &HeaderMap::new(), Privilege::Edit).is_err());
    }

    #[test]
    fn the_scheme_is_read_in_any_case() {
        let headers =
            |value: &str| HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        assert_eq!(bearer(&headers("bEARER  x ")), Some("x"));
        assert_eq!(bearer(&headers("Basic x")), None);
        assert_eq!(bearer(&headers("x")), None);
    }
}
