//! What a browser may do with a page, and with whatever else is answered to people.

use axum::{
    extract::Request,
    http::{HeaderValue, header},
    middleware::Next,
    response::Response,
};
use url::Url;

/// The SHA-256 of the style, in base64.
const STYLE_HASH: &str = "K8FXYAzm2yXlUcs7FbaFJBU37+SiqCwAxnCRDGn0Hdg=";

/// What a browser may do with a page, beside showing it with its style.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether it may run scripts of this origin, and let them ask this origin.
    pub scripts: bool,
    /// URLs to whose origins forms of the page are led in the end. Forms are sent to this origin.
    pub forms_lead_to: Vec<String>,
}

impl Policy {
    /// Returns the content security policy (W3C, level 3).
    pub(crate) fn header(&self) -> HeaderValue {
        let scripts = if self.scripts { " script-src 'self'; connect-src 'self';" } else { "" };
        let origin = |url: &String| {
            let origin = Url::parse(url).map(|url| url.origin().ascii_serialization());
            origin.map(|origin| format!(" {origin}")).unwrap_or_default()
        };
        // Browsers hold where a form is led to against the policy as well.
        let forms: String = self.forms_lead_to.iter().map(origin).collect();
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{STYLE_HASH}';{scripts} form-action 'self'{forms}; \
             base-uri 'none'; frame-ancestors 'none'"
        );
        HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
    }
}

/// Adds to every answer what keeps it private: nobody may store it, index it, frame it, or learn from where one came.
pub async fn keep_private(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    let none = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(none);
    response
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::frame::STYLE;

    #[test]
    fn the_policy_allows_the_style_that_pages_have_and_no_other() {
        assert_eq!(STYLE_HASH, BASE64_STANDARD.encode(Sha256::digest(STYLE)));
    }

    #[test]
    fn scripts_and_where_forms_lead_are_allowed_one_by_one() {
        let plain = Policy::default().header();
        assert!(
            plain
                .to_str()
                .unwrap()
                .ends_with("; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
        );
        assert!(!plain.to_str().unwrap().contains("script-src"));
        let forms_lead_to = vec!["https://archives.s3.amazonaws.com/k?signature".to_owned()];
        let more = Policy { scripts: true, forms_lead_to }.header();
        let more = more.to_str().unwrap();
        assert!(more.contains("script-src 'self'; connect-src 'self';"), "{more}");
        assert!(more.contains("form-action 'self' https://archives.s3.amazonaws.com;"), "{more}");
    }
}
