//! Authentication: who sends a request, and what they may do.

use std::fmt;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use cloud::TokenTable;
use export::{Actor, Privilege, QuotaExceeded, RequestCost, Token, TokenRecord, Workspace};
use jiff::Timestamp;
use service::Exports;

use crate::{Problem, RETRY_AFTER_BUSY, is_busy};

/// The header by which the holder of a token for several workspaces chooses one.
const WORKSPACE_HEADER: &str = "decant-workspace";

/// Base64 with or without padding: some clients leave it out of `Authorization`.
const LENIENT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Looks tokens up, and counts requests.
#[derive(Clone, Debug)]
pub struct Authenticator {
    tokens: TokenTable,
    exports: Exports,
}

/// A token as a request carries it, and the workspace that the request chose. `Debug` shows neither.
pub struct Credential {
    token: String,
    /// The id of the token, where it was sent beside it.
    id: Option<String>,
    workspace: Option<Vec<u8>>,
}

/// The holder of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The workspace that they act in.
    pub(crate) workspace: Workspace,
    /// The id of the token.
    pub(crate) token: String,
    /// The name of the token, or its id if it has none.
    pub(crate) name: String,
}

/// Why a request is not authorized. Each API says it in its own words.
#[derive(Debug)]
pub enum AuthError {
    /// No token was sent.
    Missing,
    /// The token is malformed, unknown, revoked or expired. Carries the code and the detail to answer.
    Invalid(&'static str, String),
    /// The token is for several workspaces, and none was chosen. Carries their names.
    WorkspaceRequired(String),
    /// The token is not for the chosen workspace.
    WorkspaceForbidden,
    /// The token lacks a privilege.
    PrivilegeMissing(Privilege),
    /// The workspace has used up a quota.
    QuotaExceeded(QuotaExceeded),
    /// The table of tokens or quotas cannot be read.
    Unavailable(anyhow::Error),
}

impl Authenticator {
    /// Returns an authenticator that looks tokens up in `tokens`, and counts requests in `exports`.
    pub fn new(tokens: TokenTable, exports: Exports) -> Self {
        Self { tokens, exports }
    }

    /// Returns the holder of a credential, if their token has `privilege`. The request is counted. `client` is who sends
    /// it, as far as that is known without the credential.
    pub(crate) async fn authorize(
        &self,
        credential: &Credential,
        privilege: Privilege,
        client: &Actor,
        now: Timestamp,
    ) -> Result<Caller, AuthError> {
        let Credential { token, id, workspace } = credential;
        if let Some(id) = id
            && token.parse::<Token>().is_ok_and(|token| token.id() != id)
        {
            let detail = "Key and secret do not belong together.";
            return Err(AuthError::Invalid("token_invalid", detail.to_owned()));
        }
        let record = self.record(token, client, now).await?;
        let caller = caller(&record, workspace.as_deref(), privilege)?;
        self.exports.spend(&caller.workspace, RequestCost::Itself, now).await?;
        Ok(caller)
    }

    /// Returns the record of a token that can be used.
    async fn record(
        &self,
        text: &str,
        client: &Actor,
        now: Timestamp,
    ) -> Result<TokenRecord, AuthError> {
        let token: Token = text.parse().map_err(|e| {
            AuthError::Invalid(
                "token_invalid",
                format!("Send the token as it was given to you: {e}."),
            )
        })?;
        let record =
            self.tokens.get(token.id()).await.map_err(|e| AuthError::Unavailable(e.into()))?;
        let unknown = || {
            let detail = "There is no such token. Ask your operator for one.";
            AuthError::Invalid("token_invalid", detail.to_owned())
        };
        let record = record.ok_or_else(unknown)?;
        let refusal = if !record.matches(&token) {
            unknown()
        } else if !record.is_live(now) {
            let detail = "The token was revoked or has expired. Ask your operator for a new one.";
            AuthError::Invalid("token_ended", detail.to_owned())
        } else {
            return Ok(record);
        };
        self.exports.audit.record_refused_sign_in(&record, client, now).await?;
        Err(refusal)
    }
}

impl Credential {
    /// Reads a bearer token (RFC 6750), and the workspace that the header `Decant-Workspace` chooses.
    pub fn bearer(headers: &HeaderMap) -> Result<Self, AuthError> {
        let token = bearer(headers).ok_or(AuthError::Missing)?.to_owned();
        Ok(Self { token, id: None, workspace: chosen(headers) })
    }

