//! A request for a token (RFC 8693, section 2.1).

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::header,
};
use export::{Privilege, Workspace};

use crate::fault::Fault;

/// The most bytes of a request.
const MAX_BYTES: usize = 32 << 10;
/// The most bytes of the token that is exchanged.
const MAX_TOKEN_BYTES: usize = 16 << 10;
/// The most workspaces that a token may be for: its trail is written in one transaction, which has 100 writes at most.
pub(crate) const MAX_WORKSPACES: usize = 90;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// What we give out.
pub(crate) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// What may be exchanged: all of these are JWTs where a provider signs its access tokens.
const SUBJECT_TYPES: [&str; 3] = [
    "urn:ietf:params:oauth:token-type:id_token",
    "urn:ietf:params:oauth:token-type:jwt",
    ACCESS_TOKEN,
];

/// A token that is to be exchanged, and for what.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TokenRequest {
    /// The provider's token.
    pub(crate) subject_token: String,
    /// The workspaces that the new token is to be for; if there are none, for all that are granted.
    pub(crate) workspaces: Vec<Workspace>,
    /// What it is to be for; `None` for as much as is granted in all of them.
    pub(crate) privilege: Option<Privilege>,
}

impl TokenRequest {
    /// Reads the fields of a form.
    fn parse(body: &[u8]) -> Result<Self, Fault> {
        if body.len() > MAX_BYTES {
            let bytes = body.len();
            return Err(Fault::request(format!(
                "The body has {bytes} bytes; {MAX_BYTES} are allowed."
            )));
        }
        let fields: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
        let one = |name: &str| {
            let mut values = fields.iter().filter(|(found, _)| found == name);
            let value = values.next().map(|(_, value)| value.as_str());
            if values.next().is_some() {
                return Err(Fault::request(format!("{name} is there twice. Send it once.")));
            }
            Ok(value.filter(|value| !value.is_empty()))
        };
        if one("grant_type")? != Some(GRANT_TYPE) {
            return Err(Fault::grant_type());
        }
        let kind = one("subject_token_type")?;
        if !kind.is_some_and(|kind| SUBJECT_TYPES.contains(&kind)) {
            let detail = format!("subject_token_type is one of {}.", SUBJECT_TYPES.join(", "));
            return Err(Fault::request(detail));
        }
        if one("requested_token_type")?.is_some_and(|wanted| wanted != ACCESS_TOKEN) {
            let detail = format!("requested_token_type is {ACCESS_TOKEN}, or left out.");
            return Err(Fault::request(detail));
        }
        if one("actor_token")?.is_some() {
            return Err(Fault::request(
                "Nobody acts for somebody else here: leave out actor_token.",
            ));
        }
        let missing = || Fault::request("Send the token of your provider as subject_token.");
        let subject_token = one("subject_token")?.ok_or_else(missing)?.to_owned();
        if subject_token.len() > MAX_TOKEN_BYTES {
            let detail = format!("subject_token has more than {MAX_TOKEN_BYTES} bytes.");
            return Err(Fault::request(detail));
        }
        let audience = fields.iter().filter(|(name, _)| name == "audience");
        let workspaces = audience.map(|(_, value)| workspace(value)).collect::<Result<_, _>>()?;
        Ok(Self { subject_token, workspaces, privilege: privilege(one("scope")?)? })
    }
}

fn workspace(name: &str) -> Result<Workspace, Fault> {
    let unknown = |_| Fault::target("An audience is the name of a workspace.");
    name.parse().map_err(unknown)
}

/// Reads a scope: `view`, `edit`, or both.
fn privilege(scope: Option<&str>) -> Result<Option<Privilege>, Fault> {
    let mut privilege = None;
    for word in scope.unwrap_or_default().split_ascii_whitespace() {
        let next = match word {
            "view" => Privilege::View,
            "edit" => Privilege::Edit,
            _ => return Err(Fault::scope("A scope is view or edit.")),
        };
        privilege = privilege.max(Some(next));
    }
    Ok(privilege)
}

impl<S: Send + Sync> FromRequest<S> for TokenRequest {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let detail =
                "Send the fields as a form: Content-Type: application/x-www-form-urlencoded.";
            return Err(Fault::request(detail));
        }
        let body = Bytes::from_request(request, state).await;
        Self::parse(&body.map_err(|e| anyhow::Error::new(e).context("read the body"))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=a.b.c\
                         &subject_token_type=urn:ietf:params:oauth:token-type:id_token";

    fn parse(more: &str) -> Result<TokenRequest, Fault> {
        TokenRequest::parse(format!("{SOUND}{more}").as_bytes())
    }

    #[test]
    fn a_request_says_what_the_token_is_to_be_for() {
        let request = parse("&audience=acme&audience=globex&scope=view+edit&client_id=x").unwrap();
        assert_eq!(request.workspaces, ["acme".parse().unwrap(), "globex".parse().unwrap()]);
        assert_eq!(request.privilege, Some(Privilege::Edit));
        assert_eq!(request.subject_token, "a.b.c");
        assert_eq!(parse("").unwrap().privilege, None);
    }

    #[test]
    fn a_request_that_is_none_is_refused_with_what_to_send() {
        let refused = |body: &str| TokenRequest::parse(body.as_bytes()).unwrap_err().told().0;
        assert_eq!(refused(""), "unsupported_grant_type");
        assert_eq!(
            refused(&SOUND.replace("token-exchange", "device_code")),
            "unsupported_grant_type"
        );
        assert_eq!(refused(&SOUND.replace("id_token", "saml2")), "invalid_request");
        assert_eq!(refused(&SOUND.replace("a.b.c", "")), "invalid_request");
        for (more, error) in [
            ("&subject_token=d", "invalid_request"),
            ("&actor_token=d", "invalid_request"),
            ("&requested_token_type=urn:ietf:params:oauth:token-type:jwt", "invalid_request"),
            ("&scope=own", "invalid_scope"),
            ("&audience=..", "invalid_target"),
        ] {
            assert_eq!(parse(more).unwrap_err().told().0, error, "{more}");
        }
        let long = |bytes| {
            parse("")
                .and(TokenRequest::parse(SOUND.replace("a.b.c", &"x".repeat(bytes)).as_bytes()))
        };
        assert!(long(16 << 10).is_ok());
        assert!(long((16 << 10) + 1).is_err());
        let padded = |bytes: usize| parse(&format!("&x={}", "y".repeat(bytes - SOUND.len() - 3)));
        assert!(padded(32 << 10).is_ok());
        assert!(padded((32 << 10) + 1).is_err());
    }
}
