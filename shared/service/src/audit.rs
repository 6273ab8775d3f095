//! Writing the audit trail: with what an entry tells of where that is a write, before it where it is none.

use cloud::{AuditTable, NewEntry};
use export::{Action, Actor, AuditEntry, Subject, TokenRecord, Workspace, sha256_hex};
use jiff::Timestamp;
use uuid::Builder;

use crate::{Random, Result};

/// Writes the audit trail.
#[derive(Clone, Debug)]
pub struct Audit {
    /// The table of entries.
    pub table: AuditTable,
    /// Where ids come from.
    pub random: Random,
}

impl Audit {
    /// Returns an entry that is about to be written, together with what it tells of.
    pub fn entry(
        &self,
        workspace: &Workspace,
        actor: &Actor,
        (action, subject): (Action, Subject),
        now: Timestamp,
    ) -> Result<NewEntry> {
        let when = (self.random.uuid(now)?, now);
        let entry = AuditEntry::new(when, workspace, actor, action, subject);
        Ok(self.table.entry(&entry)?)
    }

    /// Writes down, in each workspace of a token, that the token was refused: once a minute, since who has no token can
    /// do that as often as they like.
    pub async fn record_refused_sign_in(
        &self,
        token: &TokenRecord,
        client: &Actor,
        now: Timestamp,
    ) -> Result<()> {
        let name = Some(token.description.clone()).filter(|name| !name.is_empty());
        let actor = Actor { token: Some(token.id.clone()), name, ..client.clone() };
        // The same id in the same minute, so that the entry is there once.
        let minute = u64::try_from(now.as_second() / 60 * 60_000).unwrap_or_default();
        let mut bits = [0; 10];
        bits.copy_from_slice(&sha256_hex(token.id.as_bytes()).as_bytes()[..10]);
        let id = Builder::from_unix_timestamp_millis(minute, &bits).into_uuid();
        for workspace in &token.workspaces {
            let (action, subject) = (Action::SignInRefused, Subject::default());
            let entry = AuditEntry::new((id, now), workspace, &actor, action, subject);
            self.table.entry(&entry)?.put().await?;
        }
        Ok(())
    }

    /// Writes an entry about what is about to be done, and is no write itself. If it cannot be written, do not do it.
    pub async fn record(
        &self,
        workspace: &Workspace,
        actor: &Actor,
        what: (Action, Subject),
        now: Timestamp,
    ) -> Result<()> {
        Ok(self.entry(workspace, actor, what, now)?.put().await?)
    }
}

#[cfg(test)]
mod tests;
