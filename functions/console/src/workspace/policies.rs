//! The two policies that a user gives a role, so that files may be copied into their own bucket by it.

use export::{Workspace, external_id};
use maud::{Markup, html};
use serde_json::{Value, json};

/// What stands for the name of the user's bucket, which they replace.
const BUCKET: &str = "YOUR-BUCKET";
/// What stands for the prefix that the user's copies are given.
const PREFIX: &str = "decant/";

/// Shows both policies as text to paste.
pub(super) fn section(courier_role: &str, workspace: &Workspace) -> Markup {
    html! {
        h2 #copies { "Copies into your own bucket" }
        p { "Make a role in the account of your bucket whose name begins with " code { "decant-" } ", and give it these two "
            "policies. Exports are then copied by its ARN, as " code { "role_arn" } "." }
        h3 { "Its trust policy" }
        pre #trust-policy { (format!("{:#}", trust(courier_role, workspace))) }
        p.hint { "The external id is that of this workspace: no other can have the role taken on." }
        h3 { "Its permissions policy" }
        pre #permissions-policy { (format!("{:#}", permissions(partition(courier_role)))) }
        p.hint {
            "Write the name of your bucket for " code { (BUCKET) } ", and the prefix of your copies for " code { (PREFIX) }
            ". If the bucket is encrypted with a key of KMS, allow " code { "kms:GenerateDataKey" } " and "
            code { "kms:Decrypt" } " on that key as well."
        }
    }
}

/// Lets the courier take the role on, for this workspace only.
fn trust(courier_role: &str, workspace: &Workspace) -> Value {
    policy_of(&json!({
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": { "AWS": courier_role },
        "Condition": { "StringEquals": { "sts:ExternalId": external_id(workspace) } },
    }))
}

/// Lets the role write below the prefix, and abort what it began to write.
fn permissions(partition: &str) -> Value {
    policy_of(&json!({
        "Effect": "Allow",
        "Action": ["s3:PutObject", "s3:AbortMultipartUpload"],
        "Resource": format!("arn:{partition}:s3:::{BUCKET}/{PREFIX}*"),
    }))
}

fn policy_of(statement: &Value) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}

/// Returns the part of AWS that an ARN is of, as `aws` or `aws-cn`.
fn partition(arn: &str) -> &str {
    arn.split(':').nth(1).unwrap_or("aws")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../../docs/copies.md");

    #[test]
    fn the_policies_of_the_console_are_those_of_the_documentation() {
        let documented: Vec<Value> = PAGE
            .split("```json\n")
            .filter_map(|block| serde_json::from_str(block.split("```").next()?).ok())
            .filter(|block: &Value| block.get("Statement").is_some())
            .collect();
        let workspace: Workspace = "acme".parse().unwrap();
        let shown = [trust("<CourierRoleArn>", &workspace), permissions("aws")];
        assert_eq!(documented, shown);
    }

    #[test]
    fn policies_are_of_the_part_of_aws_that_the_courier_is_in() {
        let shown = section("arn:aws-cn:iam::1:role/<b>\"&", &"acme".parse().unwrap());
        let shown = shown.into_string();
        assert!(shown.contains("arn:aws-cn:s3:::YOUR-BUCKET/decant/*"), "{shown}");
        assert!(shown.contains("role/&lt;b&gt;\\&quot;&amp;"), "shown as text: {shown}");
    }
}
