//! Checks the work that follows an export's end: a callback, and a copy of its files.
//!
//! No fault here repeats a value: it may be a secret, or stand where a secret was meant to be.

use serde_json::{Map, Value};

use super::Check;
use crate::{
    BucketCredentials, CallbackUrl, CallbackUrlError, CopyTarget, Fault, Files, KeyPrefix, Secret,
    TargetError, is_key_id, is_secret,
};

const KEY: [&str; 2] = ["access_key_id", "secret_access_key"];
const FIELDS: [&str; 6] =
    ["bucket", "prefix", "gzip", "role_arn", "access_key_id", "secret_access_key"];
/// The beginning of the names of roles that a deployment may assume.
const ROLE_PREFIX: &str = "decant-";

impl Check<'_> {
    /// Reads the URL of the callback.
    pub(super) fn callback(&mut self, value: Option<&Value>) -> Option<CallbackUrl> {
        let object = match value {
            None | Some(Value::Null) => return None,
            Some(Value::Object(object)) => object,
            Some(_) => {
                let detail = "A callback is an object, as {\"url\": \"https://example.com/hook\"}.";
                self.faults.push(Fault::new("wrong_type", "/callback", detail));
                return None;
            }
        };
        self.faults.known_fields(object, "/callback", &["url"]);
        let url = object.get("url").and_then(Value::as_str).map(str::parse);
        match url.unwrap_or(Err(CallbackUrlError)) {
            Ok(url) => Some(url),
            Err(error) => {
                self.faults.push(Fault::new(
                    "wrong_url",
                    "/callback/url",
                    format!("Say where: {error}."),
                ));
                None
            }
        }
    }

    /// Reads the destination of the copy, and the credentials for it.
    pub(super) fn copy(
        &mut self,
        value: Option<&Value>,
        files: &Files,
    ) -> Option<(CopyTarget, BucketCredentials)> {
        let object = match value {
            None | Some(Value::Null) => return None,
            Some(Value::Object(object)) => object,
            Some(_) => {
                let detail = "A copy is an object, as {\"bucket\": \"acme-exports\", \"role_arn\": \
                              \"arn:aws:iam::111122223333:role/decant-exports\"}.";
                self.faults.push(Fault::new("wrong_type", "/copy", detail));
                return None;
            }
        };
        self.faults.known_fields(object, "/copy", &FIELDS);
        let bucket = object.get("bucket").and_then(Value::as_str).map(str::parse);
        let bucket = self.target("/copy/bucket", bucket.unwrap_or(Err(TargetError::Bucket)));
        let prefix = match object.get("prefix") {
            None | Some(Value::Null) => Ok(KeyPrefix::default()),
            Some(value) => value.as_str().map_or(Err(TargetError::Prefix), str::parse),
        };
        let prefix = self.target("/copy/prefix", prefix);
        let gzip = match object.get("gzip") {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::Bool(true)) if matches!(files, Files::Parts(_)) => true,
            Some(_) => {
                let detail = "It is true or false, and true is for the layout \"files\" only: a ZIP \
                              does not become smaller.";
                self.faults.push(Fault::new("wrong_gzip", "/copy/gzip", detail));
                false
            }
        };
        let opener = self.opener(object);
        let (bucket, prefix, opener) = (bucket?, prefix?, opener?);
        Some((CopyTarget { bucket, prefix, gzip, manifest: true }, opener))
    }

    fn target<T>(&mut self, at: &str, read: Result<T, TargetError>) -> Option<T> {
        read.map_err(|error| {
            self.faults.push(Fault::new("wrong_text", at, format!("Write it otherwise: {error}.")));
        })
        .ok()
    }

    fn opener(&mut self, object: &Map<String, Value>) -> Option<BucketCredentials> {
        const EITHER: &str = "Give either a role_arn, or an access_key_id and a secret_access_key.";
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let given = |name: &str| object.get(name).is_some_and(|value| !value.is_null());
        if given("role_arn") {
            let arn = text("role_arn").filter(|arn| is_role(arn));
            if KEY.iter().any(|name| given(name)) {
                self.faults.push(Fault::new("ambiguous", "/copy", EITHER));
                return None;
            }
            if arn.is_none() {
                let detail = format!(
                    "Give the ARN of a role whose name begins with {ROLE_PREFIX:?}, as \
                     \"arn:aws:iam::111122223333:role/{ROLE_PREFIX}exports\"."
                );
                self.faults.push(Fault::new("wrong_role", "/copy/role_arn", detail));
            }
            return arn.map(|arn| BucketCredentials::Role { arn: arn.to_owned() });
        }
        match (text(KEY[0]).filter(|id| is_key_id(id)), text(KEY[1]).filter(|s| is_secret(s))) {
            (Some(id), Some(secret)) => {
                let secret = Secret::new(secret.to_owned());
                Some(BucketCredentials::Key { id: id.to_owned(), secret })
            }
            (id, _) => {
                let name = if id.is_none() { KEY[0] } else { KEY[1] };
                let code = if given(name) { "wrong_text" } else { "required" };
                self.faults.push(Fault::new(code, format!("/copy/{name}"), EITHER));
                None
            }
        }
    }
}

