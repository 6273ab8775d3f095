//! Signing in by a token of another issuer: it is exchanged, once, for a token of ours that lives some hours.

use cloud::{ExportTable, NewEntry, TokenTable};
use export::{Action, Actor, Privilege, Subject, Token, TokenRecord, Workspace};
use jiff::{SignedDuration, Timestamp};

use crate::{Audit, Random, Result};

/// How long a token that was exchanged is remembered after its end, for clocks that are behind.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(2);

/// What somebody may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The workspaces, at least one.
    pub workspaces: Vec<Workspace>,
    /// What they may do in each.
    pub privilege: Privilege,
    /// Who it is, for the audit trail.
    pub name: String,
}

/// Exchanges tokens.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The tokens that were made.
    pub tokens: TokenTable,
    /// Where it is remembered what was exchanged.
    pub exports: ExportTable,
    /// The audit trail.
    pub audit: Audit,
    /// Where tokens come from.
    pub random: Random,
    /// How long tokens live.
    pub lifetime: SignedDuration,
}

impl SignIn {
    /// Makes a token for what is granted by `presented`, a token of another issuer that ends at `ends_at`. `None` if it was
    /// exchanged before.
    pub async fn exchange(
        &self,
        grant: Grant,
        (presented, ends_at): (&str, Timestamp),
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Option<(Token, TokenRecord)>> {
        let forgotten = ends_at.saturating_add(CLOCK_SKEW)?;
        if !self.exports.remember_once(presented, forgotten).await? {
            return Ok(None);
        }
        let token = Token::from_random(self.random.bytes()?);
        let privileges = match grant.privilege {
            Privilege::View => vec![Privilege::View],
            Privilege::Edit => vec![Privilege::View, Privilege::Edit],
        };
        let record = TokenRecord {
            id: token.id().to_owned(),
            secret_sha256: token.secret_sha256(),
            workspaces: grant.workspaces,
            privileges,
            description: grant.name.clone(),
            created_at: now,
            expires_at: Some(now.saturating_add(self.lifetime)?),
            revoked_at: None,
        };
        let actor = Actor { name: Some(grant.name), ..actor.clone() };
        let what = || (Action::TokenCreated, Subject::other(&record.id));
        let entry = |workspace| self.audit.entry(workspace, &actor, what(), now);
        let entries: Vec<NewEntry> = record.workspaces.iter().map(entry).collect::<Result<_>>()?;
        self.tokens.put(&record, &entries).await?;
        Ok(Some((token, record)))
    }
}