    /// Reads a key pair (RFC 7617), which is a token's id and the token, and the workspace that the header
    /// `Decant-Workspace` chooses.
    pub fn basic(headers: &HeaderMap) -> Result<Self, AuthError> {
        let (id, token) = basic(headers).ok_or(AuthError::Missing)?;
        Ok(Self { token, id: Some(id), workspace: chosen(headers) })
    }

    /// Returns the credential of a token that came by other means than a header.
    pub fn token(token: &str) -> Self {
        Self { token: token.to_owned(), id: None, workspace: None }
    }

    /// Chooses the workspace by other means than the header.
    pub fn in_workspace(self, chosen: Option<&str>) -> Self {
        Self { workspace: chosen.map(|name| name.as_bytes().to_vec()), ..self }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").finish_non_exhaustive()
    }
}

/// Returns the workspace that a header chooses.
fn chosen(headers: &HeaderMap) -> Option<Vec<u8>> {
    headers.get(WORKSPACE_HEADER).map(|value| value.as_bytes().to_vec())
}

/// Chooses the workspace and checks the privilege.
fn caller(
    record: &TokenRecord,
    chosen: Option<&[u8]>,
    privilege: Privilege,
) -> Result<Caller, AuthError> {
    let workspace = match (chosen, &record.workspaces[..]) {
        (None, [only]) => only.clone(),
        (None, several) => {
            let names = several.iter().map(Workspace::as_ref).collect::<Vec<_>>().join(", ");
            return Err(AuthError::WorkspaceRequired(names));
        }
        (Some(chosen), mine) => {
            let found = mine.iter().find(|workspace| workspace.as_ref().as_bytes() == chosen);
            found.cloned().ok_or(AuthError::WorkspaceForbidden)?
        }
    };
    if !record.allows(privilege) {
        return Err(AuthError::PrivilegeMissing(privilege));
    }
    let name = if record.description.is_empty() { &record.id } else { &record.description };
    Ok(Caller { workspace, token: record.id.clone(), name: name.clone() })
}

impl AuthError {
    /// Returns the challenge (RFC 6750, section 3) of an answer 401, if it is one.
    pub fn challenge(&self) -> Option<HeaderValue> {
        match self {
            Self::Missing => Some(HeaderValue::from_static("Bearer")),
            Self::Invalid(..) => Some(HeaderValue::from_static("Bearer error=\"invalid_token\"")),
            Self::WorkspaceRequired(_)
            | Self::WorkspaceForbidden
            | Self::PrivilegeMissing(_)
            | Self::QuotaExceeded(_)
            | Self::Unavailable(_) => None,
        }
    }

    /// Returns when to try again, in seconds, where that helps.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::QuotaExceeded(over) => Some(over.retry_after),
            Self::Unavailable(error) => is_busy(error).then_some(RETRY_AFTER_BUSY),
            Self::Missing
            | Self::Invalid(..)
            | Self::WorkspaceRequired(_)
            | Self::WorkspaceForbidden
            | Self::PrivilegeMissing(_) => None,
        }
    }

    /// Says what is wrong and what to do.
    pub fn detail(&self) -> String {
        match self {
            Self::Missing => "Send a token: Authorization: Bearer dct_...".to_owned(),
            Self::Invalid(_, detail) => detail.clone(),
            Self::WorkspaceRequired(names) => format!(
                "The token opens several workspaces ({names}). Choose one: Decant-Workspace: ..."
            ),
            Self::WorkspaceForbidden => {
                "The token does not open the workspace that Decant-Workspace names.".to_owned()
            }
            Self::PrivilegeMissing(privilege) => {
                let name = match privilege {
                    Privilege::View => "view",
                    Privilege::Edit => "edit",
                };
                format!("This needs the privilege \"{name}\", which the token does not have.")
            }
            Self::QuotaExceeded(over) => over.detail(),
            Self::Unavailable(_) => "Something went wrong on our side. Try again.".to_owned(),
        }
    }
}

