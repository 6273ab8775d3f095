//! The audit trail: who did what, with which export, from where. No entry has a secret.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{ExportId, ShareId, Workspace};

/// The most characters of a text in an entry, as the name of a client. What is longer is cut.
const MAX_TEXT_CHARS: usize = 300;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// An export was created.
    ExportCreated,
    /// An export was cancelled.
    ExportCancelled,
    /// The archive of an export was deleted.
    ExportDeleted,
    /// A link to a file of an export was given out.
    LinkGiven,
    /// An export was shared.
    ShareCreated,
    /// A share was revoked.
    ShareRevoked,
    /// The page of a shared link was opened.
    ShareOpened,
    /// A link to a file was given out to whoever has a shared link.
    ShareUsed,
    /// The callback of an export was posted again.
    CallbackRepeated,
    /// A secret that callbacks are signed with was made.
    SigningSecretCreated,
    /// Such a secret was removed.
    SigningSecretRemoved,
    /// A named filter was made or changed.
    FilterStored,
    /// A named filter was removed.
    FilterRemoved,
    /// A token of the workspace was refused: it has ended, or its secret is wrong.
    SignInRefused,
    /// A token was made.
    TokenCreated,
    /// A token was revoked.
    TokenRevoked,
    /// The first rows of a request were shown. The subject names its tables.
    RowsPreviewed,
    /// Quotas were set.
    QuotaSet,
}

/// Who does something, and from where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The API that was called, as `native`; `operator` for the admin function.
    pub api: String,
    /// The id of their token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The name of their token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The share whose link they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<ShareId>,
    /// Their IP address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Their program, as it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The id of their request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// One entry of the audit trail of a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Identifies the entry. Ids sort by time.
    pub id: Uuid,
    /// When it happened.
    pub at: Timestamp,
    /// What was done.
    pub action: Action,
    /// Who did it.
    #[serde(flatten)]
    pub actor: Actor,
    /// The workspace in which it was done.
    pub workspace: Workspace,
    /// The export that it was done with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<ExportId>,
    /// What else it was done with: the name of a file, or the id of a share, secret, filter or token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// What an entry tells of: an export, something else, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The export.
    pub export: Option<ExportId>,
    /// The name of a file, or the id of a share, secret, filter or token.
    pub other: Option<String>,
}

impl AuditEntry {
    /// Returns an entry. Long texts are cut.
    pub fn new(
        (id, at): (Uuid, Timestamp),
        workspace: &Workspace,
        actor: &Actor,
        action: Action,
        subject: Subject,
    ) -> Self {
        let cut = |text: &Option<String>| text.as_deref().map(shortened);
        let actor = Actor {
            name: cut(&actor.name),
            address: cut(&actor.address),
            agent: cut(&actor.agent),
            request: cut(&actor.request),
            ..actor.clone()
        };
        let Subject { export, other } = subject;
        let subject = cut(&other);
        Self { id, at, action, actor, workspace: workspace.clone(), export, subject }
    }

    /// Whether it was done by this person: the id or name of a token, or the id of a share.
    pub fn is_by(&self, person: &str) -> bool {
        let share = self.actor.share.as_ref().map(ToString::to_string);
        [&self.actor.token, &self.actor.name, &share].into_iter().flatten().any(|it| it == person)
    }
}

impl Subject {
    /// Returns an export as what an entry tells of.
    pub fn export(id: ExportId) -> Self {
        Self { export: Some(id), other: None }
    }

    /// Returns something else than an export.
    pub fn other(id: impl fmt::Display) -> Self {
        Self { export: None, other: Some(id.to_string()) }
    }

    /// Adds what of an export, or what else beside it.
    pub fn and(self, id: impl fmt::Display) -> Self {
        Self { other: Some(id.to_string()), ..self }
    }
}

impl Actor {
    /// Returns the operator of a deployment, who invokes the admin function.
    pub fn operator(request: &str) -> Self {
        Self { api: "operator".to_owned(), request: Some(request.to_owned()), ..Self::default() }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_TEXT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(actor: &Actor, subject: Subject) -> AuditEntry {
        let when = (Uuid::from_bytes([7; 16]), Timestamp::UNIX_EPOCH);
        let acme = "acme".parse().unwrap();
        AuditEntry::new(when, &acme, actor, Action::ShareUsed, subject)
    }

    #[test]
    fn an_entry_is_short_whatever_a_client_calls_itself() {
        let long = Some("ü".repeat(10_000));
        let actor =
            Actor { agent: long.clone(), address: long.clone(), name: long, ..Actor::default() };
        let entry = entry(&actor, Subject::other("x".repeat(10_000)));
        let json = serde_json::to_string(&entry).unwrap();
        assert!(json.len() < 3000, "{}", json.len());
        assert_eq!(entry.actor.agent.as_deref(), Some(&*"ü".repeat(300)));
        assert_eq!(serde_json::from_str::<AuditEntry>(&json).unwrap(), entry);
    }

    #[test]
    fn an_entry_is_by_its_token_or_its_share() {
        let share = crate::ShareSecret::from_random([7; 32]).id();
        let actor = Actor {
            token: Some("0707".into()),
            name: Some("ana".into()),
            share: Some(share.clone()),
            ..Actor::default()
        };
        let by = |person: &str| entry(&actor, Subject::default()).is_by(person);
        assert!(by("0707") && by("ana") && by(&share.to_string()));
        assert!(!by("") && !by("an"));
    }
}
