//! From what a provider says of a person to what they may do here.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use export::{Privilege, Workspace};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The most rules.
const MAX_RULES: usize = 100;

/// All rules. Whoever fits none of them may do nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules(Vec<Rule>);

/// One rule, as `{"claim": "groups", "value": "analysts", "workspaces": ["acme"], "privilege": "edit"}`. Without a value
/// and workspaces, the values of the claim are themselves the names of workspaces.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    claim: String,
    value: Option<String>,
    workspaces: Option<Vec<Workspace>>,
    privilege: Privilege,
}

impl Rules {
    /// Reads rules, a list in JSON.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let rules: Vec<Rule> = serde_json::from_str(text).context("read the rules of sign-in")?;
        ensure!(
            rules.len() <= MAX_RULES,
            "read the rules of sign-in: there are more than {MAX_RULES}"
        );
        for rule in &rules {
            let both = rule.value.is_some() == rule.workspaces.is_some();
            let claim = &rule.claim;
            ensure!(
                both,
                "read the rules of sign-in: {claim} needs value and workspaces, or neither"
            );
        }
        Ok(Self(rules))
    }

    /// Returns the workspaces that somebody with these claims may use, each with the most that any rule allows.
    pub(crate) fn granted(&self, claims: &Map<String, Value>) -> BTreeMap<Workspace, Privilege> {
        let mut granted = BTreeMap::new();
        for rule in &self.0 {
            let values = values(claims.get(&rule.claim));
            let workspaces: Vec<Workspace> = match (&rule.value, &rule.workspaces) {
                (Some(value), Some(workspaces)) if values.contains(&value.as_str()) => {
                    workspaces.clone()
                }
                (None, None) => values.iter().filter_map(|value| value.parse().ok()).collect(),
                _ => Vec::new(),
            };
            for workspace in workspaces {
                let privilege = granted.entry(workspace).or_insert(rule.privilege);
                *privilege = rule.privilege.max(*privilege);
            }
        }
        granted
    }
}

/// Returns the texts of a claim, which may be one or a list.
fn values(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::String(value)) => vec![value],
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn granted(rules: &Value, claims: &Value) -> Vec<(String, Privilege)> {
        let rules = Rules::parse(&rules.to_string()).unwrap();
        let granted = rules.granted(claims.as_object().unwrap());
        granted.into_iter().map(|(name, privilege)| (name.to_string(), privilege)).collect()
    }

    #[test]
    fn somebody_may_do_the_most_that_any_rule_allows_and_nothing_without_a_rule() {
        let rules = json!([
            { "claim": "groups", "value": "all", "workspaces": ["acme", "globex"], "privilege": "view" },
            { "claim": "groups", "value": "analysts", "workspaces": ["acme"], "privilege": "edit" },
            { "claim": "tenant", "privilege": "view" },
        ]);
        let (view, edit) = (Privilege::View, Privilege::Edit);
        let names = |list: &[(&str, Privilege)]| -> Vec<(String, Privilege)> {
            list.iter().map(|(name, privilege)| ((*name).to_owned(), *privilege)).collect()
        };
        for (claims, want) in [
            (json!({ "groups": ["all", "analysts"] }), names(&[("acme", edit), ("globex", view)])),
            (json!({ "groups": "analysts" }), names(&[("acme", edit)])),
            (json!({ "tenant": ["initech", "../other"] }), names(&[("initech", view)])),
            (json!({ "groups": ["analysts2"], "tenant": { "acme": 1 } }), names(&[])),
            (json!({}), names(&[])),
        ] {
            assert_eq!(granted(&rules, &claims), want, "{claims}");
        }
    }

    #[test]
    fn rules_that_are_none_are_refused_when_the_function_starts() {
        for wrong in [
            r#"{"claim": "groups"}"#,
            r#"[{"claim": "groups", "privilege": "own"}]"#,
            r#"[{"claim": "groups", "value": "a", "privilege": "view"}]"#,
            r#"[{"claim": "groups", "workspaces": ["a"], "privilege": "view"}]"#,
            r#"[{"claim": "groups", "value": "a", "workspaces": ["../b"], "privilege": "view"}]"#,
            r#"[{"claim": "groups", "privilege": "view", "role": "x"}]"#,
        ] {
            assert!(Rules::parse(wrong).is_err(), "{wrong}");
        }
        let many =
            |count| json!(vec![json!({ "claim": "t", "privilege": "view" }); count]).to_string();
        assert!(Rules::parse(&many(100)).is_ok());
        assert!(Rules::parse(&many(101)).is_err());
    }
}