impl From<service::Error> for AuthError {
    fn from(error: service::Error) -> Self {
        match error {
            service::Error::QuotaExceeded(over) => Self::QuotaExceeded(over),
            service::Error::Failed(error) => Self::Unavailable(error),
        }
    }
}

impl From<service::Error> for Problem {
    fn from(error: service::Error) -> Self {
        AuthError::from(error).into()
    }
}

impl From<AuthError> for Problem {
    fn from(denial: AuthError) -> Self {
        let (status, code) = match denial {
            AuthError::Unavailable(error) => return error.into(),
            AuthError::Missing => (StatusCode::UNAUTHORIZED, "token_missing"),
            AuthError::Invalid(code, _) => (StatusCode::UNAUTHORIZED, code),
            AuthError::WorkspaceRequired(_) => (StatusCode::BAD_REQUEST, "workspace_required"),
            AuthError::WorkspaceForbidden => (StatusCode::FORBIDDEN, "workspace_forbidden"),
            AuthError::PrivilegeMissing(_) => (StatusCode::FORBIDDEN, "privilege_missing"),
            AuthError::QuotaExceeded(over) => (StatusCode::TOO_MANY_REQUESTS, over.code()),
        };
        let problem = Self::new(status, code, denial.detail());
        let problem = match denial.retry_after() {
            Some(seconds) => problem.header(header::RETRY_AFTER, seconds.into()),
            None => problem,
        };
        match denial.challenge() {
            Some(challenge) => problem.header(header::WWW_AUTHENTICATE, challenge),
            None => problem,
        }
    }
}

/// The credential of an `Authorization` header whose scheme is Bearer, in any case.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, credential) =
        headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim())
}

/// The pair of an `Authorization` header whose scheme is Basic, in any case.
///
/// A line end behind the password is dropped: `echo key:secret | base64` encodes it, too.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, credential) =
        headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let bytes = LENIENT_BASE64.decode(credential.trim()).ok()?;
    let pair = str::from_utf8(&bytes).ok()?.trim_end_matches(['\r', '\n']);
    let (user, password) = pair.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| (user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;

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

    #[test]
    fn the_workspace_comes_from_the_token_alone() {
        let view = Privilege::View;
        let one = record(&["acme"], &[view]);
        let two = record(&["acme", "beta"], &[view]);

        assert_eq!(caller(&one, None, view).unwrap().workspace.as_ref(), "acme");
        assert!(caller(&one, Some(b"beta"), view).is_err());
        assert!(caller(&two, None, view).is_err());
        assert_eq!(caller(&two, Some(b"beta"), view).unwrap().workspace.as_ref(), "beta");
    }

    #[test]
    fn viewing_does_not_allow_editing() {
        let viewer = record(&["acme"], &[Privilege::View]);
        assert!(caller(&viewer, None, Privilege::Edit).is_err());
    }

    #[test]
    fn who_may_edit_may_view() {
        let editor = record(&["acme"], &[Privilege::Edit]);
        assert!(caller(&editor, None, Privilege::View).is_ok());
        assert!(caller(&record(&["acme"], &[]), None, Privilege::View).is_err());
    }

    #[test]
    fn who_has_used_up_a_quota_is_told_when_to_come_back() {
        let kind = export::QuotaKind::Requests;
        let over = QuotaExceeded { kind, most: 10, retry_after: 7 };
        let response = Problem::from(AuthError::QuotaExceeded(over)).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "7");
    }

    #[test]
    fn a_pair_is_split_at_the_first_colon_whether_it_is_padded_or_ends_in_a_line_feed() {
        let headers =
            |value: &str| HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        let pair = Some(("a".to_owned(), "b:c".to_owned()));
        assert_eq!(basic(&headers("basic YTpiOmM=")), pair);
        // With a line end behind the password, and without padding.
        assert_eq!(basic(&headers("Basic YTpiOmMK")), pair);
        assert_eq!(basic(&headers("Basic YTpiOmMNCg")), pair);
        let short = Some(("a".to_owned(), "bc".to_owned()));
        assert_eq!(basic(&headers("Basic YTpiYw")), short);
        assert_eq!(basic(&headers("Basic YTpiYw==")), short);
        for bad in ["Basic", "Basic %%%", "Basic YQ==", "Bearer YTpiOmM="] {
            assert_eq!(basic(&headers(bad)), None, "{bad}");
        }
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
