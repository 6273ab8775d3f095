//! Sharing exports by links that need no credential, and opening these links.

use cloud::{ExportTable, NewEntry};
use export::{
    Action, Actor, Archive, Export, ExportId, Share, ShareId, ShareRequest, ShareSecret,
    ShareStatus, State, Status, Subject, Workspace,
};
use jiff::Timestamp;

use crate::{Exports, Links, Result};

/// Opens the links of shares.
#[derive(Clone, Debug)]
pub struct ShareLinks {
    /// The records of exports and shares.
    pub table: ExportTable,
    /// Links to archives.
    pub links: Links,
}

/// What a link leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Nothing: no share has this secret, or it is long gone.
    Unknown,
    /// Nothing any more, and this is why.
    Gone(Gone),
    /// An export that is still being made.
    Unfinished(Box<Export>),
    /// An export that can be downloaded. The archive ends when the share does.
    Ready(Box<Share>, Box<Export>, Archive),
}

/// Why a share leads to nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It was revoked.
    Revoked,
    /// It was for one use, which is over.
    Used,
    /// It, or the archive of its export, has ended.
    Expired,
    /// The archive of its export was deleted.
    Deleted,
    /// Its export failed or was cancelled.
    Failed,
}

impl Exports {
    /// Shares an export of a workspace, whether it is finished or not. The secret is known now and never again. `None` if
    /// the export has `most` shares.
    pub async fn share(
        &self,
        export: &Export,
        request: ShareRequest,
        actor: &Actor,
        now: Timestamp,
        most: usize,
    ) -> Result<Option<(Share, ShareSecret)>> {
        // Of several requests at once each may see room, so that there may be a few more.
        if self.table.share_count(&export.workspace, export.id, most).await? >= most {
            return Ok(None);
        }
        self.share_draft(export, request, actor, now).await.map(Some)
    }

    /// Shares an export that has no shares yet, and need not be stored: until it is, the link leads to nothing.
    pub async fn share_draft(
        &self,
        export: &Export,
        request: ShareRequest,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<(Share, ShareSecret)> {
        let secret = ShareSecret::from_random(self.random.bytes()?);
        let by = actor.name.as_deref().unwrap_or_default();
        let share = Share::new((&export.workspace, export.id), &secret, request, by, now);
        let what = (Action::ShareCreated, Subject::export(export.id).and(&share.id));
        let entry = self.audit.entry(&export.workspace, actor, what, now)?;
        self.table.put_share(&share, export, &entry).await?;
        Ok((share, secret))
    }

    /// Returns the shares of an export, newest first.
    pub async fn shares(
        &self,
        workspace: &Workspace,
        export: ExportId,
        most: usize,
    ) -> Result<Vec<Share>> {
        let mut shares = self.table.shares(workspace, export, most).await?;
        shares.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        Ok(shares)
    }

    /// Revokes a share of an export, at once. Tells whether there is one; doing it again changes nothing.
    pub async fn revoke_share(
        &self,
        (workspace, export): (&Workspace, ExportId),
        id: &ShareId,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<bool> {
        let what = (Action::ShareRevoked, Subject::export(export).and(id));
        let entry = self.audit.entry(workspace, actor, what, now)?;
        if self.table.revoke_share((workspace, export), id, &entry, now).await? {
            return Ok(true);
        }
        let found = self.table.share(id).await?;
        Ok(found.is_some_and(|share| (&share.workspace, share.export) == (workspace, export)))
    }
}

impl ShareLinks {
    /// Looks up what the link with this secret leads to. Nothing is counted.
    pub async fn open(&self, secret: &ShareSecret, now: Timestamp) -> Result<Opened> {
        let Some(share) = self.table.share(&secret.id()).await? else { return Ok(Opened::Unknown) };
        match share.status(now) {
            ShareStatus::Live => {}
            ShareStatus::Used => return Ok(Opened::Gone(Gone::Used)),
            ShareStatus::Expired => return Ok(Opened::Gone(Gone::Expired)),
            ShareStatus::Revoked => return Ok(Opened::Gone(Gone::Revoked)),
        }
        let found = self.table.get(&share.workspace, share.export).await?;
        let Some(export) = found.filter(Export::is_shown) else {
            return Ok(Opened::Gone(Gone::Deleted));
        };
        Ok(match (export.status(now), &export.state) {
            (Status::Succeeded, State::Succeeded { archive }) => {
                let archive = Archive { expires_at: share.ends_at(archive), ..archive.clone() };
                Opened::Ready(Box::new(share), Box::new(export), archive)
            }
            (Status::Queued | Status::Running, _) => Opened::Unfinished(Box::new(export)),
            (Status::Deleted, _) => Opened::Gone(Gone::Deleted),
            (Status::Failed | Status::Cancelled, _) => Opened::Gone(Gone::Failed),
            (Status::Expired | Status::Succeeded, _) => Opened::Gone(Gone::Expired),
        })
    }

    /// Counts a use of a share, for a file or the whole archive. Tells why not if it ended meanwhile, or somebody else
    /// used it up.
    pub async fn take(
        &self,
        share: &Share,
        file: Option<&str>,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Result<(), Gone>> {
        let entry = self.entry(share, Action::ShareUsed, file, actor, now)?;
        Ok(match self.table.use_share(&share.id, &entry, now).await? {
            true => Ok(()),
            false if share.once => Err(Gone::Used),
            false => Err(Gone::Revoked),
        })
    }

    /// Writes down that the page of a link was opened.
    pub async fn record_opened(&self, share: &Share, actor: &Actor, now: Timestamp) -> Result<()> {
        Ok(self.entry(share, Action::ShareOpened, None, actor, now)?.put().await?)
    }

    fn entry(
        &self,
        share: &Share,
        action: Action,
        file: Option<&str>,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<NewEntry> {
        let subject = Subject { other: file.map(str::to_owned), ..Subject::export(share.export) };
        let actor = Actor { share: Some(share.id.clone()), ..actor.clone() };
        self.links.audit.entry(&share.workspace, &actor, (action, subject), now)
    }
}

#[cfg(test)]
mod tests;