/// `arn:partition:iam::account:role/path/name`, the name of which begins as agreed.
fn is_role(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (head, partition, service, region, account) = (next(), next(), next(), next(), next());
    let name = next().strip_prefix("role/");
    let plain =
        |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b));
    head == "arn"
        && partition.starts_with("aws")
        && (service, region) == ("iam", "")
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && name.is_some_and(|name| name.starts_with(ROLE_PREFIX) && plain(name) && name.len() <= 64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{good, order};
    use super::*;
    use crate::Faults;

    fn copy(copy: Value) -> Result<(CopyTarget, BucketCredentials), Faults> {
        let mut body = good();
        body["copy"] = copy;
        order(&body).map(|order| order.copy.unwrap())
    }

    #[test]
    fn a_copy_is_opened_by_a_key_or_a_role() {
        let (target, opener) = copy(json!({
            "bucket": "acme", "prefix": "a/", "access_key_id": "AKIAEXAMPLE", "secret_access_key": "abc/+def"
        }))
        .unwrap();
        assert_eq!(target.key("x.zip"), "a/x.zip");
        assert!(
            matches!(opener, BucketCredentials::Key { secret, .. } if secret.reveal() == "abc/+def")
        );
        let role = "arn:aws:iam::111122223333:role/decant-exports";
        let (_, opener) = copy(json!({ "bucket": "acme", "role_arn": role })).unwrap();
        assert_eq!(opener, BucketCredentials::Role { arn: role.into() });
    }

    #[test]
    fn what_is_wrong_with_a_copy_or_a_callback_is_told_without_repeating_it() {
        let key = |rest: Value| {
            let mut copy = json!({ "bucket": "acme", "access_key_id": "AKIAEXAMPLE", "secret_access_key": "s3cr3t" });
            copy.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            copy
        };
        for (wrong, code, pointer) in [
            (json!("s3cr3t"), "wrong_type", "/copy"),
            (key(json!({ "bucket": "S3cr3t s3cr3t" })), "wrong_text", "/copy/bucket"),
            (key(json!({ "prefix": "s3cr3t\n" })), "wrong_text", "/copy/prefix"),
            (key(json!({ "gzip": true })), "wrong_gzip", "/copy/gzip"),
            (
                key(json!({ "secret_access_kee": "s3cr3t" })),
                "unknown_field",
                "/copy/secret_access_kee",
            ),
            (
                key(json!({ "secret_access_key": "s3cr3t s3cr3t" })),
                "wrong_text",
                "/copy/secret_access_key",
            ),
            (key(json!({ "secret_access_key": null })), "required", "/copy/secret_access_key"),
            (key(json!({ "access_key_id": "" })), "wrong_text", "/copy/access_key_id"),
            (
                key(json!({ "role_arn": "arn:aws:iam::111122223333:role/decant-s3cr3t" })),
                "ambiguous",
                "/copy",
            ),
            (
                json!({ "bucket": "acme", "role_arn": "arn:aws:iam::111122223333:role/admin" }),
                "wrong_role",
                "/copy/role_arn",
            ),
        ] {
            let faults = copy(wrong.clone()).unwrap_err();
            assert!(
                faults.listed().iter().any(|f| (f.code, f.pointer.as_str()) == (code, pointer)),
                "{wrong}: {faults:?}"
            );
            assert!(!format!("{faults:?}").contains("s3cr3t"), "{faults:?}");
        }
        for wrong in
            [json!(1), json!({}), json!({ "url": "mailto:a@b" }), json!({ "uri": "https://a" })]
        {
            let mut body = good();
            body["callback"] = wrong;
            assert!(order(&body).is_err(), "{body}");
        }
    }

    #[test]
    fn plain_files_can_be_compressed_on_their_way() {
        let mut body = good();
        body["layout"] = json!("files");
        body["copy"] = json!({
            "bucket": "acme", "gzip": true, "access_key_id": "AKIAEXAMPLE", "secret_access_key": "s"
        });
        let (target, _) = order(&body).unwrap().copy.unwrap();
        assert_eq!(target.key("t-0.csv"), "t-0.csv.gz");
    }

    #[test]
    fn only_roles_that_are_meant_for_us_are_taken_on() {
        for good in [
            "arn:aws:iam::111122223333:role/decant-exports",
            "arn:aws-cn:iam::111122223333:role/decant-a+=,.@_-Z0",
            &format!("arn:aws:iam::111122223333:role/decant-{}", "a".repeat(57)),
        ] {
            assert!(is_role(good), "{good}");
        }
        for bad in [
            "",
            "decant-exports",
            "urn:aws:iam::111122223333:role/decant-exports",
            "arn:gcp:iam::111122223333:role/decant-exports",
            "arn:aws:sts::111122223333:role/decant-exports",
            "arn:aws:iam:eu-west-1:111122223333:role/decant-exports",
            "arn:aws:iam::11112222333:role/decant-exports",
            "arn:aws:iam::1111222233334:role/decant-exports",
            "arn:aws:iam::11112222333x:role/decant-exports",
            "arn:aws:iam::111122223333:user/decant-exports",
            "arn:aws:iam::111122223333:role/exports",
            "arn:aws:iam::111122223333:role/admin/decant-exports",
            "arn:aws:iam::111122223333:role/decant-a/b",
            "arn:aws:iam::111122223333:role/decant-a:b",
            &format!("arn:aws:iam::111122223333:role/decant-{}", "a".repeat(58)),
        ] {
            assert!(!is_role(bad), "{bad}");
        }
    }
}
