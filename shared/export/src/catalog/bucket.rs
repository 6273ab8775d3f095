//! Buckets of the catalog: where objects are that are not in the bucket of the lake.

use serde::Deserialize;
use toml::Spanned;

use super::read::Fault;
use crate::BucketName;

/// The most buckets of a catalog: each has clients of its own.
pub const MAX_SOURCE_BUCKETS: usize = 50;
/// The longest external id, in bytes, as AWS has it.
const MAX_EXTERNAL_ID_BYTES: usize = 1224;

/// A bucket that datasets may be in besides the bucket of the lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceBucket {
    /// Its name.
    pub name: BucketName,
    /// Its region; `None` if it is that of Decant.
    pub region: Option<String>,
    /// The role that may read it; `None` if Decant's own roles may.
    pub role: Option<SourceRole>,
}

/// A role that is assumed to read a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRole {
    /// Its ARN.
    pub arn: String,
    /// The external id that its trust policy asks for, if it does.
    pub external_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBucket {
    pub(super) name: Spanned<String>,
    region: Option<Spanned<String>>,
    role: Option<Spanned<String>>,
    external_id: Option<Spanned<String>>,
}

impl RawBucket {
    pub(super) fn build(self) -> Result<SourceBucket, Fault> {
        let name = self.name.get_ref().parse::<BucketName>();
        let name = name.map_err(|error| (self.name.span().start, error.to_string()))?;
        let region = self.region.map(|text| checked(text, is_region, "a region, as eu-central-1"));
        let arn = self.role.map(|text| {
            checked(text, is_role, "the ARN of a role, as arn:aws:iam::111122223333:role/lake")
        });
        let external_id = self.external_id.map(|text| {
            let at = text.span().start;
            let form = "an external id: 2 to 1224 letters, digits and +=,.@:/-_";
            checked(text, is_external_id, form).map(|id| (at, id))
        });
        let role = match (arn.transpose()?, external_id.transpose()?) {
            (Some(arn), external_id) => {
                Some(SourceRole { arn, external_id: external_id.map(|(_, id)| id) })
            }
            (None, Some((at, _))) => {
                return Err((at, "an external id belongs to a role".to_owned()));
            }
            (None, None) => None,
        };
        Ok(SourceBucket { name, region: region.transpose()?, role })
    }
}

fn checked(
    text: Spanned<String>,
    is_one: impl Fn(&str) -> bool,
    form: &str,
) -> Result<String, Fault> {
    let at = text.span().start;
    let text = text.into_inner();
    if is_one(&text) { Ok(text) } else { Err((at, format!("{text:?} is not {form}"))) }
}

fn is_region(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (3..=30).contains(&text.len()) && text.chars().all(plain)
}

fn is_role(text: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    let [arn, partition, iam, region, account, role] = std::array::from_fn(|_| parts.next());
    let name = role.and_then(|role| role.strip_prefix("role/")).unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-/".contains(c);
    arn == Some("arn")
        && partition.is_some_and(|partition| partition.starts_with("aws"))
        && (iam, region) == (Some("iam"), Some(""))
        && account.is_some_and(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit()))
        && (1..=576).contains(&name.len())
        && name.chars().all(plain)
}

fn is_external_id(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "+=,.@:/-_".contains(c);
    (2..=MAX_EXTERNAL_ID_BYTES).contains(&text.len()) && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_an_account_and_may_have_a_path() {
        for good in
            ["arn:aws:iam::111122223333:role/lake", "arn:aws-us-gov:iam::111122223333:role/a/b-c"]
        {
            assert!(is_role(good), "{good}");
        }
        for bad in [
            "lake",
            "arn:aws:iam::111122223333:user/lake",
            "arn:aws:iam::1111:role/lake",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:sts::111122223333:role/lake",
            "arn:aws:iam::111122223333:role/a b",
        ] {
            assert!(!is_role(bad), "{bad}");
        }
        assert!(is_region("eu-central-1") && !is_region("EU") && !is_region(""));
        assert!(is_external_id("decant-acme") && !is_external_id("x") && !is_external_id("a b"));
    }
}
