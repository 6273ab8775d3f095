//! Creating exports: new ones, at most one under an idempotency key, and the one that stands for a natural key.

use std::time::Duration;

use cloud::{Identity, NewEntry, NewIdentity, Pauses, StoreOutcome};
use export::{Action, Actor, Export, ExportId, Subject, Workspace};
use jiff::Timestamp;

use crate::{Error, Exports, Result};

/// The most attempts to store an export while others store theirs.
const MAX_ATTEMPTS: u32 = 20;
/// How long these attempts are apart.
const STORE_PAUSES: Pauses =
    Pauses { first: Duration::from_millis(10), max: Duration::from_millis(200) };
/// How often a natural key is looked up again while others make its export.
const MAX_LOOKS: u32 = 4;
/// The pause before each of these looks.
const LOOK_PAUSE: Duration = Duration::from_millis(150);

/// An idempotency key and the request that came with it, as hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key.
    pub key: String,
    /// The body as it was sent.
    pub body: String,
    /// The request that was read from it. Two bodies may mean the same.
    pub request: String,
}

/// What came of creating an export.
#[derive(Clone, Debug)]
pub enum Created {
    /// It is new.
    New,
    /// The same request under the same key made this one before.
    Before(Box<Export>),
    /// Another request was made under the same key.
    OtherRequest,
}

/// What came of asking for the export of a natural key.
#[derive(Clone, Debug)]
pub enum Joined {
    /// It is new.
    New {
        /// The newest until now.
        before: Option<Box<Export>>,
    },
    /// The newest so far stays the newest.
    Kept(Box<Export>),
}

impl Exports {
    /// Stores a new export of `actor` and asks for it to be built, if its workspace may make it; under an idempotency
    /// key, at most one.
    pub async fn create(
        &self,
        export: &Export,
        key: Option<&IdempotencyKey>,
        actor: &Actor,
    ) -> Result<Created> {
        let entry = self.created(export, actor)?;
        self.count_new(export).await?;
        let created = self.store_new(export, key, &entry).await?;
        if matches!(created, Created::New) {
            self.submit(export).await;
        } else {
            self.uncount(export).await;
        }
        Ok(created)
    }

    /// Finds the export that was made under an idempotency key with the same body, given both as hashes.
    pub async fn replayed(
        &self,
        workspace: &Workspace,
        (key, body): (&str, &str),
        now: Timestamp,
    ) -> Result<Option<Export>> {
        let identity = self.table.identity(workspace, key).await?.filter(|it| it.is_live(now));
        match identity.filter(|identity| identity.body.as_deref() == Some(body)) {
            Some(identity) => Ok(self.table.get(workspace, identity.export).await?),
            None => Ok(None),
        }
    }

    /// Stores a new export as the newest of its natural key and asks for it to be built, if its workspace may
    /// make it and `keep` does not hold of the newest so far. Of many at once, one is stored. Without an `actor`, it
    /// is one that nobody sees, and no entry tells of it.
    pub async fn join(
        &self,
        export: &Export,
        key: &str,
        keep: impl Fn(&Export) -> bool,
        actor: Option<&Actor>,
    ) -> Result<Joined> {
        let entry = actor.map(|actor| self.created(export, actor)).transpose()?;
        let mut looks = 0;
        loop {
            let newest = self.table.newest(&export.workspace, key).await?;
            if let Some(kept) = newest.filter(|newest| keep(newest)) {
                return Ok(Joined::Kept(Box::new(kept)));
            }
            looks += 1;
            match self.count_new(export).await {
                Ok(()) => break,
                // Others who ask for the same may be counted, of whom one makes it.
                Err(Error::QuotaExceeded(_)) if looks < MAX_LOOKS => {
                    tokio::time::sleep(LOOK_PAUSE).await;
                }
                Err(e) => return Err(e),
            }
        }
        let joined = self.store_newest(export, key, keep, entry.as_ref()).await?;
        if matches!(joined, Joined::New { .. }) {
            self.submit(export).await;
        } else {
            self.uncount(export).await;
        }
        Ok(joined)
    }

    /// Returns the entry that tells of a new export.
    fn created(&self, export: &Export, actor: &Actor) -> Result<NewEntry> {
        let what = (Action::ExportCreated, Subject::export(export.id));
        self.audit.entry(&export.workspace, actor, what, export.created_at)
    }

    async fn store_new(
        &self,
        export: &Export,
        key: Option<&IdempotencyKey>,
        entry: &NewEntry,
    ) -> Result<Created> {
        for attempt in 1..=MAX_ATTEMPTS {
            if let Some(key) = key
                && let Some(made) = self.made_before(export, key).await?
            {
                return Ok(made);
            }
            let identity = key.map(|IdempotencyKey { key, body, request }| {
                NewIdentity::IdempotencyKey { key, body, request }
            });
            match self.table.store(export, identity, Some(entry)).await? {
                StoreOutcome::Yes => return Ok(Created::New),
                StoreOutcome::Refused if key.is_none() => break,
                // Somebody has the same key. Which export it stands for is known in a moment.
                StoreOutcome::Refused | StoreOutcome::Conflict => STORE_PAUSES.after(attempt).await,
            }
        }
        Err(cloud::Error::Stale(export.id).into())
    }

    async fn made_before(&self, new: &Export, key: &IdempotencyKey) -> Result<Option<Created>> {
        let found = self.table.identity(&new.workspace, &key.key).await?;
        let Some(Identity { export, body, request, .. }) =
            found.filter(|identity| identity.is_live(new.created_at))
        else {
            return Ok(None);
        };
        if body.as_ref() != Some(&key.body) && request.as_ref() != Some(&key.request) {
            return Ok(Some(Created::OtherRequest));
        }
        let made = self.table.get(&new.workspace, export).await?;
        Ok(made.map(|export| Created::Before(Box::new(export))))
    }

    async fn store_newest(
        &self,
        export: &Export,
        key: &str,
        keep: impl Fn(&Export) -> bool,
        entry: Option<&NewEntry>,
    ) -> Result<Joined> {
        for attempt in 1..=MAX_ATTEMPTS {
            let replaces: Option<ExportId> =
                self.table.identity(&export.workspace, key).await?.map(|identity| identity.export);
            let newest = match replaces {
                Some(id) => self.table.get(&export.workspace, id).await?,
                None => None,
            };
            if let Some(kept) = newest.as_ref().filter(|newest| keep(newest)) {
                return Ok(Joined::Kept(Box::new(kept.clone())));
            }
            let identity = NewIdentity::NaturalKey { key, replaces };
            match self.table.store(export, Some(identity), entry).await? {
                StoreOutcome::Yes => return Ok(Joined::New { before: newest.map(Box::new) }),
                StoreOutcome::Refused | StoreOutcome::Conflict => STORE_PAUSES.after(attempt).await,
            }
        }
        Err(cloud::Error::Stale(export.id).into())
    }
}

#[cfg(test)]
mod tests;
