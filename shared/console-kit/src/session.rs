//! Who has signed in: a cookie that holds their token and the workspace that they chose.
//!
//! Browsers send it to this console only, from pages of this console only, and show it to no script.

use axum::http::{HeaderMap, HeaderValue, header};
use jiff::SignedDuration;
use url::Url;
use web::{AuthError, BaseUrl, Credential};

const NAME: &str = "decant";
/// How long a browser keeps the cookie. The token may end before.
const LIFETIME: SignedDuration = SignedDuration::from_hours(12);

/// Reads the credential of the cookie.
pub fn credential(headers: &HeaderMap) -> Result<Credential, AuthError> {
    let (token, workspace) = read(headers).ok_or(AuthError::Missing)?;
    Ok(Credential::token(&token).in_workspace(workspace.as_deref()))
}

/// Reads the token of the cookie, and the workspace that was chosen.
pub fn read(headers: &HeaderMap) -> Option<(String, Option<String>)> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|it| it.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim() == NAME)?;
    let value = value.trim();
    Some(match value.split_once('.') {
        Some((token, workspace)) => (token.to_owned(), Some(workspace.to_owned())),
        None => (value.to_owned(), None),
    })
}

/// Returns the header that lets a browser keep a token, and the workspace that was chosen. `None` if no token looks like
/// this.
pub fn keep(base: &BaseUrl, token: &str, workspace: Option<&str>) -> Option<HeaderValue> {
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if !plain(token) || !workspace.is_none_or(plain) {
        return None;
    }
    let value = workspace.map_or(token.to_owned(), |workspace| format!("{token}.{workspace}"));
    Some(cookie(base, &value, LIFETIME.as_secs()))
}

/// Returns the header that lets a browser forget who has signed in.
pub fn forget(base: &BaseUrl) -> HeaderValue {
    cookie(base, "", 0)
}

fn cookie(base: &BaseUrl, value: &str, seconds: i64) -> HeaderValue {
    let path = Url::parse(&base.join("/console")).map(|url| url.path().to_owned());
    let path = path.unwrap_or_else(|_| "/".to_owned());
    let cookie = format!(
        "{NAME}={value}; Path={path}; Max-Age={seconds}; HttpOnly; Secure; SameSite=Strict"
    );
    HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())])
    }

    #[test]
    fn a_cookie_has_a_token_and_the_workspace_that_was_chosen() {
        let pair = |token: &str, workspace: Option<&str>| {
            Some((token.to_owned(), workspace.map(str::to_owned)))
        };
        assert_eq!(read(&headers("a=b; decant=dct_1_2")), pair("dct_1_2", None));
        assert_eq!(read(&headers("decant=dct_1_2.acme;x=y")), pair("dct_1_2", Some("acme")));
        for none in ["decant", "adecant=dct", ""] {
            assert_eq!(read(&headers(none)), None, "{none}");
        }
    }
}
